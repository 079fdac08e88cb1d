"""The service's clockwork: a table of ticks. No reminder is one of its jobs; the database is the schedule."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from msgspec import Struct

from service.bootstrap import Service
from service.clock import Clock, SystemClock, running
from service.delivery import planner
from service.delivery.limits import Limits
from service.delivery.worker import Worker
from service.store import deliveries, idempotency, webhook_secrets

log = logging.getLogger(__name__)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LAG_WARNING = timedelta(seconds=30)
RETENTION = timedelta(days=30)
ANSWERS_KEPT = timedelta(days=7)
PURGES = 20


class Tick(Struct, frozen=True, kw_only=True):
    """Something done again and again. Each run starts from the database, so a missed one is no loss.

    None but a `doubting` one runs while the clock is in doubt: what it did could not be undone.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    doubting: bool = False


async def plan(service: Service) -> bool:
    """What is due soon and what has changed become deliveries; returns whether there were any."""
    done = await asyncio.to_thread(planner.run_once, service.store, now=service.clock.now())
    service.metrics.planned.inc(done.planned)
    service.metrics.superseded.inc(done.superseded)
    service.metrics.expired.inc(done.expired)
    if done.expired:
        log.info(
            "%d deliveries were planned too late to be sent", done.expired, extra={"expired": done.expired}
        )
    return done.planned > 0


class Clockwork:
    """What a process that plans and sends does by the clock."""

    def __init__(self, service: Service, worker: Worker) -> None:
        self._service, self._worker = service, worker

    def ticks(self) -> tuple[Tick, ...]:
        return (Tick(name="plan", every=SECOND, run=self.plan),)

    async def plan(self) -> None:
        """And who sends them gets ready."""
        if await plan(self._service):
            self._worker.nudge()


class Housekeeping:
    """What is looked after, whoever plans and sends: how late reminders are, and what goes after a time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ticks(self) -> tuple[Tick, ...]:
        return (
            Tick(name="measure", every=5 * SECOND, run=self.measure, doubting=True),
            Tick(name="forget secrets", every=MINUTE, run=self.forget_secrets),
            Tick(name="purge", every=10 * MINUTE, run=self.purge),
            Tick(name="forget answers", every=60 * MINUTE, run=self.forget_answers),
        )

    async def measure(self) -> None:
        """The gauges, and a word in the log when reminders go out late."""
        store, metrics, now = self._service.store, self._service.metrics, self._service.clock.now()
        count, oldest = await store.aread(lambda c: deliveries.backlog(c, now=now))
        lag = now - oldest if oldest else timedelta(0)
        planning = await store.aread(lambda c: planner.lag(c, now=now))
        metrics.queue.set(count)
        metrics.due_lag.set(lag.total_seconds())
        metrics.oldest.set(oldest.timestamp() if oldest else 0)
        metrics.planner_lag.set(planning.total_seconds())
        if max(lag, planning) > LAG_WARNING:
            seconds = int(max(lag, planning).total_seconds())
            log.warning("reminders are %d s late: %d deliveries are due", seconds, count)

    async def forget_secrets(self) -> None:
        """Secrets whose overlap is over sign nothing any more."""
        now = self._service.clock.now()
        if await self._service.store.aread(lambda c: webhook_secrets.any_expired(c, now=now)):
            await self._service.store.awrite(lambda c: webhook_secrets.forget_expired(c, now=now))

    async def forget_answers(self) -> None:
        """An Idempotency-Key is remembered for a week."""
        before = self._service.clock.now() - ANSWERS_KEPT
        await self._service.store.awrite(lambda c: idempotency.purge(c, before))

    async def purge(self) -> None:
        """Finished deliveries are kept for thirty days; then they go, a few hundred at a time."""
        before = self._service.clock.now() - RETENTION
        for _ in range(PURGES):
            if not await self._service.store.awrite(lambda c: deliveries.purge(c, before=before)):
                return


@asynccontextmanager
async def delivering(service: Service, *, alone: bool = True) -> AsyncIterator[Worker]:
    """Plan and send while this is open; then finish what is under way. `alone`: and keep house as well."""
    worker = Worker(
        service.store,
        service.egress,
        clock=service.clock,
        masters=service.masters,
        limits=limits(service),
        metrics=service.metrics,
        page=service.page,
    )
    ticks = Clockwork(service, worker).ticks()
    await worker.start()
    try:
        async with ticking((*ticks, *Housekeeping(service).ticks()) if alone else ticks, clock=service.clock):
            yield worker
    finally:
        await worker.drain()


@asynccontextmanager
async def ticking(ticks: Iterable[Tick], *, clock: Clock) -> AsyncIterator[None]:
    """Run each again and again while this is open; then finish those that run."""
    running: set[asyncio.Task[None]] = set()
    scheduler = AsyncIOScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for tick in ticks:
        scheduler.add_job(_noted(tick, running, clock=clock), Beat(tick.every), name=tick.name)
    scheduler.start()
    keeping = asyncio.create_task(keep(scheduler), name="beat")
    try:
        yield
    finally:
        keeping.cancel()
        # APScheduler would only cancel what runs, and a unit of work in its thread cannot be cancelled.
        scheduler.pause()
        await asyncio.gather(*running)
        scheduler.shutdown(wait=False)


def limits(service: Service) -> Limits:
    """The operator's numbers."""
    settings = service.settings
    return Limits(
        schedule=settings.retry_schedule,
        attempt=settings.attempt_timeout,
        lease=settings.lease,
        concurrency=settings.concurrency,
    )


def _noted(tick: Tick, running: set[asyncio.Task[None]], *, clock: Clock) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        if clock.jump is not None and not tick.doubting:
            return
        task = asyncio.get_running_loop().create_task(_logged(tick))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.shield(task)

    return run


async def _logged(tick: Tick) -> None:
    try:
        await tick.run()
    except Exception:
        log.exception("the tick %r failed; it will run again", tick.name)


# FOLDED service/beat.py: APScheduler's ticks, made indifferent to jumps of the wall clock it goes by.
LOOK_EVERY_SECONDS = 1.0
OUT_OF_STEP = timedelta(seconds=1)


class Beat(BaseTrigger):  # type: ignore[misc]
    """Again so long after now, whenever the last time was.

    APScheduler's own interval counts what a jump ahead made it miss, one by one: a year of seconds is thirty
    million steps, during which nobody is answered.
    """

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self._every


async def keep(scheduler: AsyncIOScheduler) -> None:
    """Until cancelled. After a jump back it would wait until the clock is again where it has been."""
    started = _started()
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        before, started = started, _started()
        if abs(started - before) > OUT_OF_STEP:
            for job in scheduler.get_jobs():
                job.modify(next_run_time=SystemClock().now())


def _started() -> datetime:
    """When the machine started, going by the wall clock: the same instant as long as that only runs."""
    return SystemClock().now() - timedelta(seconds=running())
