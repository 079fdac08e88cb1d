"""The ticks of a service, run by APScheduler. No reminder is a job of it: the database is the schedule."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from msgspec import Struct

from service.bootstrap import Service
from service.clock import Clock, SystemClock, running
from service.delivery import planner
from service.delivery.worker import Limits, Worker
from service.logs import Recurring
from service.store import backlog, deliveries, idempotency, webhook_secrets

log = logging.getLogger(__name__)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LAG_WARNING = timedelta(seconds=30)
# How long finished deliveries, and answers to an Idempotency-Key, are kept.
RETENTION = timedelta(days=30)
ANSWERS_KEPT = timedelta(days=7)
PURGES = 20
# How often the wall clock is compared with the machine's running time, and the difference that is a jump.
LOOK_EVERY_SECONDS = 1.0
OUT_OF_STEP = timedelta(seconds=1)


class Tick(Struct, frozen=True, kw_only=True):
    """A job that runs again and again. Each run starts from the database, so a missed one is no loss.

    Its first run is after `every`, or `at_once`. Only a tick that is `safe_in_doubt` runs while the clock is
    in doubt; others do what cannot be undone.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    safe_in_doubt: bool = False
    at_once: bool = False


async def plan(service: Service) -> bool:
    """Makes deliveries of what is due soon and what has changed; returns whether there were any."""
    done = await asyncio.to_thread(planner.run_once, service.store, now=service.clock.now())
    service.metrics.planned.inc(done.planned)
    service.metrics.superseded.inc(done.superseded)
    service.metrics.expired.inc(done.expired + done.flooded)
    if done.expired:
        log.info(
            "%d deliveries were planned too late to be sent", done.expired, extra={"expired": done.expired}
        )
    if done.flooded:
        log.info(
            "%d deliveries are not sent, as one write or one webhook asked for too many at once (flood)",
            done.flooded,
            extra={"flooded": done.flooded},
        )
    return done.planned > 0


def planning(service: Service, worker: Worker) -> Tick:
    """Returns the tick that plans and tells the worker of new deliveries."""

    async def run() -> None:
        if await plan(service):
            worker.nudge()

    return Tick(name="plan", every=SECOND, run=run, at_once=True)


def housekeeping(service: Service) -> tuple[Tick, ...]:
    """Returns the ticks that every service needs, whoever plans and sends for it."""
    measure = partial(_measure, service, Recurring(log))
    return (
        Tick(name="measure", every=5 * SECOND, run=measure, safe_in_doubt=True),
        Tick(name="forget secrets", every=MINUTE, run=partial(_forget_secrets, service)),
        Tick(name="purge", every=10 * MINUTE, run=partial(_purge, service)),
        Tick(name="forget answers", every=60 * MINUTE, run=partial(_forget_answers, service)),
    )


async def _measure(service: Service, late: Recurring) -> None:
    """Sets the gauges, and warns when reminders go out late."""
    store, metrics, now = service.store, service.metrics, service.clock.now()
    count, oldest = await store.aread(lambda c: backlog.depth(c, now=now))
    lag = now - oldest if oldest else timedelta(0)
    planning = await store.aread(lambda c: planner.lag(c, now=now))
    metrics.queue.set(count)
    metrics.due_lag.set(lag.total_seconds())
    metrics.oldest.set(oldest.timestamp() if oldest else 0)
    metrics.planner_lag.set(planning.total_seconds())
    if service.clock.jump is None and max(lag, planning) > LAG_WARNING:
        seconds = int(max(lag, planning).total_seconds())
        words = "reminders are %d s late: %d deliveries are due"
        late.tell(words, seconds, count, level=logging.WARNING)


async def _forget_secrets(service: Service) -> None:
    """Deletes secrets whose overlap is over."""
    now = service.clock.now()
    if await service.store.aread(lambda c: webhook_secrets.any_expired(c, now=now)):
        await service.store.awrite(lambda c: webhook_secrets.forget_expired(c, now=now))


async def _forget_answers(service: Service) -> None:
    """Deletes answers kept for an Idempotency-Key."""
    before = service.clock.now() - ANSWERS_KEPT
    await service.store.awrite(lambda c: idempotency.purge(c, before))


async def _purge(service: Service) -> None:
    """Deletes finished deliveries whose time is over, a few hundred at a time."""
    before = service.clock.now() - RETENTION
    for _ in range(PURGES):
        if not await service.store.awrite(lambda c: deliveries.purge(c, before=before)):
            return


@asynccontextmanager
async def delivering(service: Service, *, alone: bool = True) -> AsyncIterator[Worker]:
    """Plans and sends while this is open, then waits for the requests in flight.

    `alone` says that no other process does the housekeeping.
    """
    worker = Worker(
        service.store,
        service.egress,
        clock=service.clock,
        masters=service.masters,
        limits=limits(service),
        metrics=service.metrics,
        page=service.page,
    )
    await worker.start()
    ticks = (planning(service, worker), *(housekeeping(service) if alone else ()))
    try:
        async with ticking(ticks, clock=service.clock):
            yield worker
    finally:
        await worker.drain()


@asynccontextmanager
async def ticking(ticks: Iterable[Tick], *, clock: Clock) -> AsyncIterator[None]:
    """Runs each tick again and again while this is open, then waits for those that run."""
    running: set[asyncio.Task[None]] = set()
    scheduler = AsyncIOScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for tick in ticks:
        first = SystemClock().now() + (timedelta(0) if tick.at_once else tick.every)
        run = _run(tick, running, clock=clock)
        scheduler.add_job(run, Every(tick.every), name=tick.name, next_run_time=first)
    scheduler.start()
    following = asyncio.create_task(follow_clock(scheduler), name="follow the clock")
    try:
        yield
    finally:
        following.cancel()
        # APScheduler would only cancel what runs, and a unit of work in its thread cannot be cancelled.
        scheduler.pause()
        await asyncio.gather(*running)
        scheduler.shutdown(wait=False)


def limits(service: Service) -> Limits:
    """Returns the limits that the operator has set."""
    settings = service.settings
    return Limits(
        schedule=settings.retry_schedule,
        attempt=settings.attempt_timeout,
        lease=settings.lease,
        concurrency=settings.concurrency,
    )


def _run(tick: Tick, running: set[asyncio.Task[None]], *, clock: Clock) -> Callable[[], Awaitable[None]]:
    failures = Recurring(log)

    async def run() -> None:
        if clock.jump is not None and not tick.safe_in_doubt:
            return
        task = asyncio.get_running_loop().create_task(_logged(tick, failures))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.shield(task)

    return run


async def _logged(tick: Tick, failures: Recurring) -> None:
    try:
        await tick.run()
    except Exception as error:
        failures.failed(f"the tick {tick.name!r} failed; it will run again", error)


class Every(BaseTrigger):  # type: ignore[misc]
    """Fires so long after the last run ended to be planned, whatever the wall clock has done since.

    APScheduler's own interval counts what a jump ahead made it miss, one by one: a year of seconds is thirty
    million steps, during which nobody is answered.
    """

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self._every


async def follow_clock(scheduler: AsyncIOScheduler) -> None:
    """Runs every job anew when the wall clock has jumped: after a jump back APScheduler would wait for it."""
    boot = _boot_instant()
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        before, boot = boot, _boot_instant()
        if abs(boot - before) > OUT_OF_STEP:
            for job in scheduler.get_jobs():
                job.modify(next_run_time=SystemClock().now())


def _boot_instant() -> datetime:
    """Returns when the machine started by the wall clock; it moves only when that clock is set."""
    return SystemClock().now() - timedelta(seconds=running())
