"""What becomes of deliveries already planned when an event or a webhook changes: a difference of two sets."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from service.reminders import notices
from service.reminders.notices import RevisedEvent
from service.reminders.plan import (
    DAWN,
    DUSK,
    Candidate,
    Dropped,
    NotPlanned,
    PastVersion,
    Planned,
    Reason,
    plan,
    reminders,
)
from service.reminders.webhook import Webhook

Withdrawn = Literal["moved", "withdrawn", "deleted"] | Reason


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A delivery to take back, and why: what its owner reads."""

    id: str
    reason: Withdrawn


class Replan(Struct, frozen=True, kw_only=True):
    """The rows to insert, those to revise (same delivery, other hour), those to supersede, all that stand.

    An insert whose row exists in state `superseded` revives it: the event has moved there and back. One whose
    row exists in any other state changes nothing.
    """

    insert: tuple[Planned, ...]
    revise: tuple[Planned, ...]
    supersede: tuple[Withdrawal, ...]
    stand: tuple[str, ...] = ()


def changed_candidates(rows: Iterable[RevisedEvent]) -> tuple[Candidate, ...]:
    """The events that stand after these rows of the log, each with its versions before them."""
    of_event: dict[str, list[RevisedEvent]] = {}
    for row in rows:
        of_event.setdefault(row.event, []).append(row)
    return tuple(
        replace(news[-1].after, past=tuple(PastVersion(until=row.at, was=row.before) for row in news))
        for news in of_event.values()
        if news[-1].after is not None
    )


def replan(
    pending: Sequence[Planned],
    candidates: Iterable[Candidate],
    webhooks: Iterable[Webhook],
    *,
    until: datetime,
    now: datetime,
    held: Sequence[Planned] = (),
) -> Replan:
    """Bring deliveries in step with changed events (`changed`), or with webhooks that are not in step.

    `pending` are all unsent reminders of these events to these webhooks; `until` is the end of what is
    planned. `held` were taken back when the webhook was switched off, and are wanted again if they stand.
    """
    events, hooks = tuple(candidates), tuple(webhooks)
    waited = {(event.event.id, hook.id): _waited(event, hook) for event in events for hook in hooks}
    asked = {each.id: each for each in plan(events, hooks, after=DAWN, until=DUSK, seen=until)}
    past = _made_up(events, hooks, asked, until=until)
    came_due = {row.id for row in pending if row.due_at <= waited.get((row.event, row.webhook), DUSK)}
    # Most changes are of what is weeks away: then nobody asks what stands, whenever it came to.
    standing = _standing(events, hooks) if came_due or held or past else {}
    kept = {row.id: (standing if row.id in came_due else asked).get(row.id) for row in pending}
    wanted = asked | {row.id: standing[row.id] for row in held if row.id in standing}
    settled = past & _before(events, hooks, standing.values()) if past else past  # earlier passes saw to them
    news = [
        each
        for key, each in wanted.items()
        if each.due_at <= until and key not in settled and key not in kept
    ]
    gone = [row for row in pending if kept[row.id] is None]
    return Replan(
        insert=notices.limit_catch_up(mark_expired(news, now=now), past),
        revise=tuple(new for row in pending if (new := kept[row.id]) and _differs(row, new)),
        supersede=tuple(Withdrawal(id=row.id, reason=_why(row, events, hooks)) for row in gone),
        stand=tuple(key for key, new in kept.items() if new is not None),
    )


def check(
    planned: Planned, candidate: Candidate | None, webhook: Webhook, *, now: datetime
) -> Dropped | Withdrawn | None:
    """Asked right before a send: None to send it. `candidate` is the event as it is now, None if it is gone.

    Dropped makes a delivery expired, Withdrawn superseded. A notice tells of the past: nothing that happens
    later takes it back, it only grows old.
    """
    if webhook.state == "disabled":
        return "disabled"
    if _skipped(planned, webhook):
        return "paused"
    if planned.type != "event.reminder":
        return "too_late" if now >= planned.valid_until else None
    if candidate is None:
        return "deleted"
    standing = plan(*without_past((candidate,), (webhook,)), after=DAWN, until=DUSK)
    same = next((each for each in standing if each.id == planned.id), None)
    return withdrawn(planned, candidate, webhook) if same is None else overtaken(same, now=now)


