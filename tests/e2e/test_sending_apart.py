"""`dday serve` and the process it sends from: who dials, who ends when, and what is on record afterwards."""

import asyncio
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.store.engine import Store
from service.store.reminder_tables import attempt, delivery
from tests.carrying import children, dialled, environment, files, gone, until
from tests.e2e.ports import free_port
from tests.e2e.served import Served
from tests.receiver import Receiver, Reply


@pytest.fixture
def service(tmp_path):
    started = Served(tmp_path, free_port(), DDAY_SEEDS="none", DDAY_SECRET_KEY="0b" * 32)
    started.wait()
    yield started
    started.process.kill()
    started.process.wait()


@pytest.fixture
def held():
    """A receiver that answers reminders when it is let to, and everything else at once."""
    free = threading.Event()

    async def wait(reader, writer):
        await asyncio.to_thread(free.wait, 30)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    with Receiver() as running:
        running.free = free
        running.reply_by(lambda request: Reply(raw=wait) if b"event.reminder" in request.body else Reply())
        yield running
        free.set()


def sending_child(service, receiver):
    """Try the webhook until a child has dialled; its process id, and the webhook."""
    body = {"url": receiver.url, "name": "t", "late": "send_now"}
    rules = {"reminders": [{"anchor": "start", "before": "PT1H"}]}
    hook = service.send("POST", "/v1/webhooks", body | rules)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        service.send("POST", f"/v1/webhooks/{hook['id']}/test", {})
        for child in children(service.process.pid):
            if receiver.port in dialled(child):
                return child
    raise AssertionError("no child has dialled")


def remind(service, receiver):
    """One reminder is under way, at the receiver."""
    soon = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    event = {"kind": "conference", "name": {"ko": "발표"}, "start": soon, "timezone": "UTC"}
    service.send("PUT", "/v1/events/talk", event)
    asyncio.run(until(lambda: any(b"event.reminder" in each.body for each in list(receiver.requests))))


def recorded(service):
    store = Store.open(f"sqlite:///{service.folder}/dday.db", exclusive=False)
    rows = store.read(lambda c: c.execute(select(attempt.c.delivery_id, attempt.c.outcome)).all())
    states = store.read(lambda c: c.execute(select(delivery.c.state)).scalars().all())
    store.close()
    return sorted(tuple(row) for row in rows), set(states)


def test_ctrl_c_reaches_both_and_what_is_under_way_is_finished_first(service, held):
    child = sending_child(service, held)
    remind(service, held)
    for pid in (service.process.pid, child):
        os.kill(pid, signal.SIGINT)
    asyncio.run(until(lambda: not answers(service)))
    assert not gone(child)
    held.free.set()
    assert service.process.wait(timeout=30) == 0
    assert gone(child)
    rows, states = recorded(service)
    assert rows == sorted((each.id, "2xx") for each in held.requests)
    assert states == {"succeeded"}


def answers(service):
    try:
        return service.get("/healthz")
    except OSError:
        return None


def test_kill_9_ends_both_and_the_file_is_free_for_the_next(service, held):
    child = sending_child(service, held)
    assert {name for name in environment(child) if name.startswith(("DDAY_", "PG"))} == set()
    assert {file for file in files(child) if file.startswith(str(service.folder))} <= {str(service.log)}
    remind(service, held)
    service.process.kill()
    service.process.wait()
    asyncio.run(until(lambda: gone(child)))
    held.free.set()
    held.reply_with(Reply())

    again = Served(service.folder, free_port(), DDAY_SEEDS="none", DDAY_SECRET_KEY="0b" * 32)
    try:
        again.wait()
        first = [each for each in held.requests if b"event.reminder" in each.body]
        held.wait_for(len(held.requests) + 1, 20)
        assert again.stop() == 0
    finally:
        again.process.kill()
        again.process.wait()
    sent = [each for each in held.requests if b"event.reminder" in each.body]
    assert [(each.id, each.sha256) for each in sent] == [(first[0].id, first[0].sha256)] * 2
    rows, states = recorded(service)
    assert sorted(key for key, _ in rows) == sorted(each.id for each in held.requests)
    assert [outcome for key, outcome in rows if key == first[0].id] == ["2xx", "abandoned"]
    assert states == {"succeeded"}


def test_a_child_that_is_killed_is_replaced_counted_and_told_of(service, held):
    first = sending_child(service, held)
    os.kill(first, signal.SIGKILL)
    asyncio.run(until(lambda: b"dday_sending_processes_lost_total 1.0" in service.get("/metrics")))
    second = sending_child(service, held)
    assert second != first
    assert service.stop() == 0
    assert "the sending process ended (exit code -9)" in service.log.read_text()
