"""Apps with three events in them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from service.clock import SimulatedClock
from service.settings import Settings
from tests.service.api.feeds.world import ADMIN, CALL, MONTH, NOW, SUMMIT, Client, put
from tests.support.app import create_app


@pytest.fixture
def filled(client: Client, curator: dict[str, str]) -> Client:
    for event in (SUMMIT, CALL, MONTH):
        put(client, curator, event)
    return client


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Client]:
    """One app with the three events for all tests that only read."""
    folder = tmp_path_factory.mktemp("feeds")
    shutil.copy(migrated, folder / "dday.db")
    settings = Settings(
        database_url=f"sqlite:///{folder}/dday.db", admin_key=ADMIN, rate_limit=0, deliver=False, seeds=None
    )
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        for event in (SUMMIT, CALL, MONTH):
            put(client, {"authorization": f"Bearer {ADMIN}"}, event)
        yield client
