"""Ticks go on through jumps of the wall clock."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from service.delivery.schedule import Every

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def job(next_run: datetime) -> Job:
    made = AsyncIOScheduler(timezone=UTC).add_job(print, Every(SECOND))
    made._modify(next_run_time=next_run)
    return made


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1), timedelta(days=400)])
def test_a_jump_ahead_is_one_run_and_costs_no_more_than_any(ahead):
    began = time.process_time()
    assert job(NOON)._get_run_times(NOON + ahead) == [NOON]
    assert time.process_time() - began < 0.1


def test_the_next_run_is_so_long_after_now():
    assert (
        Every(SECOND).get_next_fire_time(NOON, NOON + timedelta(days=400))
        == NOON + timedelta(days=400) + SECOND
    )
    assert Every(SECOND).get_next_fire_time(None, NOON) == NOON + SECOND
