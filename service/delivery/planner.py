"""The planner: turns what is due soon, and what has changed, into deliveries.

Two cursors are stored in one transaction with the deliveries they stand for: `revision`, up to where the log
has been followed, and `planned_until`, up to where reminders are deliveries. A pass reads one snapshot,
decides, and writes; if another process has planned meanwhile, its decision is thrown away. So there is no
leader, and planning twice is harmless.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from service.reminders import due_times, notices
from service.reminders.due_times import DueRule
from service.reminders.plan import LOOK_AHEAD, Candidate, Planned, plan
from service.reminders.replan import Replan, Withdrawal, changed_candidates, mark_expired, replan
from service.reminders.webhook import Webhook
from service.store import deliveries, event_history, events, revisions, webhooks
from service.store.engine import Store
from service.store.revisions import PlannerPosition
from service.store.webhooks import StoredWebhook

# `planned_until` moves in strides: looking up what is due costs much the same for a second as for a minute.
STRIDES = 20
# After a long stop the past is planned in ranges of this length.
LONGEST_RANGE = timedelta(hours=6)
# What is planned this much further than now asks for was planned by a wrong clock, and is planned again.
AHEAD_OF_TIME = timedelta(minutes=1)
# Rows of the log, and webhooks, that one pass follows.
LOG_ROWS = 1000
WEBHOOKS = 50
# Rows written in one transaction, which is how long others may have to wait.
ROWS_AT_ONCE = 1000
PASSES = 100_000


class Pass(Struct, frozen=True, kw_only=True):
    """The counts of one run of the planner, or of one pass of it.

    `expired` came too late to be sent, `flooded` were too many at once.
    """

    planned: int = 0
    superseded: int = 0
    expired: int = 0
    flooded: int = 0
    planned_until: datetime | None = None
    revision: int = 0
    passes: int = 0

    def __add__(self, other: "Pass") -> "Pass":
        return Pass(
            planned=self.planned + other.planned,
            superseded=self.superseded + other.superseded,
            expired=self.expired + other.expired,
            flooded=self.flooded + other.flooded,
            planned_until=other.planned_until or self.planned_until,
            revision=other.revision or self.revision,
            passes=self.passes + other.passes,
        )


class Decision(Struct, frozen=True, kw_only=True):
    """The writes of one pass, and the planner's position after it. `seen` is the position it read at."""

    seen: PlannerPosition
    insert: tuple[Planned, ...] = ()
    revise: tuple[Planned, ...] = ()
    supersede: tuple[Withdrawal, ...] = ()
    stand: tuple[str, ...] = ()
    planned_until: datetime | None = None
    revision: int | None = None
    in_step: tuple[StoredWebhook, ...] = ()


def run_once(store: Store, *, now: datetime, look_ahead: timedelta = LOOK_AHEAD) -> Pass:
    """Plans until everything due by `now + look_ahead`, and every change so far, is planned."""
    look = partial(decide, now=now, until=now + look_ahead, stride=look_ahead / STRIDES)
    total = Pass()
    for _ in range(PASSES):
        decision = store.read(look)
        if decision is None:
            break
        try:
            total += _carry_out(store, decision, now=now)
        except revisions.PlannerOvertaken:
            continue
    return total


def lag(c: Connection, *, now: datetime) -> timedelta:
    """Returns how long ago the last planned instant passed, or the first change that nobody has followed
    was made; zero while planning is ahead of time."""
    seen = revisions.planner_position(c)
    unread = revisions.next_at(c, after=seen.revision) if webhooks.are_there(c) else None
    return max(timedelta(0), *(now - at for at in (seen.planned_until, unread, now) if at is not None))


def _carry_out(store: Store, decision: Decision, *, now: datetime) -> Pass:
    """Writes a decision, many rows in several transactions; the cursors move with the last of them.

    Rows written before a crash are the same that the next planner will insert.
    """
    # In the order of their ids, as they will be claimed and recorded in that order too.
    rows, seen = tuple(sorted(decision.insert, key=lambda each: each.id)), decision.seen
    while len(rows) > ROWS_AT_ONCE:
        store.write(partial(_insert, rows=rows[:ROWS_AT_ONCE], seen=seen, now=now))
        rows, seen = (
            rows[ROWS_AT_ONCE:],
            PlannerPosition(planned_until=seen.planned_until, revision=seen.revision, step=seen.step + 1),
        )
    return store.write(partial(_finish, decision=decision, rows=rows, seen=seen, now=now))


