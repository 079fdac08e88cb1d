"""How long a webhook has been failing: what its owner changes beside the matter does not make it well."""

from functools import partial
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Connection

from service.reminders.retry import Answer, Verdict
from service.store import claims, deliveries, results, webhooks
from service.store.results import Result
from service.store.webhooks import StoredWebhook
from tests.reminding import HOUR, message
from tests.service.api.conftest import NOW, new_key

Client = TestClient[Litestar]


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


@pytest.fixture
def path(client: Client, key: dict[str, str]) -> str:
    """A webhook whose last attempt failed."""
    body = {"url": "https://hooks.example.org/", "name": "t"}
    made = client.post("/v1/webhooks", json=body, headers=key).json()["id"]
    client.app.state.service.store.write(partial(fail, webhook=made))
    return f"/v1/webhooks/{made}"


def fail(c: Connection, webhook: str) -> None:
    deliveries.insert(c, [message("dlv_1", webhook, NOW)], now=NOW, body=b"{}")
    [claimed] = claims.claim(c, ["dlv_1"], worker="w", now=NOW, lease=HOUR)
    failed = Result(
        delivery="dlv_1",
        webhook=webhook,
        fence=claimed.fence,
        answer=Answer(outcome="5xx", status=500),
        verdict=Verdict(state="retry", next_at=NOW),
        started_at=NOW,
        finished_at=NOW,
    )
    results.record(c, [failed])


def kept(client: Client, path: str) -> StoredWebhook:
    key = path.rsplit("/", 1)[1]
    found: dict[str, StoredWebhook] = client.app.state.service.store.read(lambda c: webhooks.many(c, [key]))
    return found[key]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "new"},
        {"lang": "en"},
        {"filter": {"tag": "ai"}},
        {"reminders": [{"anchor": "start", "before": "P1D"}]},
        {"state": "active", "name": "new"},
        {"state": "paused"},
    ],
)
def test_a_change_beside_the_matter_leaves_the_history_of_failures(
    client: Client, key: dict[str, str], path: str, change: Any
) -> None:
    assert client.patch(path, json=change, headers=key).status_code == 200
    after = kept(client, path)
    assert (after.failures, after.failing_since) == (1, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        [{"url": "https://other.example.org/"}],
        [{"state": "paused"}, {"state": "active"}],
        [{"state": "paused", "url": "https://other.example.org/"}],
    ],
)
def test_a_new_address_and_a_resume_begin_a_new_history(
    client: Client, key: dict[str, str], path: str, changes: Any
) -> None:
    for change in changes:
        assert client.patch(path, json=change, headers=key).status_code == 200
    after = kept(client, path)
    assert (after.failures, after.failing_since) == (0, None)
