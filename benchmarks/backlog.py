"""Reminders that fall due at chosen instants, and a `dday serve` that sends them to the sink."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import update

from benchmarks.store import number_on, urls
from benchmarks.webhooks_dday import MASTER
from service.catalogue.event import Event, Text
from service.delivery import planner
from service.reminders import signing
from service.reminders.webhook import NewWebhook, Rule, created
from service.store import events, webhooks
from service.store.engine import Store
from service.store.tables import delivery

# Planned for this much later, and brought forward once the service is there.
LATER = timedelta(minutes=20)
MOST_RULES = 20


def database(folder: Path, size: int, name: Path) -> str:
    """A copy of the kept database with so many events, or an empty one."""
    if size:
        kept = urls(["sqlite"], size, folder)["sqlite"].removeprefix("sqlite:///")
        shutil.copy(kept, name)
    return f"sqlite:///{name}"


def plan(url: str, sink: int, *, instants: int, every: int, count: int, destinations: int) -> list[datetime]:
    """At so many instants `count` reminders fall due, as evenly as can be to so many destinations."""
    store = Store.open(url)
    now = datetime.now(UTC)
    first_due = (now + LATER).replace(microsecond=0)
    due = [first_due + n * timedelta(seconds=every) for n in range(instants)]
    start = (due[-1] + timedelta(minutes=20)).replace(second=0, microsecond=0)
    for first in range(0, len(due), MOST_RULES):
        for n in range(destinations):
            some = due[first : first + MOST_RULES]
            _subscribe(store, f"http://127.1.0.{n + 1}:{sink}/", f"whk_{first}_{n}", start, some, now=now)
    number_on(store)
    planner.run_once(store, now=now)
    text = start.strftime("%Y-%m-%dT%H:%M")
    one = Event(id="due", kind="conference", name=Text(ko="벤치", en="Bench"), start=text, timezone="UTC")
    many = [msgspec.structs.replace(one, id=f"due-{n}") for n in range(count // destinations)]
    store.write(lambda c: events.put_many(c, many, now=now, cause="bench"))
    planned = planner.run_once(store, now=now, look_ahead=2 * LATER).planned
    store.close()
    assert planned == len(due) * count, f"{planned} planned, {len(due) * count} wanted"
    return due


def bring_forward(url: str, due: list[datetime], *, ahead: timedelta) -> list[datetime]:
    """So that the first fall due so long from now; when all of them do."""
    by = due[0] - (datetime.now(UTC) + ahead).replace(microsecond=0)
    less = int(by.total_seconds() * 1000)
    moved = {name: getattr(delivery.c, name) - less for name in ("due_at", "next_at")}
    store = Store.open(url, exclusive=False)
    store.write(lambda c: c.execute(update(delivery).values(moved)))
    store.close()
    return [each - by for each in due]


def _subscribe(
    store: Store, url: str, key: str, start: datetime, due: list[datetime], *, now: datetime
) -> None:
    rules = tuple(Rule(anchor="start", before=f"PT{int((start - at).total_seconds())}S") for at in due)
    body = NewWebhook(url=url, name="sink", reminders=rules)
    hook = created(body, webhook_id=key, owner="bench", now=now)
    secret = signing.generate("v1", randomness=os.urandom)
    sealed = signing.seal(secret, webhook_id=hook.id, master=MASTER, randomness=os.urandom)
    store.write(lambda c: webhooks.create(c, hook, sealed=[sealed], now=now))


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
