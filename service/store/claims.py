"""Claiming deliveries and recording what became of them: the state machine of docs/reliability.md.

A claim raises `fence`. A success is recorded whoever brings it (it absorbs everything), a failure only by
the holder of the newest fence. Every transition repeats its guard in its WHERE.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, LargeBinary, Row, Text, bindparam, delete, exists, select, update

from service.reminders.planned import Planned
from service.store import among, onetext
from service.store.bulk import Bulk, inserting, many, once
from service.store.delivery_records import PLANNED, planned_of
from service.store.instants import millis
from service.store.reminder_tables import IS_LEASED, IS_PENDING, attempt, delivery, delivery_body

# After this many lost attempts in a row a delivery is sent alone, and at the second number not at all.
QUARANTINE = 5
POISON = 10


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this worker alone may send, until the lease runs out."""

    planned: Planned
    fence: int
    tries: int
    replay: int
    abandons: int
    body: bytes | None
    created_at: int


def claim(
    c: Connection, ids: Sequence[str], *, worker: str, now: datetime, lease: timedelta
) -> tuple[Claimed, ...]:
    """T2: take these, if they are still to be had. Nothing is sent before it is also armed."""
    if not ids:
        return ()
    asked = {"ids": among.ids(c, ids), "worker": worker}
    once(c, _TAKE[c.dialect.name], {**asked, "until": millis(now + lease)})
    rows = _TAKEN_ROWS.decode(once(c, _TAKEN[c.dialect.name], asked).scalar_one())
    bodies = _kept_bodies(c, [row.id for row in rows if row.may_have_body])
    found = {row.id: row.claimed(bodies.get(row.id)) for row in rows}
    return tuple(found[each] for each in ids if each in found)


