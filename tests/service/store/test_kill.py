"""Kill -9 while events are written: nothing acknowledged is missing, no event is without its revision."""

import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from service.store.engine import Store
from service.store.tables import event, facet, reference, revision

WRITER = Path(__file__).with_name("writer.py")
ROOT = Path(__file__).parents[3]
EVENTS = 1000


def killed_after(url: str, *, first: int, seconds: float) -> list[str]:
    """What a writer acknowledged before it was killed."""
    command = [sys.executable, str(WRITER), url, str(first), str(EVENTS)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().decode().strip()]
    time.sleep(seconds)
    writer.kill()
    rest, _ = writer.communicate()
    assert writer.returncode == -9
    return [*acknowledged, *rest.decode().split()]


def check(c: Connection, acknowledged: set[str]) -> int:
    stored = {row.id: row for row in c.execute(select(event.c.id, event.c.seq, event.c.number))}
    logged = {row.seq: row.id for row in c.execute(select(revision.c.seq, revision.c.id))}
    indexed = set(c.execute(select(facet.c.number).where(facet.c.facet == "*")).scalars())
    assert acknowledged - stored.keys() == set()
    assert {row.seq: row.id for row in stored.values()} == logged
    assert {row.number for row in stored.values()} == indexed
    assert c.execute(select(reference)).all() == []
    if c.dialect.name == "sqlite":
        assert c.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    return len(stored)


def rounds(url: str, count: int) -> None:
    rng = random.Random()
    acknowledged: list[str] = []
    for index in range(count):
        acknowledged += killed_after(url, first=index * EVENTS, seconds=rng.uniform(0, 0.7))
        store = Store.open(url)
        stored = store.read(partial(check, acknowledged=set(acknowledged)))
        store.close()
        # Each kill may hide the acknowledgement of at most the one write it met.
        assert stored <= len(acknowledged) + index + 1


def test_two_kills_lose_nothing(store_url: str) -> None:
    rounds(store_url, 2)


@pytest.mark.campaign
def test_twenty_kills_lose_nothing(store_url: str) -> None:
    rounds(store_url, 20)
