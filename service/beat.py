"""APScheduler's ticks, made indifferent to jumps of the wall clock it goes by."""

import asyncio
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from service.clock import SystemClock, running

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
