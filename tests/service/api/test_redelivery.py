"""Sending again what no message was ever made of: only while its event may be told of."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from service.delivery import planner
from service.store import webhooks
from tests.receiver import Receiver
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key, send, settings_in
from tests.support.app import create_app

Client = TestClient[Litestar]
DAY = timedelta(days=1)
EVENT = {
    "id": "summit",
    "kind": "summit",
    "name": {"ko": "서밋"},
    "start": "2026-03-12",
    "summary": {"ko": "공개"},
}
INTERNAL = EVENT | {"visibility": "internal", "summary": {"ko": "비밀"}}


@pytest.fixture
def client(tmp_path: Path, migrated: Path, clock: SimulatedClock) -> Iterator[Client]:
    settings = settings_in(tmp_path, migrated, egress_allow=(ip_network("127.0.0.0/8"),))
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


@pytest.fixture
def expired(client: Client, key: dict[str, str], receiver: Receiver) -> str:
    """A reminder that expired before anything was made of it, as after a stop of the service."""
    put(client, EVENT)
    rules = [{"anchor": "start", "before": "P3D"}]
    body = {"url": receiver.url, "name": "t", "reminders": rules}
    hook = client.post("/v1/webhooks", json=body, headers=key).json()["id"]
    store = client.app.state.service.store
    preview = client.get(f"/v1/webhooks/{hook}/upcoming", headers=key).json()
    [item] = preview["items"]
    planner.run_once(store, now=NOW)
    planner.run_once(store, now=NOW, look_ahead=30 * DAY)
    statement = "update delivery set state = 'expired', reason = 'too_late', finished_at = 1"
    store.write(lambda c: c.exec_driver_sql(statement))
    found: str = item["delivery"]
    return found


def put(client: Client, event: dict[str, Any]) -> None:
    assert client.put("/v1/events/summit", json=event, headers=bearer(ADMIN)).status_code in (200, 201)


def test_where_no_message_was_made_and_the_event_is_no_longer_public_sending_again_is_refused(
    client: Client, key: dict[str, str], expired: str
) -> None:
    put(client, INTERNAL)
    for gone in (False, True):
        if gone:
            assert client.delete("/v1/events/summit", headers=bearer(ADMIN)).status_code == 204
        refused = client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
        assert (refused.status_code, "summit" in refused.json()["detail"]) == (409, True)
    put(client, EVENT)
    assert client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key).status_code == 202


@pytest.mark.parametrize("change", ["internal", "deleted"])
def test_what_ceases_to_be_tellable_after_that_is_dropped_at_the_send(
    client: Client, key: dict[str, str], receiver: Receiver, expired: str, change: str
) -> None:
    path = f"/v1/webhooks/{client.get('/v1/webhooks', headers=key).json()['items'][0]['id']}"
    span = {"since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}
    assert client.post(f"{path}/redeliver", json=span, headers=key).json() == {"redelivered": 1}
    if change == "internal":
        put(client, INTERNAL)
    else:
        client.delete("/v1/events/summit", headers=bearer(ADMIN))
    assert send(client) == 0
    shown = client.get(f"/v1/deliveries/{expired}", headers=key).json()
    assert (shown["state"], shown["reason"], receiver.requests) == ("superseded", "withdrawn", [])


def test_the_same_bytes_are_sent_again_whatever_the_event_has_become(
    client: Client, key: dict[str, str], receiver: Receiver, expired: str
) -> None:
    for _ in range(2):
        client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
        assert send(client) == 1
        put(client, INTERNAL)
    first, second = receiver.requests
    assert (first.id, first.sha256) == (second.id, second.sha256)
    assert "비밀" not in second.body.decode()


@pytest.mark.parametrize(
    "edit",
    [{"summary": {"ko": "고침"}}, {"start": "2026-03-20"}, {"status": "cancelled"}],
    ids=["a word", "another day", "cancelled"],
)
def test_what_is_sent_again_goes_out_though_its_event_changes_before_it_is_taken(
    client: Client, key: dict[str, str], receiver: Receiver, expired: str, edit: dict[str, Any]
) -> None:
    client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
    assert send(client) == 1
    client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
    put(client, EVENT | edit)
    plan(client)
    assert send(client) == 1
    first, second = receiver.requests
    assert (first.id, first.sha256) == (second.id, second.sha256)
    assert client.get(f"/v1/deliveries/{expired}", headers=key).json()["state"] == "succeeded"


@pytest.mark.parametrize("change", [{"late": "send_now"}, {"reminders": []}, {"filter": {"city": ["부산"]}}])
def test_what_is_sent_again_goes_out_though_its_webhook_asks_for_something_else_by_then(
    client: Client, key: dict[str, str], receiver: Receiver, expired: str, change: dict[str, Any]
) -> None:
    [hook] = client.get("/v1/webhooks", headers=key).json()["items"]
    client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
    assert client.patch(f"/v1/webhooks/{hook['id']}", json=change, headers=key).status_code == 200
    plan(client)
    assert send(client) == 1
    assert [request.id for request in receiver.requests] == [expired]


def test_a_webhook_that_is_switched_off_gets_nothing_again(
    client: Client, key: dict[str, str], expired: str
) -> None:
    client.post(f"/v1/deliveries/{expired}/redeliver", json={}, headers=key)
    store = client.app.state.service.store
    [hook] = client.get("/v1/webhooks", headers=key).json()["items"]
    store.write(lambda c: webhooks.disable(c, hook["id"], reason="failing", now=NOW))
    plan(client)
    shown = client.get(f"/v1/deliveries/{expired}", headers=key).json()
    assert (shown["state"], shown["reason"]) == ("superseded", "disabled")


@pytest.mark.parametrize("change", ["internal", "deleted"])
def test_a_notice_that_was_never_sent_does_not_tell_of_what_was_pulled_back(
    client: Client, key: dict[str, str], receiver: Receiver, change: str
) -> None:
    body = {"url": receiver.url, "name": "t", "changes": ["created"]}
    hook = client.post("/v1/webhooks", json=body, headers=key).json()["id"]
    plan(client)
    put(client, EVENT)
    plan(client)
    store = client.app.state.service.store
    flood = "update delivery set state = 'expired', reason = 'flood', finished_at = 1"
    store.write(lambda c: c.exec_driver_sql(flood))
    [notice] = client.get(f"/v1/webhooks/{hook}/deliveries", headers=key).json()["items"]
    again = f"/v1/deliveries/{notice['id']}/redeliver"
    assert client.post(again, json={}, headers=key).status_code == 202
    if change == "internal":
        put(client, INTERNAL)
    else:
        client.delete("/v1/events/summit", headers=bearer(ADMIN))
    assert send(client) == 0
    shown = client.get(f"/v1/deliveries/{notice['id']}", headers=key).json()
    assert (notice["type"], shown["state"], shown["reason"]) == ("event.created", "superseded", "withdrawn")
    store.write(lambda c: c.exec_driver_sql(flood))
    assert client.post(again, json={}, headers=key).status_code == 409
    assert receiver.requests == []


def plan(client: Client) -> None:
    planner.run_once(client.app.state.service.store, now=NOW, look_ahead=30 * DAY)
