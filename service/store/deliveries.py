"""Deliveries: planning, taking back, showing. What happens while one is being sent is in `claims`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, Row, bindparam, case, delete, func, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from service.errors import NotFound
from service.reminders.plan import MessageType, Planned
from service.reminders.replan import Withdrawal
from service.reminders.retry import Outcome
from service.reminders.webhook import Anchor
from service.store.sql import instant, many, millis
from service.store.tables import (
    IS_FINISHED,
    IS_LEASED,
    IS_PENDING,
    IS_UNSENT,
    attempt,
    delivery,
    delivery_body,
)
from service.store.tables import webhook as webhooks

CHUNK = 500
# A notice tells of the past: no change of plan takes it back.
_IS_REMINDER = delivery.c.type == "event.reminder"
_IS_FIRST = delivery.c.replay == 0
_REPLACED = update(delivery).where(delivery.c.id == bindparam("the_id")).values(superseded_by=bindparam("by"))


def insert(c: Connection, planned: Iterable[Planned], *, now: datetime, body: bytes | None = None) -> int:
    """Add what is not there yet; returns rows written.

    What was superseded and is wanted again is revived, and what a clock that was ahead has let expire unsent
    though it is still to come.
    """
    rows = [row_of(each, now=now) for each in planned]
    if not rows:
        return 0
    insert_into = postgresql.insert if c.dialect.name == "postgresql" else sqlite.insert
    if body is not None:
        kept_bodies = [{"delivery_id": row["id"], "body": body} for row in rows]
        c.execute(insert_into(delivery_body).on_conflict_do_nothing(), kept_bodies)
    made = insert_into(delivery)
    new = made.excluded
    revived = {
        name: case((delivery.c.state != "leased", new[name]), else_=delivery.c[name])
        for name in ("state", "next_at", "finished_at", "replay")
    }
    is_early = (delivery.c.tries == 0) & (new.due_at > millis(now))
    again = (delivery.c.state == "superseded") | ((delivery.c.state == "expired") & is_early)
    again |= (delivery.c.state == "leased") & (delivery.c.drop_flag == 1)
    kept = {name: new[name] for name in ("reason", "due_at", "valid_until", "tighter_at", "revision", "seq")}
    statement = made.on_conflict_do_update(
        index_elements=["id"],
        set_={**revived, **kept, "drop_flag": 0, "superseded_by": None},
        where=again,
    )
    return c.execute(statement, rows).rowcount


def unsent_of_events(c: Connection, event_ids: Sequence[str]) -> tuple[Planned, ...]:
    """Reminders of these events that have not been sent yet, but for what its owner has had sent again."""
    its = delivery.c.event_id.in_(event_ids) & _IS_REMINDER & _IS_FIRST
    return tuple(planned_of(row) for row in c.execute(select(*PLANNED).where(its, IS_UNSENT)))


def unsent_of_webhook(c: Connection, webhook_id: str, *, again: bool = False) -> tuple[Planned, ...]:
    """Reminders for this webhook that have not been sent yet; `again`: also what is to be sent again."""
    its = (delivery.c.webhook_id == webhook_id) & _IS_REMINDER & (true() if again else _IS_FIRST)
    pending = select(*PLANNED).where(its, IS_PENDING)
    leased = select(*PLANNED).where(its, IS_LEASED)
    return tuple(planned_of(row) for query in (pending, leased) for row in c.execute(query))


def notices_of(c: Connection, event_ids: Sequence[str]) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Notices of these events that are on their way or have arrived: seq and id by webhook and event."""
    alive = delivery.c.state.in_(("pending", "leased", "succeeded")) & ~_IS_REMINDER
    query = select(delivery.c.webhook_id, delivery.c.event_id, delivery.c.seq, delivery.c.id)
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for webhook_id, event_id, seq, key in c.execute(query.where(delivery.c.event_id.in_(event_ids), alive)):
        found.setdefault((webhook_id, event_id), []).append((seq, key))
    return found


def switched_off(c: Connection, webhook_id: str, *, now: datetime) -> tuple[Planned, ...]:
    """Reminders taken back when this webhook was disabled, as far as they would still be of use."""
    its = (delivery.c.webhook_id == webhook_id) & _IS_REMINDER & (delivery.c.valid_until > millis(now))
    off = (delivery.c.state == "superseded") & (delivery.c.reason == "disabled")
    return tuple(planned_of(row) for row in c.execute(select(*PLANNED).where(its, off)))


def supersede(c: Connection, taken_back: Sequence[Withdrawal], *, now: datetime) -> int:
    """Take back what is not sent; one that is being sent is marked, and is dropped unless it succeeds."""
    count = 0
    for reason in sorted({each.reason for each in taken_back}):
        ids = [each.id for each in taken_back if each.reason == reason]
        for start in range(0, len(ids), CHUNK):
            its = delivery.c.id.in_(ids[start : start + CHUNK])
            gone = {"state": "superseded", "reason": reason, "finished_at": millis(now)}
            count += c.execute(update(delivery).where(its, IS_PENDING).values(**gone)).rowcount
            c.execute(update(delivery).where(its, IS_LEASED).values(drop_flag=1, reason=reason))
    replaced = [{"the_id": each.id, "by": each.by} for each in taken_back if each.by is not None]
    many(c, _REPLACED, replaced)
    return count


