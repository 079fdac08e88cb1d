"""Notices of change.

One revision of one event is at most one message to each webhook that asked for its kind.
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
DATES = frozenset({"start", "end", "timezone"})
KINDS: dict[Change, MessageType] = {
    "created": "event.created",
    "updated": "event.updated",
    "rescheduled": "event.rescheduled",
    "postponed": "event.postponed",
    "cancelled": "event.cancelled",
    "deleted": "event.deleted",
}


class RevisedEvent(Struct, frozen=True, kw_only=True):
    """One row of the revision log with the event on either side of it; None where it did not exist."""

    event: str
    revision: int
    seq: int
    changed: tuple[str, ...]
    at: datetime
    before: Candidate | None
    after: Candidate | None


def notices(rows: Iterable[RevisedEvent], webhooks: Iterable[Webhook]) -> tuple[Planned, ...]:
    """What these revisions have to tell, in the order of the log; of one write not more than a few."""
    hooks = tuple(webhooks)
    return limit_notices(
        _notice(row, listening, kind)
        for row in rows
        for webhook in hooks
        if (listening := _in_force(row, webhook)) and (kind := _told(row, listening)) is not None
    )


def names(row: RevisedEvent) -> tuple[Change, ...]:
    """What the change may be called, the most telling name first. What is internal does not exist outside."""
    before, after = _visible(row.before), _visible(row.after)
    if before is None and after is None:
        return ()
    if before is None:
        return ("created",)
    if after is None:
        return ("deleted",)
    turned: tuple[Change, ...] = ()
    if after.status == "cancelled" != before.status:
        turned = ("cancelled",)
    elif after.status == "postponed" != before.status:
        turned = ("postponed",)
    moved: tuple[Change, ...] = ("rescheduled",) if DATES & set(row.changed) else ()
    return (*turned, *moved, "updated")


def _in_force(row: RevisedEvent, webhook: Webhook) -> Webhook | None:
    """The webhook as it was when the event changed: what it asked for then is told, whatever it wants now."""
    formers = (each.was for each in webhook.past if each.was.from_seq < row.seq <= each.seq)
    return next(formers, webhook if row.seq > webhook.from_seq else None)


def _told(row: RevisedEvent, webhook: Webhook) -> Change | None:
    """The most telling name the webhook asked for, if it selects the event as it was or as it is."""
    if webhook.state == "disabled":
        return None
    sides = (side for side in (row.before, row.after) if side is not None)
    if not any(selects(webhook, side, at=row.at) for side in sides):
        return None
    return next((name for name in names(row) if name in webhook.changes), None)


def _visible(side: Candidate | None) -> Event | None:
    return side.event if side is not None and side.event.visibility == "public" else None


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


# FOLDED service/reminders/flood.py: An import of thousands must not send thousands: what is too much at once is recorded, unsent.
# FOLDED service/reminders/flood.py:
# FOLDED service/reminders/flood.py: It is `expired` for the reason `flood`: its owner sees it, and may have it sent all the same.
# To each webhook: of reminders already past, in one pass of the planner; of changes, from one write.
AT_ONCE = 20
TELLING: tuple[MessageType, ...] = (
    "event.cancelled",
    "event.postponed",
    "event.rescheduled",
    "event.deleted",
    "event.created",
    "event.updated",
)


def limit_catch_up(planned: Iterable[Planned], past: Container[str]) -> tuple[Planned, ...]:
    """Of those already past when they were asked for, each webhook gets the few that are the soonest over."""
    return _few(
        planned,
        order=lambda row: (row.valid_until, row.id),
        crowd=lambda row: row.webhook if row.state == "pending" and row.id in past else None,
    )


def limit_notices(notices: Iterable[Planned]) -> tuple[Planned, ...]:
    """Of what one write changed, each webhook is told the most telling.

    A batch, or a load of seeds, is one instant, and the rows of one write are never read apart.
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
