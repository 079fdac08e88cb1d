"""A write is answered when what people read is ready, and never because of it any other way."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, Engine, event, text

from service.api.feeds import Feeds
from service.catalogue.event import Text
from service.clock import SimulatedClock
from service.feedcache.ahead import SAVED, SHARE, Ahead, Allowance, portions
from service.feedcache.cache import FeedCache
from service.feedcache.saved import Addresses
from service.store import events
from service.store.engine import Store
from tests.service.feedcache.asgi import Door, get, write
from tests.service.feedcache.large import NOW, catalogue

CALENDAR = ("/feeds/ko/calendar.ics", b"")
BASE = "https://dday.example"


class Front:
    """A store with some events, and the feeds in front of it."""

    def __init__(self, store: Store, *, patience: float = 60, saved: float = SAVED) -> None:
        self.store, clock = store, SimulatedClock(NOW)
        store.write(lambda c: events.put_many(c, catalogue(5), now=NOW, cause="test"))
        self.cache = FeedCache(store, clock=clock, base_url=BASE, uid_domain="dday.example")
        self.ahead = Ahead(self.cache, patience=patience, saved=saved)
        addresses = Addresses(store, clock=clock)
        self.feeds = Feeds(Door(store), self.cache, self.ahead, addresses, clock=clock, base_url=BASE)

    async def rename(self, name: str, **more: Any) -> int:
        return await write(self.feeds, rename(name, **more))

    def close(self) -> None:
        self.ahead.close()
        self.cache.close()


def rename(name: str, **more: Any) -> Any:
    changed = msgspec.structs.replace(catalogue(1)[0], name=Text(ko=name), **more)
    return lambda c: events.put(c, changed, now=NOW, cause="test")


@contextmanager
def front(store: Store, **more: Any) -> Iterator[Front]:
    opened = Front(store, **more)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Everything that is asked of any database meanwhile."""
    seen: list[str] = []

    def note(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def asked_of(store: Store, seen: list[str]) -> list[str]:
    return [statement for statement in seen if not statement.startswith("BEGIN")]


def is_the_revision_check(statement: str) -> bool:
    return statement.startswith("SELECT counter.value FROM counter WHERE counter.name = ")


def test_a_get_after_an_answered_write_is_given_from_memory(store: Store) -> None:
    async def play(front: Front) -> tuple[bytes, list[str]]:
        await get(front.feeds, CALENDAR)
        assert await front.rename("새 이름") == 200
        with statements() as seen:
            _, _, body = await get(front.feeds, CALENDAR)
        return body, asked_of(store, seen)

    with front(store) as opened:
        body, seen = asyncio.run(play(opened))
    assert "SUMMARY:새 이름".encode() in body
    assert [statement for statement in seen if not is_the_revision_check(statement)] == []


def test_a_repeated_get_asks_for_nothing_but_the_revision(store: Store) -> None:
    async def play(front: Front) -> list[str]:
        await get(front.feeds, CALENDAR)
        with statements() as seen:
            for _ in range(3):
                await asyncio.sleep(0.6)  # longer than other processes' writes may stay unseen
                await get(front.feeds, CALENDAR)
        return asked_of(store, seen)

    with front(store) as opened:
        seen = asyncio.run(play(opened))
    # On SQLite it is asked on a connection of its own, past the engine.
    assert len(seen) == (0 if store.dialect == "sqlite" else 3)
    assert all(map(is_the_revision_check, seen))


def test_more_feeds_take_no_more_statements(store: Store) -> None:
    one = [CALENDAR]
    several = [
        ("/feeds/en/calendar.ics", b""),
        ("/feeds/ko/events.json", b""),
        ("/feeds/ko/calendar.atom", b""),
    ]

    async def play(front: Front) -> list[int]:
        counts = []
        for name, places in (("하나", one), ("여럿", several)):
            for place in places:
                await get(front.feeds, place)
            with statements() as seen:
                front.store.write(rename(name))
                await front.ahead.before_answer()
            counts.append(len(asked_of(store, seen)))
        return counts

    with front(store) as opened:
        alone, together = asyncio.run(play(opened))
    assert together == alone


def test_a_feed_that_the_change_does_not_concern_keeps_its_bytes(store: Store) -> None:
    other = ("/feeds/ko/calendar.ics", b"tag=robotics")

    async def play(front: Front) -> tuple[bytes, bytes]:
        _, _, before = await get(front.feeds, other)
        await front.rename("새 이름")
        _, _, after = await get(front.feeds, other)
        return before, after

    with front(store) as opened:
        before, after = asyncio.run(play(opened))
    assert before is after


def test_a_publish_that_fails_leaves_the_write_acknowledged(store: Store) -> None:
    async def play(front: Front) -> tuple[int, bytes, bytes]:
        _, _, before = await get(front.feeds, CALENDAR)
        store.write(lambda c: c.execute(text("DROP TABLE feed_state")))
        status = await front.rename("새 이름")
        _, _, after = await get(front.feeds, CALENDAR)
        return status, before, after

    with front(store) as opened:
        status, before, after = asyncio.run(play(opened))
    assert status == 200
    assert store.read(lambda c: events.get(c, "event-0")).event.name.ko == "새 이름"
    assert after == before


def test_a_feed_whose_name_is_gone_does_not_fail_the_others(store: Store) -> None:
    gone = ("/feeds/ko/events/event-0.ics", b"")

    async def play(front: Front) -> tuple[int, int, int]:
        await get(front.feeds, CALENDAR)
        await get(front.feeds, gone)
        written = await front.rename("새 이름", visibility="internal")
        (single, _, _), (_, _, body) = await get(front.feeds, gone), await get(front.feeds, CALENDAR)
        return written, single, body.count(b"BEGIN:VEVENT")

    with front(store) as opened:
        assert asyncio.run(play(opened)) == (200, 404, 4)


def test_a_write_does_not_wait_for_a_publish_that_cannot_go_on(sqlite_url: str) -> None:
    """Another writer holds the file after the write; the feed's date waits for it, the answer does not."""
    store = Store.open(sqlite_url)

    async def play(front: Front, other: sqlite3.Connection) -> tuple[int, bytes]:
        await get(front.feeds, CALENDAR)

        def work(c: Connection) -> None:
            rename("새 이름")(c)
            c.commit()
            other.execute("BEGIN IMMEDIATE")

        async with asyncio.timeout(3):
            status = await write(front.feeds, work)
        other.execute("ROLLBACK")
        _, _, body = await get(front.feeds, CALENDAR)
        return status, body

    file = sqlite_url.removeprefix("sqlite:///")
    with front(store, patience=0.05) as opened, closing(sqlite3.connect(file, isolation_level=None)) as other:
        status, body = asyncio.run(play(opened, other))
    store.close()
    assert status == 200
    assert "SUMMARY:새 이름".encode() in body


def test_many_writes_are_not_as_many_publishes(store: Store) -> None:
    async def play(front: Front) -> list[str]:
        await get(front.feeds, CALENDAR)
        with statements() as seen:
            for number in range(20):
                store.write(rename(f"이름 {number}"))
                await front.ahead.before_answer()
        return [statement for statement in seen if statement.startswith("UPDATE feed_state")]

    with front(store, saved=0) as opened:
        assert 1 <= len(asyncio.run(play(opened))) <= 10


@pytest.mark.parametrize(("write", "publish"), [(0.004, 0.008), (0.05, 0.03), (0.001, 0.0405)])
def test_writes_wait_for_a_tenth_of_their_time(write: float, publish: float) -> None:
    now, waited, allowance = 0.0, 0.0, Allowance(SAVED, 0.0)
    for _ in range(10_000):
        now += write
        if allowance.left(now) > 0:
            now, waited = now + publish, waited + publish
            allowance = allowance.after(publish, now)
    assert waited <= SAVED + SHARE * now + publish


def test_nothing_is_saved_up_beyond_its_bound() -> None:
    assert Allowance(0.1, 0.0).left(3600.0) == SAVED


def test_feeds_are_made_in_portions_in_the_order_of_their_readers(store: Store) -> None:
    async def play(front: Front) -> list[list[str]]:
        for number in range(11):
            await get(front.feeds, ("/feeds/ko/calendar.ics", b"past=P%dD" % (number + 1)))
        await get(front.feeds, ("/feeds/ko/calendar.ics", b"past=P4D"))
        await front.rename("새 이름")  # making them anew is not reading them
        return [[one.asked.query for one in part] for part in portions(front.cache.latest(20))]

    with front(store) as opened:
        parts = asyncio.run(play(opened))
    days = [4, 11, 10, 9, 8, 7, 6, 5, 3, 2, 1]
    assert parts == [[f"past=P{day}D" for day in days[:8]], [f"past=P{day}D" for day in days[8:]]]


def test_what_a_write_did_not_wait_for_is_made_just_after(store: Store) -> None:
    async def play(front: Front) -> bytes:
        await get(front.feeds, CALENDAR)
        await front.rename("새 이름")
        await front.cache.settled()
        [edition] = front.cache.latest(1)
        return edition.body

    with front(store, patience=0) as opened:
        body = asyncio.run(play(opened))
    assert "SUMMARY:새 이름".encode() in body
