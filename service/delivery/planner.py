"""What the next pass of the planner has to do: read from one snapshot, decided, not yet written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from service.reminders import due_window, notices
from service.reminders import replan as lateness
from service.reminders.plan import Candidate, Planned, plan
from service.reminders.replan import Replan, Withdrawal, changed_candidates, replan
from service.reminders.webhook import Webhook
from service.store import deliveries, event_history, events, planner_position, revisions, webhooks
from service.store.engine import Store
from service.store.planner_position import PlannerPosition
from service.store.webhooks import StoredWebhook

# After a long stop the past is planned piece by piece.
LONGEST_STRETCH = timedelta(hours=6)
LOG_ROWS = 1000
WEBHOOKS = 50


class Decision(Struct, frozen=True, kw_only=True):
    """What one pass will write, and where the cursors stand then."""

    seen: PlannerPosition
    insert: tuple[Planned, ...] = ()
    revise: tuple[Planned, ...] = ()
    supersede: tuple[Withdrawal, ...] = ()
    stand: tuple[str, ...] = ()
    planned_until: datetime | None = None
    revision: int | None = None
    in_step: tuple[StoredWebhook, ...] = ()


def decide(c: Connection, *, now: datetime, until: datetime, stride: timedelta) -> Decision | None:
    seen = planner_position.position(c)
    if seen.planned_until is None:
        return Decision(seen=seen, planned_until=now)
    if stale := webhooks.to_replan(c, WEBHOOKS):
        return _follow_webhooks(c, seen, seen.planned_until, stale, now=now)
    if revisions.head(c) > seen.revision:
        return _follow_changes(c, seen, seen.planned_until, now=now)
    if until - seen.planned_until > stride:
        return _extend(c, seen, after=seen.planned_until, until=until, now=now)
    return None


def _extend(
    c: Connection, seen: PlannerPosition, *, after: datetime, until: datetime, now: datetime
) -> Decision:
    """Reminders that fall due in the next stretch of time."""
    until = min(until, after + LONGEST_STRETCH)
    hooks = [kept.webhook for kept in webhooks.every(c)]
    candidates = _anchored(c, hooks, after=after, until=until)
    if after < now:  # planning has stood still: what changed meanwhile may have been past when it did
        candidates = event_history.with_past(c, candidates, since=after, after=seen.revision)
    due = _due(candidates, hooks, after=after, until=until)
    found = [
        planned
        for hook in hooks
        for planned in plan(_some(candidates, due[hook.id]), [hook], after=after, until=until)
    ]
    return Decision(seen=seen, insert=lateness.mark_expired(found, now=now), planned_until=until)


def _follow_changes(c: Connection, seen: PlannerPosition, until: datetime, *, now: datetime) -> Decision:
    """Notices of what changed, and the reminders of the changed events brought in step."""
    rows = event_history.revised(c, after=seen.revision, limit=LOG_ROWS)
    if not rows:  # the log went on with nouns other than events
        return Decision(seen=seen, revision=revisions.head(c))
    hooks = [kept.webhook for kept in webhooks.every(c)]
    pending = _by_webhook(deliveries.unsent_of_events(c, sorted({row.event for row in rows})))
    # With all of their changes there are, not only these: what they were in between is not planned for.
    news = {candidate.event.id: candidate for candidate in changed_candidates(rows)}
    news = event_history.with_past(c, news, after=seen.revision) if len(rows) >= LOG_ROWS else news
    concerned = _concerned(news, hooks, until=until)
    plans = [
        replan(
            pending[hook.id],
            _some(news, concerned[hook.id] | {row.event for row in pending[hook.id]}),
            [replace(hook, past=())],  # in step with what it asks for now
            until=until,
            now=now,
        )
        for hook in hooks
        if concerned[hook.id] or pending[hook.id]
    ]
    told = notices.notices(rows, hooks)
    last = rows[-1].seq if len(rows) >= LOG_ROWS else max(rows[-1].seq, revisions.head(c))
    return _of(seen, plans, told=told, revision=last)


def _follow_webhooks(
    c: Connection, seen: PlannerPosition, until: datetime, stale: tuple[StoredWebhook, ...], *, now: datetime
) -> Decision:
    """New and changed webhooks: their own part of what is already planned.

    Before the log is followed: what is still unread there was a change for the old rules or for the new.
    """
    hooks = [kept.webhook for kept in stale]
    plans = [_in_step(c, seen, until, hook, now=now) for hook in hooks]
    told = tuple(each for hook in hooks for each in _caught_up(c, hook, until=seen.revision, now=now))
    return _of(seen, plans, told=told, in_step=stale)


def _in_step(
    c: Connection, seen: PlannerPosition, until: datetime, hook: Webhook, *, now: datetime
) -> Replan:
    if hook.state == "disabled":
        everything = deliveries.unsent_of_webhook(c, hook.id, again=True)
        return replan(everything, (), [hook], until=until, now=now)
    pending = deliveries.unsent_of_webhook(c, hook.id)
    held = [row for row in deliveries.switched_off(c, hook.id, now=now) if row.due_at <= hook.since]
    unplanned = [hook, *(former.was for former in hook.past if not former.was.in_step)]
    since = min(until, *(each.since for each in unplanned))
    # What is already past and still of use was due at most the longest offset ago.
    longest = max((rule.offset.longest for rule in hook.reminders), default=timedelta(0))
    after = min(since, now - longest - due_window.SLACK) if hook.late == "send_now" else since
    candidates = _anchored(c, [hook], after=after, until=until)
    stored = events.get_many(c, sorted({row.event for row in (*pending, *held)} - candidates.keys()))
    candidates |= {each.id: event_history.candidate(each) for each in stored.values()}
    unread = min(seen.revision, *(each.from_seq for each in unplanned))
    candidates = event_history.with_past(c, candidates, since=until if until < now else None, after=unread)
    return replan(pending, candidates.values(), [hook], until=until, now=now, held=held)


def _caught_up(c: Connection, hook: Webhook, *, until: int, now: datetime) -> tuple[Planned, ...]:
    """What changed while it was disabled, as far as that is still of use; the rest of the log is to come."""
    unplanned = [hook, *(former.was for former in hook.past if not former.was.in_step)]
    after = min(each.from_seq for each in unplanned)
    if after >= until or hook.state == "disabled" or not any(each.changes for each in unplanned):
        return ()
    rows = event_history.revised_lately(c, after=after, until=until, since=now - notices.USEFUL)
    return notices.notices(rows, [hook])


def _of(
    seen: PlannerPosition,
    plans: Iterable[Replan],
    *,
    told: tuple[Planned, ...] = (),
    revision: int | None = None,
    in_step: tuple[StoredWebhook, ...] = (),
) -> Decision:
    made = tuple(plans)
    return Decision(
        seen=seen,
        insert=(*told, *(row for each in made for row in each.insert)),
        revise=tuple(row for each in made for row in each.revise),
        supersede=tuple(row for each in made for row in each.supersede),
        stand=tuple(key for each in made for key in each.stand),
        revision=revision,
        in_step=in_step,
    )


def _anchored(
    c: Connection, hooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> dict[str, Candidate]:
    rules = {rule for hook in hooks for rule in due_window.due_rules(hook)}
    found = {
        stored.id: stored
        for stretch in due_window.anchor_ranges(rules, after=after, until=until)
        for stored in events.anchored(
            c, "start" if stretch.opening else "end", after=stretch.after, until=stretch.until
        )
    }
    return {key: event_history.candidate(stored) for key, stored in found.items()}


def _due(
    candidates: Mapping[str, Candidate], hooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> dict[str, set[str]]:
    """By webhook, the events its rules are due for; each distinct rule is computed once."""
    rules = {hook.id: due_window.due_rules(hook) for hook in hooks}
    computed = {
        rule: due_window.due_between(candidates.values(), rule, after=after, until=until)
        for rule in {rule for own in rules.values() for rule in own}
    }
    return {key: {event for rule in own for event in computed[rule]} for key, own in rules.items()}


def _concerned(
    news: Mapping[str, Candidate], hooks: Iterable[Webhook], *, until: datetime
) -> dict[str, set[str]]:
    """By webhook, the changed events that some rule of it may have to be planned for by `until`."""
    rules = {hook.id: due_window.due_rules(hook) for hook in hooks}
    computed = {
        rule: {
            key
            for key, candidate in news.items()
            if due_window.is_of_use(candidate, rule, until=until, since=candidate.past[0].until)
        }
        for rule in {rule for own in rules.values() for rule in own}
    }
    return {key: {event for rule in own for event in computed[rule]} for key, own in rules.items()}


def _some(candidates: Mapping[str, Candidate], wanted: set[str]) -> list[Candidate]:
    return [candidates[key] for key in sorted(wanted) if key in candidates]


def _by_webhook(rows: Iterable[Planned]) -> defaultdict[str, list[Planned]]:
    found: defaultdict[str, list[Planned]] = defaultdict(list)
    for row in rows:
        found[row.webhook].append(row)
    return found


# FOLDED service/reminders/fanout.py: The planning loop: turns what is due soon, and what has changed, into deliveries.
# FOLDED service/reminders/fanout.py:
# FOLDED service/reminders/fanout.py: Two cursors are kept with the deliveries they stand for, in one transaction each: `revision`, up to where the
# FOLDED service/reminders/fanout.py: log has been followed, and `planned_until`, up to where reminders are deliveries. A pass reads one snapshot,
# FOLDED service/reminders/fanout.py: decides, and writes; if another process planned meanwhile, what it decided is thrown away. So there is no
# FOLDED service/reminders/fanout.py: leader, and planning twice is harmless.
LOOK_AHEAD = timedelta(minutes=10)
# The time cursor moves in strides: looking up what is due costs much the same for a second as for a minute.
STRIDES = 20
# Rows written in one transaction: nobody else waits longer than this takes.
SLICE = 1000
PASSES = 100_000


class Pass(Struct, frozen=True, kw_only=True):
    """What one run has done."""

    planned: int = 0
    superseded: int = 0
    expired: int = 0
    planned_until: datetime | None = None
    revision: int = 0
    passes: int = 0

    def __add__(self, other: "Pass") -> "Pass":
        return Pass(
            planned=self.planned + other.planned,
            superseded=self.superseded + other.superseded,
            expired=self.expired + other.expired,
            planned_until=other.planned_until or self.planned_until,
            revision=other.revision or self.revision,
            passes=self.passes + other.passes,
        )


def run_once(store: Store, *, now: datetime, look_ahead: timedelta = LOOK_AHEAD) -> Pass:
    """Plan until everything due by `now + look_ahead`, and every change so far, is planned."""
    look = partial(decide, now=now, until=now + look_ahead, stride=look_ahead / STRIDES)
    total = Pass()
    for _ in range(PASSES):
        decision = store.read(look)
        if decision is None:
            break
        try:
            total += _carry_out(store, decision, now=now)
        except planner_position.PlannerOvertaken:
            continue
    return total


def lag(c: Connection, *, now: datetime) -> timedelta:
    """How long ago the last planned instant passed; zero while planning is ahead of time."""
    until = planner_position.position(c).planned_until
    return max(timedelta(0), now - until) if until else timedelta(0)


def _carry_out(store: Store, decision: Decision, *, now: datetime) -> Pass:
    """The cursors move with the last rows; rows that came before them are the same whoever inserts them."""
    # In the order of their names, which is then that of everything they will be claimed and recorded by.
    rows, seen = tuple(sorted(decision.insert, key=lambda each: each.id)), decision.seen
    while len(rows) > SLICE:
        store.write(partial(_insert, rows=rows[:SLICE], seen=seen, now=now))
        rows, seen = (
            rows[SLICE:],
            PlannerPosition(planned_until=seen.planned_until, revision=seen.revision, step=seen.step + 1),
        )
    return store.write(partial(_finish, decision=decision, rows=rows, seen=seen, now=now))


def _insert(c: Connection, *, rows: tuple[Planned, ...], seen: PlannerPosition, now: datetime) -> None:
    planner_position.take_turn(c, seen)
    deliveries.insert(c, _existing(c, rows), now=now)


def _finish(
    c: Connection, *, decision: Decision, rows: tuple[Planned, ...], seen: PlannerPosition, now: datetime
) -> Pass:
    planner_position.take_turn(c, seen)
    # Superseded first: a reminder that moved to another hour is one row, a moved event's are two.
    gone = deliveries.supersede(c, decision.supersede, now=now)
    deliveries.stand_by(c, decision.stand)
    deliveries.revise(c, decision.revise)
    deliveries.insert(c, _existing(c, rows), now=now)
    for kept in decision.in_step:
        webhooks.replanned(c, kept)
    planner_position.move(c, planned_until=decision.planned_until, revision=decision.revision)
    webhooks.forget_followed(c)
    return Pass(
        planned=sum(row.state == "pending" for row in decision.insert),
        expired=sum(row.state == "expired" for row in decision.insert),
        superseded=gone,
        planned_until=decision.planned_until,
        revision=decision.revision or 0,
        passes=1,
    )


def _existing(c: Connection, rows: tuple[Planned, ...]) -> list[Planned]:
    """A webhook may have been deleted since it was read."""
    there = webhooks.versions(c, sorted({row.webhook for row in rows})) if rows else {}
    return [row for row in rows if row.webhook in there]
