"""What is due, chosen so that one long queue hides no other."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from service.store import among
from service.store.bulk import once
from service.store.claims import QUARANTINE
from service.store.instants import millis

# Differs from the locks in service.store.locks; held until the claim is committed.
CLAIM_LOCK = 0x44646179_0003


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is due, as far as choosing needs it."""

    id: str
    webhook: str
    abandons: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What may be claimed; `crowded` where more is due than was looked at."""

    due: tuple[Due, ...] = ()
    crowded: bool = False


def due(
    c: Connection,
    *,
    worker: str,
    now: datetime,
    depth: int,
    limit: int,
    without: Sequence[str] = (),
    crowded: bool = False,
) -> Found:
    """What is due, oldest first. Where that is more than `limit`, then at most `depth` a webhook.

    `crowded` if that is known beforehand. Empty while another worker is choosing. A webhook some of whose
    deliveries another worker holds is that worker's for now: this is what keeps the limit in flight per
    webhook across processes.
    """
    if not _choosing_alone(c):
        return Found(crowded=crowded)
    asked = {"now": millis(now), "worker": worker, "limit": limit}
    if not crowded:
        rows = once(c, _OLDEST, asked).all()
        if len(rows) < limit:
            shut = frozenset(without)
            found = _found(row for row in rows if row.open and row.webhook_id not in shut)
            return _one_suspect(c, found, worker=worker)
    asked |= {"depth": depth, "without": among.ids(c, without)}
    found = _found(once(c, _FAIR[c.dialect.name], asked), crowded=True)
    return _one_suspect(c, found, worker=worker)


def _found(rows: Iterable[Sequence[Any]], *, crowded: bool = False) -> Found:
    chosen = tuple(Due(id=row[0], webhook=row[1], abandons=row[2]) for row in rows)
    return Found(due=chosen, crowded=crowded and bool(chosen))


def _one_suspect(c: Connection, found: Found, *, worker: str) -> Found:
    """Without what may kill its worker while another worker has one of these: never two at risk at once."""
    healthy = tuple(each for each in found.due if each.abandons < QUARANTINE)
    if len(healthy) == len(found.due):
        return found
    out = once(c, _SUSPECT_OUT, {"worker": worker, "quarantine": QUARANTINE}).first()
    return found if out is None else msgspec.structs.replace(found, due=healthy)


def _choosing_alone(c: Connection) -> bool:
    """Two workers that choose at once could both see a webhook without anything in flight."""
    if c.dialect.name != "postgresql":
        return True
    return bool(once(c, _LOCK, {"lock": CLAIM_LOCK}).scalar_one())


_SUSPECT_OUT = text(
    "SELECT 1 FROM delivery WHERE state = 'leased' AND abandons >= :quarantine AND owner <> :worker LIMIT 1"
)
_LOCK = text("select pg_try_advisory_xact_lock(:lock)")
# Limited before anything else is looked at: what is due for a paused webhook is passed over, not searched.
# `owner < x` and `owner > x` are two looks into the index, `owner <> x` a walk over all that x holds.
_OLDEST = text("""
WITH oldest AS MATERIALIZED (
    SELECT id, webhook_id, abandons, next_at FROM delivery
     WHERE state = 'pending' AND next_at <= :now AND valid_until > :now ORDER BY next_at LIMIT :limit)
SELECT d.id, d.webhook_id, d.abandons, (h.state = 'active' AND NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = d.webhook_id AND l.state = 'leased' AND l.owner < :worker) AND NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = d.webhook_id AND l.state = 'leased' AND l.owner > :worker)) AS open
  FROM oldest d LEFT JOIN webhook h ON h.id = d.webhook_id ORDER BY d.next_at""")
# The webhooks that have something pending, by jumping through the index from one to the next. Then the first
# few due of each: a backlog of a hundred thousand costs no more than one of a handful.
_QUEUES = """
WITH RECURSIVE shut(value) AS ({shut}), queue(webhook_id) AS (
    SELECT (SELECT min(webhook_id) FROM delivery WHERE state = 'pending')
    UNION ALL
    SELECT (SELECT min(d.webhook_id) FROM delivery d
             WHERE d.state = 'pending' AND d.webhook_id > q.webhook_id)
      FROM queue q WHERE q.webhook_id IS NOT NULL
), open_queue AS (
    SELECT q.webhook_id FROM queue q JOIN webhook h ON h.id = q.webhook_id AND h.state = 'active'
     WHERE q.webhook_id NOT IN (SELECT value FROM shut) AND NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = q.webhook_id AND l.state = 'leased' AND l.owner < :worker) AND NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = q.webhook_id AND l.state = 'leased' AND l.owner > :worker)
)"""
_SQLITE = """
SELECT d.id, d.webhook_id, d.abandons FROM open_queue q JOIN delivery d ON d.id IN (
    SELECT x.id FROM delivery x
     WHERE x.webhook_id = q.webhook_id AND x.state = 'pending' AND x.next_at <= :now AND x.valid_until > :now
     ORDER BY x.next_at LIMIT :depth)
ORDER BY d.next_at LIMIT :limit"""
# Materialised, or PostgreSQL may run it again for the update and take more than :limit.
_POSTGRESQL = """, due AS MATERIALIZED (
    SELECT x.id, x.webhook_id, x.abandons, x.next_at FROM open_queue q CROSS JOIN LATERAL (
        SELECT d.id, d.webhook_id, d.abandons, d.next_at FROM delivery d
         WHERE d.webhook_id = q.webhook_id AND d.state = 'pending'
           AND d.next_at <= :now AND d.valid_until > :now
         ORDER BY d.next_at LIMIT :depth FOR UPDATE SKIP LOCKED) x)
SELECT id, webhook_id, abandons FROM due ORDER BY next_at LIMIT :limit"""
_FAIR = {
    "sqlite": text(_QUEUES.format(shut="SELECT value FROM json_each(:without)") + _SQLITE),
    "postgresql": text(_QUEUES.format(shut="SELECT unnest(CAST(:without AS text[]))") + _POSTGRESQL),
}
