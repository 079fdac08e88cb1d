"""Deliveries and attempts as values, and how they are read from their rows."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from sqlalchemy import Row

from service.reminders.answers import Outcome
from service.reminders.plan import Kind, Planned
from service.reminders.rules import Anchor
from service.store.instants import instant, millis
from service.store.reminder_tables import delivery

# Many reminders fall due at one instant, so most of theirs were made before.
_shared = lru_cache(maxsize=1024)(instant)

State = Literal["pending", "leased", "succeeded", "dead", "expired", "superseded"]
# Nobody gets what ends like this, though nobody took it back.
GIVEN_UP: tuple[State, ...] = ("dead", "expired")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one webhook and how far it has come."""

    id: str
    webhook: str
    event: str
    type: Kind
    anchor: Anchor | None
    before: str | None
    anchor_at: datetime | None
    due_at: datetime
    valid_until: datetime
    revision: int
    state: State
    reason: str | None
    next_at: datetime
    tries: int
    replay: int
    created_at: datetime
    finished_at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. Without an end it is on its way, or its worker died and nobody has noticed yet."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    status: int | None
    latency_ms: int | None
    bytes: int | None
    excerpt: str | None
    body_sha256: str | None


PLANNED = [
    delivery.c[name]
    for name in (
        *("id", "webhook_id", "event_id", "type", "anchor", "before", "anchor_at", "due_at"),
        *("valid_until", "tighter_at", "revision", "seq"),
    )
]


def planned_of(values: Sequence[Any]) -> Planned:
    """From the values of PLANNED, in their order."""
    id, webhook, event, type, anchor, before, anchor_at, due_at, valid_until, tighter_at, revision, seq = (
        values
    )
    return Planned(
        id=id,
        webhook=webhook,
        event=event,
        type=type,
        anchor=anchor,
        before=before,
        anchor_at=None if anchor_at is None else _shared(anchor_at),
        due_at=_shared(due_at),
        valid_until=_shared(valid_until),
        tighter_at=None if tighter_at is None else _shared(tighter_at),
        revision=revision,
        seq=seq,
    )


def row_of(planned: Planned, *, now: datetime) -> dict[str, Any]:
    """The row of a delivery nobody has tried yet; one that is planned as expired is finished at once."""
    return {
        "id": planned.id,
        "webhook_id": planned.webhook,
        "event_id": planned.event,
        "type": planned.type,
        "anchor": planned.anchor,
        "before": planned.before,
        "anchor_at": _millis(planned.anchor_at),
        "due_at": millis(planned.due_at),
        "valid_until": millis(planned.valid_until),
        "tighter_at": _millis(planned.tighter_at),
        "revision": planned.revision,
        "seq": planned.seq,
        "state": planned.state,
        "reason": planned.reason,
        "next_at": millis(planned.due_at),
        "fence": 0,
        "tries": 0,
        "abandons": 0,
        "replay": 0,
        "drop_flag": 0,
        "created_at": millis(now),
        "finished_at": millis(now) if planned.state == "expired" else None,
    }


def delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook=row.webhook_id,
        event=row.event_id,
        type=row.type,
        anchor=row.anchor,
        before=row.before,
        anchor_at=_maybe(row.anchor_at),
        due_at=instant(row.due_at),
        valid_until=instant(row.valid_until),
        revision=row.revision,
        state=row.state,
        reason=row.reason,
        next_at=instant(row.next_at),
        tries=row.tries,
        replay=row.replay,
        created_at=instant(row.created_at),
        finished_at=_maybe(row.finished_at),
    )


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        number=row.fence,
        started_at=instant(row.started_at),
        finished_at=_maybe(row.finished_at),
        outcome=row.outcome,
        status=row.status,
        latency_ms=row.latency_ms,
        bytes=row.bytes,
        excerpt=row.excerpt,
        body_sha256=row.body_sha256,
    )


def _maybe(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


def _millis(value: datetime | None) -> int | None:
    return None if value is None else millis(value)
