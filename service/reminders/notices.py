"""Plans notices of change: at most one message for each revision of an event and webhook that asks for it.

A write of thousands of events must not send thousands of messages: beyond a few at once the rest is recorded
as `expired` for the reason `flood`, for its owner to see and to redeliver.
"""

from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from service.catalogue.event import Event
from service.reminders import delivery_id
from service.reminders.plan import Candidate, MessageType, Planned, selects
from service.reminders.webhook import Change, Webhook

# Longer than all retries, and than a weekend without the service.
USEFUL = timedelta(days=3)
# Sent at once to each webhook: reminders already past, in one pass of the planner; notices of one write.
AT_ONCE = 20
DATES = frozenset({"start", "end", "timezone"})
# The types of notices, the most telling first.
TELLING: tuple[MessageType, ...] = (
    "event.cancelled",
    "event.postponed",
    "event.rescheduled",
    "event.deleted",
    "event.created",
    "event.updated",
)
KINDS: dict[Change, MessageType] = {
    "created": "event.created",
    "updated": "event.updated",
    "rescheduled": "event.rescheduled",
    "postponed": "event.postponed",
    "cancelled": "event.cancelled",
    "deleted": "event.deleted",
}


class RevisedEvent(Struct, frozen=True, kw_only=True):
    """A row of the revision log with the event before and after it; None where the event did not exist.

    Nothing of it is `changed` where it was taken along by what it is part of, which is told once, of that.
    """

    event: str
    revision: int
    seq: int
    changed: tuple[str, ...]
    at: datetime
    before: Candidate | None
    after: Candidate | None


def notices(rows: Iterable[RevisedEvent], webhooks: Iterable[Webhook]) -> tuple[Planned, ...]:
    """Returns the notices of these revisions in the order of the log, limited for each write."""
    hooks = tuple(webhooks)
    return limit_notices(
        _notice(row, listening, kind)
        for row in rows
        for webhook in hooks
        if (listening := _in_force(row, webhook)) and (kind := _told(row, listening)) is not None
    )


def names(row: RevisedEvent) -> tuple[Change, ...]:
    """Returns the names of a change, the most telling first. An internal event does not exist outside."""
    before, after = _visible(row.before), _visible(row.after)
    if before is None and after is None:
        return ()
    if before is None:
        return ("created",)
    if after is None:
        return ("deleted",)
    if not row.changed:
        return ()
    turned: tuple[Change, ...] = ()
    if after.status == "cancelled" != before.status:
        turned = ("cancelled",)
    elif after.status == "postponed" != before.status:
        turned = ("postponed",)
    moved: tuple[Change, ...] = ("rescheduled",) if DATES & set(row.changed) else ()
    return (*turned, *moved, "updated")


def _in_force(row: RevisedEvent, webhook: Webhook) -> Webhook | None:
    """Returns the webhook as it was when the event changed, which decides what it is told."""
    formers = (each.was for each in webhook.past if each.was.from_seq < row.seq <= each.seq)
    return next(formers, webhook if row.seq > webhook.from_seq else None)


def _told(row: RevisedEvent, webhook: Webhook) -> Change | None:
    """Returns the most telling name the webhook asked for, if it selects the event as it was or as it is."""
    if webhook.state == "disabled":
        return None
    sides = (side for side in (row.before, row.after) if side is not None)
    if not any(selects(webhook, side, at=row.at) for side in sides):
        return None
    told = names(row)
    # Whoever was told that it is off is told when that is no longer so.
    was_told = bool(told) and _left(row) in webhook.changes
    return next((name for name in told if name in webhook.changes), told[0] if was_told else None)


def _left(row: RevisedEvent) -> str | None:
    """Returns the status of being off that this change ends, None if it ends none."""
    before, after = _visible(row.before), _visible(row.after)
    if before is None or after is None or before.status == after.status:
        return None
    return before.status if before.status in ("cancelled", "postponed") else None


def _visible(side: Candidate | None) -> Event | None:
    return side.event if side is not None and side.event.is_public else None


def _notice(row: RevisedEvent, webhook: Webhook, kind: Change) -> Planned:
    return Planned(
        id=delivery_id.notice(webhook.id, row.event, revision=row.revision),
        webhook=webhook.id,
        event=row.event,
        type=KINDS[kind],
        anchor=None,
        before=None,
        anchor_at=None,
        due_at=row.at,
        valid_until=row.at + USEFUL,
        tighter_at=None,
        revision=row.revision,
        seq=row.seq,
    )


def limit_catch_up(planned: Iterable[Planned], past: Container[str]) -> tuple[Planned, ...]:
    """Limits reminders that were already past when asked for to those that are over soonest."""
    return _few(
        planned,
        order=lambda row: (row.valid_until, row.id),
        crowd=lambda row: row.webhook if row.state == "pending" and row.id in past else None,
    )


def limit_notices(notices: Iterable[Planned]) -> tuple[Planned, ...]:
    """Limits the notices of each write to the most telling ones for each webhook.

    All rows of a write, such as a batch or a load of seeds, have one instant and are always read together.
    """
    return _few(notices, order=lambda row: (TELLING.index(row.type), row.seq), crowd=_write)


def _write(row: Planned) -> tuple[str, datetime]:
    return row.webhook, row.due_at


def _few(
    planned: Iterable[Planned],
    *,
    order: Callable[[Planned], Any],
    crowd: Callable[[Planned], Hashable | None],
) -> tuple[Planned, ...]:
    rows = tuple(planned)
    seen: Counter[Hashable] = Counter()
    flood = set()
    for each in sorted(rows, key=order):
        if (within := crowd(each)) is not None:
            seen[within] += 1
            flood |= {each.id} if seen[within] > AT_ONCE else set()
    return tuple(
        replace(each, state="expired", reason="flood") if each.id in flood else each for each in rows
    )
