"""A jump of the clock under a service: told at once, acted on when it has stood, on both engines."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from litestar.testing import TestClient

from service.app import build
from service.bootstrap import open_service
from service.clock import HOLD, Reading, SteadyClock, running
from service.clock_sync import keeping, read, steady, tell
from service.delivery.schedule import delivering
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.metrics import Metrics
from service.settings import Settings
from service.store import revisions
from service.store.engine import Store
from tests.reminding import HOUR, LOOPBACK, MASTER, MASTERS, TLS, a_webhook, add, fill

SECOND = timedelta(seconds=1)
FIVE_MINUTES = timedelta(minutes=5)


def said(clock: SteadyClock, *, off: timedelta, later: timedelta = timedelta(0)) -> Reading:
    """A source that is off, looked at so much later."""
    at = timedelta(seconds=running()) + later
    return Reading(said=clock.now() + later + off, running=at)


def jumping(by: timedelta) -> SteadyClock:
    """By the machine's clock, which has jumped since."""
    clock = SteadyClock(Reading(said=datetime.now(UTC) - by, running=timedelta(seconds=running())))
    clock.take(said(clock, off=by))
    return clock


def until(holds: Callable[[], bool], *, patience: float = 20) -> float:
    """The seconds it took."""
    began = running()
    while not holds():
        assert running() - began < patience
        time.sleep(0.02)
    return running() - began


@pytest.fixture
def service(sqlite_url):
    allow = (ip_network("127.0.0.0/8"),)
    opened = open_service(
        Settings(database_url=sqlite_url, egress_allow=allow, secret_key=MASTER.hex()), clock=jumping(HOUR)
    )
    yield opened
    asyncio.run(opened.egress.aclose())
    opened.close()


def test_a_jump_is_told_in_log_and_metrics_and_so_is_its_end(caplog):
    metrics, clock = Metrics(), jumping(timedelta(0))
    value = lambda: metrics.registry.get_sample_value("dday_clock_jump_seconds")  # noqa: E731
    with caplog.at_level(logging.WARNING, logger="service.clock_sync"):
        tell(clock, said(clock, off=HOUR), metrics)
        tell(clock, said(clock, off=HOUR, later=SECOND), metrics)
        assert round(value()) == 3600
        tell(clock, said(clock, off=timedelta(0), later=2 * SECOND), metrics)
        assert value() == 0
        tell(clock, said(clock, off=-HOUR, later=3 * SECOND), metrics)
        tell(clock, said(clock, off=-HOUR, later=4 * SECOND + HOLD), metrics)
    assert value() == 0
    assert [record.getMessage() for record in caplog.records] == [
        "the clock has jumped by 3600 s: nothing new is sent until it has stood for 120 s, or is back",
        "the clock is back: its jump had no effect",
        "the clock has jumped by -3600 s: nothing new is sent until it has stood for 120 s, or is back",
        "the clock's jump by -3600 s is believed now",
    ]


def test_time_goes_on_as_it_did_while_a_jump_is_in_doubt():
    clock = jumping(HOUR)
    assert abs(clock.jump - HOUR) < SECOND
    assert abs(clock.now() - (datetime.now(UTC) - HOUR)) < SECOND


def test_a_jump_is_noticed_within_two_seconds(sqlite_store):
    off = timedelta(0)
    wall = lambda: datetime.now(UTC) + off  # noqa: E731
    clock = steady(sqlite_store, wall=wall)

    async def run():
        nonlocal off
        async with keeping(sqlite_store, clock, Metrics(), wall=wall):
            off = -HOUR
            return await asyncio.to_thread(until, lambda: clock.jump is not None)

    assert asyncio.run(run()) < 2
    assert abs(clock.now() - datetime.now(UTC)) < SECOND


@pytest.mark.parametrize("off", [FIVE_MINUTES, -FIVE_MINUTES])
def test_on_postgresql_the_clocks_of_the_machines_do_not_matter(pg_url, off):
    store = Store.open(pg_url)
    wrong = lambda: datetime.now(UTC) + off  # noqa: E731
    clock = steady(store, wall=wrong)
    reading = read(store, wall=wrong)
    told = store.read(lambda c: c.exec_driver_sql("select clock_timestamp()").scalar_one())
    assert abs(clock.now() - told) < SECOND
    assert reading.within < SECOND
    store.close()


def test_nothing_new_is_sent_while_the_clock_is_in_doubt(store, receiver):
    add(store, a_webhook(receiver.url))
    clock = jumping(HOUR)
    fill(store, "whk_1", 3, now=clock.now())

    async def run() -> list[int]:
        egress = Egress(LOOPBACK, deadline=2, tls=TLS)
        sender = Worker(store, egress, clock=clock, masters=MASTERS)
        in_doubt = await sender.run_once()
        clock.take(said(clock, off=timedelta(0), later=SECOND))
        sent = await sender.run_once()
        await egress.aclose()
        return [in_doubt, sent]

    assert asyncio.run(run()) == [0, 3]


def test_ready_says_what_has_to_wait(service):
    with TestClient(build(service)) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["reasons"][0].startswith("The clock has jumped by 3600 s;")


def test_nothing_is_planned_or_forgotten_while_the_clock_is_in_doubt(service):
    planned = lambda: service.store.read(revisions.planner_position).planned_until  # noqa: E731

    async def run():
        async with delivering(service):
            await asyncio.sleep(2)
            in_doubt = planned()
            service.clock.take(said(service.clock, off=timedelta(0), later=SECOND))
            await asyncio.to_thread(until, lambda: planned() is not None)
        return in_doubt

    assert asyncio.run(run()) is None
    assert planned() is not None
