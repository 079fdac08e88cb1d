"""A real app on a real SQLite file (and, where asked for, on PostgreSQL), its clock standing still."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.settings import Settings
from service.store.engine import Store
from tests.reminding import LOOPBACK, TLS
from tests.support.app import create_app

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADMIN = "dday_admin000_" + "A" * 43


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema in it, to be copied: migrating costs more than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "dday.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    return settings_in(tmp_path, migrated)


def settings_in(folder: Path, migrated: Path, **more: Any) -> Settings:
    shutil.copy(migrated, folder / "dday.db")
    return Settings(
        **{"database_url": f"sqlite:///{folder}/dday.db", "admin_key": ADMIN, "rate_limit": 0, **more},
        deliver=False,
        seeds=None,
    )


@pytest.fixture
def client(settings: Settings, clock: SimulatedClock) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[TestClient[Litestar]]:
    """One app for all tests that leave nothing behind: requests that are refused, and reads."""
    settings = settings_in(tmp_path_factory.mktemp("shared"), migrated)
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        yield client


@pytest.fixture
def admin() -> dict[str, str]:
    return bearer(ADMIN)


@pytest.fixture
def make_key(client: TestClient[Litestar]) -> Callable[..., dict[str, str]]:
    """Headers with a new key of these scopes."""
    return lambda *scopes, **more: new_key(client, *scopes, **more)


@pytest.fixture
def curator(client: TestClient[Litestar]) -> dict[str, str]:
    return new_key(client, "catalogue")


def new_key(client: TestClient[Litestar], *scopes: str, **more: Any) -> dict[str, str]:
    answer = client.post("/v1/keys", json={"name": "test", "scopes": scopes, **more}, headers=bearer(ADMIN))
    assert answer.status_code == 201, answer.text
    return bearer(answer.json()["key"])


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def send(client: TestClient[Litestar]) -> int:
    """What is due now, by the sender that these apps do without; the number of attempts."""
    service = client.app.state.service

    async def once() -> int:
        egress = Egress(LOOPBACK, deadline=2, tls=TLS)
        sender = Worker(service.store, egress, clock=service.clock, masters=service.masters)
        try:
            return await sender.run_once()
        finally:
            await egress.aclose()

    return asyncio.run(once())
