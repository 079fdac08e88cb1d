"""A real app on a real SQLite file (and, where asked for, on PostgreSQL), its clock standing still."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.app import create_app
from service.clock import SimulatedClock
from service.settings import Settings

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADMIN = "dday_admin000_" + "A" * 43


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path}/dday.db", admin_key=ADMIN, rate_limit=0, deliver=False, seeds=None
    )


@pytest.fixture
def client(settings: Settings, clock: SimulatedClock) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


@pytest.fixture
def admin() -> dict[str, str]:
    return bearer(ADMIN)


@pytest.fixture
def make_key(client: TestClient[Litestar], admin: dict[str, str]) -> Callable[..., dict[str, str]]:
    """Headers with a new key of these scopes."""

    def make(*scopes: str, **more: Any) -> dict[str, str]:
        answer = client.post("/v1/keys", json={"name": "test", "scopes": scopes, **more}, headers=admin)
        assert answer.status_code == 201, answer.text
        return bearer(answer.json()["key"])

    return make


@pytest.fixture
def curator(make_key: Callable[..., dict[str, str]]) -> dict[str, str]:
    return make_key("catalogue")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