def _insert(c: Connection, *, rows: tuple[Planned, ...], seen: PlannerPosition, now: datetime) -> None:
    revisions.take_planner_turn(c, seen)
    deliveries.insert(c, _existing(c, rows), now=now)


def _finish(
    c: Connection, *, decision: Decision, rows: tuple[Planned, ...], seen: PlannerPosition, now: datetime
) -> Pass:
    revisions.take_planner_turn(c, seen)
    # Superseded first: a reminder that moved to another hour is one row, a moved event's are two.
    gone = deliveries.supersede(c, decision.supersede, now=now)
    deliveries.stand_by(c, decision.stand)
    deliveries.revise(c, decision.revise)
    deliveries.insert(c, _existing(c, rows), now=now)
    for stored in decision.in_step:
        webhooks.replanned(c, stored)
    revisions.move_planner(c, planned_until=decision.planned_until, revision=decision.revision)
    webhooks.forget_followed(c)
    return Pass(
        planned=sum(row.state == "pending" for row in decision.insert),
        expired=sum(row.state == "expired" and row.reason != "flood" for row in decision.insert),
        flooded=sum(row.reason == "flood" for row in decision.insert),
        superseded=gone,
        planned_until=decision.planned_until,
        revision=decision.revision or 0,
        passes=1,
    )


def _existing(c: Connection, rows: tuple[Planned, ...]) -> list[Planned]:
    """Returns the rows whose webhook has not been deleted since it was read."""
    there = webhooks.versions(c, sorted({row.webhook for row in rows})) if rows else {}
    return [row for row in rows if row.webhook in there]


def decide(c: Connection, *, now: datetime, until: datetime, stride: timedelta) -> Decision | None:
    """Decides the next pass on one snapshot; None when everything is planned."""
    seen = revisions.planner_position(c)
    if seen.planned_until is None or seen.planned_until - until > AHEAD_OF_TIME:
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
    """Plans the reminders that fall due in the next range of time."""
    until = min(until, after + LONGEST_RANGE)
    hooks = [stored.webhook for stored in webhooks.every(c)]
    candidates = _anchored(c, hooks, after=after, until=until)
    if after < now:  # planning stood still, and what changed meanwhile may have come too late
        candidates = event_history.with_past(c, candidates, since=after, after=seen.revision)
    due = _due(candidates, hooks, after=after, until=until)
    reminders = [
        planned
        for hook in hooks
        for planned in plan(_some(candidates, due[hook.id]), [hook], after=after, until=until)
    ]
    return Decision(seen=seen, insert=mark_expired(reminders, now=now), planned_until=until)


def _follow_changes(c: Connection, seen: PlannerPosition, until: datetime, *, now: datetime) -> Decision:
    """Plans notices of what changed, and brings the reminders of changed events in step."""
    rows = event_history.revised(c, after=seen.revision, limit=LOG_ROWS)
    if not rows:  # only series, programs and the like have changed
        return Decision(seen=seen, revision=revisions.head(c))
    hooks = [stored.webhook for stored in webhooks.every(c)]
    pending = _by_webhook(deliveries.unsent_of_events(c, sorted({row.event for row in rows})))
    # With all of their changes, not only these rows: what events were in between is not planned for.
    changed = {candidate.event.id: candidate for candidate in changed_candidates(rows)}
    if len(rows) >= LOG_ROWS:
        changed = event_history.with_past(c, changed, after=seen.revision)
    concerned = _concerned(changed, hooks, until=until)
    plans = [
        replan(
            pending[hook.id],
            _some(changed, concerned[hook.id] | {row.event for row in pending[hook.id]}),
            [replace(hook, past=())],  # in step with what it asks for now
            until=until,
            now=now,
        )
        for hook in hooks
        if concerned[hook.id] or pending[hook.id]
    ]
    planned_notices = notices.notices(rows, hooks)
    last = rows[-1].seq if len(rows) >= LOG_ROWS else max(rows[-1].seq, revisions.head(c))
    return _decision(seen, plans, planned_notices=planned_notices, revision=last)


