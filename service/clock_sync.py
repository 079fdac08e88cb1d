"""Keeps a service's clock right: by the database on PostgreSQL, so that all its services have one time; by
the machine's clock on SQLite. A jump is told in the log, in the metrics and by `/readyz`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from service.clock import HOLD, Reading, SteadyClock, SystemClock, running
from service.errors import Problem
from service.metrics import Metrics
from service.reminders.plan import LOOK_AHEAD
from service.store import engine, revisions
from service.store.engine import Store

log = logging.getLogger(__name__)
EVERY_SECONDS = 0.5
# One answer may be slow; of some the quickest is the surest.
FIRST_READINGS = 5
Wall = Callable[[], datetime]


def steady(store: Store, *, wall: Wall | None = None) -> SteadyClock:
    """The clock to go by beside this store. `wall` is the machine's, where a test has another.

    What the planner has seen of time proves a clock wrong that is behind it, and makes one doubtful that is
    far ahead of it: a start under such a clock would give up reminders that are still to come.
    """
    readings = (read(store, wall=wall) for _ in range(FIRST_READINGS))
    planned = store.read(revisions.planner_position).planned_until
    known = planned - LOOK_AHEAD if planned else None
    return SteadyClock(min(readings, key=lambda reading: reading.within), known=known)


def read(store: Store, *, wall: Wall | None = None) -> Reading:
    if store.dialect == "postgresql":
        return store.read(engine.database_clock)
    told = wall or SystemClock().now
    return Reading(said=told(), running=timedelta(seconds=running()))


@asynccontextmanager
async def keeping(
    store: Store, clock: object, metrics: Metrics, *, wall: Wall | None = None
) -> AsyncIterator[None]:
    """Look at the source twice a second while this is open. A clock that is simulated is left alone."""
    if not isinstance(clock, SteadyClock):
        yield
        return
    if clock.jump is not None:
        log.error(
            "the clock differs by %.0f s from what the database last knew: nothing is sent until it is right "
            "or has stood for %d s",
            clock.jump.total_seconds(),
            HOLD.total_seconds(),
        )
    task = asyncio.create_task(_keep(store, clock, metrics, wall=wall), name="timekeeper")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(store: Store, clock: SteadyClock, metrics: Metrics, *, wall: Wall | None) -> None:
    while True:
        # While the database is away, time goes on as it did.
        with suppress(Problem):
            tell(clock, await asyncio.to_thread(read, store, wall=wall), metrics)
        await asyncio.sleep(EVERY_SECONDS)


def tell(clock: SteadyClock, reading: Reading, metrics: Metrics) -> None:
    """Give the clock this reading, and say what came of it where that is news."""
    before, then = clock.jump, clock.now()
    clock.take(reading)
    after = clock.jump
    metrics.clock_jump.set(after.total_seconds() if after else 0)
    if before == after:
        return
    if after is not None:
        log.error(
            "the clock has jumped by %.0f s: nothing new is sent until it has stood for %d s, or is back",
            after.total_seconds(),
            HOLD.total_seconds(),
        )
    elif abs(clock.now() - then) < abs(before or timedelta(0)) / 2:
        log.warning("the clock is back: its jump had no effect")
    else:
        log.warning("the clock's jump by %.0f s is believed now", (before or timedelta(0)).total_seconds())
