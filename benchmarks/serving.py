"""What `dday serve` does while 20,000 reminders fall due at once: how late they are, and what readers feel.

    python -m benchmarks.serving                     # three rounds with 100,000 events stored, on SQLite
    python -m benchmarks.serving --keep DIR          # keeps the events there and uses them again

The sink is a process of its own, and its book says when each reminder came. `/v1/events` is asked at a fixed
rate, first while nothing is due and then while the reminders go out, in turns: each request has its instant
and its time counts from then, so that waiting behind another is seen.
"""

import argparse
import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvloop
from sqlalchemy import update

from benchmarks.sending import MASTER, Process
from benchmarks.store import NOW, TAGS, number_on, urls
from service.catalogue.event import Event, Text
from service.delivery import planner
from service.reminders import signing
from service.reminders.webhook import NewWebhook, Rule, created
from service.store import events, webhooks
from service.store.engine import Store
from service.store.tables import delivery

DESTINATIONS = 100
# The reminders are planned for this much later, and brought forward once the service is at work.
LATER = timedelta(minutes=20)
QUIET, LOADED, CYCLE = 6.0, 8.0, 40
TICKS = os.sysconf("SC_CLK_TCK")


# The reminders


def plan(url: str, port: int, *, rounds: int, count: int) -> list[datetime]:
    """At as many instants as there are rounds, `count` reminders fall due, evenly to all destinations."""
    store = Store.open(url)
    now = datetime.now(UTC)
    due = [(now + LATER).replace(microsecond=0) + n * timedelta(seconds=CYCLE) for n in range(rounds)]
    start = (due[-1] + timedelta(minutes=20)).replace(second=0, microsecond=0)
    rules = tuple(Rule(anchor="start", before=f"PT{int((start - at).total_seconds())}S") for at in due)
    number_on(store)
    for n in range(DESTINATIONS):
        body = NewWebhook(url=f"http://127.1.0.{n + 1}:{port}/", name="sink", reminders=rules)
        hook = created(body, webhook_id=f"whk_{n}", owner="bench", now=now)
        secret = signing.generate("v1", randomness=os.urandom)
        sealed = signing.seal(secret, webhook_id=hook.id, master=MASTER, randomness=os.urandom)
        store.write(lambda c, hook=hook, sealed=sealed: webhooks.create(c, hook, sealed=[sealed], now=now))
    planner.run_once(store, now=now)
    text = start.strftime("%Y-%m-%dT%H:%M")
    event = Event(id="due", kind="conference", name=Text(ko="벤치", en="Bench"), start=text, timezone="UTC")
    written = [msgspec.structs.replace(event, id=f"due-{n}") for n in range(count // DESTINATIONS)]
    store.write(lambda c: events.put_many(c, written, now=now, cause="bench"))
    planned = planner.run_once(store, now=now, look_ahead=2 * LATER).planned
    store.close()
    assert planned == rounds * count, f"{planned} planned, {rounds * count} wanted"
    return due


def bring_forward(url: str, due: list[datetime], *, ahead: timedelta) -> list[datetime]:
    """Moves all reminders so that the first fall due `ahead` from now; returns their new instants."""
    by = due[0] - (datetime.now(UTC) + ahead).replace(microsecond=0)
    less = int(by.total_seconds() * 1000)
    moved = {name: getattr(delivery.c, name) - less for name in ("due_at", "next_at")}
    store = Store.open(url, exclusive=False)
    store.write(lambda c: c.execute(update(delivery).values(moved)))
    store.close()
    return [each - by for each in due]


# The service


@contextmanager
def served(database: str) -> Iterator[tuple[int, int]]:
    """`dday serve` as an operator runs it, but for the rate limit; its port and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "DATABASE_URL": database,
        "SECRET_KEY": MASTER.hex(),
        "EGRESS_ALLOW": "127.0.0.0/8",
        "RATE_LIMIT": "0",
        "SEEDS": "none",
        "LOG": "warning",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", str(port)],
        env=os.environ | {f"DDAY_{name}": value for name, value in settings.items()},
        stderr=None if sys.stderr.isatty() else subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def family(pid: int) -> list[int]:
    """The service and the processes it started, as Linux lists them."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    stats = (Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in family(pid))
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS


def memory(pid: int) -> str:
    """Resident MiB of each process of the family, the service first."""
    pages = (int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return " + ".join(f"{count * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f}" for count in pages)


# The readers


class Reader:
    """`GET /v1/events` again and again, each time something else, on connections that are kept."""

    def __init__(self, port: int, *, rate: float) -> None:
        self._port, self._rate = port, rate
        self._rng = random.Random(5)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, *, seconds: float) -> list[float]:
        """The times of this stretch, in milliseconds."""
        self._idle.clear()  # the server closes what was quiet for long
        begun = time.perf_counter()
        count = int(seconds * self._rate)
        return await asyncio.gather(*(self._one(begun + n / self._rate) for n in range(count)))

    async def _one(self, at: float) -> float:
        await asyncio.sleep(at - time.perf_counter())
        day = NOW - timedelta(days=self._rng.randrange(900), minutes=self._rng.randrange(1440))
        target = f"/v1/events?tag={self._rng.choice(TAGS)}&from={day:%Y-%m-%dT%H:%M:%SZ}&limit=50"
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        self._idle.append((reader, writer))
        return (time.perf_counter() - at) * 1000

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)


# The measurement


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What readers waited in a stretch of time, in milliseconds; what was sent and used, a second."""

    p50: float
    p99: float
    sent: float
    cpu: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} p99 {self.p99:.1f} ms ({self.sent:.0f}/s sent, CPU {self.cpu:.2f})"


async def stretch(reader: Reader, pid: int, sink: Process, *, seconds: float) -> Stretch:
    sent, used = sink.ask("count"), cpu_seconds(pid)
    times = await reader.ask(seconds=seconds)
    return Stretch(
        p50=statistics.median(times),
        p99=statistics.quantiles(times, n=100)[98],
        sent=(sink.ask("count") - sent) / seconds,
        cpu=(cpu_seconds(pid) - used) / seconds,
    )


async def measure(
    url: str, reader: Reader, pid: int, sink: Process, due: list[datetime], *, count: int
) -> None:
    await reader.ask(seconds=2)
    print(f"memory at rest: {memory(pid)} MiB", flush=True)
    due = bring_forward(url, due, ahead=timedelta(seconds=QUIET + 4))
    found: list[tuple[Stretch, Stretch]] = []
    for n, at in enumerate(due):
        await asyncio.sleep(until(at) - QUIET - 1)
        quiet = await stretch(reader, pid, sink, seconds=QUIET)
        sink.ask("clear")
        await asyncio.sleep(until(at) + 0.5)
        loaded = await stretch(reader, pid, sink, seconds=LOADED)
        while sink.ask("count") < count and until(at) > 5 - CYCLE + QUIET:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        found.append((quiet, loaded))
        print(f"round {n + 1}: {late(sink, at, count=count)}; memory {memory(pid)} MiB")
        print(f"  readers: {quiet}; beside the sender {loaded}", flush=True)
    quiet_p99, loaded_p99 = (statistics.median(pair[side].p99 for pair in found) for side in (0, 1))
    print(f"p99 of readers beside the sender: x {loaded_p99 / quiet_p99:.2f} (median of {len(found)} rounds)")


def until(at: datetime) -> float:
    return (at - datetime.now(UTC)).total_seconds()


def late(sink: Process, at: datetime, *, count: int) -> str:
    book: dict[str, list[float]] = sink.ask("book")
    times = sorted(min(each) - at.timestamp() for each in book.values())
    twice = sum(map(len, book.values())) - len(book)
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99) - 1]
    return (
        f"reminders p50 {p50:.1f} p99 {p99:.1f} last {times[-1]:.1f} s late, "
        f"lost {count - len(book)}, twice {twice}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="keep the events here and use them again")
    parser.add_argument("--size", type=int, default=100_000, help="how many events are stored")
    parser.add_argument("--count", type=int, default=20_000, help="how many reminders fall due at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=60, help="requests a second")
    asked = parser.parse_args()
    sink = Process("benchmarks.sink")
    port = sink.hear()
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dday-bench-", dir=asked.keep) as name:
        kept = urls(["sqlite"], asked.size, asked.keep or Path(name))["sqlite"].removeprefix("sqlite:///")
        shutil.copy(kept, Path(name) / "serving.db")
        database = f"sqlite:///{name}/serving.db"
        due = plan(database, port, rounds=asked.rounds, count=asked.count)
        with served(database) as (http, pid):
            reader = Reader(http, rate=asked.rate)
            uvloop.run(measure(database, reader, pid, sink, due, count=asked.count))
    sink.stop()


if __name__ == "__main__":
    main()
