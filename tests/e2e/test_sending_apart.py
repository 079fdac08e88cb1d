"""`dday serve` and the `dday deliver` that it keeps: who ends when, and what is on record."""

import asyncio
import json
import os
import signal
import threading
import time
import urllib.error
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.store.engine import Store
from service.store.tables import attempt, delivery
from tests.e2e.ports import free_port
from tests.e2e.served import Served
from tests.processes import children, dialled, gone, until
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


def subscribed(service, receiver):
    body = {"url": receiver.url, "name": "t", "late": "send_now", "changes": ["created"]}
    service.send("POST", "/v1/webhooks", body | {"reminders": [{"anchor": "start", "before": "PT1H"}]})


def sending(service, receiver):
    """The child that has dialled: told of events until there is one."""
    deadline, count = time.monotonic() + 60, 0
    while time.monotonic() < deadline:
        count += 1
        event = {"kind": "conference", "name": {"ko": "발표"}, "start": "2099-01-01"}
        service.send("PUT", f"/v1/events/e-{time.monotonic_ns()}-{count}", event)
        for sender in children(service.process.pid):
            if receiver.port in dialled(sender):
                return sender
        time.sleep(0.2)
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
    return sorted((row.delivery_id, str(row.outcome)) for row in rows), set(states)


@pytest.mark.campaign(minutes=0.5)
def test_ctrl_c_reaches_all_and_what_is_under_way_is_finished_first(service, held):
    subscribed(service, held)
    sender = sending(service, held)
    remind(service, held)
    # A terminal sends it to the group of the service, which its child is not in.
    assert os.getpgid(sender) != os.getpgid(service.process.pid)
    os.kill(service.process.pid, signal.SIGINT)
    asyncio.run(until(lambda: not answers(service)))
    assert not gone(sender)
    held.free.set()
    assert service.process.wait(timeout=30) == 0
    assert gone(sender)
    rows, states = recorded(service)
    assert rows == sorted((each.id, "2xx") for each in held.requests)
    # What had not begun waits for the next start.
    assert states - {"pending"} == {"succeeded"}


def answers(service):
    try:
        return service.get("/healthz")
    except OSError:
        return None


def reminders(receiver):
    return [each for each in list(receiver.requests) if b"event.reminder" in each.body]


@pytest.mark.campaign(minutes=0.5)
def test_kill_9_ends_all_and_the_file_is_free_for_the_next(service, held):
    subscribed(service, held)
    sender = sending(service, held)
    remind(service, held)
    service.process.kill()
    service.process.wait()
    asyncio.run(until(lambda: gone(sender)))
    held.free.set()
    held.reply_with(Reply())

    again = Served(service.folder, free_port(), DDAY_SEEDS="none", DDAY_SECRET_KEY="0b" * 32)
    try:
        again.wait()
        asyncio.run(until(lambda: len(reminders(held)) == 2 and recorded(service)[1] == {"succeeded"}))
        assert again.stop() == 0
    finally:
        again.process.kill()
        again.process.wait()
    repeated_once(service, held)


def repeated_once(service, held):
    """The one reminder was sent twice, the same both times, and both are on record, as is all else.

    What was on record and had not left when it was killed is abandoned as well: nobody knows.
    """
    first, second = reminders(held)
    assert (first.id, first.sha256) == (second.id, second.sha256)
    rows, states = recorded(service)
    asked, on_record = Counter(each.id for each in held.requests), Counter(key for key, _ in rows)
    abandoned = Counter(key for key, outcome in rows if outcome == "abandoned")
    assert (asked - on_record, on_record - asked - abandoned) == (Counter(), Counter())
    assert [outcome for key, outcome in rows if key == first.id] == ["2xx", "abandoned"]
    assert states == {"succeeded"}


@pytest.mark.campaign(minutes=0.5)
def test_a_sender_that_is_killed_is_replaced_while_the_service_answers(service, held):
    subscribed(service, held)
    sender = sending(service, held)
    remind(service, held)
    os.kill(sender, signal.SIGKILL)
    asyncio.run(until(lambda: gone(sender)))
    assert answers(service) is not None
    held.free.set()
    asyncio.run(until(lambda: len(reminders(held)) == 2 and recorded(service)[1] == {"succeeded"}))
    assert b"dday_sending_processes_lost_total 1.0" in service.get("/metrics")
    assert service.stop() == 0
    repeated_once(service, held)
    assert "the delivering process ended (exit code -9)" in service.log.read_text()


def test_a_service_without_webhooks_stays_one_process(service, held):
    time.sleep(2.5)
    assert children(service.process.pid) == set()
    subscribed(service, held)
    asyncio.run(until(lambda: len(children(service.process.pid)) == 1))


def refusal(service, method, path, body=None):
    """The status of the answer and what it says."""
    try:
        service.send(method, path, body)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["detail"]
    return 200, ""


@pytest.mark.campaign(minutes=0.5)
def test_a_database_that_is_deleted_takes_no_writes_and_is_missed_at_the_next_start(service):
    event = {"kind": "conference", "name": {"ko": "발표"}, "start": "2099-01-01"}
    service.send("PUT", "/v1/events/kept", event)
    place = service.folder / "dday.db"
    place.rename(service.folder / "elsewhere.db")
    for method, path, body in (("PUT", "/v1/events/lost", event), ("GET", "/readyz", None)):
        status, said = refusal(service, method, path, body)
        assert status == 503
        assert said.startswith("The database is not the one that was opened")
    assert answers(service) is not None
    (service.folder / "elsewhere.db").rename(place)
    asyncio.run(until(lambda: refusal(service, "GET", "/readyz")[0] == 200))
    service.send("PUT", "/v1/events/kept-too", event)
    place.unlink()
    assert refusal(service, "PUT", "/v1/events/lost", event)[0] == 503
    asyncio.run(until(lambda: "not ready: The database is not the one" in service.log.read_text()))
    assert service.stop() == 0
    assert not place.exists()
    assert "Traceback" not in service.log.read_text()
    again = Served(service.folder, free_port(), DDAY_SEEDS="none", DDAY_SECRET_KEY="0b" * 32)
    code, said = again.refusal()
    assert (code, "is gone: this place held one before" in said) == (1, True)


@pytest.mark.campaign(minutes=0.5)
def test_a_sender_that_dies_again_and_again_is_told_by_readyz_and_once_in_the_log(service, held):
    subscribed(service, held)
    deadline, killed = time.monotonic() + 60, set()
    while refusal(service, "GET", "/readyz")[0] == 200 and time.monotonic() < deadline:
        for sender in children(service.process.pid) - killed:
            os.kill(sender, signal.SIGKILL)
            killed.add(sender)
        time.sleep(0.05)
    status, said = refusal(service, "GET", "/readyz")
    assert (status, "The sending process has ended" in said) == (503, True)
    assert service.log.read_text().count("the delivering process ended") == 1
    asyncio.run(until(lambda: refusal(service, "GET", "/readyz")[0] == 200))


@pytest.mark.campaign(minutes=0.5)
def test_a_sender_that_hangs_is_told_by_readyz(service, held):
    subscribed(service, held)
    sender = sending(service, held)
    os.kill(sender, signal.SIGSTOP)
    asyncio.run(until(lambda: refusal(service, "GET", "/readyz")[0] == 503))
    assert "The sending process has said nothing for" in refusal(service, "GET", "/readyz")[1]
    os.kill(sender, signal.SIGCONT)
    asyncio.run(until(lambda: refusal(service, "GET", "/readyz")[0] == 200))
