"""One unit of work is all or nothing, a reader sees one snapshot, a file serves one service."""

import threading
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.pq import Format
from sqlalchemy import Connection, MetaData, Table, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from service.catalogue.event import Event, Text
from service.store import claims, dialects, events, revisions, saved_feeds, schema, search_index
from service.store import feed_state as feedstate
from service.store.engine import Store, StoreBusy
from service.store.locks import refuse_network_path
from service.store.schema import SchemaMismatch
from service.store.tables import event as event_table
from service.store.tables import (
    event_label,
    feed_address,
    feed_state,
    label,
    meta,
    metadata,
    posting,
    saved_feed,
    webhook,
    word,
)
from tests.service.store.migrant import earlier

NOW = datetime(2025, 8, 1, tzinfo=UTC)


def event(identifier: str) -> Event:
    return Event(id=identifier, kind="summit", name=Text(ko="서밋"), start="2025-09-05")


def test_a_unit_that_raises_leaves_nothing(store: Store) -> None:
    def half(c: Connection) -> None:
        events.put(c, event("one"), now=NOW, cause="test")
        raise LookupError

    with pytest.raises(LookupError):
        store.write(half)
    assert store.read(revisions.head) == 0


def test_a_reader_sees_one_snapshot_and_no_uncommitted_row(store: Store) -> None:
    begun, written, committed = threading.Event(), threading.Event(), threading.Event()

    def write(c: Connection) -> None:
        begun.wait(5)
        events.put(c, event("one"), now=NOW, cause="test")
        written.set()

    def change() -> None:
        store.write(write)
        committed.set()

    def look(c: Connection) -> tuple[int, int]:
        before = revisions.head(c)
        begun.set()
        committed.wait(5)
        return before, revisions.head(c)

    thread = threading.Thread(target=change)
    thread.start()
    assert store.read(look) == (0, 0)
    thread.join()
    assert store.read(revisions.head) == 1


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(DBAPIError, match=r"read-only transaction|readonly database"):
        store.read(lambda c: events.put(c, event("one"), now=NOW, cause="test"))


def test_a_reader_takes_values_in_binary_and_starts_no_process(pg_url: str) -> None:
    store = Store.open(pg_url)

    def settings(c: Connection) -> tuple[object, object]:
        workers = c.exec_driver_sql("SHOW max_parallel_workers_per_gather").scalar_one()
        found = c.exec_driver_sql("SELECT '\\x00ff'::bytea, 1::bigint")
        assert found.cursor is not None
        return workers, found.cursor.format  # type: ignore[attr-defined]

    assert store.read(settings) == ("0", Format.BINARY)
    store.close()


async def _both(store: Store) -> int:
    await store.awrite(lambda c: events.put(c, event("one"), now=NOW, cause="test"))
    return await store.aread(revisions.head)


def test_units_run_off_the_event_loop_too(store: Store) -> None:
    import asyncio

    assert asyncio.run(_both(store)) == 1


def test_a_second_service_on_the_same_file_is_refused_in_a_sentence(sqlite_url: str) -> None:
    first = Store.open(sqlite_url)
    with pytest.raises(StoreBusy, match=r"Another Dday service \(process \d+\) already uses .*dday\.db"):
        Store.open(sqlite_url)
    first.close()
    Store.open(sqlite_url).close()


def test_the_command_line_works_beside_a_running_service(sqlite_url: str) -> None:
    service = Store.open(sqlite_url)
    beside = Store.open(sqlite_url, exclusive=False)
    beside.write(lambda c: events.put(c, event("one"), now=NOW, cause="cli"))
    service.write(lambda c: events.put(c, event("two"), now=NOW, cause="api"))
    assert beside.read(revisions.head) == service.read(revisions.head) == 2
    beside.close()
    service.close()


def test_services_share_a_postgresql_database(pg_url: str) -> None:
    first, second = Store.open(pg_url), Store.open(pg_url)
    first.write(lambda c: events.put(c, event("one"), now=NOW, cause="test"))
    assert second.read(revisions.head) == 1
    assert first.instance == second.instance
    first.close()
    second.close()


