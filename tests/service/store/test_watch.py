"""The quick look at the log says the same as the usual one."""

import asyncio
import sqlite3
from contextlib import closing

from service.store import events, revisions
from service.store.engine import Store
from tests.service.feedcache.large import NOW, catalogue


def heads(store: Store) -> tuple[int, int]:
    return asyncio.run(store.head()), store.read(revisions.head)


def test_it_sees_every_commit(store: Store) -> None:
    seen = [heads(store)]
    for event in catalogue(3):
        store.write(lambda c, event=event: events.put(c, event, now=NOW, cause="test"))
        seen.append(heads(store))
    assert seen == [(number, number) for number in range(4)]


def test_it_sees_what_another_program_commits(sqlite_url: str) -> None:
    store, other = Store.open(sqlite_url), Store.open(sqlite_url, exclusive=False)
    before = heads(store)
    other.write(lambda c: events.put_many(c, catalogue(3), now=NOW, cause="test"))
    assert (before, heads(store)) == ((0, 0), (3, 3))
    other.close()
    store.close()


def test_it_does_not_keep_the_log_from_being_written_back(sqlite_url: str) -> None:
    """A look that were left half done would hold its snapshot."""
    store = Store.open(sqlite_url)
    asyncio.run(store.head())
    store.write(lambda c: events.put_many(c, catalogue(20), now=NOW, cause="test"))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)) as other:
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    store.close()
    assert busy == 0
