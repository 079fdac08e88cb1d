"""Sends one message at once, outside the queue: a test that its owner waits for, recorded like any other."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from service.clock import Clock
from service.delivery.attempt import attempt, switch_off
from service.delivery.prepare import Outbound, Subscribers
from service.delivery.worker import log_switched_off
from service.egress.client import Egress
from service.metrics import Metrics
from service.reminders.plan import Planned
from service.reminders.webhook import Webhook
from service.store import claims, deliveries, results
from service.store.claims import TESTING
from service.store.engine import Store
from service.store.results import Result

T = TypeVar("T")
LEASE = timedelta(minutes=1)


class SentNow(Struct, frozen=True, kw_only=True):
    """The recorded outcome of the attempt."""

    stale: int
    disabled: tuple[Webhook, ...]


def place(
    c: Connection, planned: Planned, body: bytes, *, now: datetime, masters: Mapping[str, bytes]
) -> Outbound:
    """Stores a message as claimed and about to be sent, so that no worker sends it too."""
    deliveries.insert(c, [planned], now=now, body=body)
    worker = f"{TESTING}{token_hex(8)}"
    [claimed] = claims.claim(c, [planned.id], worker=worker, now=now, lease=LEASE)
    subscriber = Subscribers(masters).load(c, [planned.webhook])[planned.webhook]
    outbound = Outbound(claimed=claimed, subscriber=subscriber, body=body)
    claims.open_attempts(c, [outbound.attempted], worker=worker, now=now)
    return outbound


async def send(
    store: Store,
    egress: Egress,
    outbound: Outbound,
    *,
    clock: Clock,
    metrics: Metrics,
    then: Callable[[Connection], T],
) -> T:
    """Sends what `place` returned, once. `then` runs in the transaction that records the attempt."""
    result = await attempt(egress, outbound, clock=clock, chance=0.5, schedule=())
    now = clock.now()

    def work(c: Connection) -> tuple[SentNow, T]:
        return _recorded(c, result, now=now), then(c)

    ended, answer = await store.awrite(work)
    metrics.attempted(result.answer.outcome)
    metrics.stale.inc(ended.stale)
    metrics.disabled.inc(len(ended.disabled))
    log_switched_off(ended.disabled)
    return answer


def _recorded(c: Connection, result: Result, *, now: datetime) -> SentNow:
    """Records the attempt; a 410 switches the webhook off, as its receiver's wish counts in a test too."""
    recorded = results.record(c, [result])
    return SentNow(stale=recorded.stale, disabled=switch_off(c, [result], recorded.failing, now=now))
