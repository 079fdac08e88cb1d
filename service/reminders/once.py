"""One message at once, outside the queue: a test that its owner is waiting for. Recorded like any other."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from secrets import token_hex

from sqlalchemy import Connection

from service.clock import Clock
from service.outward import Outward
from service.reminders import sending
from service.reminders.planned import Planned
from service.reminders.prepare import Outbound
from service.reminders.subscribers import Subscriber, Subscribers
from service.store import claims, deliveries, results
from service.store.claims import Armed, Claimed
from service.store.engine import Store

LEASE = timedelta(minutes=1)


async def send(
    store: Store,
    egress: Outward,
    planned: Planned,
    body: bytes,
    *,
    clock: Clock,
    masters: Mapping[str, bytes],
    schedule: Sequence[timedelta] = (),
) -> None:
    """Store it, send it, record the attempt. Without a schedule it is not tried again."""
    placed = partial(_placed, planned=planned, body=body, clock=clock, masters=masters)
    claimed, subscriber = await store.writing(placed)
    outbound = Outbound(claimed=claimed, subscriber=subscriber, body=body, began=0.0)
    result = await sending.attempt(egress, outbound, clock=clock, chance=0.5, schedule=tuple(schedule))
    await store.writing(partial(results.record, results=[result]))


def _placed(
    c: Connection, *, planned: Planned, body: bytes, clock: Clock, masters: Mapping[str, bytes]
) -> tuple[Claimed, Subscriber]:
    now = clock.now()
    deliveries.insert(c, [planned], now=now, body=body)
    worker = f"wrk_{token_hex(8)}"
    [claimed] = claims.claim(c, [planned.id], worker=worker, now=now, lease=LEASE)
    claims.arm(c, [Armed(delivery=planned.id, fence=claimed.fence, body=None)], worker=worker, now=now)
    return claimed, Subscribers(masters).load(c, [planned.webhook])[planned.webhook]
