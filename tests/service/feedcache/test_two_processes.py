"""Two services on one PostgreSQL, as two processes would be."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec

from service.api.feeds import Feeds
from service.catalogue.event import Text
from service.clock import SimulatedClock
from service.feedcache.cache import FeedCache
from service.feedcache.saved import Addresses
from service.store import events
from service.store.engine import Store
from tests.service.feedcache.asgi import UNLIMITED, Door, get, write
from tests.service.feedcache.large import catalogue

CALENDAR = ("/feeds/ko/calendar.ics", b"")
BASE = "https://dday.example"
JUST_BEFORE_A_SECOND = datetime(2026, 3, 1, 3, 0, 0, 900_000, tzinfo=UTC)


class Process:
    def __init__(self, url: str, clock: SimulatedClock) -> None:
        self.store, self.clock = Store.open(url), clock
        self.cache = FeedCache(self.store, clock=clock, base_url=BASE, uid_domain="dday.example")
        addresses = Addresses(self.store, clock=clock)
        door = Door(self.store)
        self.feeds = Feeds(door, self.cache, addresses, clock=clock, base_url=BASE, rates=UNLIMITED)

    def close(self) -> None:
        self.cache.close()
        self.store.close()


async def rename(process: Process, name: str) -> None:
    changed = msgspec.structs.replace(catalogue(1)[0], name=Text(ko=name))
    now = process.clock.now()
    assert await write(process.feeds, lambda c: events.put(c, changed, now=now, cause="test")) == 200


async def play(here: Process, there: Process, clock: SimulatedClock) -> tuple[bytes, int, bytes]:
    await rename(here, "옛 이름")
    await get(here.feeds, CALENDAR)
    clock.advance(timedelta(minutes=1))
    await get(there.feeds, CALENDAR)
    await rename(here, "새 이름")
    clock.advance(timedelta(milliseconds=200))
    _, _, held = await get(there.feeds, CALENDAR)
    date = format_datetime(clock.now(), usegmt=True)
    clock.advance(timedelta(seconds=5))
    status, _, body = await get(here.feeds, CALENDAR, {"if-modified-since": date})
    return held, status, body


def test_a_date_from_the_one_that_has_not_noticed_yet_earns_no_304(pg_url: str) -> None:
    clock = SimulatedClock(JUST_BEFORE_A_SECOND)
    here, there = Process(pg_url, clock), Process(pg_url, clock)
    try:
        held, status, body = asyncio.run(play(here, there, clock))
    finally:
        there.close()
        here.close()
    assert "새 이름".encode() in (held if status == 304 else body)


def test_both_give_the_same_bytes_and_tags(pg_url: str) -> None:
    async def both() -> list[tuple[bytes, str]]:
        await get(here.feeds, CALENDAR)
        await rename(here, "새 이름")
        answers = [await get(process.feeds, CALENDAR) for process in (here, there)]
        return [(body, headers["etag"]) for _, headers, body in answers]

    clock = SimulatedClock(JUST_BEFORE_A_SECOND)
    here, there = Process(pg_url, clock), Process(pg_url, clock)
    try:
        first, second = asyncio.run(both())
    finally:
        there.close()
        here.close()
    assert first == second