def stand_by(c: Connection, ids: Sequence[str]) -> None:
    """These are wanted, also where one that is being sent was marked: its event has moved there and back."""
    for start in range(0, len(ids), CHUNK):
        its = delivery.c.id.in_(ids[start : start + CHUNK]) & (delivery.c.drop_flag == 1)
        c.execute(update(delivery).where(its, IS_LEASED).values(drop_flag=0, reason=None, superseded_by=None))


def revise(c: Connection, planned: Iterable[Planned]) -> None:
    """Moves deliveries to another hour. One that has been tried keeps the time of its next attempt."""
    for each in planned:
        due = millis(each.due_at)
        c.execute(
            update(delivery)
            .where(delivery.c.id == each.id, IS_UNSENT)
            .values(
                due_at=due,
                valid_until=millis(each.valid_until),
                tighter_at=None if each.tighter_at is None else millis(each.tighter_at),
                next_at=case((delivery.c.tries == 0, due), else_=delivery.c.next_at),
            )
        )


def withdraw(c: Connection, webhook_id: str, *, now: datetime) -> int:
    """Nothing more goes to this webhook. Returns how many were taken back; what is being sent follows."""
    gone = {"state": "superseded", "reason": "withdrawn", "finished_at": millis(now)}
    its = delivery.c.webhook_id == webhook_id
    count = c.execute(update(delivery).where(its, IS_PENDING).values(**gone)).rowcount
    c.execute(update(delivery).where(its, IS_LEASED).values(drop_flag=1, reason="withdrawn"))
    return count


# Many reminders fall due at one instant, so most of theirs were made before.
_shared = lru_cache(maxsize=1024)(instant)

