"""What a revoked key leaves behind: no channel that it opened."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.delivery import planner
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key

Client = TestClient[Litestar]
EVENT = {"kind": "summit", "name": {"ko": "서밋"}, "start": "2026-03-12"}
BODY: dict[str, Any] = {
    "url": "https://hooks.example.org/",
    "name": "t",
    "reminders": [{"anchor": "start", "before": "P1D"}],
}


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


def name(key: dict[str, str]) -> str:
    return key["authorization"].split("_")[1]


def made(client: Client, key: dict[str, str]) -> str:
    answer = client.post("/v1/webhooks", json=BODY, headers=key)
    assert answer.status_code == 201
    return f"/v1/webhooks/{answer.json()['id']}"


def revoke(client: Client, key: dict[str, str]) -> None:
    assert client.delete(f"/v1/keys/{name(key)}", headers=bearer(ADMIN)).status_code == 204


def states(client: Client, path: str) -> list[tuple[str, str]]:
    """Of everything there is for this webhook."""
    items = client.get(f"{path}/deliveries", headers=bearer(ADMIN)).json()["items"]
    return [(each["state"], each["reason"]) for each in items]


def metric(client: Client, name: str) -> float | None:
    return client.app.state.service.metrics.registry.get_sample_value(name)  # type: ignore[no-any-return]


def test_the_webhooks_of_a_revoked_key_are_switched_off_and_what_waited_is_taken_back(
    client: Client, key: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    store, other = client.app.state.service.store, new_key(client, "webhooks")
    mine, theirs = made(client, key), made(client, other)
    client.put("/v1/events/summit", json=EVENT, headers=bearer(ADMIN))
    planner.run_once(store, now=NOW)
    planner.run_once(store, now=NOW, look_ahead=timedelta(days=30))
    revoke(client, key)
    off = client.get(mine, headers=bearer(ADMIN)).json()
    assert (off["state"], off["disabled_reason"]) == ("disabled", "key_revoked")
    assert client.get(theirs, headers=other).json()["state"] == "active"
    assert states(client, mine) == [("superseded", "withdrawn")]
    assert states(client, theirs) == [("pending", None)]
    counted = ("dday_deliveries_superseded_total", "dday_webhooks_disabled_total")
    assert [metric(client, each) for each in counted] == [1, 1]
    planner.run_once(store, now=NOW, look_ahead=timedelta(days=30))
    assert states(client, mine) == [("superseded", "withdrawn")]
    assert f"webhook {off['id']} was switched off: key_revoked" in caplog.messages


def test_the_operator_may_go_on_with_such_a_webhook_until_the_key_is_revoked_again(
    client: Client, key: dict[str, str]
) -> None:
    mine = made(client, key)
    revoke(client, key)
    again = client.patch(mine, json={"state": "active"}, headers=bearer(ADMIN)).json()
    assert (again["state"], again["disabled_reason"]) == ("active", None)
    revoke(client, key)
    assert client.get(mine, headers=bearer(ADMIN)).json()["state"] == "disabled"


@pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/v1/webhooks", BODY), ("PATCH", "", {"state": "active"})]
)
def test_a_key_revoked_while_its_request_arrives_opens_nothing(
    client: Client, key: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    mine = made(client, key)
    messages = slowly(json.dumps(body).encode(), meanwhile=lambda: revoke(client, key))
    assert asyncio.run(call(client, method, path or mine, key, messages)) == 401
    found = client.get("/v1/webhooks", headers=bearer(ADMIN)).json()["items"]
    assert [each["state"] for each in found] == ["disabled"]


def slowly(body: bytes, *, meanwhile: Callable[[], None]) -> Iterator[dict[str, Any]]:
    yield {"type": "http.request", "body": body[:5], "more_body": True}
    meanwhile()
    yield {"type": "http.request", "body": body[5:], "more_body": False}


async def call(
    client: Client, method: str, path: str, key: dict[str, str], messages: Iterator[dict[str, Any]]
) -> int:
    """A request by the app's own interface, whose body comes in pieces; returns the status."""
    headers = {**key, "content-type": "application/json", "host": "t"}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("t", 80),
        "scheme": "http",
        "http_version": "1.1",
        "app": client.app,
        "state": {},
        "extensions": {},
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return await asyncio.to_thread(next, messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await client.app(scope, receive, send)  # type: ignore[arg-type]
    status: int = sent[0]["status"]
    return status
