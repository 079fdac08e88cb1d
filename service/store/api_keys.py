"""API keys: shown once, kept as SHA-256 under a look-up prefix."""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from service.errors import NotFound, Unauthorized
from service.store import webhooks
from service.store.sql import instant, millis
from service.store.tables import api_key
from service.store.webhooks import SwitchedOff

ALPHABET = string.ascii_lowercase + string.digits
FORM = re.compile(r"dday_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret; `id` is the public prefix, and the owner of what the key makes."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create(
    c: Connection, name: str, *, scopes: tuple[str, ...], now: datetime, expires_at: datetime | None = None
) -> tuple[Key, str]:
    """A new key and its plaintext, which nobody can read again."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
    plaintext = f"dday_{prefix}_{secrets.token_urlsafe(32)}"
    return _insert(c, plaintext, name=name, scopes=scopes, now=now, expires_at=expires_at), plaintext


def adopt(c: Connection, plaintext: str, *, name: str, scopes: tuple[str, ...], now: datetime) -> Key:
    """Make a key the operator chose valid (DDAY_ADMIN_KEY). One stored before stays as it is."""
    row = c.execute(select(api_key).where(api_key.c.id == _prefix(plaintext))).one_or_none()
    if row is not None and hmac.compare_digest(row.digest, _digest(plaintext)):
        return _key(row)
    return _insert(c, plaintext, name=name, scopes=scopes, now=now, expires_at=None)


def find(c: Connection, plaintext: str, *, now: datetime) -> Key | None:
    """The key that is valid now, or None without saying why not."""
    row = c.execute(select(api_key).where(api_key.c.id == _prefix(plaintext))).one_or_none()
    if row is None or not hmac.compare_digest(row.digest, _digest(plaintext)):
        return None
    key = _key(row)
    expired = key.expires_at is not None and key.expires_at <= now
    return None if expired or key.revoked_at is not None else key


def listed(c: Connection) -> tuple[Key, ...]:
    """Every key, revoked and expired ones too, oldest first."""
    return tuple(_key(row) for row in c.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.id)))


def revoke(c: Connection, key_id: str, *, now: datetime) -> SwitchedOff:
    """Make a key invalid for good, and switch off the webhooks it made: they are channels it has opened.

    Again, it only switches off those that somebody has set active meanwhile.
    """
    if c.execute(select(api_key.c.id).where(api_key.c.id == key_id)).one_or_none() is None:
        raise NotFound("key", key_id)
    unrevoked = (api_key.c.id == key_id) & api_key.c.revoked_at.is_(None)
    c.execute(update(api_key).where(unrevoked).values(revoked_at=millis(now)))
    return webhooks.disable_all(c, key_id, reason="key_revoked", now=now)


def hold(c: Connection, key_id: str) -> None:
    """It is not revoked before this transaction ends; Unauthorized if it was since the request was let in."""
    its = select(api_key.c.revoked_at).where(api_key.c.id == key_id).with_for_update(read=True)
    if c.execute(its).scalar_one_or_none() is not None:
        raise Unauthorized


def _insert(
    c: Connection,
    plaintext: str,
    *,
    name: str,
    scopes: tuple[str, ...],
    now: datetime,
    expires_at: datetime | None,
) -> Key:
    row = {
        "id": _prefix(plaintext),
        "name": name,
        "digest": _digest(plaintext),
        "scopes": " ".join(scopes),
        "created_at": millis(now),
        "expires_at": None if expires_at is None else millis(expires_at),
    }
    c.execute(insert(api_key).values(row))
    return _key(c.execute(select(api_key).where(api_key.c.id == row["id"])).one())


def _prefix(plaintext: str) -> str:
    """A key of our own form names its row; one an operator made up is found by a part of its hash."""
    form = FORM.fullmatch(plaintext)
    return form[1] if form else _digest(plaintext).hex()[:16]


def _digest(plaintext: str) -> bytes:
    return hashlib.sha256(plaintext.encode("utf-8", "surrogatepass")).digest()


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        created_at=instant(row.created_at),
        expires_at=None if row.expires_at is None else instant(row.expires_at),
        revoked_at=None if row.revoked_at is None else instant(row.revoked_at),
    )