def withdrawn(planned: Planned, candidate: Candidate, webhook: Webhook) -> Withdrawn:
    """Why nothing asks for this reminder any more. `moved`: it does, at another time."""
    if webhook.state != "disabled" and _skipped(planned, webhook):
        return "paused"
    [event], [hook] = without_past((candidate,), (webhook,))
    rule = (planned.anchor, planned.before)
    for answer in reminders(event, hook):
        if (answer.anchor, answer.before) == rule:
            if isinstance(answer, NotPlanned):
                return answer.reason
            return "already_past" if answer.id == planned.id else "moved"
    return "withdrawn"


def without_past(
    candidates: Iterable[Candidate], webhooks: Iterable[Webhook]
) -> tuple[tuple[Candidate, ...], tuple[Webhook, ...]]:
    """The same without "already past": what stands, whenever it came to."""
    return (
        tuple(replace(candidate, past=()) for candidate in candidates),
        tuple(replace(webhook, past=(), since=DAWN) for webhook in webhooks),
    )


def _why(row: Planned, events: Iterable[Candidate], hooks: Iterable[Webhook]) -> Withdrawn:
    hook = next(each for each in hooks if each.id == row.webhook)
    if hook.state == "disabled":
        return "disabled"
    event = next((each for each in events if each.event.id == row.event), None)
    return "deleted" if event is None else withdrawn(row, event, hook)


def _skipped(planned: Planned, webhook: Webhook) -> bool:
    return webhook.skipped_until is not None and planned.due_at <= webhook.skipped_until


def _standing(events: tuple[Candidate, ...], hooks: tuple[Webhook, ...]) -> Mapping[str, Planned]:
    return {each.id: each for each in plan(*without_past(events, hooks), after=DAWN, until=DUSK)}


def _waited(event: Candidate, hook: Webhook) -> datetime:
    """What was due by then came due before anything changed, and only waits to be sent."""
    if hook.in_step:
        return max(hook.since, event.past[0].until) if event.past else hook.since
    began = hook.past[0].until if hook.past else hook.since
    return min(began, event.past[0].until) if event.past else began


def _made_up(
    events: tuple[Candidate, ...],
    hooks: tuple[Webhook, ...],
    asked: Mapping[str, Planned],
    *,
    until: datetime,
) -> frozenset[str]:
    """Those that were already past when they came to be asked for, and are wanted all the same."""
    eager = tuple(hook for hook in hooks if hook.late == "send_now")
    strict = (replace(hook, late="skip") for hook in eager)
    due = {each.id for each in plan(events, strict, after=DAWN, until=DUSK, seen=until)}
    names = {hook.id for hook in eager}
    return frozenset(key for key, each in asked.items() if each.webhook in names and key not in due)


def _before(
    events: tuple[Candidate, ...], hooks: tuple[Webhook, ...], standing: Iterable[Planned]
) -> frozenset[str]:
    """The reminders that the first of the changes left as they were, hour and all."""
    was = (each.past[0].was for each in events if each.past)
    known = (hook for hook in hooks if hook.in_step)
    olds, always = without_past((each for each in was if each is not None), known)
    before = {(each.id, each.due_at) for each in plan(olds, always, after=DAWN, until=DUSK)}
    return frozenset(each.id for each in standing if (each.id, each.due_at) in before)


def _differs(row: Planned, new: Planned) -> bool:
    return (row.due_at, row.valid_until, row.tighter_at) != (new.due_at, new.valid_until, new.tighter_at)


# FOLDED service/reminders/lateness.py: What becomes of a reminder that was not sent when it was due. Late is honest: said, or not sent at all.
# Sent this long after it was due, a reminder counts as late; less is the tick of the loops.
LATE = timedelta(seconds=60)


def overtaken(planned: Planned, *, now: datetime) -> Dropped | None:
    """Why this is no longer worth sending, if so: it is over, or late while a tighter one is due as well."""
    if now >= planned.valid_until:
        return "too_late"
    late = now - planned.due_at > LATE
    if late and planned.tighter_at is not None and planned.tighter_at <= now:
        return "tighter"
    return None


def mark_expired(planned: Iterable[Planned], *, now: datetime) -> tuple[Planned, ...]:
    """Mark what must not be sent any more as expired: rows that are kept, to be seen."""
    return tuple(
        replace(each, state="expired", reason=dropped) if (dropped := overtaken(each, now=now)) else each
        for each in planned
    )


def late_seconds(planned: Planned, *, now: datetime) -> int:
    """How late a reminder goes out; the tick of the loops is not lateness."""
    late = now - planned.due_at
    return int(late.total_seconds()) if late > LATE else 0
