"""Webhooks. Whose a webhook is, is asked in the query, never after loading."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from service.errors import NotFound
from service.reminders.rules import Webhook
from service.reminders.secrets import Sealed
from service.store import among, deliveries, secrets
from service.store.bulk import once
from service.store.instants import instant, millis
from service.store.reminder_tables import TO_REPLAN, webhook

_WEBHOOK = msgspec.json.Decoder(Webhook)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and how it has been doing. `version` tells two readings of it apart."""

    webhook: Webhook
    version: int
    failing_since: datetime | None = None
    failures: int = 0


def create(c: Connection, made: Webhook, *, sealed: Iterable[Sealed], now: datetime) -> None:
    """Store a new webhook; the planner takes it up in its next pass."""
    c.execute(
        insert(webhook),
        {
            "id": made.id,
            "owner": made.owner,
            "document": _encode(made),
            "state": made.state,
            "version": 1,
            "replan": 1,
            "failures": 0,
            "created_at": millis(made.created_at),
        },
    )
    secrets.add(c, made.id, sealed, now=now)


def get(c: Connection, webhook_id: str, *, owner: str | None, locked: bool = False) -> Webhook:
    """The webhook of this owner; `None` is the operator, who sees all. NotFound for everybody else.

    `locked` keeps it as it is until the transaction ends, for a change that depends on what was read.
    """
    query = _its(webhook_id, owner)
    row = c.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("webhook", webhook_id)
    return _WEBHOOK.decode(row.document)


def listed(
    c: Connection, *, owner: str | None, limit: int, after: tuple[datetime, str] | None = None
) -> tuple[Webhook, ...]:
    """In order of creation; `after` is the last one of the page before."""
    query = select(webhook.c.document).order_by(webhook.c.created_at, webhook.c.id).limit(limit)
    if owner is not None:
        query = query.where(webhook.c.owner == owner)
    if after is not None:
        query = query.where(tuple_(webhook.c.created_at, webhook.c.id) > (millis(after[0]), after[1]))
    return tuple(_WEBHOOK.decode(row.document) for row in c.execute(query))


def replace(c: Connection, changed: Webhook, *, anew: bool = True, well: bool = False) -> None:
    """Replace it. `anew`: what is planned for it is brought in step in the planner's next pass.

    A change that leaves its rules alone must not be planned for: what was already past stays past.
    `well`: its failures so far are forgotten.
    """
    values: dict[str, Any] = {"document": _encode(changed), "state": changed.state}
    if anew:
        values["replan"] = 1
    if well:
        values |= {"failing_since": None, "failures": 0}
    done = c.execute(
        update(webhook).where(webhook.c.id == changed.id).values(**values, version=webhook.c.version + 1)
    )
    if done.rowcount != 1:
        raise NotFound("webhook", changed.id)


def remove(c: Connection, webhook_id: str, *, owner: str | None, now: datetime) -> int:
    """Forget the webhook and its secrets; what was still to be sent is superseded. Returns how many were."""
    get(c, webhook_id, owner=owner)
    superseded = deliveries.withdraw(c, webhook_id, now=now)
    secrets.forget(c, webhook_id)
    c.execute(delete(webhook).where(webhook.c.id == webhook_id))
    return superseded


def are_there(c: Connection) -> bool:
    """Whether anybody has one, in whatever state."""
    return c.execute(select(webhook.c.id).limit(1)).first() is not None


def count(c: Connection, owner: str) -> int:
    """How many this key has, in whatever state."""
    return int(c.execute(select(func.count()).where(webhook.c.owner == owner)).scalar_one())


def every(c: Connection, states: Sequence[str] = ("active", "paused")) -> tuple[Kept, ...]:
    """All webhooks in these states: what the planner plans for."""
    return tuple(_kept(row) for row in c.execute(select(webhook).where(webhook.c.state.in_(states))))


def many(c: Connection, ids: Sequence[str]) -> dict[str, Kept]:
    """Those of them that exist, whatever their state."""
    return {row.id: _kept(row) for row in c.execute(select(webhook).where(webhook.c.id.in_(ids)))}


def versions(c: Connection, ids: Sequence[str]) -> dict[str, int]:
    rows = once(c, _VERSIONS[c.dialect.name], {"ids": among.ids(c, ids)})
    return {row.id: row.version for row in rows}


def to_replan(c: Connection, limit: int) -> tuple[Kept, ...]:
    """New and changed webhooks whose part of the plan is not yet in step."""
    query = select(webhook).where(TO_REPLAN).order_by(webhook.c.id).limit(limit)
    return tuple(_kept(row) for row in c.execute(query))


def replanned(c: Connection, kept: Kept) -> None:
    """It is in step, unless it changed since it was read."""
    same = (webhook.c.id == kept.webhook.id) & (webhook.c.version == kept.version)
    c.execute(update(webhook).where(same).values(replan=0))


def disable(c: Connection, webhook_id: str, *, reason: str, now: datetime) -> Webhook | None:
    """Switch it off; None if it is already, or gone."""
    query = select(webhook.c.document).where(webhook.c.id == webhook_id, webhook.c.state != "disabled")
    row = c.execute(query.with_for_update()).one_or_none()
    if row is None:
        return None
    current = _WEBHOOK.decode(row.document)
    off = msgspec.structs.replace(
        current, state="disabled", disabled_reason=reason, since=now, updated_at=now
    )
    replace(c, off)
    return off


class SwitchedOff(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks that are off now, and how many deliveries that waited for them were taken back."""

    webhooks: tuple[Webhook, ...]
    superseded: int


def disable_all(c: Connection, owner: str, *, reason: str, now: datetime) -> SwitchedOff:
    """Switch off every webhook of this owner; nothing more is sent to them."""
    ids = c.scalars(select(webhook.c.id).where(webhook.c.owner == owner).order_by(webhook.c.id)).all()
    made = [disable(c, each, reason=reason, now=now) for each in ids]
    superseded = sum(deliveries.withdraw(c, each, now=now) for each in ids)
    return SwitchedOff(webhooks=tuple(off for off in made if off is not None), superseded=superseded)


def siblings(c: Connection, off: Webhook) -> tuple[Webhook, ...]:
    """The owner's other webhooks that can be told about it."""
    others = (webhook.c.owner == off.owner) & (webhook.c.id != off.id) & (webhook.c.state == "active")
    return tuple(_WEBHOOK.decode(row.document) for row in c.execute(select(webhook.c.document).where(others)))


def _its(webhook_id: str, owner: str | None) -> Any:
    query = select(webhook.c.document).where(webhook.c.id == webhook_id)
    return query if owner is None else query.where(webhook.c.owner == owner)


def _encode(made: Webhook) -> str:
    return msgspec.json.encode(made).decode()


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        webhook=_WEBHOOK.decode(row.document),
        version=row.version,
        failing_since=None if row.failing_since is None else instant(row.failing_since),
        failures=row.failures,
    )


_VERSIONS = among.prepared(webhook.c.id, lambda chosen: select(webhook.c.id, webhook.c.version).where(chosen))