def _kept_bodies(c: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    if not ids:
        return {}
    rows = once(c, _KEPT_BODIES[c.dialect.name], {"ids": among.ids(c, ids)})
    return {row.delivery_id: row.body for row in rows}


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed delivery that is about to be sent; `body` is None where it is kept already."""

    delivery: str
    fence: int
    body: bytes | None


def arm(c: Connection, armed: Sequence[Armed], *, worker: str, now: datetime) -> None:
    """Open an attempt for each and write down its bytes, before anything is sent.

    So whatever a receiver has seen is on record, and a repeated attempt repeats the bytes, whoever makes it.
    """
    at = millis(now)
    _OPEN.write(c, [(each.delivery, each.fence, worker, at) for each in armed])
    _BODY.write(c, [(each.delivery, each.fence, each.body) for each in armed if each.body is not None])


def drop(c: Connection, dropped: Mapping[tuple[str, int], tuple[str, str]], *, now: datetime) -> None:
    """Claimed, looked at again, and no longer to be sent: (state, reason). There was no request."""
    rows = [
        {"the_id": key, "my": fence, "state": state, "reason": reason, "now": millis(now)}
        for (key, fence), (state, reason) in dropped.items()
    ]
    many(c, _DROP, rows)


def release(c: Connection, held: Sequence[tuple[str, int]]) -> None:
    """Give back what was claimed and not sent."""
    rows = [{"the_id": key, "my": fence} for key, fence in held]
    many(c, _RELEASE, rows)
    many(c, _NO_ATTEMPT, rows)


def forsake(c: Connection, held: Sequence[tuple[str, int]], *, now: datetime) -> None:
    """What had them in hand is dead, and nobody knows how far it came: the leases end now, for `recover`."""
    many(c, _FORSAKE, [{"the_id": key, "my": fence, "now": millis(now)} for key, fence in held])


def expire(c: Connection, *, now: datetime, limit: int = 2000) -> int:
    """T7: what is of no use any more is recorded as such, never silently forgotten."""
    old = select(delivery.c.id).where(IS_PENDING, delivery.c.valid_until <= millis(now)).limit(limit)
    if c.dialect.name == "postgresql":
        old = old.with_for_update(skip_locked=True)
    gone = {"state": "expired", "reason": "too_late", "finished_at": millis(now)}
    return c.execute(update(delivery).where(delivery.c.id.in_(old), IS_PENDING).values(**gone)).rowcount


def lost(c: Connection, *, now: datetime, everything: bool = False, limit: int = 500) -> tuple[Row[Any], ...]:
    """Deliveries whose lease ran out, and which were begun; `everything` where nobody else can hold any."""
    names = ("id", "fence", "abandons", "drop_flag", "reason", "next_at")
    query = select(*(delivery.c[name] for name in names), _BEGUN.label("begun")).where(IS_LEASED)
    if not everything:
        query = query.where(delivery.c.lease_until <= millis(now)).limit(limit)
    return tuple(c.execute(query.with_for_update(skip_locked=True)))


def recover(c: Connection, *, now: datetime, chance: float, everything: bool = False) -> int:
    """T3, T10: what a dead worker held may be claimed again.

    What it had begun only later, the more often this happens, and at last not at all: it may be what kills.
    """
    rows = lost(c, now=now, everything=everything)
    if not rows:
        return 0
    many(c, _ABANDON, [{"the_id": row.id, "my": row.fence, "now": millis(now)} for row in rows])
    many(c, _RECOVER, [_recovered(row, now=now, chance=chance) for row in rows])
    return len(rows)


def _recovered(row: Row[Any], *, now: datetime, chance: float) -> dict[str, Any]:
    abandons = row.abandons + row.begun
    state, reason = ("dead", "poison") if abandons >= POISON else ("pending", None)
    if row.drop_flag:
        state, reason = "superseded", row.reason
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


class _Taken(msgspec.Struct, frozen=True, array_like=True):
    """The columns of a claimed delivery, in the order of _TAKEN."""

    id: str
    type: str
    planned: tuple[Any, ...]
    fence: int
    tries: int
    replay: int
    abandons: int
    created_at: int

    @property
    def may_have_body(self) -> bool:
        """It has been claimed before, or it was written together with its body."""
        return self.fence > 1 or not self.type.startswith("event.")

    def claimed(self, body: bytes | None) -> Claimed:
        return Claimed(
            planned=planned_of(self.planned),
            fence=self.fence,
            tries=self.tries,
            replay=self.replay,
            abandons=self.abandons,
            body=body,
            created_at=self.created_at,
        )


_MINE = (delivery.c.id == bindparam("the_id")) & (delivery.c.fence == bindparam("my"))
_UNOWNED: dict[str, Any] = {"owner": None, "lease_until": None}
_TAKE = among.prepared(
    delivery.c.id,
    lambda chosen: (
        update(delivery)
        .where(chosen, IS_PENDING)
        .values(
            state="leased",
            fence=delivery.c.fence + 1,
            owner=bindparam("worker"),
            lease_until=bindparam("until"),
        )
    ),
)
_CARRIED = [delivery.c[name] for name in ("fence", "tries", "replay", "abandons", "created_at")]
# As one text: SQLite's answers give the interpreter away with every row.
_TAKEN = among.prepared(
    delivery.c.id,
    lambda chosen: select(
        onetext.rows(delivery.c.id, delivery.c.type, onetext.array(*PLANNED), *_CARRIED)
    ).where(chosen, IS_LEASED, delivery.c.owner == bindparam("worker")),
)
_TAKEN_ROWS = msgspec.json.Decoder(tuple[_Taken, ...])
_KEPT_BODIES = among.prepared(delivery_body.c.delivery_id, lambda chosen: select(delivery_body).where(chosen))
_DROP = (
    update(delivery)
    .where(_MINE, IS_LEASED)
    .values(state=bindparam("state"), reason=bindparam("reason"), finished_at=bindparam("now"), **_UNOWNED)
)
_RELEASE = update(delivery).where(_MINE, IS_LEASED).values(state="pending", **_UNOWNED)
_FORSAKE = update(delivery).where(_MINE, IS_LEASED).values(lease_until=bindparam("now"))
_RECOVER = (
    update(delivery)
    .where(_MINE, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        abandons=bindparam("abandons"),
        next_at=bindparam("next_at"),
        finished_at=bindparam("finished_at"),
        drop_flag=0,
        **_UNOWNED,
    )
)
_THAT = (attempt.c.delivery_id == bindparam("the_id")) & (attempt.c.fence == bindparam("my"))
_OPENED = {name: attempt.c[name].type for name in ("delivery_id", "fence", "worker", "started_at")}
# A commit whose answer was lost is written again: the row may be there.
_OPEN = Bulk(inserting(attempt, tuple(_OPENED)), **_OPENED)
_BODY = Bulk(
    inserting(
        delivery_body,
        ("delivery_id", "body"),
        where=lambda row: exists().where(
            delivery.c.id == row.delivery_id, delivery.c.fence == row.my, IS_LEASED
        ),
    ),
    delivery_id=Text(),
    my=Integer(),
    body=LargeBinary(),
)
_BEGUN = exists().where(
    attempt.c.delivery_id == delivery.c.id,
    attempt.c.fence == delivery.c.fence,
    attempt.c.finished_at.is_(None),
)
_NO_ATTEMPT = delete(attempt).where(_THAT, attempt.c.finished_at.is_(None))
_ABANDON = (
    update(attempt)
    .where(_THAT, attempt.c.finished_at.is_(None))
    .values(outcome="abandoned", finished_at=bindparam("now"))
)
