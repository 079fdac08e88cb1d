"""The supervisor of the delivering process: a real one, over a real store."""

import asyncio
import os
import signal
import threading

import pytest

from service.bootstrap import open_service
from service.delivery.supervisor import Supervisor
from service.settings import Settings
from service.store.engine import Store
from service.store.locks import SendingLock
from tests.processes import gone, until
from tests.reminding import MASTER


@pytest.fixture
def service(sqlite_url):
    Store.open(sqlite_url).close()
    opened = open_service(Settings(database_url=sqlite_url, secret_key=MASTER.hex(), log="error", seeds=None))
    yield opened
    opened.close()


async def started(supervisor):
    supervisor.expect()
    await until(lambda: supervisor.at_work)
    return supervisor.pid


def test_it_says_when_there_is_one_at_work_and_ends_it(service):
    async def run():
        supervisor = Supervisor(service)
        assert (supervisor.expected, supervisor.at_work, supervisor.pid) == (False, False, None)
        pid = await started(supervisor)
        await supervisor.aclose()
        return pid, supervisor

    pid, supervisor = asyncio.run(run())
    assert (gone(pid), supervisor.at_work, supervisor.pid) == (True, False, None)
    assert service.metrics.registry.get_sample_value("dday_sending_processes_lost_total") == 0


def test_one_that_has_not_begun_to_work_ends_as_well(service):
    async def run():
        supervisor = Supervisor(service)
        supervisor.expect()
        await until(lambda: supervisor.pid is not None)
        pid = supervisor.pid
        await supervisor.aclose()
        return pid

    assert gone(asyncio.run(run()))


def test_none_is_left_where_none_was_expected(service):
    async def run():
        await Supervisor(service).aclose()

    asyncio.run(run())


@pytest.mark.campaign
def test_one_that_hangs_is_killed_and_replaced(service):
    async def run():
        supervisor = Supervisor(service, look_seconds=0.25, silence_seconds=15.0)
        first = await started(supervisor)
        os.kill(first, signal.SIGSTOP)
        await until(lambda: supervisor.at_work and supervisor.pid != first)
        second = supervisor.pid
        await supervisor.aclose()
        return first, second

    first, second = asyncio.run(run())
    lost = service.metrics.registry.get_sample_value("dday_sending_processes_lost_total")
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