State = Literal["pending", "leased", "succeeded", "dead", "expired", "superseded"]
# Nobody gets what ends like this, though nobody took it back.
GIVEN_UP: tuple[State, ...] = ("dead", "expired")
Why = Annotated[
    str,
    msgspec.Meta(
        description="Superseded: `moved`, `overtaken`, `cancelled`, `postponed`, `internal`, `deleted`, "
        "`filtered`, `withdrawn`, `same_instant`, `after_the_instant`, `already_past`, `paused`, "
        "`disabled`, or what is not known of the date, such as `month_precision`. Expired: `too_late`, "
        "`tighter`, `flood`. Dead: `exhausted`, `gone`, `poison`, `unsealable`."
    ),
]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one webhook and how far it has come."""

    id: str
    webhook: str
    event: str
    type: MessageType
    anchor: Anchor | None
    before: str | None
    at: str | None
    anchor_at: datetime | None
    due_at: datetime
    valid_until: datetime
    revision: int
    state: State
    reason: str | None
    superseded_by: str | None
    next_at: datetime
    tries: int
    replay: int
    created_at: datetime
    finished_at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. Without an end it is on its way, or its worker died and nobody has noticed yet."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    status: int | None
    latency_ms: int | None
    bytes: int | None
    excerpt: str | None
    body_sha256: str | None


PLANNED = [
    delivery.c[name]
    for name in (
        *("id", "webhook_id", "event_id", "type", "anchor", "before", "at", "anchor_at"),
        *("due_at", "valid_until", "tighter_at", "revision", "seq"),
    )
]


def planned_of(values: Sequence[Any]) -> Planned:
    """From the values of PLANNED, in their order."""
    id, webhook, event, type, anchor, before, at, anchor_at, *rest = values
    due_at, valid_until, tighter_at, revision, seq = rest
    return Planned(
        id=id,
        webhook=webhook,
        event=event,
        type=type,
        anchor=anchor,
        before=before,
        at=at,
        anchor_at=None if anchor_at is None else _shared(anchor_at),
        due_at=_shared(due_at),
        valid_until=_shared(valid_until),
        tighter_at=None if tighter_at is None else _shared(tighter_at),
        revision=revision,
        seq=seq,
    )


def row_of(planned: Planned, *, now: datetime) -> dict[str, Any]:
    """The row of a delivery nobody has tried yet; one that is planned as expired is finished at once."""
    return {
        "id": planned.id,
        "webhook_id": planned.webhook,
        "event_id": planned.event,
        "type": planned.type,
        "anchor": planned.anchor,
        "before": planned.before,
        "at": planned.at,
        "anchor_at": _millis(planned.anchor_at),
        "due_at": millis(planned.due_at),
        "valid_until": millis(planned.valid_until),
        "tighter_at": _millis(planned.tighter_at),
        "revision": planned.revision,
        "seq": planned.seq,
        "state": planned.state,
        "reason": planned.reason,
        "next_at": millis(planned.due_at),
        "fence": 0,
        "tries": 0,
        "abandons": 0,
        "replay": 0,
        "drop_flag": 0,
        "created_at": millis(now),
        "finished_at": millis(now) if planned.state == "expired" else None,
    }


def delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook=row.webhook_id,
        event=row.event_id,
        type=row.type,
        anchor=row.anchor,
        before=row.before,
        at=row.at,
        anchor_at=_maybe(row.anchor_at),
        due_at=instant(row.due_at),
        valid_until=instant(row.valid_until),
        revision=row.revision,
        state=row.state,
        reason=row.reason,
        superseded_by=row.superseded_by,
        next_at=instant(row.next_at),
        tries=row.tries,
        replay=row.replay,
        created_at=instant(row.created_at),
        finished_at=_maybe(row.finished_at),
    )


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        number=row.fence,
        started_at=instant(row.started_at),
        finished_at=_maybe(row.finished_at),
        outcome=row.outcome,
        status=row.status,
        latency_ms=row.latency_ms,
        bytes=row.bytes,
        excerpt=row.excerpt,
        body_sha256=row.body_sha256,
    )


def _maybe(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


def _millis(value: datetime | None) -> int | None:
    return None if value is None else millis(value)


def get(c: Connection, delivery_id: str, *, owner: str | None) -> tuple[Delivery, tuple[Attempt, ...]]:
    """A delivery with all its attempts, oldest first. NotFound for those who do not own its webhook."""
    query = select(delivery).join(webhooks, webhooks.c.id == delivery.c.webhook_id)
    query = query.where(delivery.c.id == delivery_id)
    row = c.execute(query if owner is None else query.where(webhooks.c.owner == owner)).one_or_none()
    if row is None:
        raise NotFound("delivery", delivery_id)
    return delivery_of(row), attempts(c, [delivery_id]).get(delivery_id, ())


def has_body(c: Connection, delivery_id: str) -> bool:
    """Whether a message was made of it; every sending repeats that."""
    query = select(delivery_body.c.delivery_id).where(delivery_body.c.delivery_id == delivery_id)
    return c.execute(query).one_or_none() is not None


def attempts(c: Connection, ids: Sequence[str]) -> dict[str, tuple[Attempt, ...]]:
    """The attempts of these deliveries, oldest first."""
    query = select(attempt).where(attempt.c.delivery_id.in_(ids)).order_by(attempt.c.fence)
    found: dict[str, list[Attempt]] = {}
    for row in c.execute(query):
        found.setdefault(row.delivery_id, []).append(attempt_of(row))
    return {key: tuple(own) for key, own in found.items()}


def listed(
    c: Connection,
    webhook_id: str,
    *,
    states: Sequence[str] = (),
    types: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    after: tuple[datetime, str] | None = None,
) -> tuple[Delivery, ...]:
    """Newest due first; `after` is the last one of the page before. The caller has found the webhook."""
    query = select(delivery).where(delivery.c.webhook_id == webhook_id)
    if states:
        query = query.where(delivery.c.state.in_(states))
    if types:
        query = query.where(delivery.c.type.in_(types))
    if since is not None:
        query = query.where(delivery.c.due_at >= millis(since))
    if until is not None:
        query = query.where(delivery.c.due_at < millis(until))
    if after is not None:
        query = query.where(tuple_(delivery.c.due_at, delivery.c.id) < (millis(after[0]), after[1]))
    ordered = query.order_by(delivery.c.due_at.desc(), delivery.c.id.desc()).limit(limit)
    return tuple(delivery_of(row) for row in c.execute(ordered))


def next_due(c: Connection, *, after: datetime) -> datetime | None:
    """When the next delivery falls due."""
    found = c.execute(_NEXT, {"after": millis(after)}).scalar_one()
    return None if found is None else instant(found)


def purge(c: Connection, *, before: datetime, limit: int = CHUNK) -> int:
    """Forget finished deliveries of moments long past; ids are kept until then, so nothing is sent twice."""
    old = (delivery.c.finished_at < millis(before)) & (
        func.coalesce(delivery.c.anchor_at, delivery.c.finished_at) < millis(before)
    )
    query = select(delivery.c.id).where(IS_FINISHED, old).order_by(delivery.c.finished_at).limit(limit)
    ids = list(c.execute(query).scalars())
    if ids:
        c.execute(delete(attempt).where(attempt.c.delivery_id.in_(ids)))
        c.execute(delete(delivery_body).where(delivery_body.c.delivery_id.in_(ids)))
        c.execute(delete(delivery).where(delivery.c.id.in_(ids)))
    return len(ids)


_NEXT = select(func.min(delivery.c.next_at)).where(IS_PENDING, delivery.c.next_at > bindparam("after"))
