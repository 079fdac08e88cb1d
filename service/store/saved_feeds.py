"""Saved feeds. Whose a feed is, is asked in the query, never after loading."""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, tuple_, update

from service.catalogue.saved_feed import SavedFeed
from service.errors import NotFound
from service.store.tables import feed_address, saved_feed
from service.store.timestamps import instant, millis

_FEED = msgspec.json.Decoder(SavedFeed)


class StoredFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A saved feed; `version` tells two readings of it apart."""

    feed: SavedFeed
    version: int


def create(c: Connection, made: SavedFeed) -> StoredFeed:
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
    return StoredFeed(feed=made, version=1)


def get(c: Connection, feed_id: str, *, owner: str | None, locked: bool = False) -> StoredFeed:
    """The feed of this owner; `None` is the operator, who sees all. NotFound for everybody else.

    `locked` keeps it as it is until the transaction ends, for a change that depends on what was read.
    """
    query = _PLAIN.where(saved_feed.c.id == feed_id)
    query = query if owner is None else query.where(saved_feed.c.owner == owner)
    row = c.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("saved feed", feed_id)
    return StoredFeed(feed=_FEED.decode(row.document), version=row.version)


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


def replace(c: Connection, kept: StoredFeed, changed: SavedFeed) -> StoredFeed:
    """Store a change of what `get` read with its lock."""
    version = kept.version + 1
    its = saved_feed.c.id == changed.id
    c.execute(update(saved_feed).where(its).values(document=_encode(changed), version=version))
    return StoredFeed(feed=changed, version=version)


def remove(c: Connection, feed_id: str, *, now: datetime) -> None:
    """Forget the feed; its addresses are dead from now on, and stay known as that."""
    end_addresses(c, feed_id, now=now)
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


# FOLDED service/store/feed_addresses.py: Private addresses of saved feeds: a token shown once, kept as SHA-256 under a look-up prefix, dead for good
# FOLDED service/store/feed_addresses.py: once it has ended.
ALPHABET = string.ascii_lowercase + string.digits
FORM = re.compile(r"([a-z0-9]{8})_[A-Za-z0-9_-]{43}")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of an address: `id` is the beginning of its token."""

    id: str
    created_at: datetime
    replaced_at: datetime | None
    ends_at: datetime | None


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """What a token leads to: the feed as stored, unless the address has `ended`."""

    ended: bool
    feed: str
    version: int = 0
    document: str = ""
    replaced_at: datetime | None = None
    ends_at: datetime | None = None


def create_address(c: Connection, feed_id: str, *, now: datetime) -> str:
    """The token of a new address, which nobody can read again."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = {"id": prefix, "digest": _digest(token), "feed_id": feed_id, "created_at": millis(now)}
    c.execute(insert(feed_address), row)
    return token


def find_address(c: Connection, token: str, *, now: datetime) -> Lead | None:
    """What the token leads to now; None for one there never was."""
    form = FORM.fullmatch(token)
    row = c.execute(_LEAD.where(feed_address.c.id == form[1])).one_or_none() if form else None
    if row is None or not hmac.compare_digest(row.digest, _digest(token)):
        return None
    if row.document is None or (row.ends_at is not None and row.ends_at <= millis(now)):
        return Lead(ended=True, feed=row.feed_id)
    return Lead(
        ended=False,
        feed=row.feed_id,
        version=row.version,
        document=row.document,
        replaced_at=None if row.replaced_at is None else instant(row.replaced_at),
        ends_at=None if row.ends_at is None else instant(row.ends_at),
    )


def live_addresses(c: Connection, feed_ids: list[str], *, now: datetime) -> dict[str, tuple[Address, ...]]:
    """The addresses of each feed that still lead to it, oldest first."""
    query = (
        select(feed_address)
        .where(feed_address.c.feed_id.in_(feed_ids), _lives(now))
        .order_by(feed_address.c.created_at, feed_address.c.id)
    )
    found: dict[str, tuple[Address, ...]] = dict.fromkeys(feed_ids, ())
    for row in c.execute(query):
        made = Address(
            id=row.id,
            created_at=instant(row.created_at),
            replaced_at=None if row.replaced_at is None else instant(row.replaced_at),
            ends_at=None if row.ends_at is None else instant(row.ends_at),
        )
        found[row.feed_id] = (*found[row.feed_id], made)
    return found


def end_addresses(c: Connection, feed_id: str, *, now: datetime, at: datetime | None = None) -> None:
    """Every address of the feed ends `at` that instant, at once without one; none later than it was to."""
    # What ends at once has ended whatever the clock says later: it may be set back.
    end_at = 0 if at is None or at <= now else millis(at)
    its = (feed_address.c.feed_id == feed_id) & _lives(now)
    sooner = feed_address.c.ends_at.is_(None) | (feed_address.c.ends_at > end_at)
    since = func.coalesce(feed_address.c.replaced_at, millis(now))
    c.execute(update(feed_address).where(its, sooner).values(replaced_at=since, ends_at=end_at))


def _lives(now: datetime) -> ColumnElement[bool]:
    return feed_address.c.ends_at.is_(None) | (feed_address.c.ends_at > millis(now))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


_LEAD = select(
    feed_address.c.digest,
    feed_address.c.feed_id,
    feed_address.c.replaced_at,
    feed_address.c.ends_at,
    saved_feed.c.document,
    saved_feed.c.version,
).join_from(feed_address, saved_feed, saved_feed.c.id == feed_address.c.feed_id, isouter=True)
