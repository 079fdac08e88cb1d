"""What the sender costs its neighbour: `/v1/events` at a fixed rate, without and with 20,000 reminders due.

    python -m benchmarks.neighbours                  # `--keep DIR` keeps the events and uses them again

A real `dday serve` on SQLite with 100,000 events. The requests are an open loop: each has its instant, and
its time counts from then, so that waiting behind another is seen. Rounds without and with a backlog take
turns; the sink is a process of its own, and its book says whether the sender was at work just when it should.
Goal (issue 4): the p99 at most doubles while the sender runs flat out.
"""

import argparse
import asyncio
import json
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
from sqlalchemy import func, select, update

from benchmarks.store import NOW, TAGS, urls
from benchmarks.webhooks import Process
from benchmarks.webhooks_dday import MASTER
from service.catalogue.event import Event, Text
from service.reminders import fanout, secrets
from service.reminders.rules import NewWebhook, Rule, created
from service.store import events, webhooks
from service.store.engine import Store
from service.store.tables import counter, event

DESTINATIONS = 100
# A backlog is sent within this, or the next quiet round is not quiet and the run says so.
CYCLE = 30
QUIET, LOADED = 6.0, 8.0
# From the start of this program to the first backlog: planning them and starting the service.
LEAD = timedelta(seconds=60)
TICKS = os.sysconf("SC_CLK_TCK")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one stretch of requests measured, and what the sender did meanwhile."""

    p50: float
    p99: float
    sent: float
    cpu: float


class Asker:
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


def plan(url: str, sink: int, *, count: int, rounds: int) -> list[datetime]:
    """Plan as many backlogs as rounds, a cycle apart, by the planner itself; when each is due."""
    store = Store.open(url)
    now = datetime.now(UTC)
    start = (now + timedelta(minutes=30)).replace(second=0, microsecond=0)
    first = (now + LEAD).replace(microsecond=0)
    due = [first + n * timedelta(seconds=CYCLE) for n in range(rounds)]
    rules = tuple(Rule(anchor="start", before=f"PT{int((start - at).total_seconds())}S") for at in due)
    for n in range(DESTINATIONS):
        body = NewWebhook(url=f"http://127.1.0.{n + 1}:{sink}/", name="sink", reminders=rules)
        hook = created(body, webhook_id=f"whk_{n:03}", owner="bench", now=now)
        key = secrets.generate("v1", randomness=os.urandom)
        sealed = secrets.seal(key, webhook_id=hook.id, master=MASTER, randomness=os.urandom)
        store.write(lambda c, hook=hook, sealed=sealed: webhooks.create(c, hook, sealed=[sealed], now=now))
    text = start.strftime("%Y-%m-%dT%H:%M")
    one = Event(id="due", kind="conference", name=Text(ko="벤치", en="Bench"), start=text, timezone="UTC")
    many = [msgspec.structs.replace(one, id=f"due-{n}") for n in range(count // DESTINATIONS)]
    # The kept events were loaded without the log: its numbers go on after theirs.
    store.write(
        lambda c: c.execute(update(counter).values(value=select(func.max(event.c.seq)).scalar_subquery()))
    )
    fanout.run_once(store, now=now)
    store.write(lambda c: events.put_many(c, many, now=now, cause="bench"))
    planned = fanout.run_once(store, now=now).planned
    store.close()
    assert planned == rounds * count, f"{planned} planned of {rounds * count}"
    return due


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
    """The service and the processes it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    stats = (Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in family(pid))
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS


def memory(pid: int) -> str:
    """MiB of each process of the family, the service first."""
    pages = (int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return " + ".join(f"{count * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f}" for count in pages)


async def measure(
    port: int, pid: int, sink: Process, due: list[datetime], *, rate: float
) -> tuple[list[Round], list[Round]]:
    quiet: list[Round] = []
    loaded: list[Round] = []
    asker = Asker(port, rate=rate)
    await asker.ask(seconds=2)  # warms up
    for at in due:
        late = (at - datetime.now(UTC)).total_seconds() - QUIET - 1
        assert late > 0, "The service was not ready in time: give more LEAD."
        await asyncio.sleep(late)
        quiet.append(await stretch(asker, pid, sink, seconds=QUIET))
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() + 0.5)
        loaded.append(await stretch(asker, pid, sink, seconds=LOADED))
        print(f"  {memory(pid)} MiB   {told(quiet[-1])}   with the sender {told(loaded[-1])}", flush=True)
    return quiet, loaded


async def stretch(asker: Asker, pid: int, sink: Process, *, seconds: float) -> Round:
    sent, used = count(sink), cpu_seconds(pid)
    times = await asker.ask(seconds=seconds)
    return Round(
        p50=statistics.median(times),
        p99=statistics.quantiles(times, n=100)[98],
        sent=(count(sink) - sent) / seconds,
        cpu=(cpu_seconds(pid) - used) / seconds,
    )


def count(sink: Process) -> int:
    sink.tell("count")
    return int(json.loads(sink.hear()))


def told(found: Round) -> str:
    return f"p50 {found.p50:.1f} p99 {found.p99:.1f} ms ({found.sent:.0f}/s, CPU {found.cpu:.2f})"


def report(quiet: list[Round], loaded: list[Round], *, rounds: int) -> None:
    if any(each.sent for each in quiet):
        print("  NOT QUIET: a backlog was still being sent when the next quiet round began")
    middle = [
        statistics.median(getattr(each, name) for each in rows)
        for rows in (quiet, loaded)
        for name in ("p50", "p99")
    ]
    print(
        f"median of {rounds} rounds: quiet p50 {middle[0]:.1f}, p99 {middle[1]:.1f} ms; with the sender "
        f"p50 {middle[2]:.1f}, p99 {middle[3]:.1f} ms; p99 x {middle[3] / middle[1]:.2f} (goal: at most 2)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="keep the events here and use them again")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=60)
    asked = parser.parse_args()
    sink = Process("benchmarks.webhooks_sink")
    with tempfile.TemporaryDirectory(prefix="dday-bench-", dir=asked.keep) as name:
        folder = asked.keep or Path(name)
        kept = urls(["sqlite"], asked.size, folder)["sqlite"].removeprefix("sqlite:///")
        database = f"sqlite:///{shutil.copy(kept, Path(name) / 'serving.db')}"
        due = plan(database, int(sink.hear()), count=asked.count, rounds=asked.rounds)
        with served(database) as (port, pid):
            found = uvloop.run(measure(port, pid, sink, due, rate=asked.rate))
    sink.stop()
    report(*found, rounds=asked.rounds)


if __name__ == "__main__":
    main()
