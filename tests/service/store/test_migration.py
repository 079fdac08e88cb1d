"""A database filled by an earlier version is listed by today's index as if it had been written today."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, inspect

from service.catalogue.event import Event, Place, Text
from service.catalogue.filters import EventFilter
from service.catalogue.validation import check
from service.errors import NotFound
from service.store import dialects, events, revisions, schema
from service.store.engine import Store
from service.store.listing import SORTS
from service.store.tables import reference
from tests.service.store.migrant import earlier

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = "0007"


def event(key, **fields):
    return check(Event(id=key, kind=fields.pop("kind", "conference"), name=Text(ko=key), **fields))


WRITTEN = (
    event("talk", start="2026-03-02", tags=("ai",), place=Place(city="서울")),
    event("long", start="2025-01-01", end="2027-01-01", tags=("ai",)),
    event("call", kind="application_window", start="2026-02-01", end="2026-03-05T18:00", close_rule="fixed"),
    event("month", start="2026-04"),
    event("someday"),
    event("fair", start="2026-06-01", status="cancelled"),
    event("stand", start="2026-06-01", part_of="fair"),
    event("demo", start="2026-06-01", part_of="stand", status="tentative"),
)
ASKED = {
    "all": EventFilter(),
    "tag and range": EventFilter(tag=("ai",), from_=NOW),
    "city": EventFilter(city=("서울",)),
    "open": EventFilter(phase=("closing_soon", "open")),
    "word": EventFilter(q="talk"),
    "off": EventFilter(phase=("cancelled",)),
    "typing error": EventFilter(q="somedey"),
    "all but": EventFilter(q="-talk"),
}


# The hearing was internal at first; the talk is part of what still is.
NOT_PUBLIC = (
    event("meeting", start="2026-03-02", visibility="internal"),
    event("talk", start="2026-03-02", part_of="meeting", place=Place(city="서울", inherited=True)),
    event("hearing", start="2026-03-03", visibility="internal"),
    event("hearing", start="2026-03-04"),
)


@contextmanager
def filled_by_an_earlier_version(url, written=WRITTEN):
    """The store of a database with these events in the schema before today's, migrated by opening it."""
    writer, reader = dialects.engines(url)
    with writer.begin() as c:
        schema.upgrade(c, BEFORE)
        for number, each in enumerate(written, start=1):
            earlier(c, each, number=number, now=NOW)
            if each.part_of:
                names = {"noun": "event", "id": each.part_of, "by_noun": "event", "by_id": each.id}
                c.execute(insert(reference).values(**names))
    writer.dispose()
    reader.dispose()
    store = Store.open(url)
    yield store
    store.close()


def test_what_an_earlier_version_wrote_is_found_in_the_same_order(empty_url, sqlite_store):
    def pages(c):
        return {
            (name, sort): [each.id for each in events.listed(c, asked, now=NOW, sort=sort).items]
            for name, asked in ASKED.items()
            for sort in SORTS
        }

    sqlite_store.write(lambda c: events.put_many(c, WRITTEN, now=NOW, cause="test"))
    with filled_by_an_earlier_version(empty_url) as migrated:
        found = migrated.read(pages)
    assert found == sqlite_store.read(pages)
    assert all(found.values())


def test_what_follows_from_an_event_is_derived_as_this_version_does(empty_url, sqlite_store):
    sqlite_store.write(lambda c: events.put_many(c, WRITTEN, now=NOW, cause="test"))
    with filled_by_an_earlier_version(empty_url) as migrated:
        found = migrated.read(lambda c: events.get_many(c, [each.id for each in WRITTEN]))
    fresh = sqlite_store.read(lambda c: events.get_many(c, [each.id for each in WRITTEN]))
    assert {key: each.document for key, each in found.items()} == {
        key: each.document for key, each in fresh.items()
    }
    assert b'"unsupported":["start","end"]' in found["call"].document


def test_rows_from_before_marks_share_one_that_each_migration_draws_anew(empty_url, tmp_path):
    def marks(c):
        return revisions.marks(c, range(1, len(WRITTEN) + 2))

    with filled_by_an_earlier_version(empty_url) as migrated:
        moved = event("talk", start="2026-05-02")
        migrated.write(lambda c: events.put(c, moved, now=NOW, cause="test"))
        *old, new = [mark for seq, mark in migrated.read(marks).items() if seq]
    with filled_by_an_earlier_version(f"sqlite:///{tmp_path}/another.db") as again:
        other = [mark for seq, mark in again.read(marks).items() if seq]
    assert (len(old), len({*old}), len({*old, *other, new})) == (len(WRITTEN), 1, 3)


def test_the_old_index_is_gone_and_what_is_written_next_is_found(empty_url):
    moved = event("talk", start="2026-05-02", tags=("ai", "bio"))
    with filled_by_an_earlier_version(empty_url) as migrated:
        assert not migrated.read(lambda c: inspect(c).has_table("facet"))
        migrated.write(lambda c: events.put(c, moved, now=NOW, cause="test"))
        found = migrated.read(lambda c: events.listed(c, EventFilter(tag=("bio",)), now=NOW))
    assert [(each.id, each.revision) for each in found.items] == [("talk", 2)]


def test_what_was_internal_is_not_shown_after_the_update(empty_url):
    with filled_by_an_earlier_version(empty_url, NOT_PUBLIC) as migrated:
        with pytest.raises(NotFound):
            migrated.read(lambda c: events.get(c, "meeting"))
        shown = json.loads(migrated.read(lambda c: events.get(c, "talk")).document)
        listed = migrated.read(lambda c: events.listed(c, EventFilter(), now=NOW)).items
        log = migrated.read(lambda c: revisions.since(c, 0, 9))
        told = [(row.id, row.op, row.changed) for row in log]
        whole = migrated.read(lambda c: events.get(c, "talk", full=True)).event
        published = event("meeting", start="2026-03-02")
        migrated.write(lambda c: events.put(c, published, now=NOW, cause="test"))
        after = json.loads(migrated.read(lambda c: events.get(c, "talk")).document)
    assert (shown["part_of"], shown["place"]["inherited"], whole.part_of) == (None, False, "meeting")
    assert [each.id for each in listed] == ["talk", "hearing"]
    assert told == [
        ("talk", "put", ("id", "kind", "name", "start", "place")),
        ("hearing", "put", ("id", "kind", "name", "start")),
    ]
    assert (after["part_of"], after["revision"]) == ("meeting", 2)


def test_parts_of_what_was_cancelled_before_are_off_and_are_released_with_it(empty_url):
    """What was written at one instant was written at once, so that the tentative one is off too."""
    with filled_by_an_earlier_version(empty_url) as migrated:
        stored = migrated.read(lambda c: events.get_many(c, ["fair", "stand", "demo"]))
        fair = replace(stored["fair"].event, status="scheduled")
        migrated.write(lambda c: events.put(c, fair, now=NOON, cause="test"))
        released = migrated.read(lambda c: events.get_many(c, ["stand", "demo"]))
    off = {key: (each.phase(NOON), each.turns, each.turned_at) for key, each in stored.items()}
    assert off == {
        "fair": ("cancelled", 0, None),
        "stand": ("cancelled", 1, NOW),
        "demo": ("cancelled", 1, NOW),
    }
    on = {key: (each.phase(NOON), each.turns, each.turned_at) for key, each in released.items()}
    assert on == dict.fromkeys(("stand", "demo"), ("upcoming", 2, NOON))
