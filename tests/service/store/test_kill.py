"""Kill -9 while events are written: nothing acknowledged is missing, no event is without its revision."""

import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from service.store.engine import Store
from service.store.tables import event, event_label, reference, revision
from tests.forked import CONTEXT
from tests.service.store.writer import write

EVENTS = 1000


def killed_after(url: str, book: Path, *, first: int, seconds: float) -> list[str]:
    """What a writer acknowledged before it was killed."""
    writer = CONTEXT.Process(target=write, args=(url, str(book), first, EVENTS), daemon=True)
    writer.start()
    deadline = time.monotonic() + 60
    while not book.exists() or not book.read_bytes():
        assert writer.is_alive() and time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(seconds)
    writer.kill()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    return book.read_text().split()


def check(c: Connection, acknowledged: set[str]) -> int:
    stored = {row.id: row for row in c.execute(select(event.c.id, event.c.seq, event.c.number))}
    logged = {row.seq: row.id for row in c.execute(select(revision.c.seq, revision.c.id))}
    indexed = set(c.execute(select(event_label.c.number)).scalars())
    assert acknowledged - stored.keys() == set()
    assert {row.seq: row.id for row in stored.values()} == logged
    assert {row.number for row in stored.values()} == indexed
    assert c.execute(select(reference)).all() == []
    if c.dialect.name == "sqlite":
        assert c.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    return len(stored)


def rounds(url: str, folder: Path, count: int) -> None:
    rng = random.Random()
    acknowledged: list[str] = []
    for index in range(count):
        book = folder / f"book-{index}"
        acknowledged += killed_after(url, book, first=index * EVENTS, seconds=rng.uniform(0, 0.7))
        store = Store.open(url)
        stored = store.read(partial(check, acknowledged=set(acknowledged)))
        store.close()
        # Each kill may hide the acknowledgement of at most the one write it met.
        assert stored <= len(acknowledged) + index + 1


def test_two_kills_lose_nothing(store_url: str, tmp_path: Path) -> None:
    rounds(store_url, tmp_path, 2)


@pytest.mark.campaign
def test_twenty_kills_lose_nothing(store_url: str, tmp_path: Path) -> None:
    rounds(store_url, tmp_path, 20)
