"""Saved feeds. Whose a feed is, is asked in the query, never after loading."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from service.catalogue.saved_feed import SavedFeed
from service.errors import NotFound
from service.store import feed_addresses
from service.store.feed_tables import saved_feed
from service.store.instants import millis

_FEED = msgspec.json.Decoder(SavedFeed)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A saved feed; `version` tells two readings of it apart."""

    feed: SavedFeed
    version: int


def create(c: Connection, made: SavedFeed) -> Kept:
    c.execute(
        insert(saved_feed),
        {
            "id": made.id,
            "owner": made.owner,
            "document": _encode(made),
            "version": 1,
            "created_at": millis(made.created_at),
        },
    )
    return Kept(feed=made, version=1)


def get(c: Connection, feed_id: str, *, owner: str | None, locked: bool = False) -> Kept:
    """The feed of this owner; `None` is the operator, who sees all. NotFound for everybody else.

    `locked` keeps it as it is until the transaction ends, for a change that depends on what was read.
    """
    query = _PLAIN.where(saved_feed.c.id == feed_id)
    query = query if owner is None else query.where(saved_feed.c.owner == owner)
    row = c.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("saved feed", feed_id)
    return Kept(feed=_FEED.decode(row.document), version=row.version)


def listed(
    c: Connection, *, owner: str | None, limit: int, after: tuple[datetime, str] | None = None
) -> tuple[SavedFeed, ...]:
    """In order of creation; `after` is the last one of the page before."""
    query = _PLAIN.order_by(saved_feed.c.created_at, saved_feed.c.id).limit(limit)
    if owner is not None:
        query = query.where(saved_feed.c.owner == owner)
    if after is not None:
        query = query.where(tuple_(saved_feed.c.created_at, saved_feed.c.id) > (millis(after[0]), after[1]))
    return tuple(_FEED.decode(row.document) for row in c.execute(query))


def replace(c: Connection, kept: Kept, changed: SavedFeed) -> Kept:
    """Store a change of what `get` read with its lock."""
    version = kept.version + 1
    its = saved_feed.c.id == changed.id
    c.execute(update(saved_feed).where(its).values(document=_encode(changed), version=version))
    return Kept(feed=changed, version=version)


def remove(c: Connection, feed_id: str, *, now: datetime) -> None:
    """Forget the feed; its addresses are dead from now on, and stay known as that."""
    feed_addresses.end(c, feed_id, now=now)
    c.execute(delete(saved_feed).where(saved_feed.c.id == feed_id))


def count(c: Connection, owner: str) -> int:
    return int(c.execute(select(func.count()).where(saved_feed.c.owner == owner)).scalar_one())


def versions(c: Connection, feed_ids: Collection[str]) -> dict[str, int]:
    """The versions stored now; a feed that is gone has none."""
    return {row.id: row.version for row in c.execute(_VERSIONS, {"ids": list(feed_ids)})}


_PLAIN: Any = select(saved_feed.c.document, saved_feed.c.version)
_VERSIONS = select(saved_feed.c.id, saved_feed.c.version).where(
    saved_feed.c.id.in_(bindparam("ids", expanding=True))
)


def _encode(made: SavedFeed) -> str:
    return msgspec.json.encode(made).decode()
