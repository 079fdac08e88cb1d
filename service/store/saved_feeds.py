"""Stores saved feeds and their private addresses.

Who owns a feed is asked in the query, never after loading. The token of an address is shown once and kept as
SHA-256 under a look-up prefix; the row of a dead address stays for good, so that it can be told from none.
"""

import hashlib
import hmac
import secrets
import string
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, tuple_, update

from service.catalogue.saved_feed import SavedFeed
from service.errors import NotFound
from service.store.sql import instant, millis
from service.store.tables import feed_address, saved_feed

ALPHABET = string.ascii_lowercase + string.digits
ADDRESS_PATTERN = "[a-z0-9]{8}_[A-Za-z0-9_-]{43}"

_FEEDS = msgspec.json.Decoder(SavedFeed)


class StoredFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A saved feed with its `version`, which grows with every change."""

    feed: SavedFeed
    version: int


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An address without its token; `id` is the beginning of its token."""

    id: str
    created_at: datetime
    replaced_at: datetime | None
    ends_at: datetime | None


class AddressTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The feed an address leads to, with its document as stored; `ended` means that it no longer does."""

    ended: bool
    feed: str
    version: int = 0
    document: str = ""
    replaced_at: datetime | None = None
    ends_at: datetime | None = None


def create(c: Connection, feed: SavedFeed) -> StoredFeed:
    row = {
        "id": feed.id,
        "owner": feed.owner,
        "document": _encode(feed),
        "version": 1,
        "created_at": millis(feed.created_at),
    }
    c.execute(insert(saved_feed), row)
    return StoredFeed(feed=feed, version=1)


def get(c: Connection, feed_id: str, *, owner: str | None, locked: bool = False) -> StoredFeed:
    """Returns the feed of this owner, or of any for None, the operator. Raises NotFound for everybody else.

    `locked` keeps others from changing it until the transaction ends, for a change of what was read.
    """
    query = _DOCUMENT.where(saved_feed.c.id == feed_id)
    query = query if owner is None else query.where(saved_feed.c.owner == owner)
    row = c.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("saved feed", feed_id)
    return StoredFeed(feed=_FEEDS.decode(row.document), version=row.version)


def listed(
    c: Connection, *, owner: str | None, limit: int, after: tuple[datetime, str] | None = None
) -> tuple[SavedFeed, ...]:
    """Returns feeds in order of creation; `after` are time and id of the last one of the page before."""
    query = _DOCUMENT.order_by(saved_feed.c.created_at, saved_feed.c.id).limit(limit)
    if owner is not None:
        query = query.where(saved_feed.c.owner == owner)
    if after is not None:
        query = query.where(tuple_(saved_feed.c.created_at, saved_feed.c.id) > (millis(after[0]), after[1]))
    return tuple(_FEEDS.decode(row.document) for row in c.execute(query))


def replace(c: Connection, stored: StoredFeed, changed: SavedFeed) -> StoredFeed:
    """Stores a change of what `get` has read and locked."""
    version = stored.version + 1
    row = saved_feed.c.id == changed.id
    c.execute(update(saved_feed).where(row).values(document=_encode(changed), version=version))
    return StoredFeed(feed=changed, version=version)


def remove(c: Connection, feed_id: str, *, now: datetime) -> None:
    """Deletes the feed and ends its addresses, which stay known as dead."""
    end_addresses(c, feed_id, now=now)
    c.execute(delete(saved_feed).where(saved_feed.c.id == feed_id))


def count(c: Connection, owner: str) -> int:
    return int(c.execute(select(func.count()).where(saved_feed.c.owner == owner)).scalar_one())


def version(c: Connection, feed_id: str) -> int | None:
    """Returns the version stored now; None for a feed that is gone."""
    return c.execute(_VERSION, {"of": feed_id}).scalar_one_or_none()


def create_address(c: Connection, feed_id: str, *, now: datetime) -> str:
    """Returns the token of a new address, which nobody can read again."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = {"id": prefix, "digest": _digest(token), "feed_id": feed_id, "created_at": millis(now)}
    c.execute(insert(feed_address), row)
    return token


def find_address(c: Connection, token: str, *, now: datetime) -> AddressTarget | None:
    """Returns what the token leads to; None for one there never was."""
    row = c.execute(_TARGET, {"prefix": token.partition("_")[0]}).one_or_none()
    if row is None or not hmac.compare_digest(row.digest, _digest(token)):
        return None
    if row.document is None or (row.ends_at is not None and row.ends_at <= millis(now)):
        return AddressTarget(ended=True, feed=row.feed_id)
    return AddressTarget(
        ended=False,
        feed=row.feed_id,
        version=row.version,
        document=row.document,
        replaced_at=_instant(row.replaced_at),
        ends_at=_instant(row.ends_at),
    )


def live_addresses(c: Connection, feed_ids: list[str], *, now: datetime) -> dict[str, tuple[Address, ...]]:
    """Returns the addresses of each feed that still lead to it, oldest first."""
    query = (
        select(feed_address)
        .where(feed_address.c.feed_id.in_(feed_ids), _is_live(now))
        .order_by(feed_address.c.created_at, feed_address.c.id)
    )
    addresses: dict[str, tuple[Address, ...]] = dict.fromkeys(feed_ids, ())
    for row in c.execute(query):
        address = Address(
            id=row.id,
            created_at=instant(row.created_at),
            replaced_at=_instant(row.replaced_at),
            ends_at=_instant(row.ends_at),
        )
        addresses[row.feed_id] = (*addresses[row.feed_id], address)
    return addresses


def end_addresses(c: Connection, feed_id: str, *, now: datetime, at: datetime | None = None) -> None:
    """Ends every address of the feed `at` that instant, or at once; none later than it was to end."""
    # What ends at once has ended whatever the clock says later, as it may be set back.
    end_at = 0 if at is None or at <= now else millis(at)
    live = (feed_address.c.feed_id == feed_id) & _is_live(now)
    sooner = feed_address.c.ends_at.is_(None) | (feed_address.c.ends_at > end_at)
    since = func.coalesce(feed_address.c.replaced_at, millis(now))
    c.execute(update(feed_address).where(live, sooner).values(replaced_at=since, ends_at=end_at))


def _is_live(now: datetime) -> ColumnElement[bool]:
    return feed_address.c.ends_at.is_(None) | (feed_address.c.ends_at > millis(now))


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else instant(milliseconds)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _encode(feed: SavedFeed) -> str:
    return msgspec.json.encode(feed).decode()


_DOCUMENT: Any = select(saved_feed.c.document, saved_feed.c.version)
_VERSION = select(saved_feed.c.version).where(saved_feed.c.id == bindparam("of"))
_TARGET = (
    select(
        feed_address.c.digest,
        feed_address.c.feed_id,
        feed_address.c.replaced_at,
        feed_address.c.ends_at,
        saved_feed.c.document,
        saved_feed.c.version,
    )
    .join_from(feed_address, saved_feed, saved_feed.c.id == feed_address.c.feed_id, isouter=True)
    .where(feed_address.c.id == bindparam("prefix"))
)
