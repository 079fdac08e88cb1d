"""Webhooks. Whose a webhook is, is asked in the query, never after loading."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from service.errors import NotFound
from service.reminders.signing import Sealed
from service.reminders.webhook import Former, Webhook
from service.store import deliveries, revisions, webhook_secrets
from service.store.sql import among, instant, millis
from service.store.tables import TO_REPLAN, cursor, former_webhook, webhook

_WEBHOOK = msgspec.json.Decoder(Webhook)


class StoredWebhook(msgspec.Struct, frozen=True, kw_only=True):
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
            "document": _encode(msgspec.structs.replace(made, from_seq=revisions.head(c))),
            "state": made.state,
            "version": 1,
            "replan": 1,
            "failures": 0,
            "created_at": millis(made.created_at),
        },
    )
    webhook_secrets.add(c, made.id, sealed, now=now)


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

    A change that leaves its rules alone must not be planned for: what was already past stays past. Where the
    rules begin anew, the old ones are kept for what they asked for until then. The caller has locked it.
    `well`: its failures so far are forgotten.
    """
    row = c.execute(select(webhook).where(webhook.c.id == changed.id)).one_or_none()
    if row is None:
        raise NotFound("webhook", changed.id)
    before = _WEBHOOK.decode(row.document)
    from_seq = before.from_seq
    if before.since != changed.since:
        switched_off = changed.state == "disabled" != before.state
        from_seq = revisions.planner_position(c).revision if switched_off else revisions.head(c)
        keep(c, row, until=changed.since, seq=from_seq)
    news = _encode(msgspec.structs.replace(changed, from_seq=from_seq))
    values: dict[str, Any] = {"document": news, "state": changed.state}
    if anew:
        values["replan"] = 1
    if well:
        values |= {"failing_since": None, "failures": 0}
    its = webhook.c.id == changed.id
    c.execute(update(webhook).where(its).values(**values, version=webhook.c.version + 1))


def remove(c: Connection, webhook_id: str, *, owner: str | None, now: datetime) -> int:
    """Forget the webhook and its secrets; what was still to be sent is superseded. Returns how many were."""
    get(c, webhook_id, owner=owner)
    superseded = deliveries.withdraw(c, webhook_id, now=now)
    webhook_secrets.forget(c, webhook_id)
    forget(c, webhook_id)
    c.execute(delete(webhook).where(webhook.c.id == webhook_id))
    return superseded


def are_there(c: Connection) -> bool:
    """Whether anybody has one, in whatever state."""
    return c.execute(select(webhook.c.id).limit(1)).first() is not None


def count(c: Connection, owner: str) -> int:
    """Returns how many webhooks this key has, in whatever state."""
    return int(c.execute(select(func.count()).where(webhook.c.owner == owner)).scalar_one())


def every(c: Connection, states: Sequence[str] = ("active", "paused")) -> tuple[StoredWebhook, ...]:
    """Returns all webhooks in these states, which the planner plans for."""
    return _with_past(c, c.execute(select(webhook).where(webhook.c.state.in_(states))).all())


def many(c: Connection, ids: Sequence[str]) -> dict[str, StoredWebhook]:
    """Returns those that exist, whatever their state."""
    return {row.id: _kept(row) for row in c.execute(select(webhook).where(webhook.c.id.in_(ids)))}


def versions(c: Connection, ids: Sequence[str]) -> dict[str, int]:
    rows = c.execute(_VERSIONS, {"ids": list(ids)})
    return {row.id: row.version for row in rows}


def to_replan(c: Connection, limit: int) -> tuple[StoredWebhook, ...]:
    """New and changed webhooks whose part of the plan is not yet in step."""
    query = select(webhook).where(TO_REPLAN).order_by(webhook.c.id).limit(limit)
    return _with_past(c, c.execute(query).all())


def replanned(c: Connection, kept: StoredWebhook) -> None:
    """It is in step, unless it changed since it was read."""
    same = (webhook.c.id == kept.webhook.id) & (webhook.c.version == kept.version)
    c.execute(update(webhook).where(same).values(replan=0))


def disable(c: Connection, webhook_id: str, *, reason: str, now: datetime) -> Webhook | None:
    """Switch it off; None if it is already, or gone. What is not planned by then comes while it is off."""
    query = select(webhook.c.document).where(webhook.c.id == webhook_id, webhook.c.state != "disabled")
    row = c.execute(query.with_for_update()).one_or_none()
    if row is None:
        return None
    current = _WEBHOOK.decode(row.document)
    since = min(now, revisions.planner_position(c).planned_until or now)
    off = msgspec.structs.replace(
        current, state="disabled", disabled_reason=reason, since=since, updated_at=now
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


def decoded(document: str) -> Webhook:
    return _WEBHOOK.decode(document)


def _encode(made: Webhook) -> str:
    return msgspec.json.encode(msgspec.structs.replace(made, past=(), in_step=True)).decode()


def _with_past(c: Connection, rows: Sequence[Row[Any]]) -> tuple[StoredWebhook, ...]:
    past = former(c)
    return tuple(_kept(row, past.get(row.id, ())) for row in rows)


def _kept(row: Row[Any], past: tuple[Former, ...] = ()) -> StoredWebhook:
    was = _WEBHOOK.decode(row.document)
    return StoredWebhook(
        webhook=msgspec.structs.replace(was, in_step=not row.replan, past=past),
        version=row.version,
        failing_since=None if row.failing_since is None else instant(row.failing_since),
        failures=row.failures,
    )


_VERSIONS = select(webhook.c.id, webhook.c.version).where(among(webhook.c.id))


# A changed webhook is kept as it was until the planner has followed the change (it may be down, or the
# clock in doubt): what the webhook asked for until then is still owed.
_DECODER = msgspec.json.Decoder(Webhook)


def keep(c: Connection, row: Row[Any], *, until: datetime, seq: int) -> None:
    """Keep the webhook of this row as it is, for what was due by `until` and the log up to `seq`."""
    c.execute(
        insert(former_webhook),
        {
            "webhook_id": row.id,
            "version": row.version,
            "document": row.document,
            "in_step": 1 - row.replan,
            "until": millis(until),
            "seq": seq,
        },
    )


def former(c: Connection) -> dict[str, tuple[Former, ...]]:
    """By webhook, oldest first. They are few: those of the last second, or of a stop of the planner."""
    found: dict[str, tuple[Former, ...]] = {}
    ordered = select(former_webhook).order_by(former_webhook.c.webhook_id, former_webhook.c.version)
    for row in c.execute(ordered):
        was = msgspec.structs.replace(_DECODER.decode(row.document), in_step=bool(row.in_step))
        former = Former(until=instant(row.until), seq=row.seq, was=was)
        found[row.webhook_id] = (*found.get(row.webhook_id, ()), former)
    return found


def forget_followed(c: Connection) -> None:
    """Deletes those that both cursors have passed, of webhooks that are in step."""
    stale = select(webhook.c.id).where(TO_REPLAN)
    c.execute(
        delete(former_webhook).where(
            former_webhook.c.until <= _cursor("planned_until"),
            former_webhook.c.seq <= _cursor("revision"),
            former_webhook.c.webhook_id.not_in(stale),
        )
    )


def forget(c: Connection, webhook_id: str) -> None:
    c.execute(delete(former_webhook).where(former_webhook.c.webhook_id == webhook_id))


def _cursor(name: str) -> Any:
    return select(cursor.c.value).where(cursor.c.name == name).scalar_subquery()
