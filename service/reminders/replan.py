"""What becomes of deliveries already planned when an event or a webhook changes: a difference of two sets."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from service.reminders.plan import (
    AT_ONCE,
    DAWN,
    Candidate,
    Dropped,
    Planned,
    overtaken,
    plan,
    reminders,
    settle,
)
from service.reminders.rules import Webhook

DUSK = datetime.max.replace(tzinfo=UTC)
Withdrawn = Literal["moved", "withdrawn"]


class Replan(Struct, frozen=True, kw_only=True):
    """The rows to insert, those to revise (same delivery, other hour) and the ids to supersede.

    An insert whose row exists in state `superseded` revives it: the event has moved there and back. One
    whose row exists in any other state changes nothing.
    """

    insert: tuple[Planned, ...]
    revise: tuple[Planned, ...]
    supersede: tuple[str, ...]


def replan(
    pending: Iterable[Planned],
    candidates: Iterable[Candidate],
    webhooks: Iterable[Webhook],
    *,
    until: datetime,
    now: datetime,
) -> Replan:
    """Bring deliveries in step with changed events or webhooks, up to `until`, the end of what is planned.

    `pending` are all unsent reminders of these events and webhooks. A candidate's `since` is the instant of
    its change and a webhook's that of its own, so that offsets already past follow `late`.
    """
    events, hooks = tuple(candidates), tuple(webhooks)
    rows = {row.id: row for row in pending if row.type == "event.reminder"}
    standing = {each.id: each for each in plan(*_timeless(events, hooks), after=DAWN, until=DUSK)}
    fresh = plan(events, hooks, after=DAWN, until=until)
    return Replan(
        insert=_unflooded(settle((each for each in fresh if each.id not in rows), now=now), now=now),
        revise=tuple(new for key, row in rows.items() if (new := standing.get(key)) and _differs(row, new)),
        supersede=tuple(key for key in rows if key not in standing),
    )


def check(
    planned: Planned, candidate: Candidate | None, webhook: Webhook, *, now: datetime
) -> Dropped | Withdrawn | None:
    """Asked right before a send: None to send it. `candidate` is the event as it is now, None if it is gone.

    `moved` and `withdrawn` make a delivery superseded, the others expired. A notice tells of the past:
    nothing that happens later takes it back, it only grows old.
    """
    if planned.type != "event.reminder":
        return "too_late" if now >= planned.valid_until else None
    if candidate is None or webhook.state == "disabled":
        return "withdrawn"
    [events], [hooks] = _timeless((candidate,), (webhook,))
    answers = reminders(events, hooks)
    for answer in answers:
        if isinstance(answer, Planned) and answer.id == planned.id:
            return overtaken(answer, now=now)
    same = (
        answer for answer in answers if (answer.anchor, answer.before) == (planned.anchor, planned.before)
    )
    return "moved" if any(isinstance(answer, Planned) for answer in same) else "withdrawn"


def _timeless(
    candidates: tuple[Candidate, ...], webhooks: tuple[Webhook, ...]
) -> tuple[tuple[Candidate, ...], tuple[Webhook, ...]]:
    """The same without "already past": what stands, whenever it came to."""
    return (
        tuple(replace(candidate, since=None) for candidate in candidates),
        tuple(replace(webhook, since=DAWN) for webhook in webhooks),
    )


def _differs(row: Planned, new: Planned) -> bool:
    return (row.due_at, row.valid_until, row.tighter_at) != (new.due_at, new.valid_until, new.tighter_at)


def _unflooded(planned: tuple[Planned, ...], *, now: datetime) -> tuple[Planned, ...]:
    """An import of thousands must not send thousands: past the first few made-up-for ones the rest expire."""
    made_up: Counter[str] = Counter()
    kept = []
    for each in planned:
        if each.state == "pending" and each.due_at <= now:
            made_up[each.webhook] += 1
            if made_up[each.webhook] > AT_ONCE:
                each = replace(each, state="expired", reason="flood")
        kept.append(each)
    return tuple(kept)
