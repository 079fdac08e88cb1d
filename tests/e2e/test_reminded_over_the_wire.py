"""A service as a process, a webhook made over HTTP, and messages that the PyPI library takes for genuine."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.e2e.ports import free_port
from tests.e2e.served import Served
from tests.receiver import Receiver


@pytest.fixture
def service(tmp_path, store_url):
    """`dday serve` on either engine, without seeds."""
    started = Served(
        tmp_path, free_port(), DDAY_DATABASE_URL=store_url, DDAY_SEEDS="none", DDAY_SECRET_KEY="0b" * 32
    )
    yield started
    started.process.kill()
    started.process.wait()


def put(service, start):
    body = {"kind": "conference", "name": {"ko": "발표"}, "start": start, "timezone": "UTC"}
    service.send("PUT", "/v1/events/talk", body)


def test_a_reminder_and_a_move_are_sent_by_a_running_service(service):
    service.wait()
    soon = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    later = (datetime.now(UTC) + timedelta(minutes=40)).strftime("%Y-%m-%dT%H:%M")
    with Receiver() as receiver:
        made = service.send(
            "POST",
            "/v1/webhooks",
            {
                "url": receiver.url,
                "name": "test",
                "reminders": [{"anchor": "start", "before": "PT1H"}],
                "changes": ["rescheduled"],
                "late": "send_now",
            },
        )
        put(service, soon)
        receiver.wait_for(1, 20)
        put(service, later)
        requests = receiver.wait_for(3, 20)
        assert service.stop() == 0
    verifier = Verifier(made["secret"])
    bodies = [verifier.verify(request.body, request.headers) for request in requests]
    assert sorted(body["type"] for body in bodies) == [
        "event.reminder",
        "event.reminder",
        "event.rescheduled",
    ]
    [moved] = [body for body in bodies if body["type"] == "event.rescheduled"]
    assert moved["data"]["previous"]["start"] == soon
    assert moved["data"]["event"]["start"] == later
    assert len({request.id for request in requests}) == 3
