"""Quick reads stay where they are asked for; long ones move to a thread and give the same answer."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from service.store.engine import Store

COUNT = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) SELECT count(*) FROM n"
)


@pytest.fixture
def store(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/dday.db")
    yield store
    store.close()


def counted(store: Store, most: int) -> tuple[int, list[bool]]:
    """What was counted, and for each time the work ran whether it was in the caller's thread."""
    here, ran = threading.get_ident(), []

    def work(c: Connection) -> int:
        ran.append(threading.get_ident() == here)
        return int(c.execute(COUNT, {"most": most}).scalar_one())

    return asyncio.run(store.glancing(work)), ran


def test_a_quick_read_takes_no_hop(store: Store):
    assert counted(store, 100) == (100, [True])


def test_a_long_read_is_broken_off_and_done_in_a_thread(store: Store):
    assert counted(store, 100_000) == (100_000, [True, False])


def test_the_bound_is_gone_afterwards(store: Store):
    counted(store, 100_000)
    assert store.read(lambda c: int(c.execute(COUNT, {"most": 100_000}).scalar_one())) == 100_000


def test_a_failure_of_the_work_is_its_own(store: Store):
    def work(c: Connection) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(store.glancing(work))
