"""What becomes of deliveries already planned when an event or a webhook changes: a difference of two sets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from service.reminders.changes import Revised
from service.reminders.lateness import overtaken, settle, unflooded
from service.reminders.plan import plan, reminders
from service.reminders.planned import DAWN, DUSK, Candidate, Dropped, Planned, Version
from service.reminders.rules import Webhook

Withdrawn = Literal["moved", "withdrawn"]


class Replan(Struct, frozen=True, kw_only=True):
    """The rows to insert, those to revise (same delivery, other hour) and the ids to supersede.

    An insert whose row exists in state `superseded` revives it: the event has moved there and back. One whose
    row exists in any other state changes nothing.
    """

    insert: tuple[Planned, ...]
    revise: tuple[Planned, ...]
    supersede: tuple[str, ...]


def changed(rows: Iterable[Revised]) -> tuple[Candidate, ...]:
    """The events that stand after these rows of the log, each with its versions before them."""
    of_event: dict[str, list[Revised]] = {}
    for row in rows:
        of_event.setdefault(row.event, []).append(row)
    return tuple(
        replace(news[-1].after, past=tuple(Version(until=row.at, was=row.before) for row in news))
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
) -> Replan:
    """Bring deliveries in step with changed events (`changed`), or with a webhook whose `since` is `now`.

    `pending` are all unsent reminders of these events to these webhooks; `until` is the end of what is
    planned.
    """
    events, hooks = tuple(candidates), tuple(webhooks)
    since = {(event.event.id, hook.id): _since(event, hook) for event in events for hook in hooks}
    asked = {each.id: each for each in plan(events, hooks, after=DAWN, until=DUSK)}
    standing = {each.id: each for each in plan(*timeless(events, hooks), after=DAWN, until=DUSK)}
    kept: dict[str, Planned | None] = {}
    for row in pending:
        was_due = row.due_at <= since.get((row.event, row.webhook), DUSK)
        kept[row.id] = (standing if was_due else asked).get(row.id)
    past = {key for key, each in asked.items() if each.due_at <= since[each.event, each.webhook]}
    settled = past & _before(events, hooks, standing.values())  # earlier passes saw to them
    news = [
        each for key, each in asked.items() if each.due_at <= until and key not in settled and key not in kept
    ]
    return Replan(
        insert=unflooded(settle(news, now=now), past),
        revise=tuple(new for row in pending if (new := kept[row.id]) and _differs(row, new)),
        supersede=tuple(key for key, new in kept.items() if new is None),
    )


def check(
    planned: Planned, candidate: Candidate | None, webhook: Webhook, *, now: datetime
) -> Dropped | Withdrawn | None:
    """Asked right before a send: None to send it. `candidate` is the event as it is now, None if it is gone.

    `moved` and `withdrawn` make a delivery superseded, the others expired. A notice tells of the past:
    nothing that happens later takes it back, it only grows old.
    """
    skipped = webhook.skipped_until is not None and planned.due_at <= webhook.skipped_until
    if skipped or webhook.state == "disabled":
        return "withdrawn"
    if planned.type != "event.reminder":
        return "too_late" if now >= planned.valid_until else None
    if candidate is None:
        return "withdrawn"
    [event], [hook] = timeless((candidate,), (webhook,))
    answers = reminders(event, hook)
    for answer in answers:
        if isinstance(answer, Planned) and answer.id == planned.id:
            return overtaken(answer, now=now)
    same = (
        answer for answer in answers if (answer.anchor, answer.before) == (planned.anchor, planned.before)
    )
    return "moved" if any(isinstance(answer, Planned) for answer in same) else "withdrawn"


def timeless(
    candidates: Iterable[Candidate], webhooks: Iterable[Webhook]
) -> tuple[tuple[Candidate, ...], tuple[Webhook, ...]]:
    """The same without "already past": what stands, whenever it came to."""
    return (
        tuple(replace(candidate, past=()) for candidate in candidates),
        tuple(replace(webhook, since=DAWN) for webhook in webhooks),
    )


def _since(event: Candidate, hook: Webhook) -> datetime:
    """From when on earlier passes of the planner have not seen to this event and webhook."""
    return max(hook.since, event.past[0].until) if event.past else hook.since


def _before(
    events: tuple[Candidate, ...], hooks: tuple[Webhook, ...], standing: Iterable[Planned]
) -> frozenset[str]:
    """The reminders that the first of the changes left as they were, hour and all."""
    was = (each.past[0].was for each in events if each.past)
    olds, always = timeless((each for each in was if each is not None), hooks)
    before = {(each.id, each.due_at) for each in plan(olds, always, after=DAWN, until=DUSK)}
    return frozenset(each.id for each in standing if (each.id, each.due_at) in before)


def _differs(row: Planned, new: Planned) -> bool:
    return (row.due_at, row.valid_until, row.tighter_at) != (new.due_at, new.valid_until, new.tighter_at)
