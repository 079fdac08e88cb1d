"""The clockwork: what it measures, what it says, and that it ends what it began."""

import asyncio
import logging
from datetime import timedelta
from ipaddress import ip_network

import pytest

from service.bootstrap import open_service
from service.clock import SimulatedClock, SystemClock
from service.delivery.schedule import delivering, housekeeping, planning
from service.delivery.worker import Worker
from service.settings import Settings
from service.store import deliveries, events
from tests.reminding import HOUR, MASTER, MINUTE, NOON, a_webhook, add, an_event, put

SECOND = timedelta(seconds=1)


def settings(url):
    allow = (ip_network("127.0.0.0/8"),)
    return Settings(database_url=url, egress_allow=allow, secret_key=MASTER.hex())


@pytest.fixture
def service(sqlite_url):
    """Opened at noon, its clock standing still."""
    opened = open_service(settings(sqlite_url), clock=SimulatedClock(NOON))
    yield opened
    asyncio.run(opened.egress.aclose())
    opened.close()


def plan(service):
    """Runs the tick that plans."""
    worker = Worker(service.store, service.egress, clock=service.clock, masters=service.masters)
    return planning(service, worker).run()


def measure(service):
    """Runs the tick that sets the gauges."""
    [tick] = (tick for tick in housekeeping(service) if tick.name == "measure")
    return tick.run()


def value(service, name):
    return service.metrics.registry.get_sample_value(name)


def test_planning_is_counted_and_the_queue_is_measured(service):
    async def run():
        await plan(service)
        add(service.store, a_webhook("http://127.0.0.1:9/"))
        put(service.store, an_event("talk", NOON + HOUR + MINUTE))
        await plan(service)
        service.clock.move_to(NOON + MINUTE + 20 * SECOND)
        await measure(service)

    asyncio.run(run())
    assert value(service, "dday_reminders_planned_total") == 1
    assert value(service, "dday_queue_depth") == 1
    assert value(service, "dday_due_lag_seconds") == 20
    assert value(service, "dday_oldest_pending_timestamp_seconds") == (NOON + MINUTE).timestamp()


@pytest.mark.parametrize(("late", "words"), [(30, 0), (31, 1)])
def test_reminders_that_go_out_late_are_told_in_the_log(service, caplog, late, words):
    async def run():
        await plan(service)
        add(service.store, a_webhook("http://127.0.0.1:9/"))
        put(service.store, an_event("talk", NOON + HOUR + MINUTE))
        await plan(service)
        service.clock.move_to(NOON + MINUTE + late * SECOND)
        await measure(service)

    with caplog.at_level(logging.WARNING, logger="service.delivery.schedule"):
        asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == [
        "reminders are 31 s late: 1 deliveries are due"
    ] * words


def test_a_running_service_plans_sends_and_stops_by_itself(sqlite_url, receiver):
    """The real clock, the real ticks: a change is told within a few seconds."""
    service = open_service(settings(sqlite_url), clock=SystemClock())
    now = service.clock.now()

    async def run():
        async with delivering(service):
            add(service.store, a_webhook(receiver.url, changes=("created",), since=now), now=now)
            await asyncio.sleep(1.5)
            written = service.clock.now()
            put(service.store, an_event("talk", written + 50 * HOUR), now=written)
            await asyncio.to_thread(receiver.wait_for, 1, 10)
        await service.egress.aclose()

    asyncio.run(run())
    [told] = service.store.read(lambda c: deliveries.listed(c, "whk_1"))
    assert (told.type, told.state) == ("event.created", "succeeded")
    service.close()


def test_what_expired_while_nobody_planned_is_told_in_the_log(service, caplog):
    async def run():
        add(service.store, a_webhook("http://127.0.0.1:9/"))
        await plan(service)
        put(service.store, an_event("talk", NOON + 2 * HOUR))
        service.clock.move_to(NOON + 5 * HOUR)
        await plan(service)

    with caplog.at_level(logging.INFO, logger="service.delivery.schedule"):
        asyncio.run(run())
    assert caplog.messages == ["1 deliveries were planned too late to be sent"]
    assert value(service, "dday_deliveries_expired_total") == 1


def test_what_was_too_much_at_once_is_called_a_flood_in_the_log(service, caplog):
    async def run():
        add(service.store, a_webhook("http://127.0.0.1:9/", changes=("created",)))
        await plan(service)
        many = [an_event(f"talk-{n}", NOON + 24 * HOUR) for n in range(23)]
        service.store.write(lambda c: events.put_many(c, many, now=NOON, cause="test"))
        await plan(service)

    with caplog.at_level(logging.INFO, logger="service.delivery.schedule"):
        asyncio.run(run())
    assert caplog.messages == [
        "3 deliveries are not sent, as one write or one webhook asked for too many at once (flood)"
    ]
    assert value(service, "dday_deliveries_expired_total") == 3
