"""Claim and record alone, in batches, as a share of the CPU that a whole delivery takes in the same run.

    python -m benchmarks.claims                     # batches of 50, 100 and 200, one destination
    python -m benchmarks.claims --destinations 16

The transactions of the sending loop (look, claim, arm, record, commit) with nothing between them and nobody
else at work, which is how notes/performance.md, section 9, measured its goal: 5 % on SQLite and 10 % on
PostgreSQL, in batches of at least 100. `benchmarks.webhooks` says what they take in a sender at work.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from benchmarks.webhooks import Process, fresh_store, measure, postgres
from benchmarks.webhooks_contenders import Task
from benchmarks.webhooks_dday import Share, measured, prepare
from service.reminders.retry import Answer, Verdict
from service.store import claims, results, waiting
from service.store.claims import Armed, Claimed
from service.store.engine import Store
from service.store.results import Result
from service.store.tables import delivery

LEASE = timedelta(minutes=1)
OK = Answer(outcome="2xx", status=200, milliseconds=3, bytes=2, excerpt="ok")
DONE = Verdict(state="succeeded")
BODY, DIGEST = b"x" * 600, "a" * 64
WARM = 10


def transaction(
    c: Connection, sent: list[Claimed], *, batch: int, depth: int, now: datetime
) -> list[Claimed]:
    """Record what the one before has armed, claim as many, and arm them."""
    results.record(c, [result(each, now) for each in sent])
    due = waiting.due(c, worker="bench", now=now, depth=depth, limit=batch, crowded=True)
    taken = claims.claim(c, [each.id for each in due.due], worker="bench", now=now, lease=LEASE)
    armed = [
        Armed(delivery=each.planned.id, fence=each.fence, body=BODY, body_sha256=DIGEST) for each in taken
    ]
    claims.arm(c, armed, worker="bench", now=now)
    return list(taken)


def result(each: Claimed, now: datetime) -> Result:
    return Result(
        delivery=each.planned.id,
        webhook=each.planned.webhook,
        fence=each.fence,
        answer=OK,
        verdict=DONE,
        started_at=now,
        finished_at=now,
    )


def loop(of: dict[str, Share], task: Task, *, batch: int) -> dict[str, float]:
    """µs of CPU a delivery: the parts, and whole transactions with their commits."""
    store = Store.open(task.url)
    with redirect_stdout(io.StringIO()):
        prepare(store, task)
    due = store.read(lambda c: c.execute(select(func.max(delivery.c.next_at))).scalar_one())
    now = datetime.fromtimestamp(due / 1000 + 1, UTC)
    sent: list[Claimed] = []

    def turn(c: Connection) -> list[Claimed]:
        return transaction(c, sent, batch=batch, depth=max(1, batch // task.destinations), now=now)

    for _ in range(WARM):
        sent = store.write(turn)
    for part in of.values():
        part.cpu = 0.0
    count, began = 0, time.thread_time()
    while sent:
        sent = store.write(turn)
        count += len(sent)
    whole = time.thread_time() - began
    store.close()
    spent = {name: part.cpu for name, part in of.items()} | {"whole": whole}
    return {name: 1e6 * cpu / count for name, cpu in spent.items()}


def report(
    engine: str,
    asked: argparse.Namespace,
    sink: Process,
    port: int,
    of: dict[str, Share],
    fresh: Callable[[], str],
) -> None:
    common: dict[str, Any] = {"port": port, "count": asked.count, "destinations": asked.destinations}
    row = measure(engine, Task(contender="dday", url=fresh(), carried=True, **common), sink)
    print(f"{engine}: {row.cpu_ms:.3f} ms of CPU a delivery, {row.per_second:.0f} a second", flush=True)
    for batch in asked.batches:
        us = loop(of, Task(contender="dday", url=fresh(), **common), batch=batch)
        both = us["look"] + us["claim"] + us["record"]
        said = ", ".join(f"{part} {cpu:.1f}" for part, cpu in us.items())
        print(f"  batches of {batch}: {said} µs; claim and record {both / row.cpu_ms / 10:.1f} %", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--destinations", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    asked = parser.parse_args()
    sink = Process("benchmarks.webhooks_sink")
    port = int(sink.hear())
    with tempfile.TemporaryDirectory(prefix="dday-bench-") as name, postgres(Path(name)) as admin:
        of = measured()
        for engine in asked.engines:
            report(engine, asked, sink, port, of, partial(fresh_store, engine, Path(name), admin))
    sink.stop()


if __name__ == "__main__":
    main()
