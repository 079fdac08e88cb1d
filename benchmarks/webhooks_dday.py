"""Dday in `benchmarks.webhooks`: events in the store, the planner, the sender, each with its own measure."""

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from msgspec.structs import replace
from service.carrier.carrier import Carrier
from service.outward import Outward

from benchmarks import processes
from benchmarks.store import UNIT, copying, number_on, rows
from benchmarks.webhooks_contenders import Task, say, wait_for_start
from service import server
from service.catalogue.event import Event, Text
from service.clock import SystemClock
from service.delivery import outbox, planner, worker
from service.delivery.limits import Limits
from service.egress.client import Egress
from service.egress.policy import Policy
from service.metrics import Metrics
from service.reminders import signing
from service.reminders.webhook import NewWebhook, Rule, created
from service.store import claims, events, results, waiting, webhooks
from service.store.claims import Claimed
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
    for batch, _ in rows(min(future, UNIT)):
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


class Share:
    """CPU of one function, wherever it runs."""

    def __init__(self, work: Any) -> None:
        self.work, self.cpu, self.calls = work, 0.0, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        began = time.thread_time()
        try:
            return self.work(*args, **kwargs)
        finally:
            self.cpu += time.thread_time() - began


# What a transaction of the sending loop does, and where to find it.
PARTS: dict[str, tuple[Any, str]] = {
    "look": (waiting, "due"),
    "claim": (claims, "claim"),
    "arm": (claims, "arm"),
    "record": (results, "record"),
}


def measured() -> dict[str, Share]:
    """From now on, the CPU of each part."""
    of = {name: Share(getattr(module, function)) for name, (module, function) in PARTS.items()}
    for name, (module, function) in PARTS.items():
        setattr(module, function, of[name])
    return of


class Shares:
    """Of the CPU: whole transactions with their commits, and what in them claims, arms and records."""

    def __init__(self, store: Store) -> None:
        self._store = store.write = Share(store.write)  # type: ignore[method-assign]
        self._prepare = store.read = Share(store.read)  # type: ignore[method-assign]
        self._parts = measured()

    def of(self, cpu: float, *, count: int) -> dict[str, float]:
        parts = self._parts
        return {
            "batch": count / max(1, parts["record"].calls),
            "store_share": self._store.cpu / cpu,
            "claim_share": (parts["look"].cpu + parts["claim"].cpu) / cpu,
            "arm_share": parts["arm"].cpu / cpu,
            "record_share": parts["record"].cpu / cpu,
            "prepare_share": self._prepare.cpu / cpu,
        }


class Handed:
    """When each delivery had been claimed: the end of its claim's transaction as the sending loop sees it."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self._take = outbox.Outbox.take

        def take(its: outbox.Outbox, claimed: Sequence[Claimed], *, began: float) -> None:
            self.at += [time.time()] * len(claimed)
            self._take(its, claimed, began=began)

        outbox.Outbox.take = take  # type: ignore[method-assign]

    def p99(self, due: datetime) -> float:
        return sorted(self.at)[int(len(self.at) * 0.99)] - due.timestamp()


async def send(store: Store, task: Task, due: datetime) -> None:
    egress, metrics = await outward(task), Metrics()
    masters = {signing.key_id(MASTER): MASTER}
    shares, handed = Shares(store), Handed()
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
    facts = shares.of(used, count=task.count)
    await sender.drain()
    await egress.aclose()
    say(began=due.timestamp(), cpu=used, handed_p99=handed.p99(due), **facts)


def tempo(task: Task) -> Limits:
    """The product's, but for what the task says of it."""
    return Limits() if task.group is None else Limits(group=timedelta(seconds=task.group))


async def outward(task: Task) -> Outward:
    """The door, and where it is carried a child that is at work."""
    egress = Egress(Policy(allow=(ip_network("127.0.0.0/8"),)))
    if not task.carried:
        return egress
    carrier = Carrier(egress)
    await carrier.ready()
    return carrier


def spent() -> float:
    """CPU of this process, and of its child."""
    return time.process_time() + sum(processes.cpu_seconds(os.getpid())[1:])


def sent(metrics: Metrics) -> float:
    return sum(child._value.get() for child in metrics.attempts._metrics.values())