def _follow_webhooks(
    c: Connection, seen: PlannerPosition, until: datetime, stale: tuple[StoredWebhook, ...], *, now: datetime
) -> Decision:
    """Plans for new and changed webhooks their own part of what is already planned for others.

    This comes before the log is followed, as what is unread there changed under the old rules or the new.
    """
    hooks = [stored.webhook for stored in stale]
    plans = [_bring_in_step(c, seen, until, hook, now=now) for hook in hooks]
    missed = tuple(
        notice for hook in hooks for notice in _missed_notices(c, hook, until=seen.revision, now=now)
    )
    return _decision(seen, plans, planned_notices=missed, in_step=stale)


def _bring_in_step(
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
    after = min(since, now - longest - due_times.SLACK) if hook.late == "send_now" else since
    candidates = _anchored(c, [hook], after=after, until=until)
    stored = events.get_many(c, sorted({row.event for row in (*pending, *held)} - candidates.keys()))
    candidates |= {key: event_history.candidate(each) for key, each in stored.items()}
    unread = min(seen.revision, *(each.from_seq for each in unplanned))
    candidates = event_history.with_past(c, candidates, since=until if until < now else None, after=unread)
    return replan(pending, candidates.values(), [hook], until=until, now=now, held=held)


def _missed_notices(c: Connection, hook: Webhook, *, until: int, now: datetime) -> tuple[Planned, ...]:
    """Returns notices of what changed while the webhook was disabled, as far as they are still of use."""
    unplanned = [hook, *(former.was for former in hook.past if not former.was.in_step)]
    after = min(each.from_seq for each in unplanned)
    if after >= until or hook.state == "disabled" or not any(each.changes for each in unplanned):
        return ()
    rows = event_history.revised_lately(c, after=after, until=until, since=now - notices.USEFUL)
    return notices.notices(rows, [hook])


def _decision(
    seen: PlannerPosition,
    plans: Sequence[Replan],
    *,
    planned_notices: tuple[Planned, ...] = (),
    revision: int | None = None,
    in_step: tuple[StoredWebhook, ...] = (),
) -> Decision:
    return Decision(
        seen=seen,
        insert=(*planned_notices, *(row for each in plans for row in each.insert)),
        revise=tuple(row for each in plans for row in each.revise),
        supersede=tuple(row for each in plans for row in each.supersede),
        stand=tuple(key for each in plans for key in each.stand),
        revision=revision,
        in_step=in_step,
    )


def _anchored(
    c: Connection, hooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> dict[str, Candidate]:
    """Returns by id the events that a rule of these webhooks may be due for in `(after, until]`."""
    rules = {rule for hook in hooks for rule in due_times.due_rules(hook)}
    stored_events = {
        stored.id: stored
        for span in due_times.anchor_ranges(rules, after=after, until=until)
        for stored in events.anchored(
            c, "start" if span.opening else "end", after=span.after, until=span.until
        )
    }
    return {key: event_history.candidate(stored) for key, stored in stored_events.items()}


def _due(
    candidates: Mapping[str, Candidate], hooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> dict[str, set[str]]:
    """Returns by webhook the ids of events that its rules are due for in `(after, until]`."""
    found = [candidate.event for candidate in candidates.values()]
    return _of_each(hooks, lambda rule: due_times.due_between(found, rule, after=after, until=until))


def _concerned(
    changed: Mapping[str, Candidate], hooks: Iterable[Webhook], *, until: datetime
) -> dict[str, set[str]]:
    """Returns by webhook the ids of changed events that its rules may have to be planned for by `until`."""
    return _of_each(
        hooks,
        lambda rule: {
            key
            for key, candidate in changed.items()
            if due_times.is_of_use(candidate.event, rule, until=until, since=candidate.past[0].until)
        },
    )


def _of_each(
    hooks: Iterable[Webhook], events_of: Callable[[DueRule], Collection[str]]
) -> dict[str, set[str]]:
    """Returns by webhook the events of all its rules; each distinct rule is computed once."""
    rules = {hook.id: due_times.due_rules(hook) for hook in hooks}
    computed = {rule: events_of(rule) for rule in {rule for own in rules.values() for rule in own}}
    return {key: {event for rule in own for event in computed[rule]} for key, own in rules.items()}


def _some(candidates: Mapping[str, Candidate], event_ids: set[str]) -> list[Candidate]:
    return [candidates[key] for key in sorted(event_ids) if key in candidates]


def _by_webhook(rows: Iterable[Planned]) -> defaultdict[str, list[Planned]]:
    by_webhook: defaultdict[str, list[Planned]] = defaultdict(list)
    for row in rows:
        by_webhook[row.webhook].append(row)
    return by_webhook
