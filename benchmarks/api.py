"""End to end: 50 of 100,000 events by tag from an instant on, beside FastAPI + SQLAlchemy ORM + pydantic.

    uv sync --group bench && python -m benchmarks.api      # `--keep DIR` keeps the data

Both servers run on granian, one process each on the first core; the load comes from this process on the last.
Every request asks something new (another tag, another instant); rounds alternate, medians count. Goal (issue
2, point 5): at least ten times the requests per second.
"""

import argparse
import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import uvloop

from benchmarks.store import NOW, TAGS, urls

CONNECTIONS = 32
ROUNDS = 5
SECONDS = 4.0
TICKS = os.sysconf("SC_CLK_TCK")


class Round(msgspec.Struct, frozen=True):
    """What one round of load measured."""

    per_second: float
    p99_ms: float
    cpu_us: float
    bytes_each: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="keep the databases here and use them again")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = urls(["sqlite"], arguments.size, folder)["sqlite"]
        peer = peer_database(Path(database.removeprefix("sqlite:///")), folder / f"peer_{arguments.size}.db")
        with server(ours(database)) as mine, server(theirs(peer)) as other:
            report(rounds(mine, other, seconds=arguments.seconds))


def peer_database(ours: Path, file: Path) -> Path:
    from benchmarks.api_peer import fill

    if not file.exists():
        fill(ours, file)
    return file


def ours(database: str) -> dict[str, str]:
    """`dday serve`, as an operator runs it, but for the rate limit and the sender."""
    settings = {"DATABASE_URL": database, "RATE_LIMIT": "0", "DELIVER": "0", "SEEDS": "none"}
    return {"command": "-m service serve", **{f"DDAY_{name}": value for name, value in settings.items()}}


def theirs(file: Path) -> dict[str, str]:
    command = "-m granian --interface asgi --loop uvloop --no-access-log benchmarks.api_peer:app"
    return {"command": command, "PEER_DATABASE": str(file)}


@contextmanager
def server(environ: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A server on the first core; its port and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *environ.pop("command").split(), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, preexec_fn=lambda: os.sched_setaffinity(0, {0}), **quiet
    )
    try:
        wait_for(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """A database of an older version is brought up to date first, which takes minutes at 100,000 events."""
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            time.sleep(1)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{' '.join(map(str, process.args))} did not start.")  # type: ignore[arg-type]


def rounds(*servers: tuple[int, int], seconds: float) -> list[list[Round]]:
    """Rounds of load, one server after the other, so that a busy minute hurts all alike."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    measured: list[list[Round]] = [[] for _ in servers]
    for number in range(ROUNDS + 1):
        for place, (port, pid) in enumerate(servers):
            found = uvloop.run(load(port, pid, seed=number, seconds=seconds))
            if number:  # the first round warms up
                measured[place].append(found)
    return measured


async def load(port: int, pid: int, *, seed: int, seconds: float) -> Round:
    rng = random.Random(seed)
    times: list[float] = []
    sizes: list[int] = []
    until = time.perf_counter() + seconds
    before = cpu_seconds(pid)
    await asyncio.gather(*(client(port, rng, until, times, sizes) for _ in range(CONNECTIONS)))
    used = cpu_seconds(pid) - before
    return Round(
        per_second=len(times) / seconds,
        p99_ms=statistics.quantiles(times, n=100)[98] * 1000,
        cpu_us=used / len(times) * 1e6,
        bytes_each=sum(sizes) // len(sizes),
    )


async def client(port: int, rng: random.Random, until: float, times: list[float], sizes: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while (begun := time.perf_counter()) < until:
        day = NOW - timedelta(days=rng.randrange(0, 900), minutes=rng.randrange(1440))
        target = f"/v1/events?tag={rng.choice(TAGS)}&from={day:%Y-%m-%dT%H:%M:%SZ}&limit=50"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        times.append(time.perf_counter() - begun)
        sizes.append(len(body))
    writer.close()


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used; granian's command line keeps a parent."""
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    fields = (Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in family)
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS


def report(measured: list[list[Round]]) -> None:
    print(f"\n50 of the events, {CONNECTIONS} connections, median of {ROUNDS} rounds")
    medians = []
    for name, found in zip(("dday", "FastAPI + ORM + pydantic"), measured, strict=True):
        values = {
            field: statistics.median(getattr(r, field) for r in found) for field in Round.__struct_fields__
        }
        medians.append(values)
        print(
            f"  {name:26}{values['per_second']:8.0f}/s   p99 {values['p99_ms']:6.1f} ms   "
            f"{values['cpu_us']:6.0f} µs CPU   {values['bytes_each']:,.0f} B"
        )
    ratios = [a.per_second / b.per_second for a, b in zip(*measured, strict=True)]
    cpu = medians[1]["cpu_us"] / medians[0]["cpu_us"]
    print(f"  ratio {statistics.median(ratios):.1f} x the requests (goal 10), {cpu:.1f} x less CPU a request")


if __name__ == "__main__":
    main()