def test_a_url_that_cannot_serve_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://x/y", "dday.db"):
        with pytest.raises(dialects.BadDatabaseUrl):
            Store.open(url)
    with pytest.raises(dialects.BadDatabaseUrl, match="There is no folder"):
        Store.open(f"sqlite:///{tmp_path}/mistyped/dday.db")
    assert not (tmp_path / "mistyped").exists()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n/dev/vda / ext4 rw 0 0\n")
    with pytest.raises(StoreBusy, match=r"network file system \(nfs4\)"):
        refuse_network_path(tmp_path / "dday.db", mounts=mounts)


def test_sqlite_is_set_up_to_lose_nothing(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)

    def pragmas(c: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        return [c.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert store.write(pragmas) == ["wal", 2, 5000, 1]
    store.close()


def test_postgresql_is_set_up_to_lose_nothing_and_to_hang_nowhere(pg_url: str) -> None:
    store = Store.open(pg_url)

    def settings(c: Connection) -> list[object]:
        names = ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout")
        return [c.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]

    assert store.write(settings) == ["on", "30s", "30s"]
    store.close()


def test_a_broken_connection_is_replaced_and_the_unit_repeated(pg_url: str) -> None:
    store = Store.open(pg_url)
    tries: list[int] = []

    def cut_once(c: Connection) -> str:
        tries.append(1)
        if len(tries) == 1:
            pid = c.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            other = Store.open(pg_url)
            other.write(lambda o: o.exec_driver_sql(f"SELECT pg_terminate_backend({pid})").all())
            other.close()
        return events.put(c, event("one"), now=NOW, cause="test").outcome

    assert store.write(cut_once) == "created"
    assert (len(tries), store.read(revisions.head)) == (2, 1)
    store.close()


def test_a_broken_connection_is_replaced_and_the_read_repeated(pg_url: str) -> None:
    store = Store.open(pg_url)
    tries: list[int] = []

    def cut_once(c: Connection) -> object:
        tries.append(1)
        pid = c.execute(text("SELECT pg_backend_pid()")).scalar_one()
        if len(tries) == 1:
            store.write(lambda o: o.exec_driver_sql(f"SELECT pg_terminate_backend({pid})").all())
        return c.execute(text("SELECT CAST(:number AS bigint)"), {"number": 7}).scalar_one()

    assert (store.read(cut_once), len(tries)) == (7, 2)
    store.close()


def test_an_error_of_the_database_does_not_tell_what_was_being_written(store: Store) -> None:
    # The address of a Slack channel is all that anybody needs to write to it.
    document = "https://hooks.slack.com/services/T0/B0/xyz"

    def twice(c: Connection) -> None:
        named = insert(webhook).values(id="whk_1", owner="o", document=document, state="active", version=1)
        for _ in range(2):
            c.execute(named.values(replan=0, failures=0, created_at=0))

    with pytest.raises(IntegrityError) as raised:
        store.write(twice)
    told = "".join(traceback.format_exception(raised.value))
    assert "INSERT INTO webhook" in told
    assert document not in told


def test_an_empty_database_becomes_what_the_tables_say(empty_url: str) -> None:
    store = Store.open(empty_url)

    def differences(c: Connection) -> list[object]:
        context = MigrationContext.configure(c, opts={"target_metadata": metadata})
        return list(compare_metadata(context, metadata))

    assert {feed_state.name, saved_feed.name, feed_address.name, webhook.name} < set(metadata.tables)
    assert store.write(differences) == []
    assert len(store.instance) == 16
    store.close()


def test_the_first_schema_becomes_todays_with_its_data(empty_url: str) -> None:
    writer, reader = dialects.engines(empty_url)
    with writer.begin() as c:
        schema.upgrade(c, "0001")
    with writer.begin() as c:
        earlier(c, event("one"), number=1, now=NOW)
        instance = schema.instance(c)
    writer.dispose()
    reader.dispose()
    new = Store.open(empty_url)
    assert new.read(schema.is_current)
    assert new.instance == instance
    assert new.read(lambda c: events.get(c, "one")).revision == 1
    new.close()


def test_the_schema_before_saved_feeds_becomes_todays_with_its_data(empty_url: str) -> None:
    writer, reader = dialects.engines(empty_url)
    with writer.begin() as c:
        schema.upgrade(c, "0003")
    with writer.begin() as c:
        earlier(c, event("one"), number=1, now=NOW)
        content = feedstate.Content(feed="/feeds/ko/calendar.ics", digest="x", seq=1, newest=None)
        state = feedstate.note(c, content, now=NOW)
    writer.dispose()
    reader.dispose()
    new = Store.open(empty_url)
    assert new.read(lambda c: feedstate.get(c, "/feeds/ko/calendar.ics")) == state
    assert new.read(lambda c: saved_feeds.count(c, "nobody")) == 0
    new.close()


def test_the_schema_with_bodies_in_their_deliveries_becomes_todays_with_every_body(empty_url: str) -> None:
    writer, reader = dialects.engines(empty_url)
    with writer.begin() as c:
        schema.upgrade(c, "0004")
    with writer.begin() as c:
        old = Table("delivery", MetaData(), autoload_with=c)
        needed = {column.name: 0 for column in old.c if not column.nullable}
        row = {**needed, "webhook_id": "w", "event_id": "e", "type": "event.reminder", "state": "pending"}
        c.execute(
            insert(old),
            [{**row, "id": "tried", "fence": 1, "body": b"\x00\xff"}, {**row, "id": "new", "body": None}],
        )
    writer.dispose()
    reader.dispose()
    new = Store.open(empty_url)
    claimed = new.write(
        lambda c: claims.claim(c, ["tried", "new"], worker="w", now=NOW, lease=timedelta(minutes=1))
    )
    assert [each.body for each in claimed] == [b"\x00\xff", None]
    new.close()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_url: str) -> None:
    writer, reader = dialects.engines(empty_url)
    with pytest.raises(LookupError), writer.begin() as c:
        schema.upgrade(c)
        raise LookupError
    with writer.connect() as c:
        assert inspect(c).get_table_names() == []
    writer.dispose()
    reader.dispose()
    Store.open(empty_url).close()


def test_a_newer_schema_is_refused_in_a_sentence(store_url: str) -> None:
    store = Store.open(store_url)
    store.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(SchemaMismatch, match="schema 9999, which this version of Dday does not know"):
        Store.open(store_url)


def index(c: Connection) -> tuple[object, set[object], set[object]]:
    """Every row of the indexes, with the names of labels for their numbers; and the sizes of labels."""
    named = select(label.c.name, event_label).join(label, label.c.id == event_label.c.label)
    rows = {(row.name, row.number, row.shelf, row.lo, row.hi, row.signature) for row in c.execute(named)}
    sizes = {(row.name, row.size) for row in c.execute(select(label))}
    words = {tuple(row) for table in (posting, word) for row in c.execute(select(table))}
    return rows, sizes, words


def test_index_rows_of_another_version_are_made_anew(store_url: str) -> None:
    store = Store.open(store_url)
    store.write(lambda c: events.put_many(c, [event("one"), event("two")], now=NOW, cause="test"))
    right = store.read(index)
    assert len(right[1]) > 2 and len(right[2]) > 2
    store.write(lambda c: c.execute(event_label.delete().where(event_label.c.number == 1)))
    # As a database is just after the migration that made the index of words.
    for emptied in (posting.delete(), word.delete(), event_table.update().values(searched="")):
        store.write(lambda c, s=emptied: c.execute(s))  # type: ignore[misc]
    store.write(lambda c: c.execute(meta.update().where(meta.c.name == "search_index").values(value="0")))
    store.close()
    again = Store.open(store_url)
    assert again.read(index) == right
    assert again.read(search_index.is_current)
    again.close()
