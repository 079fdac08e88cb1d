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
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvloop

from benchmarks import backlog, processes
from benchmarks.store import NOW, TAGS
from benchmarks.webhooks import Process

DESTINATIONS = 100
# A backlog is sent within this, or the next quiet round is not quiet and the run says so.
CYCLE = 30
QUIET, LOADED = 6.0, 8.0


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


async def running(
    url: str, asker: Asker, pid: int, sink: Process, due: list[datetime]
) -> tuple[list[Round], list[Round]]:
    await asker.ask(seconds=2)  # warms up
    forward = backlog.bring_forward(url, due, ahead=timedelta(seconds=QUIET + 4))
    return await measure(asker, pid, sink, forward)


async def measure(
    asker: Asker, pid: int, sink: Process, due: list[datetime]
) -> tuple[list[Round], list[Round]]:
    quiet: list[Round] = []
    loaded: list[Round] = []
    for at in due:
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() - QUIET - 1)
        quiet.append(await stretch(asker, pid, sink, seconds=QUIET))
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() + 0.5)
        loaded.append(await stretch(asker, pid, sink, seconds=LOADED))
        print(
            f"  {processes.memory(pid)} MiB   {told(quiet[-1])}   with the sender {told(loaded[-1])}",
            flush=True,
        )
    return quiet, loaded


async def stretch(asker: Asker, pid: int, sink: Process, *, seconds: float) -> Round:
    sent, used = count(sink), sum(processes.cpu_seconds(pid))
    times = await asker.ask(seconds=seconds)
    return Round(
        p50=statistics.median(times),
        p99=statistics.quantiles(times, n=100)[98],
        sent=(count(sink) - sent) / seconds,
        cpu=(sum(processes.cpu_seconds(pid)) - used) / seconds,
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
        database = backlog.database(asked.keep or Path(name), asked.size, Path(name) / "serving.db")
        due = backlog.plan(
            database,
            int(sink.hear()),
            instants=asked.rounds,
            every=CYCLE,
            count=asked.count,
            destinations=DESTINATIONS,
        )
        with backlog.served(database) as (port, pid):
            found = uvloop.run(running(database, Asker(port, rate=asked.rate), pid, sink, due))
    sink.stop()
    report(*found, rounds=asked.rounds)


if __name__ == "__main__":
    main()
