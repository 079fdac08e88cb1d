"""Claims deliveries for a worker and records what it decides before the request: T2, T7 and part of T8.

The state machine is that of docs/reliability.md. A claim raises `fence`, and every transition repeats its
guard in its WHERE. A claimed delivery has an open attempt row: the claim and the attempt share a transaction.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects import postgresql

from service.reminders.plan import Planned
from service.store.deliveries import PLANNED, planned_of
from service.store.sql import among, many, millis
from service.store.tables import IS_LEASED, IS_PENDING, attempt, delivery, delivery_body

# Owners whose names begin with this send one message for a caller who waits for it (`delivery.send_now`).
TESTING = "test-"
# The advisory lock under which PostgreSQL's workers choose; differs from those of `store.locks`.
CLAIM_LOCK = 0x44646179_0003


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is due, to a webhook that may be sent to."""

    id: str
    webhook: str


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this worker alone may send until the lease runs out, with the `body` sent before."""

    planned: Planned
    fence: int
    tries: int
    replay: int
    body: bytes | None
    created_at: int


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt about to be made. `body` is None where an earlier attempt stored the same bytes."""

    delivery: str
    fence: int
    body: bytes | None
    body_sha256: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed delivery that is not to be sent: its new state, why, and which one is sent instead."""

    delivery: str
    fence: int
    state: str
    reason: str
    by: str | None = None


def due(
    c: Connection, *, worker: str, now: datetime, per_webhook: int, limit: int, busy: Sequence[str] = ()
) -> tuple[Due, ...]:
    """Due deliveries to active webhooks, oldest first, at most `limit`.

    Where more than `limit` are due, at most `per_webhook` for each webhook that is not `busy`, so that a long
    queue hides no other. A webhook that another worker is sending to is left to that worker, which keeps the
    limit per webhook across processes. Empty while another worker chooses (PostgreSQL).
    """
    if c.dialect.name == "postgresql" and not c.execute(_LOCK, {"lock": CLAIM_LOCK}).scalar_one():
        return ()
    asked = {"now": millis(now), "worker": worker, "limit": limit}
    oldest = c.execute(_OLDEST, asked).all()
    if len(oldest) < limit:
        ids = sorted({row.webhook_id for row in oldest})
        free = set(c.scalars(_FREE, {"ids": ids, "worker": worker})) if ids else set()
        return tuple(Due(id=row.id, webhook=row.webhook_id) for row in oldest if row.webhook_id in free)
    fair = c.execute(_FAIR[c.dialect.name], {**asked, "per_webhook": per_webhook, "busy": list(busy) or [""]})
    return tuple(Due(id=row.id, webhook=row.webhook_id) for row in fair)


def claim(
    c: Connection, ids: Sequence[str], *, worker: str, now: datetime, lease: timedelta
) -> tuple[Claimed, ...]:
    """Leases these deliveries to `worker`; returns those it got, in the order asked for (T2)."""
    if not ids:
        return ()
    rows = c.execute(_CLAIM, {"ids": list(ids), "worker": worker, "until": millis(now + lease)}).all()
    repeated = [row.id for row in rows if row.fence > 1 or not row.type.startswith("event.")]
    bodies = dict(c.execute(_BODIES, {"ids": repeated}).all()) if repeated else {}
    claimed = {row.id: _claimed(row, bodies.get(row.id)) for row in rows}
    return tuple(claimed[each] for each in ids if each in claimed)


def _claimed(row: Any, body: bytes | None) -> Claimed:
    *planned, fence, tries, replay, created_at = row
    return Claimed(
        planned=planned_of(planned), fence=fence, tries=tries, replay=replay, body=body, created_at=created_at
    )


def open_attempts(c: Connection, attempts: Sequence[Attempted], *, worker: str, now: datetime) -> None:
    """Records that these requests are about to be made, and their bytes, before anything is sent.

    So whatever a receiver has seen is on record, and a repeated attempt repeats the bytes, whoever makes it,
    but for a chat, whose message is made anew. A commit whose answer was lost is written again.
    """
    opened = [
        {
            "delivery_id": each.delivery,
            "fence": each.fence,
            "worker": worker,
            "started_at": millis(now),
            "body_sha256": each.body_sha256,
        }
        for each in attempts
    ]
    many(c, _OPEN, opened)
    bodies = [{"delivery_id": each.delivery, "body": each.body} for each in attempts if each.body is not None]
    many(c, _KEEP_BODY, bodies)


def end(c: Connection, ended: Sequence[Ended], *, now: datetime) -> Counter[str]:
    """Ends claimed deliveries without a request; returns how many came to each state."""
    rows = [
        {
            **_key(each.delivery, each.fence),
            "state": each.state,
            "reason": each.reason,
            "by": each.by,
            "now": millis(now),
        }
        for each in ended
    ]
    many(c, _END, rows)
    return Counter(each.state for each in ended)


def release(c: Connection, held: Sequence[Claimed]) -> None:
    """Gives back deliveries that were claimed in this transaction: their webhook was paused meanwhile."""
    many(c, _RELEASE, [_key(each.planned.id, each.fence) for each in held])


def expire(c: Connection, *, now: datetime, limit: int = 2000) -> int:
    """Records pending deliveries that are of no use any more as expired (T7); returns how many."""
    old = select(delivery.c.id).where(IS_PENDING, delivery.c.valid_until <= millis(now)).limit(limit)
    if c.dialect.name == "postgresql":
        old = old.with_for_update(skip_locked=True)
    expired = {"state": "expired", "reason": "too_late", "finished_at": millis(now)}
    return c.execute(update(delivery).where(delivery.c.id.in_(old), IS_PENDING).values(**expired)).rowcount


def _key(delivery_id: str, fence: int) -> dict[str, Any]:
    return {"the_id": delivery_id, "my": fence}


# The holder of this fence of this delivery, and the columns of a delivery that nobody holds.
MINE = (delivery.c.id == bindparam("the_id")) & (delivery.c.fence == bindparam("my"))
UNOWNED: dict[str, Any] = {"owner": None, "lease_until": None}
_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_IS_DUE = IS_PENDING & (delivery.c.next_at <= bindparam("now")) & (delivery.c.valid_until > bindparam("now"))
# Limited before anything else is looked at: what is due for a paused webhook is passed over, not searched.
_OLDEST = (
    select(delivery.c.id, delivery.c.webhook_id)
    .where(_IS_DUE)
    .order_by(delivery.c.next_at)
    .limit(bindparam("limit"))
)
_CLAIM = (
    update(delivery)
    .where(among(delivery.c.id), IS_PENDING)
    .values(
        state="leased",
        fence=delivery.c.fence + 1,
        owner=bindparam("worker"),
        lease_until=bindparam("until"),
    )
    .returning(*PLANNED, *(delivery.c[name] for name in ("fence", "tries", "replay", "created_at")))
)
# Either dialect's INSERT is written like this.
_OPEN = (
    postgresql.insert(attempt)
    .values({n: bindparam(n) for n in ("delivery_id", "fence", "worker", "started_at", "body_sha256")})
    .on_conflict_do_nothing()
)
_KEEP_BODY = (
    postgresql.insert(delivery_body)
    .values(delivery_id=bindparam("delivery_id"), body=bindparam("body"))
    .on_conflict_do_update(index_elements=["delivery_id"], set_={"body": bindparam("body")})
)
_BODIES = select(delivery_body.c.delivery_id, delivery_body.c.body).where(among(delivery_body.c.delivery_id))
_END = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        superseded_by=bindparam("by"),
        finished_at=bindparam("now"),
        **UNOWNED,
    )
)
_RELEASE = update(delivery).where(MINE, IS_LEASED).values(state="pending", **UNOWNED)
# The webhooks with something pending, found by jumping through the index from one to the next: a backlog of a
# hundred thousand costs no more than one of a handful.
QUEUE = """
WITH RECURSIVE queue(webhook_id) AS (
    SELECT (SELECT min(webhook_id) FROM delivery WHERE state = 'pending')
    UNION ALL
    SELECT (SELECT min(d.webhook_id) FROM delivery d
             WHERE d.state = 'pending' AND d.webhook_id > q.webhook_id)
      FROM queue q WHERE q.webhook_id IS NOT NULL
)"""
# Two conditions, as `owner <> :worker` would walk over all that this worker holds.
_HELD_BY_OTHERS = """EXISTS (
    SELECT 1 FROM delivery l WHERE l.webhook_id = h.id AND l.state = 'leased' AND l.owner < :worker)
    OR EXISTS (
    SELECT 1 FROM delivery l WHERE l.webhook_id = h.id AND l.state = 'leased' AND l.owner > :worker)"""
_FREE = text(
    f"SELECT h.id FROM webhook h WHERE h.id IN :ids AND h.state = 'active' AND NOT ({_HELD_BY_OTHERS})"  # noqa: S608 - made of constants
).bindparams(bindparam("ids", expanding=True))
# The first due of each webhook with something pending.
_QUEUES = f"""{QUEUE}, open_queue AS (
    SELECT h.id AS webhook_id FROM queue q JOIN webhook h ON h.id = q.webhook_id AND h.state = 'active'
     WHERE h.id NOT IN :busy AND NOT ({_HELD_BY_OTHERS})
)"""  # noqa: S608 - made of constants
_FIRST_OF_EACH = {
    "sqlite": """
SELECT d.id, d.webhook_id FROM open_queue q JOIN delivery d ON d.rowid IN (
    SELECT x.rowid FROM delivery x
     WHERE x.webhook_id = q.webhook_id AND x.state = 'pending' AND x.next_at <= :now AND x.valid_until > :now
     ORDER BY x.next_at LIMIT :per_webhook)
 ORDER BY d.next_at LIMIT :limit""",
    "postgresql": """
SELECT x.id, x.webhook_id FROM open_queue q CROSS JOIN LATERAL (
    SELECT d.id, d.webhook_id, d.next_at FROM delivery d
     WHERE d.webhook_id = q.webhook_id AND d.state = 'pending' AND d.next_at <= :now AND d.valid_until > :now
     ORDER BY d.next_at LIMIT :per_webhook) x
 ORDER BY x.next_at LIMIT :limit""",
}
_FAIR = {
    engine: text(_QUEUES + first).bindparams(bindparam("busy", expanding=True))
    for engine, first in _FIRST_OF_EACH.items()
}
