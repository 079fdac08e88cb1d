"""The keeper of the sending process: a real one, over a real store."""

import asyncio
import os
import signal
import threading

import pytest

from service.clock import SystemClock
from service.delivery.supervisor import Keeper
from service.metrics import Metrics
from service.settings import Settings
from service.store.engine import Store
from service.store.locks import SendingLock
from tests.carrying import gone, until
from tests.reminding import MASTER


@pytest.fixture
def settings(sqlite_url):
    Store.open(sqlite_url).close()
    return Settings(database_url=sqlite_url, secret_key=MASTER.hex(), log="error")


async def started(keeper):
    keeper.expect()
    await until(lambda: keeper.at_work)
    return keeper.pid


def test_it_says_when_there_is_one_at_work_and_ends_it(settings):
    async def run():
        keeper = Keeper(settings, Metrics(), clock=SystemClock())
        assert (keeper.expected, keeper.at_work, keeper.pid) == (False, False, None)
        pid = await started(keeper)
        await keeper.aclose()
        return pid, keeper

    pid, keeper = asyncio.run(run())
    assert (gone(pid), keeper.at_work, keeper.pid) == (True, False, None)


def test_one_that_has_not_begun_to_work_ends_as_well(settings):
    async def run():
        keeper = Keeper(settings, Metrics(), clock=SystemClock())
        keeper.expect()
        await until(lambda: keeper.pid is not None)
        pid = keeper.pid
        await keeper.aclose()
        return pid

    assert gone(asyncio.run(run()))


@pytest.mark.campaign
def test_one_that_hangs_is_killed_and_replaced(settings):
    async def run():
        metrics = Metrics()
        keeper = Keeper(settings, metrics, clock=SystemClock(), look_seconds=0.25)
        first = await started(keeper)
        os.kill(first, signal.SIGSTOP)
        await until(lambda: keeper.at_work and keeper.pid != first)
        second = keeper.pid
        await keeper.aclose()
        return first, second, metrics.registry.get_sample_value("dday_sending_processes_lost_total")

    first, second, lost = asyncio.run(run())
    assert (gone(first), gone(second), lost) == (True, True, 1)


def test_nobody_sends_from_a_file_before_whoever_did_is_dead(tmp_path):
    order = []
    first, second = SendingLock(tmp_path / "dday.db"), SendingLock(tmp_path / "dday.db")
    first.take()

    def wait():
        second.take()
        order.append("second")

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    order.append("first")
    first.release()
    waiting.join(5)
    second.release()
    assert order == ["first", "second"]
