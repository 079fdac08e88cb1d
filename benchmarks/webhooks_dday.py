"""Dday in `benchmarks.webhooks`: events in the store, the planner, the sender, each with its own measure."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from msgspec.structs import replace

from benchmarks.store import UNIT, copying, number_on, rows
from benchmarks.webhooks_contenders import Task, say, wait_for_start
from service import server
from service.catalogue.event import Event, Text
from service.clock import SystemClock
from service.delivery import planner, worker
from service.delivery.limits import Limits
from service.egress.client import Egress
from service.egress.policy import Policy
from service.metrics import Metrics
from service.reminders import signing
from service.reminders.webhook import NewWebhook, Rule, created
from service.store import events, webhooks
from service.store.engine import Store
from service.store.tables import event as event_table

MASTER = bytes(32)
LEAD = timedelta(minutes=10)
KNOWN = timedelta(hours=2)


def run(task: Task) -> None:
    store = Store.open(task.url)
    fill(store, task.future)
    due = prepare(store, task)
    server.run(send(store, task, due))
    store.close()


def fill(store: Store, future: int) -> None:
    """Events that are not due: each stands for at least one reminder to come. Beyond UNIT in whole UNITs."""
    if not future:
        return
    if future > UNIT and future % UNIT:
        raise ValueError(f"{future:,} is no multiple of {UNIT:,}")
    made = 0
    for batch, _ in rows(min(future, UNIT), {}):
        for row in batch:
            row["starts"] = row["ends"] = 4_000_000_000_000 + made
            made += 1
        store.write(lambda c, batch=batch: c.execute(event_table.insert(), batch))
    if future > UNIT:
        again, _ = copying("", range(1, future // UNIT))
        store.write(lambda c: c.exec_driver_sql(again))
    number_on(store)


def prepare(store: Store, task: Task) -> datetime:
    """As many webhooks as destinations, and so many events that `count` reminders fall due at one minute."""
    now = datetime.now(UTC)
    for n in range(task.destinations):
        body = NewWebhook(url=task.target(n), name="sink", reminders=(Rule(anchor="start", before="PT10M"),))
        hook = created(body, webhook_id=f"whk_{n:05}", owner="bench", now=now - 2 * KNOWN)
        key = signing.generate("v1", randomness=os.urandom)
        sealed = signing.seal(key, webhook_id=hook.id, master=MASTER, randomness=os.urandom)
        store.write(lambda c, hook=hook, sealed=sealed: webhooks.create(c, hook, sealed=[sealed], now=now))
    due = (now + timedelta(minutes=1)).replace(second=0, microsecond=0)
    many = max(1, task.count // task.destinations)
    text = (due + LEAD).strftime("%Y-%m-%dT%H:%M")
    event = Event(id="e", kind="conference", name=Text(ko="벤치", en="Bench"), start=text, timezone="UTC")
    written = [replace(event, id=f"due-{n:06}") for n in range(many)]
    # As most reminders are: of events that are known long before, planned when their time comes near.
    known = now - KNOWN
    planner.run_once(store, now=known)
    for start in range(0, many, 1000):
        batch = written[start : start + 1000]
        store.write(lambda c, batch=batch: events.put_many(c, batch, now=known, cause="bench"))
    planner.run_once(store, now=known)
    began, cpu = time.time(), time.process_time()
    planned = planner.run_once(store, now=now).planned
    say(planned=planned, planning=time.time() - began, planning_cpu=time.process_time() - cpu)
    return due


async def send(store: Store, task: Task, due: datetime) -> None:
    egress, metrics = Egress(Policy(allow=(ip_network("127.0.0.0/8"),)), deadline=15), Metrics()
    masters = {signing.key_id(MASTER): MASTER}
    sender = worker.Worker(
        store, egress, clock=SystemClock(), masters=masters, metrics=metrics, limits=tempo(task)
    )
    wait_for_start()
    wait = (due - datetime.now(UTC)).total_seconds()
    await asyncio.sleep(max(0.0, wait - 1))
    await sender.start()
    await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
    began, cpu = time.time(), spent()
    while sent(metrics) < task.count and time.time() - began < 120:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    used = spent() - cpu
    await sender.drain()
    await egress.aclose()
    say(began=due.timestamp(), cpu=used)


def tempo(task: Task) -> Limits:
    """The product's, but for what the task says of it."""
    return Limits() if task.group is None else Limits(group=timedelta(seconds=task.group))


def spent() -> float:
    """CPU of this process."""
    return time.process_time()


def sent(metrics: Metrics) -> float:
    return sum(child._value.get() for child in metrics.attempts._metrics.values())
