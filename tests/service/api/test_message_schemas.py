"""The `webhooks` of the OpenAPI document describe what receivers are sent: every type, really sent."""

import json
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from service.delivery import planner
from service.reminders.webhook import Change
from tests.receiver import Receiver, Reply
from tests.service.api.conftest import ADMIN, bearer, new_key, send, settings_in
from tests.support.app import create_app

Client = TestClient[Litestar]
EVENT = {"id": "summit", "kind": "summit", "name": {"ko": "서밋"}, "start": "2026-03-12"}
CHANGES = list(get_args(Change))


@pytest.fixture
def client(tmp_path: Path, migrated: Path, clock: SimulatedClock) -> Iterator[Client]:
    settings = settings_in(tmp_path, migrated, egress_allow=(ip_network("127.0.0.0/8"),))
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


def edit(client: Client, **fields: Any) -> None:
    answer = client.put("/v1/events/summit", json=EVENT | fields, headers=bearer(ADMIN))
    assert answer.status_code in (200, 201)
    plan_and_send(client)


def plan_and_send(client: Client) -> None:
    service = client.app.state.service
    service.clock.move_to(service.clock.now() + timedelta(minutes=1))
    planner.run_once(service.store, now=service.clock.now())
    send(client)


def test_every_message_is_as_the_document_says(client: Client, receiver: Receiver) -> None:
    key = new_key(client, "webhooks")
    rules = [{"anchor": "start", "before": "P30D"}]
    body = {"url": receiver.url, "name": "t", "reminders": rules, "changes": CHANGES, "late": "send_now"}
    hook = client.post("/v1/webhooks", json=body, headers=key).json()["id"]
    plan_and_send(client)
    edit(client)
    edit(client, summary={"ko": "바뀜"})
    edit(client, start="2026-03-13")
    edit(client, start="2026-03-13", status="postponed")
    edit(client, start="2026-03-13", status="cancelled")
    client.delete("/v1/events/summit", headers=bearer(ADMIN))
    plan_and_send(client)
    client.post(f"/v1/webhooks/{hook}/test", json={}, headers=key)
    with Receiver() as gone:
        gone.reply_with(Reply(status=410))
        other = {"url": gone.url, "name": "gone"}
        path = client.post("/v1/webhooks", json=other, headers=key).json()["id"]
        client.post(f"/v1/webhooks/{path}/test", json={}, headers=key)
        plan_and_send(client)
    bodies = [json.loads(request.body) for request in receiver.requests]

    document = client.get("/v1/openapi.json").json()
    described = document["webhooks"]
    assert sorted({each["type"] for each in bodies}) == sorted(described)
    for each in bodies:
        judge(document, each)
    reminder = next(each for each in bodies if each["type"] == "event.reminder")
    del reminder["data"]["reminder"]["late_seconds"]
    with pytest.raises(ValidationError, match="late_seconds"):
        judge(document, reminder)


def judge(document: dict[str, Any], message: dict[str, Any]) -> None:
    body = document["webhooks"][message["type"]]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": document["components"]}).validate(message)
