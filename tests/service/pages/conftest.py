"""The seeds on pages, on a day in the middle of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service import seed_loader
from service.clock import SimulatedClock
from service.settings import Settings
from tests.support.app import create_app
from tests.support.bundled_seeds import SEEDS

NOW = datetime(2025, 8, 20, 3, 0, tzinfo=UTC)
ADMIN = "dday_admin000_" + "A" * 43


def served(folder: Path, **more: Any) -> Iterator[TestClient[Litestar]]:
    settings = Settings(
        database_url=f"sqlite:///{folder}/dday.db",
        public_url="https://dday.example",
        admin_key=ADMIN,
        rate_limit=0,
        deliver=False,
        seeds=None,
        **more,
    )
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        yield client


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    """All seeds, for tests that only read."""
    for client in served(tmp_path_factory.mktemp("pages")):
        seed_loader.load(client.app.state.service.store, SEEDS, now=NOW)
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    """Nothing at all, to write to."""
    yield from served(tmp_path)
