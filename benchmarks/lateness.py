"""How late reminders are, from the instant they are due to the sink, by a real `dday serve` on SQLite.

    python -m benchmarks.lateness steady     # 200 due a second, for 30 s
    python -m benchmarks.lateness second     # 1,000 due in one second
    python -m benchmarks.lateness burst      # 20,000 due in one second

With 1,000,000 events stored, or as many as `--stored` says, `--ahead` all of them in the future; `--keep DIR`
keeps them and uses them again, as making them takes some minutes. The instants are the sink's own, those of
being handed to the sender the attempts'. Goals: issue 4, "Prove". Peers: `python -m benchmarks.webhooks`.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import select, update

from benchmarks import backlog, processes
from benchmarks.webhooks import Process
from service.store.engine import Store
from service.store.tables import attempt, delivery, event

PATIENCE = 60.0
YEARS = timedelta(days=3653)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """So many seconds, in each of which so many are due, to so many destinations; and what is asked of it."""

    seconds: int
    count: int
    destinations: int
    goal: str


RUNS = {
    "steady": Run(seconds=30, count=200, destinations=50, goal="p99 at the sink <= 0.500 s"),
    "second": Run(seconds=1, count=1_000, destinations=100, goal="p99 handed over <= tick (1 s) + 0.050 s"),
    "burst": Run(seconds=1, count=20_000, destinations=100, goal="last at the sink <= 12 s"),
}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after being due: handed to the sender, and arrived at the sink."""

    handed: list[float]
    arrived: list[float]
    twice: int


def measure(url: str, run: Run, sink: Process, port: int) -> tuple[Seen, str]:
    due = backlog.plan(
        url, port, instants=run.seconds, every=1, count=run.count, destinations=run.destinations
    )
    sink.tell("clear")
    sink.hear()
    wanted = run.seconds * run.count
    with backlog.served(url) as (_, pid):
        time.sleep(2)  # its first ticks
        due = backlog.bring_forward(url, due, ahead=timedelta(seconds=4))
        time.sleep(max(0.0, (due[0] - datetime.now(UTC)).total_seconds()))
        before, until = processes.cpu_seconds(pid)[0], time.monotonic() + run.seconds + PATIENCE
        while count(sink) < wanted and time.monotonic() < until:
            time.sleep(0.1)
        spent = processes.cpu_seconds(pid)
        own = f"CPU s {spent[0] - before:.1f} + {sum(spent[1:]):.1f}, MiB {processes.memory(pid)}"
    sink.tell("book")
    return seen(url, json.loads(sink.hear())), own


def count(sink: Process) -> int:
    sink.tell("count")
    return int(json.loads(sink.hear()))


def seen(url: str, book: dict[str, list[float]]) -> Seen:
    store = Store.open(url)
    joined = select(delivery.c.id, delivery.c.due_at, attempt.c.started_at).join(
        attempt, attempt.c.delivery_id == delivery.c.id
    )
    rows = store.read(lambda c: c.execute(joined.where(attempt.c.fence == 1)).all())
    store.close()
    return Seen(
        handed=sorted((row.started_at - row.due_at) / 1000 for row in rows),
        arrived=sorted(min(book[row.id]) - row.due_at / 1000 for row in rows if row.id in book),
        twice=sum(len(times) - 1 for times in book.values()),
    )


def put_ahead(folder: Path, size: int) -> None:
    """The same events, ten years later, under a name of their own."""
    kept, ahead = folder / f"{size}.db", folder / "ahead" / f"{size}.db"
    if ahead.exists():
        return
    ahead.parent.mkdir(exist_ok=True)
    backlog.database(folder, size, ahead.with_suffix(".part"))
    assert kept.exists()
    store = Store.open(f"sqlite:///{ahead.with_suffix('.part')}")
    later = int(YEARS.total_seconds() * 1000)
    moved = {"starts": event.c.starts + later, "ends": event.c.ends + later}
    store.write(lambda c: c.execute(update(event).values(moved)))
    store.close()
    shutil.move(ahead.with_suffix(".part"), ahead)


def told(name: str, values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{name} {len(values)}"
    p99 = statistics.quantiles(values, n=100)[98]
    return f"{name} p50 {statistics.median(values):.3f} p99 {p99:.3f} last {values[-1]:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", choices=RUNS)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--ahead", action="store_true", help="all that is stored lies in the future")
    parser.add_argument("--keep", type=Path, help="keep the events here and use them again")
    asked = parser.parse_args()
    run = RUNS[asked.run]
    sink = Process("benchmarks.webhooks_sink")
    port = int(sink.hear())
    with tempfile.TemporaryDirectory(prefix="dday-bench-", dir=asked.keep) as name:
        folder = asked.keep or Path(name)
        if asked.ahead:
            put_ahead(folder, asked.stored)
            folder /= "ahead"
        url = backlog.database(folder, asked.stored, Path(name) / "serving.db")
        found, own = measure(url, run, sink, port)
    sink.stop()
    stored = f"{asked.stored:,} events{' ahead' if asked.ahead else ''}"
    lost = run.seconds * run.count - len(found.arrived)
    print(f"{asked.run}: {run.count:,} due in each of {run.seconds} s, {stored} stored; goal: {run.goal}")
    print(f"  {told('at the sink', found.arrived)}; {told('handed over', found.handed)}")
    print(f"  lost {lost}, twice {found.twice}; {own}")


if __name__ == "__main__":
    main()
