"""What tests of reminders share: a webhook with a secret, an event that starts at an instant, a sender."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network

from msgspec.structs import replace

from service.catalogue import validation as catalogue_rules
from service.catalogue.event import Event, Text
from service.clock import Clock, SimulatedClock, SystemClock
from service.delivery import planner
from service.delivery.worker import Limits, Worker
from service.egress.client import Egress
from service.egress.policy import Policy
from service.metrics import Metrics
from service.reminders import signing
from service.reminders.plan import Planned
from service.reminders.webhook import Change, NewWebhook, Rule, Webhook, created
from service.store import deliveries, events, webhooks
from service.store.engine import Store

MASTER = bytes(range(32))
MASTERS = {signing.key_id(MASTER): MASTER}
LOOPBACK = Policy(allow=(ip_network("127.0.0.0/8"),))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TLS = ssl.create_default_context()  # making one costs more than a small test
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def a_webhook(url: str, *, key: str = "whk_1", before: str = "PT1H", **fields: object) -> Webhook:
    """Reminded this long before the start of anything, unless the fields say otherwise."""
    body = NewWebhook(url=url, name="test", reminders=(Rule(anchor="start", before=before),))
    changes: tuple[Change, ...] = fields.pop("changes", ())  # type: ignore[assignment]
    now = fields.pop("now", NOON)
    made = created(replace(body, changes=changes), webhook_id=key, owner="owner", now=now)  # type: ignore[arg-type]
    return replace(made, **fields)


def add(store: Store, webhook: Webhook, *, now: datetime = NOON) -> str:
    """Store it; returns its secret as a person would see it."""
    key = signing.generate("v1", randomness=os.urandom)
    sealed = signing.seal(key, webhook_id=webhook.id, master=MASTER, randomness=os.urandom)
    store.write(lambda c: webhooks.create(c, webhook, sealed=[sealed], now=now))
    return signing.spelt(key)


def an_event(key: str, start: datetime, **fields: object) -> Event:
    """Known to the minute, in UTC."""
    text = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
    event = Event(id=key, kind="conference", name=Text(en=key), start=text, timezone="UTC")
    return catalogue_rules.check(replace(event, **fields))


def put(store: Store, *written: Event, now: datetime = NOON) -> None:
    store.write(lambda c: events.put_many(c, written, now=now, cause="test"))


def message(key: str, webhook: str, now: datetime) -> Planned:
    """A test of a webhook, due now and of use for an hour."""
    return Planned(
        id=key,
        webhook=webhook,
        event="",
        type="webhook.test",
        anchor=None,
        before=None,
        anchor_at=None,
        due_at=now,
        valid_until=now + HOUR,
        tighter_at=None,
        revision=0,
        seq=0,
    )


def fill(store: Store, webhook: str, count: int, *, now: datetime) -> None:
    """So many messages to a webhook, all due now."""
    rows = [message(f"dlv_{webhook}_{n:06}", webhook, now) for n in range(count)]
    for start in range(0, count, 5000):
        store.write(partial(deliveries.insert, planned=rows[start : start + 5000], now=now, body=b"{}"))


@asynccontextmanager
async def sending(
    store: Store, *, limits: Limits | None = None, deadline: float = 2.0, clock: Clock | None = None
) -> AsyncIterator[Worker]:
    """A sender at work, by the machine's clock unless there is another; stopped in the end like a service."""
    egress = Egress(LOOPBACK, deadline=deadline, tls=TLS)
    sender = Worker(store, egress, clock=clock or SystemClock(), masters=MASTERS, limits=limits)
    await sender.start()
    try:
        yield sender
    finally:
        await sender.drain()
        await egress.aclose()


class World:
    """A store, a clock that stands still, a planner and a sender: one step at a time."""

    def __init__(self, store: Store, *, now: datetime = NOON, limits: Limits | None = None) -> None:
        self.store, self.clock, self.limits, self.metrics = store, SimulatedClock(now), limits, Metrics()
        self.plan()  # the first pass only notes the time

    def plan(self, **options: timedelta) -> planner.Pass:
        return planner.run_once(self.store, now=self.clock.now(), **options)

    def send(self, chance: Callable[[], float] = lambda: 0.5) -> int:
        async def once() -> int:
            egress = Egress(LOOPBACK, deadline=2, tls=TLS)
            sender = Worker(
                self.store,
                egress,
                clock=self.clock,
                masters=MASTERS,
                limits=self.limits,
                metrics=self.metrics,
                chance=chance,
            )
            try:
                return await sender.run_once()
            finally:
                await egress.aclose()

        return asyncio.run(once())

    def at(self, instant: datetime) -> int:
        """Go there, plan, and send what is due; returns the attempts made."""
        self.clock.move_to(instant)
        self.plan()
        return self.send()
