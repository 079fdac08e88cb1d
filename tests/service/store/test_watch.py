"""The quick look at the log says the same as the usual one."""

import asyncio
from pathlib import Path

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


def test_it_keeps_no_old_pages_of_the_log(sqlite_url: str) -> None:
    """A look that were not done would keep the log from being written back."""
    store = Store.open(sqlite_url)
    asyncio.run(store.head())
    store.write(lambda c: events.put_many(c, catalogue(200), now=NOW, cause="test"))
    checkpoint = store.write(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
    assert checkpoint == 1
    store.close()
    assert not Path(f"{sqlite_url.removeprefix('sqlite:///')}-wal").exists()
