"""Answers kept by Idempotency-Key, in the transaction of the write they answer."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from service.errors import KeyReused
from service.store.sql import millis
from service.store.tables import idempotency

Headers = tuple[tuple[str, str], ...]


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer the first request got, to be given again."""

    status: int
    headers: Headers
    body: bytes


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """The first request is still being worked on, or its answer was lost: what it noted of itself."""

    note: str


def begin(
    c: Connection, owner: str, key: str, body_hash: bytes, *, now: datetime
) -> StoredAnswer | Unanswered | None:
    """Claim the key for this transaction, or return what it was answered before.

    Call it, do the work and call `finish` in one unit of work: then a crash leaves all or nothing, and a
    second request that arrives meanwhile waits for the first and replays it. KeyReused when the body differs.
    What cannot be done in one unit of work calls `note` in the first and `finish` in the last.
    """
    claimed = c.execute(
        insert(idempotency)
        .values(owner=owner, key=key, body_hash=body_hash, created_at=millis(now))
        .on_conflict_do_nothing()
        .returning(idempotency.c.key)
    )
    if claimed.one_or_none() is not None:
        return None
    row = c.execute(select(idempotency).where(_is(owner, key))).one()
    if row.body_hash != body_hash:
        raise KeyReused("This Idempotency-Key came with another request before.")
    if row.status is None:
        return Unanswered(note=bytes(row.body or b"").decode())
    return StoredAnswer(
        status=row.status, headers=msgspec.json.decode(row.headers, type=Headers), body=bytes(row.body)
    )


def note(c: Connection, owner: str, key: str, note: str) -> None:
    """Stores what was begun, which a repetition finds as long as there is no answer."""
    c.execute(update(idempotency).where(_is(owner, key)).values(body=note.encode()))


def finish(c: Connection, owner: str, key: str, *, status: int, headers: Headers, body: bytes) -> None:
    """Keep the answer. Not calling it, by raising instead, frees the key with the rolled back transaction."""
    c.execute(
        update(idempotency)
        .where(_is(owner, key))
        .values(status=status, headers=msgspec.json.encode(headers).decode(), body=body)
    )


def purge(c: Connection, before: datetime) -> int:
    """Forget answers older than this."""
    return c.execute(delete(idempotency).where(idempotency.c.created_at < millis(before))).rowcount


def _is(owner: str, key: str) -> ColumnElement[bool]:
    return (idempotency.c.owner == owner) & (idempotency.c.key == key)
