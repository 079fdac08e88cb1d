"""What is due and has not been sent: how much, and whether the receivers or we are the reason."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, func, select, text

from service.reminders.webhook import Webhook
from service.store import webhooks
from service.store.claims import QUEUE
from service.store.sql import instant, millis
from service.store.tables import IS_LEASED, attempt, delivery, webhook

# The attempts by which a receiver is judged are those of so many deliveries.
RECENT = 20


class Served(Struct, frozen=True, kw_only=True):
    """One attempt; `finished_at` is None while it is on its way."""

    started_at: datetime
    finished_at: datetime | None
    status: int | None
    seconds: float


class Queue(Struct, frozen=True, kw_only=True):
    """What an active webhook, whose last attempt did not fail, has waited for `since`, and what it got last.

    `puts_off` says that an attempt has been made of one that waits for its next.
    """

    webhook: Webhook
    since: datetime
    puts_off: bool
    attempts: tuple[Served, ...]


def depth(c: Connection, *, now: datetime) -> tuple[int, datetime | None]:
    """Returns how many deliveries to active webhooks are due, and since when the oldest has been."""
    due = select(func.count(), func.min(delivery.c.next_at)).select_from(
        delivery.join(webhook, webhook.c.id == delivery.c.webhook_id)
    )
    active = (webhook.c.state == "active") & (delivery.c.next_at <= millis(now))
    pending = delivery.c.state == "pending"
    count, oldest = c.execute(due.where(pending, active)).one()
    return int(count), None if oldest is None else instant(oldest)


def queues(c: Connection, *, now: datetime, slack: timedelta) -> Iterator[Queue]:
    """Yields the queues of healthy webhooks that are older than `slack`, the oldest first."""
    rows = c.execute(_QUEUES, {"before": millis(now - slack)}).all()
    for row in sorted(rows, key=lambda row: row.since):
        asked = {"webhook": row.id, "now": millis(now), "since": row.since}
        yield Queue(
            webhook=webhooks.decoded(row.document),
            since=instant(row.since),
            puts_off=bool(c.execute(_PUT_OFF, asked).first()),
            attempts=tuple(
                _served(each, now) for query in (_HELD, _DONE) for each in c.execute(query, asked)
            ),
        )


def unrecovered(c: Connection, *, now: datetime, slack: timedelta) -> datetime | None:
    """Returns since when a delivery has been held by a worker whose lease is over, if longer than that."""
    oldest = c.execute(_LEASES).scalar_one()
    return instant(oldest) if oldest is not None and oldest <= millis(now - slack) else None


def _served(row: Any, now: datetime) -> Served:
    started_at, finished_at, status, latency = row
    begun = instant(started_at)
    return Served(
        started_at=begun,
        finished_at=None if finished_at is None else instant(finished_at),
        status=status,
        seconds=(now - begun).total_seconds() if latency is None else latency / 1000,
    )


_ATTEMPT = (attempt.c.started_at, attempt.c.finished_at, attempt.c.status, attempt.c.latency_ms)
_ITS = delivery.c.webhook_id == bindparam("webhook")
_QUEUES = text(f"""{QUEUE}, waiting AS (
    SELECT h.id, h.document, (SELECT min(d.next_at) FROM delivery d
                               WHERE d.state = 'pending' AND d.webhook_id = h.id) AS since
      FROM queue q JOIN webhook h ON h.id = q.webhook_id
     WHERE h.state = 'active' AND h.failing_since IS NULL
)
SELECT id, document, since FROM waiting WHERE since <= :before""")  # noqa: S608 - made of constants
_PUT_OFF = text(
    "SELECT 1 FROM delivery WHERE state = 'pending' AND webhook_id = :webhook AND next_at > :now "
    "AND fence > 0 LIMIT 1"
)
_HELD = (
    select(*_ATTEMPT)
    .join(delivery, delivery.c.id == attempt.c.delivery_id)
    .where(IS_LEASED, _ITS, attempt.c.finished_at.is_(None))
)
# Deliveries are sent in the order in which they fell due, so the last ones sent fell due before the first
# that waits.
_SENT = (
    select(delivery.c.id)
    .where(_ITS, delivery.c.due_at <= bindparam("since"), delivery.c.finished_at.is_not(None))
    .order_by(delivery.c.due_at.desc(), delivery.c.id.desc())
    .limit(RECENT)
    .subquery()
)
_DONE = (
    select(*_ATTEMPT)
    .join(_SENT, _SENT.c.id == attempt.c.delivery_id)
    .where(attempt.c.finished_at.is_not(None))
)
_LEASES = select(func.min(delivery.c.lease_until)).where(IS_LEASED)
