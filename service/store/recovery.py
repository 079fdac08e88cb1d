"""What a dead worker held, T3 and T10 of docs/reliability.md: found, and freed to be claimed again."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, exists, select, update

from service.store.bulk import many
from service.store.claims import MINE, TESTING, THIS_ATTEMPT, UNOWNED
from service.store.delivery_records import State
from service.store.instants import millis
from service.store.reminder_tables import IS_LEASED, attempt, delivery

# After this many lost attempts in a row a delivery is not sent any more.
POISON = 10


def lost(c: Connection, *, now: datetime, everything: bool = False, limit: int = 500) -> tuple[Row[Any], ...]:
    """Deliveries whose lease ran out, and which were begun; `everything` where no other sender can hold any.

    A test is sent by whoever answers its owner, maybe beside the sender: it is lost only with its lease.
    """
    names = ("id", "webhook_id", "fence", "abandons", "drop_flag", "next_at")
    query = select(*(delivery.c[name] for name in names), _BEGUN.label("begun")).where(IS_LEASED)
    over = delivery.c.lease_until <= millis(now)
    if everything:
        over |= delivery.c.owner.not_like(f"{TESTING}%")
    else:
        query = query.limit(limit)
    return tuple(c.execute(query.where(over).with_for_update(skip_locked=True)))


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that a dead worker held, and what it is now."""

    delivery: str
    webhook: str
    state: State
    reason: str | None


def recover(
    c: Connection, *, now: datetime, chance: float, everything: bool = False
) -> tuple[Recovered, ...]:
    """T3, T10: what a dead worker held may be claimed again.

    What it had begun only later, the more often this happens, and at last not at all: it may be what kills.
    """
    rows = lost(c, now=now, everything=everything)
    made = [_recovered(row, now=now, chance=chance) for row in rows]
    many(c, _ABANDON, [{"the_id": row.id, "my": row.fence, "now": millis(now)} for row in rows])
    many(c, _RECOVER, made)
    return tuple(
        Recovered(delivery=row.id, webhook=row.webhook_id, state=its["state"], reason=its["reason"])
        for row, its in zip(rows, made, strict=True)
    )


def _recovered(row: Row[Any], *, now: datetime, chance: float) -> dict[str, Any]:
    abandons = row.abandons + row.begun
    state, reason = ("dead", "poison") if abandons >= POISON else ("pending", None)
    if row.drop_flag:
        state, reason = "superseded", "withdrawn"
    pause = timedelta(seconds=chance * 2 ** min(abandons, POISON))
    next_at = millis(now + pause) if row.begun else row.next_at
    return {
        "the_id": row.id,
        "my": row.fence,
        "state": state,
        "reason": reason,
        "abandons": abandons,
        "next_at": next_at,
        "finished_at": None if state == "pending" else millis(now),
    }


_RECOVER = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        abandons=bindparam("abandons"),
        next_at=bindparam("next_at"),
        finished_at=bindparam("finished_at"),
        drop_flag=0,
        **UNOWNED,
    )
)
_BEGUN = exists().where(
    attempt.c.delivery_id == delivery.c.id,
    attempt.c.fence == delivery.c.fence,
    attempt.c.finished_at.is_(None),
)
_ABANDON = (
    update(attempt)
    .where(THIS_ATTEMPT, attempt.c.finished_at.is_(None))
    .values(outcome="abandoned", finished_at=bindparam("now"))
)
