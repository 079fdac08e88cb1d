"""What is due, chosen so that one long queue hides no other."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, text

from service.store import among
from service.store.bulk import once
from service.store.claims import QUARANTINE
from service.store.timestamps import millis

# Differs from the locks in service.store.locks; held until the claim is committed.
CLAIM_LOCK = 0x44646179_0003


class Due(msgspec.Struct, frozen=True, array_like=True):
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
        oldest = once(c, _OLDEST[c.dialect.name], asked).one()
        if oldest.seen < limit:
            shut = frozenset(without)
            listed = tuple(each for each in _DUE.decode(oldest.listed) if each.webhook not in shut)
            return _one_suspect(c, Found(due=listed), worker=worker)
    asked |= {"depth": depth, "without": among.ids(c, without)}
    first = _DUE.decode(once(c, _FAIR[c.dialect.name], asked).scalar_one())
    return _one_suspect(c, Found(due=first, crowded=bool(first)), worker=worker)


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
_DUE = msgspec.json.Decoder(tuple[Due, ...])
# As one text: a thousand rows would be fetched one by one, each time asking for the interpreter anew.
_LIST = {
    "sqlite": "json_group_array(json_array(id, webhook_id, abandons))",
    "postgresql": "json_agg(json_build_array(id, webhook_id, abandons) ORDER BY next_at)",
}
# `owner < x` and `owner > x` are two looks into the index, `owner <> x` a walk over all that x holds.
_FREE = """NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = h.id AND l.state = 'leased' AND l.owner < :worker) AND NOT EXISTS (
        SELECT 1 FROM delivery l
         WHERE l.webhook_id = h.id AND l.state = 'leased' AND l.owner > :worker)"""
# Limited before anything else is looked at: what is due for a paused webhook is passed over, not searched.
# Whether a webhook is open is asked once for it, not for each of its deliveries.
_OPEN_OLDEST = """
WITH oldest AS MATERIALIZED (
    SELECT id, webhook_id, abandons, next_at FROM delivery
     WHERE state = 'pending' AND next_at <= :now AND valid_until > :now ORDER BY next_at LIMIT :limit
), open_queue AS MATERIALIZED (
    SELECT h.id FROM webhook h
     WHERE h.id IN (SELECT webhook_id FROM oldest) AND h.state = 'active' AND {free})
SELECT count(*) AS seen,
       coalesce(CAST({list} FILTER (WHERE webhook_id IN (SELECT id FROM open_queue)) AS text), '[]') AS listed
  FROM oldest"""
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
     WHERE q.webhook_id NOT IN (SELECT value FROM shut) AND {free}
)"""
_SQLITE = """, due AS (
    SELECT d.id, d.webhook_id, d.abandons, d.next_at FROM open_queue q JOIN delivery d ON d.rowid IN (
        SELECT x.rowid FROM delivery x
         WHERE x.webhook_id = q.webhook_id AND x.state = 'pending'
           AND x.next_at <= :now AND x.valid_until > :now
         ORDER BY x.next_at LIMIT :depth))"""
# Materialised, or PostgreSQL may run it again for the update and take more than :limit.
_POSTGRESQL = """, due AS MATERIALIZED (
    SELECT x.id, x.webhook_id, x.abandons, x.next_at FROM open_queue q CROSS JOIN LATERAL (
        SELECT d.id, d.webhook_id, d.abandons, d.next_at FROM delivery d
         WHERE d.webhook_id = q.webhook_id AND d.state = 'pending'
           AND d.next_at <= :now AND d.valid_until > :now
         ORDER BY d.next_at LIMIT :depth FOR UPDATE SKIP LOCKED) x)"""
_FIRST = """
SELECT coalesce(CAST({list} AS text), '[]') FROM (SELECT * FROM due ORDER BY next_at LIMIT :limit) first"""
_SHUT = {
    "sqlite": "SELECT value FROM json_each(:without)",
    "postgresql": "SELECT unnest(CAST(:without AS text[]))",
}
_PARTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
_OLDEST = {engine: text(_OPEN_OLDEST.format(list=rows, free=_FREE)) for engine, rows in _LIST.items()}
_FAIR = {
    engine: text(_QUEUES.format(shut=_SHUT[engine], free=_FREE) + _PARTS[engine] + _FIRST.format(list=rows))
    for engine, rows in _LIST.items()
}
