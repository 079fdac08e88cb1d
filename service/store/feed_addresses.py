"""Private addresses of saved feeds: a token shown once, kept as SHA-256 under a look-up prefix, dead for good
once it has ended."""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from service.store.feed_tables import feed_address, saved_feed
from service.store.instants import instant, millis

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


def create(c: Connection, feed_id: str, *, now: datetime) -> str:
    """The token of a new address, which nobody can read again."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = {"id": prefix, "digest": _digest(token), "feed_id": feed_id, "created_at": millis(now)}
    c.execute(insert(feed_address), row)
    return token


def find(c: Connection, token: str, *, now: datetime) -> Lead | None:
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


def live(c: Connection, feed_ids: list[str], *, now: datetime) -> dict[str, tuple[Address, ...]]:
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


def end(c: Connection, feed_id: str, *, now: datetime, at: datetime | None = None) -> None:
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
