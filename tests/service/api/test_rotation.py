"""Changing a webhook's secret: how many may sign at once, and that what is replaced never comes back."""

from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from tests.service.api.conftest import NOW, new_key

Client = TestClient[Litestar]
BODY = {"url": "https://hooks.example.org/", "name": "t", "signing": ["v1", "v1a"]}


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


@pytest.fixture
def hook(client: Client, key: dict[str, str]) -> str:
    return f"/v1/webhooks/{client.post('/v1/webhooks', json=BODY, headers=key).json()['id']}"


def test_of_eleven_secrets_that_would_sign_at_once_the_last_is_refused(
    client: Client, key: dict[str, str], hook: str, clock: SimulatedClock
) -> None:
    def rotate(overlap: str) -> Any:
        return client.post(f"{hook}/rotate-secret", json={"overlap": overlap}, headers=key)

    statuses = [rotate(f"PT{hours}H").status_code for hours in range(1, 11)]
    assert statuses == [200] * 9 + [409]
    assert "ends at 2026-" in rotate("PT1H").json()["detail"]
    clock.move_to(NOW + timedelta(hours=1))
    assert [rotate("PT20H").status_code, rotate("PT20H").status_code] == [200, 409]
    assert [rotate("PT0S").status_code, rotate("PT20H").status_code] == [200, 200]


def test_a_key_pair_that_did_not_sign_when_the_secret_was_changed_does_not_come_back(
    client: Client, key: dict[str, str], hook: str
) -> None:
    def public() -> list[str]:
        keys = client.get("/.well-known/jwks.json", params={"webhook": hook.rpartition("/")[2]}).json()[
            "keys"
        ]
        return [each["x"] for each in keys]

    [old] = public()
    assert client.patch(hook, json={"signing": ["v1"]}, headers=key).status_code == 200
    assert client.post(f"{hook}/rotate-secret", json={}, headers=key).status_code == 200
    shown = client.patch(hook, json={"signing": ["v1", "v1a"]}, headers=key).json()
    [new] = public()
    assert new != old
    assert shown["public_key"].startswith("whpk_")
