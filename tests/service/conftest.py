"""Fixtures every test of the service may ask for."""

from collections.abc import Iterator

import pytest

from service.store.engine import Store
from tests.receiver import receiver

__all__ = ["receiver", "sqlite_store"]


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """An open, empty store for what does not depend on the engine."""
    opened = Store.open(sqlite_url)
    yield opened
    opened.close()
