"""kill -9 before a statement of a migration: nothing is half done, and the next start does it all (D5)."""

import signal
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from service.catalogue.event import Event, Text
from service.store import dialects, events, schema, search_index
from service.store.engine import Store
from service.store.tables import feed_state, metadata, webhook
from tests.forked import CONTEXT
from tests.service.store.migrant import earlier, migrate

TALK = Event(id="talk", kind="conference", name=Text(ko="발표"), start="2026-03-02")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def begin(url: str, revision: str | None) -> None:
    """A database as an older version has left it."""
    if revision is None:
        return
    writer, reader = dialects.engines(url)
    with writer.begin() as c:
        schema.upgrade(c, revision)
        earlier(c, TALK, number=1, now=NOW)
    writer.dispose()
    reader.dispose()


def stands(url: str) -> str | None:
    """The revision the database is at."""
    writer, reader = dialects.engines(url)

    def look(c: Connection) -> str | None:
        if not inspect(c).has_table("alembic_version"):
            return None
        found: str | None = c.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
        return found

    with writer.connect() as c:
        found = look(c)
    writer.dispose()
    reader.dispose()
    return found


def run(url: str, fatal: int) -> int:
    process = CONTEXT.Process(target=migrate, args=(url, fatal))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def kill_at_every(url: str, revision: str | None, *, stride: int) -> int:
    begin(url, revision)
    kills, after = 0, []
    while (code := run(url, 1 + kills * stride)) != 0:
        assert code == -signal.SIGKILL
        after.append(stands(url))
        kills += 1
    # All steps are one transaction: as it was, up to the kill after which everything was there.
    head = stands(url)
    assert after == sorted(after, key=lambda found: found == head)
    assert set(after) <= {revision, head}
    assert after.count(revision) > 3
    whole(url, with_event=revision is not None)
    return kills


def whole(url: str, *, with_event: bool) -> None:
    store = Store.open(url)

    def differences(c: Connection) -> list[object]:
        return list(
            compare_metadata(MigrationContext.configure(c, opts={"target_metadata": metadata}), metadata)
        )

    assert {feed_state.name, webhook.name} < set(metadata.tables)
    assert store.write(differences) == []
    assert store.read(schema.is_current)
    assert store.read(search_index.is_current)
    if with_event:
        assert store.read(lambda c: events.get(c, "talk")).revision == 1
    store.close()


def test_a_killed_migration_is_done_by_the_next_start(empty_url):
    kill_at_every(empty_url, "0001", stride=9)


@pytest.mark.campaign
@pytest.mark.parametrize("revision", [None, "0001", "0007"])
def test_a_migration_killed_before_any_statement_is_done_by_the_next_start(empty_url, revision):
    kills = kill_at_every(empty_url, revision, stride=1)
    print(f"{kills} kills")
