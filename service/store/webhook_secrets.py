"""The sealed signing secrets of webhooks. Nothing here can open one."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from service.reminders.signing import Sealed
from service.store.sql import instant, millis
from service.store.tables import webhook, webhook_secret


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed secret in use; `expires_at` is set while it is being replaced."""

    id: str
    webhook_id: str
    sealed: Sealed
    created_at: datetime
    expires_at: datetime | None


def add(c: Connection, webhook_id: str, sealed: Iterable[Sealed], *, now: datetime) -> None:
    rows = [
        {
            "id": f"sec_{token_hex(12)}",
            "webhook_id": webhook_id,
            "version": each.version,
            "key_id": each.key_id,
            "nonce": each.nonce,
            "ciphertext": each.ciphertext,
            "created_at": millis(now),
        }
        for each in sealed
    ]
    if rows:
        c.execute(insert(webhook_secret), rows)


def rotate(
    c: Connection, webhook_id: str, sealed: Iterable[Sealed], *, overlap: timedelta, now: datetime
) -> None:
    """New secrets; those of the same version sign beside them until the overlap is over.

    What no longer signs is forgotten, or it would sign again, unchanged, when its version is switched on.
    """
    fresh = tuple(sealed)
    same = webhook_secret.c.version.in_([each.version for each in fresh])
    own = webhook_secret.c.webhook_id == webhook_id
    c.execute(delete(webhook_secret).where(own, ~same))
    its = own & same
    ends = millis(now + overlap)
    later = webhook_secret.c.expires_at.is_(None) | (webhook_secret.c.expires_at > ends)
    c.execute(update(webhook_secret).where(its & later).values(expires_at=ends))
    add(c, webhook_id, fresh, now=now)
    # The sender keeps opened secrets by version of the webhook.
    c.execute(update(webhook).where(webhook.c.id == webhook_id).values(version=webhook.c.version + 1))


def of(c: Connection, webhook_ids: Sequence[str]) -> tuple[Secret, ...]:
    """Returns all secrets of these webhooks, newest first; the caller leaves out what has expired."""
    query = select(webhook_secret).where(webhook_secret.c.webhook_id.in_(webhook_ids))
    order = (webhook_secret.c.created_at.desc(), webhook_secret.c.id)
    return tuple(_secret(row) for row in c.execute(query.order_by(*order)))


def every(c: Connection) -> tuple[Secret, ...]:
    """For changing the key they are sealed with."""
    return tuple(_secret(row) for row in c.execute(select(webhook_secret)))


def webhooks_with(c: Connection, version: str) -> tuple[str, ...]:
    """The webhooks that have a secret of this version, whether they sign with it or not."""
    found = select(webhook_secret.c.webhook_id).where(webhook_secret.c.version == version)
    return tuple(c.scalars(found.distinct().order_by(webhook_secret.c.webhook_id)))


def reseal(c: Connection, secret_id: str, sealed: Sealed) -> None:
    values = {"key_id": sealed.key_id, "nonce": sealed.nonce, "ciphertext": sealed.ciphertext}
    c.execute(update(webhook_secret).where(webhook_secret.c.id == secret_id).values(**values))


def any_expired(c: Connection, *, now: datetime) -> bool:
    query = select(webhook_secret.c.id).where(webhook_secret.c.expires_at <= millis(now))
    return c.execute(query.limit(1)).one_or_none() is not None


def forget_expired(c: Connection, *, now: datetime) -> int:
    return c.execute(delete(webhook_secret).where(webhook_secret.c.expires_at <= millis(now))).rowcount


def forget(c: Connection, webhook_id: str) -> None:
    c.execute(delete(webhook_secret).where(webhook_secret.c.webhook_id == webhook_id))


def sealing_keys(c: Connection) -> frozenset[str]:
    """The names of the keys that secrets are sealed with: these must exist and are never made anew."""
    return frozenset(c.scalars(select(webhook_secret.c.key_id).distinct()))


def _secret(row: Row[Any]) -> Secret:
    return Secret(
        id=row.id,
        webhook_id=row.webhook_id,
        sealed=Sealed(version=row.version, key_id=row.key_id, nonce=row.nonce, ciphertext=row.ciphertext),
        created_at=instant(row.created_at),
        expires_at=None if row.expires_at is None else instant(row.expires_at),
    )
