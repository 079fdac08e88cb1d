"""Claiming deliveries and recording what became of them: the state machine of docs/reliability.md.

A claim raises `fence`. A success is recorded whoever brings it (it absorbs everything), a failure only by
the holder of the newest fence. Every transition repeats its guard in its WHERE.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, LargeBinary, Text, bindparam, delete, exists, select, update

from service.reminders.plan import Planned
from service.store import among, onetext
from service.store.bulk import Bulk, inserting, many, once
from service.store.deliveries import PLANNED, planned_of
from service.store.tables import IS_LEASED, IS_PENDING, attempt, delivery, delivery_body
from service.store.timestamps import millis

# After this many lost attempts in a row a delivery is sent alone.
QUARANTINE = 5
# How the name of a worker begins that sends one test, for somebody who waits for it.
TESTING = "test-"


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
    body_sha256: str


def arm(c: Connection, armed: Sequence[Armed], *, worker: str, now: datetime) -> None:
    """Open an attempt for each and write down its bytes, before anything is sent.

    So whatever a receiver has seen is on record, and a repeated attempt repeats the bytes, whoever makes it.
    """
    at = millis(now)
    _OPEN.write(c, [(each.delivery, each.fence, worker, at, each.body_sha256) for each in armed])
    _BODY.write(c, [(each.delivery, each.fence, each.body) for each in armed if each.body is not None])


def drop(
    c: Connection, dropped: Mapping[tuple[str, int], tuple[str, str]], *, now: datetime
) -> Mapping[str, int]:
    """Claimed, looked at again, and no longer to be sent: (state, reason). There was no request.

    Returns how many have come to each state.
    """
    rows = defaultdict(list)
    for (key, fence), (state, reason) in dropped.items():
        row = {"the_id": key, "my": fence, "state": state, "reason": reason, "now": millis(now)}
        rows[state].append(row)
    return Counter({state: many(c, _DROP, its) for state, its in rows.items()})


def release(c: Connection, held: Sequence[tuple[str, int]], *, now: datetime) -> int:
    """Give back what was claimed and not sent. Returns how many of it nobody wants any more; those end."""
    rows = [{"the_id": key, "my": fence} for key, fence in held]
    superseded = many(c, _TAKE_BACK, [{**row, "now": millis(now)} for row in rows])
    many(c, _RELEASE, rows)
    many(c, _NO_ATTEMPT, rows)
    return superseded


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


MINE = (delivery.c.id == bindparam("the_id")) & (delivery.c.fence == bindparam("my"))
UNOWNED: dict[str, Any] = {"owner": None, "lease_until": None}
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
    .where(MINE, IS_LEASED)
    .values(state=bindparam("state"), reason=bindparam("reason"), finished_at=bindparam("now"), **UNOWNED)
)
_TAKE_BACK = (
    update(delivery)
    .where(MINE, IS_LEASED, delivery.c.drop_flag == 1)
    .values(state="superseded", finished_at=bindparam("now"), drop_flag=0, **UNOWNED)
)
_RELEASE = update(delivery).where(MINE, IS_LEASED).values(state="pending", **UNOWNED)
_FORSAKE = update(delivery).where(MINE, IS_LEASED).values(lease_until=bindparam("now"))
THIS_ATTEMPT = (attempt.c.delivery_id == bindparam("the_id")) & (attempt.c.fence == bindparam("my"))
_OPENED = {
    name: attempt.c[name].type for name in ("delivery_id", "fence", "worker", "started_at", "body_sha256")
}
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
_NO_ATTEMPT = delete(attempt).where(THIS_ATTEMPT, attempt.c.finished_at.is_(None))
