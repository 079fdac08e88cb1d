"""Processes that are killed: each writes events, plans and delivers, and notes what was acknowledged."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.clock import SystemClock
from service.delivery import planner
from service.delivery.worker import Limits, Worker
from service.egress.client import Egress
from service.errors import Unavailable
from service.reminders.webhook import Rule
from service.store import events
from service.store.engine import Store
from tests.reminding import LOOPBACK, MASTERS, TLS, an_event

SECOND = timedelta(seconds=1)
# A short lease, so that a process stopped for longer than that is soon found.
LIMITS = Limits(
    schedule=(SECOND / 5,) * 60,
    attempt=SECOND,
    lease=3 * SECOND,
    margin=SECOND / 2,
    poll=SECOND / 10,
    group=SECOND / 100,
    drain=5 * SECOND,
    concurrency=8,
)
# One to a webhook, each of use for two minutes and more: on a slow machine none may expire, and none be
# passed over for a tighter one.
RULES = tuple(Rule(anchor="start", before=f"PT{seconds}S") for seconds in (125, 135, 145))


def victim(url: str, acknowledged: Path, ready: Path, *, writes: bool, start: datetime | None) -> None:
    """Runs until it is killed. Its events begin at `start`, or two to three minutes ahead."""
    store = Store.open(url)
    asyncio.run(_live(store, acknowledged, ready, writes=writes, start=start))


async def _live(
    store: Store, acknowledged: Path, ready: Path, *, writes: bool, start: datetime | None
) -> None:
    egress = Egress(LOOPBACK, deadline=1, tls=TLS)
    sender = Worker(store, egress, clock=SystemClock(), masters=MASTERS, limits=LIMITS)
    await sender.start()
    os.close(os.open(ready, os.O_CREAT))
    book = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        # A connection may be cut at any moment; what was not acknowledged is nobody's promise.
        with suppress(Unavailable):
            if writes:
                await _write(store, book, start)
            now = datetime.now(UTC)
            await asyncio.to_thread(planner.run_once, store, now=now, look_ahead=2 * SECOND)
        sender.nudge()
        await asyncio.sleep(0.05)


async def _write(store: Store, book: int, start: datetime | None) -> None:
    """One event; a line in the book once the database has said yes."""
    now = datetime.now(UTC)
    # Their reminders fall due within a minute, which is waited for when the last victim has its turn.
    ahead = (now + timedelta(minutes=3)).replace(second=0, microsecond=0)
    event = an_event(f"e-{random.getrandbits(64):016x}", start or ahead)
    await store.awrite(lambda c: events.put(c, event, now=now, cause="victim"))
    os.write(book, f"{event.id} {event.start} {now.isoformat()}\n".encode())


def orderly(url: str, acknowledged: Path, ready: Path, *, writes: bool, start: datetime | None) -> None:
    """The same, but it stops when it is told to: SIGTERM."""
    store = Store.open(url)
    asyncio.run(_until_told(store, acknowledged, ready, writes=writes, start=start))
    store.close()


async def _until_told(
    store: Store, acknowledged: Path, ready: Path, *, writes: bool, start: datetime | None
) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    egress = Egress(LOOPBACK, deadline=1, tls=TLS)
    sender = Worker(store, egress, clock=SystemClock(), masters=MASTERS, limits=LIMITS)
    await sender.start()
    os.close(os.open(ready, os.O_CREAT))
    book = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while not told.is_set():
        if writes:
            await _write(store, book, start)
        await asyncio.to_thread(planner.run_once, store, now=datetime.now(UTC), look_ahead=2 * SECOND)
        sender.nudge()
        await asyncio.sleep(0.02)
    await sender.drain()
    await egress.aclose()
