"""Brings planned deliveries in step with changed events and webhooks: a difference of two sets."""

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

# A reminder sent this long after it was due counts as late; less is the tick of the loops.
LATE = timedelta(seconds=60)

Withdrawn = Literal["moved", "withdrawn", "deleted"] | Reason


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A delivery to take back, the reason its owner reads, and the delivery planned in its place."""

    id: str
    reason: Withdrawn
    by: str | None = None


class Replan(Struct, frozen=True, kw_only=True):
    """The deliveries to insert, to revise (same delivery, other hour), to supersede, and to leave standing.

    An insert revives a row in state `superseded`, as its event has moved there and back, and leaves a row in
    any other state as it is.
    """

    insert: tuple[Planned, ...]
    revise: tuple[Planned, ...]
    supersede: tuple[Withdrawal, ...]
    stand: tuple[str, ...] = ()


def changed_candidates(rows: Iterable[RevisedEvent]) -> tuple[Candidate, ...]:
    """Returns the events that exist after these rows of the log, each with its versions before them."""
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
    """Compares deliveries with what changed events, or webhooks that are not in step, ask for now.

    `pending` are all unsent reminders of these events to these webhooks; `until` is the end of what is
    planned. `held` were taken back when the webhook was switched off, and are wanted again if they stand.
    """
    events, hooks = tuple(candidates), tuple(webhooks)
    waited = {(event.event.id, hook.id): _waited(event, hook) for event in events for hook in hooks}
    asked = {each.id: each for each in plan(events, hooks, after=DAWN, until=DUSK, seen=until)}
    past = _made_up(events, hooks, asked, until=until)
    came_due = {row.id for row in pending if row.due_at <= waited.get((row.event, row.webhook), DUSK)}
    # Most changes concern reminders that are weeks away; then this need not be computed.
    standing = _standing(events, hooks) if came_due or held or past else {}
    kept = {row.id: (standing if row.id in came_due else asked).get(row.id) for row in pending}
    wanted = asked | {row.id: standing[row.id] for row in held if row.id in standing}
    settled = (
        past & _before(events, hooks, standing.values()) if past else past
    )  # earlier passes decided those
    news = [
        each
        for key, each in wanted.items()
        if each.due_at <= until and key not in settled and key not in kept
    ]
    gone = [row for row in pending if kept[row.id] is None]
    return Replan(
        insert=notices.limit_catch_up(mark_expired(news, now=now), past),
        revise=tuple(new for row in pending if (new := kept[row.id]) and _differs(row, new)),
        supersede=tuple(_withdrawal(row, events, hooks, asked) for row in gone),
        stand=tuple(key for key, new in kept.items() if new is not None),
    )


def check(
    planned: Planned, candidate: Candidate | None, webhook: Webhook, *, now: datetime
) -> Dropped | Withdrawn | None:
    """Checks a delivery right before it is sent; returns None to send it, else why not.

    `candidate` is the event as it is now, None if it was deleted. A `Dropped` makes the delivery expired, a
    `Withdrawn` superseded. A notice tells of the past, so nothing but its age takes it back.
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
    return withdrawn(planned, candidate, webhook).reason if same is None else overtaken(same, now=now)


def withdrawn(planned: Planned, candidate: Candidate, webhook: Webhook) -> Withdrawal:
    """Returns why nothing asks for this reminder any more; `moved` where it is asked for at another time."""
    if webhook.state != "disabled" and _skipped(planned, webhook):
        return Withdrawal(id=planned.id, reason="paused")
    [event], [hook] = without_past((candidate,), (webhook,))
    rule = (planned.anchor, planned.before, planned.at)
    for answer in reminders(event, hook):
        if (answer.anchor, answer.before, answer.at) == rule:
            if isinstance(answer, NotPlanned):
                return Withdrawal(id=planned.id, reason=answer.reason)
            if answer.id == planned.id:
                return Withdrawal(id=planned.id, reason="already_past")
            return Withdrawal(id=planned.id, reason="moved", by=answer.id)
    return Withdrawal(id=planned.id, reason="withdrawn")


def without_past(
    candidates: Iterable[Candidate], webhooks: Iterable[Webhook]
) -> tuple[tuple[Candidate, ...], tuple[Webhook, ...]]:
    """Returns the same events and webhooks without their past, so that no reminder is "already past"."""
    return (
        tuple(replace(candidate, past=()) for candidate in candidates),
        tuple(replace(webhook, past=(), since=DAWN) for webhook in webhooks),
    )


def _withdrawal(
    row: Planned, events: Iterable[Candidate], hooks: Iterable[Webhook], asked: Mapping[str, Planned]
) -> Withdrawal:
    """Why a row is not wanted, and what is planned in its place, if anything is."""
    hook = next(each for each in hooks if each.id == row.webhook)
    event = next((each for each in events if each.event.id == row.event), None)
    if hook.state == "disabled" or event is None:
        return Withdrawal(id=row.id, reason="disabled" if hook.state == "disabled" else "deleted")
    found = withdrawn(row, event, hook)
    return found if found.by in asked else replace(found, by=None)


def _skipped(planned: Planned, webhook: Webhook) -> bool:
    return webhook.skipped_until is not None and planned.due_at <= webhook.skipped_until


def _standing(events: tuple[Candidate, ...], hooks: tuple[Webhook, ...]) -> Mapping[str, Planned]:
    return {each.id: each for each in plan(*without_past(events, hooks), after=DAWN, until=DUSK)}


def _waited(event: Candidate, hook: Webhook) -> datetime:
    """Returns the instant up to which reminders came due before anything changed."""
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
    """Returns the ids of reminders that were already past when they were first asked for, and go out now."""
    eager = tuple(hook for hook in hooks if hook.late == "send_now")
    strict = (replace(hook, late="skip") for hook in eager)
    due = {each.id for each in plan(events, strict, after=DAWN, until=DUSK, seen=until)}
    names = {hook.id for hook in eager}
    return frozenset(key for key, each in asked.items() if each.webhook in names and key not in due)


def _before(
    events: tuple[Candidate, ...], hooks: tuple[Webhook, ...], standing: Iterable[Planned]
) -> frozenset[str]:
    """Returns the ids of reminders that the first of the changes left as they were, hour included."""
    was = (each.past[0].was for each in events if each.past)
    known = (hook for hook in hooks if hook.in_step)
    olds, always = without_past((each for each in was if each is not None), known)
    before = {(each.id, each.due_at) for each in plan(olds, always, after=DAWN, until=DUSK)}
    return frozenset(each.id for each in standing if (each.id, each.due_at) in before)


def _differs(row: Planned, new: Planned) -> bool:
    return (row.due_at, row.valid_until, row.tighter_at) != (new.due_at, new.valid_until, new.tighter_at)


def overtaken(planned: Planned, *, now: datetime) -> Dropped | None:
    """Returns why a delivery is no longer worth sending: it is over, or late while a tighter one is due."""
    if now >= planned.valid_until:
        return "too_late"
    late = now - planned.due_at > LATE
    if late and planned.tighter_at is not None and planned.tighter_at <= now:
        return "tighter"
    return None


def mark_expired(planned: Iterable[Planned], *, now: datetime) -> tuple[Planned, ...]:
    """Marks what must not be sent any more as expired; such rows are stored for their owner to see."""
    return tuple(
        replace(each, state="expired", reason=dropped) if (dropped := overtaken(each, now=now)) else each
        for each in planned
    )


def late_seconds(planned: Planned, *, now: datetime) -> int:
    """Returns how late a reminder goes out; the tick of the loops does not count."""
    late = now - planned.due_at
    return int(late.total_seconds()) if late > LATE else 0
