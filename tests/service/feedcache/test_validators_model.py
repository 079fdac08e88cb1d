"""Random edits, deletions, renames, time steps and restarts; readers of every kind; no wrong "not modified".

A reader that gets a 304 must hold what a renderer without any memory would send now; so must one that gets
a 200. The renderer with a memory builds on its last copy, so this also proves that building on it is right.
"""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from service.api.feeds import Feeds
from service.catalogue import validation
from service.catalogue.event import Event, Organization, Participation, Series, Text
from service.catalogue.validation import Invalid
from service.errors import Problem
from service.feedcache import request
from service.feedcache.builder import FeedBuilder
from service.feedcache.cache import FeedCache
from service.feedcache.saved import Addresses
from service.store import entities, events
from service.store.engine import Store
from tests.service.feedcache.asgi import UNLIMITED, Door, get, write

PATHS = (
    ("/feeds/ko/calendar.ics", b""),
    ("/feeds/en/deadlines.ics", b"cancelled=mark&alarms=P1D"),
    ("/feeds/ko/events.json", b"past=P3D&ahead=P2M"),
    ("/feeds/ko/calendar.atom", b"tag=ai"),
    ("/feeds/en/calendar.ics", b"phase=open&phase=upcoming&placeholders=1"),
    ("/feeds/ko/seoulcon.ics", b"windows=both&detail=min"),
)
READERS = ("tag", "date", "both", "clock")
DOMAIN = "dday.example"


class Wanderer:
    """A clock that may be set back."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 1, 3, 0, 0, 250_000, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader kept of its last 200."""

    body: bytes
    tag: str
    modified: str
    date: str


class World:
    """One service and its readers; `run` moves both at random."""

    def __init__(self, url: str, seed: int, *, backwards: bool) -> None:
        self.url, self.chance, self.backwards = url, random.Random(seed), backwards
        # Who sends the time of its last visit relies on the clock not being set back, and cannot be helped.
        self.readers = READERS[:3] if backwards else READERS
        self.clock, self.held = Wanderer(), dict[tuple[Any, str], Held]()
        self.base_url = "https://dday.example"
        self.answers = {200: 0, 304: 0}
        self.work: Any = None
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.url)
        self.cache = FeedCache(self.store, clock=self.clock, base_url=self.base_url, uid_domain=DOMAIN)
        addresses = Addresses(self.store, clock=self.clock)
        self.feeds = Feeds(
            Door(self.store), self.cache, addresses, clock=self.clock, base_url=self.base_url, rates=UNLIMITED
        )

    def close(self) -> None:
        self.cache.close()
        self.store.close()

    async def run(self, steps: int) -> None:
        self.store.write(lambda c: entities.put(c, SERIES, now=self.clock.now(), cause="model"))
        self.store.write(lambda c: entities.put(c, HOST, now=self.clock.now(), cause="model"))
        for _ in range(steps):
            self.chance.choices(
                (self.put, self.delete, self.rename, self.pass_time, self.restart), (8, 3, 1, 6, 0.3)
            )[0]()
            await self.carry_out()
            await self.look(self.chance.choice(PATHS))

    def put(self) -> None:
        event = random_event(self.chance)
        self.try_write(lambda c: events.put(c, validation.check(event), now=self.clock.now(), cause="model"))

    def delete(self) -> None:
        name = f"e{self.chance.randrange(8)}"
        self.try_write(lambda c: events.delete(c, name, now=self.clock.now(), cause="model"))

    def rename(self) -> None:
        noun = self.chance.choice((SERIES, HOST))
        named = msgspec.structs.replace(noun, name=Text(ko=f"이름 {self.chance.randrange(3)}"))
        self.try_write(lambda c: entities.put(c, named, now=self.clock.now(), cause="model"))

    def try_write(self, work: Any) -> None:
        self.work = work

    async def carry_out(self) -> None:
        """Through the service, or beside it as a command does."""
        work, self.work = self.work, None
        if work is None:
            return
        if self.chance.random() < 0.6:
            await write(self.feeds, work)
            return
        with suppress(Problem, Invalid):
            self.store.write(work)

    def pass_time(self) -> None:
        step = self.chance.choice((0.1, 0.5, 1, 7, 59, 3600, 3600 * 11, 86_400, 86_400 * 9))
        sign = -1 if self.backwards and self.chance.random() < 0.3 else 1
        self.clock.instant += timedelta(seconds=sign * step)

    def restart(self) -> None:
        """Sometimes with another address for our pages, which changes every entry as new wording would."""
        self.close()
        if self.chance.random() < 0.4:
            self.base_url = self.chance.choice(("https://dday.example", "https://other.example"))
        self.open()

    async def look(self, place: tuple[str, bytes]) -> None:
        bodies = [(reader, await self.fetch(place, reader)) for reader in self.readers]
        feed = request.parse(*place)
        assert feed is not None
        builder = FeedBuilder(self.store, clock=self.clock, base_url=self.base_url, uid_domain=DOMAIN)
        truth = builder.build(feed, None).body
        for reader, body in bodies:
            assert body == truth, (place, reader)

    async def fetch(self, place: tuple[str, bytes], reader: str) -> bytes:
        """What the reader shows afterwards."""
        held = self.held.get((place, reader))
        status, headers, body = await get(self.feeds, place, conditions(held, reader))
        self.answers[status] += 1
        if status == 304:
            assert held is not None
            return held.body
        date = http_date(self.clock.now())
        self.held[place, reader] = Held(
            body=body, tag=headers["etag"], modified=headers["last-modified"], date=date
        )
        assert parse(headers["last-modified"]) <= self.clock.now()
        return body


def conditions(held: Held | None, reader: str) -> dict[str, str]:
    if held is None:
        return {}
    tag, date = {"if-none-match": held.tag}, {"if-modified-since": held.modified}
    return {"tag": tag, "date": date, "both": tag | date, "clock": {"if-modified-since": held.date}}[reader]


def http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def parse(date: str) -> datetime:
    return datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


SERIES = Series(id="seoulcon", name=Text(ko="서울콘"))
HOST = Organization(id="mss", name=Text(ko="중기부"))
STARTS = (
    "2026-03-02",
    "2026-03-05T14:00",
    "2026-04",
    "2026-05-20",
    None,
    "2026-02-10",
    "2025-12-01",
    "2026-03?",
)
ENDS = (None, "2026-03-05T18:00", "2026-03-20", "2026-06-01T24:00", "2026-05-21", "2026-04")


def random_event(chance: random.Random) -> Event:
    number, kind = chance.randrange(8), chance.choice(("summit", "application_window", "milestone"))
    start, end = chance.choice(STARTS), chance.choice(ENDS)
    if start and end and end < start:
        end = None
    return Event(
        id=f"e{number}",
        kind=kind,
        name=Text(ko=f"행사 {chance.randrange(3)}", en=chance.choice((None, "Event"))),
        status=chance.choice(("scheduled",) * 4 + ("cancelled", "postponed", "tentative")),
        start=start,
        end=end,
        close_rule=chance.choice((None, "rolling")) if kind == "application_window" and not end else None,
        series=chance.choice((None, "seoulcon")),
        part_of="e0" if number and chance.random() < 0.3 else None,
        organizations=(Participation(id="mss", role="host"),) if chance.random() < 0.5 else (),
        tags=chance.choice(((), ("ai",))),
        visibility=chance.choice(("public", "public", "public", "internal")),
    )


def play(url: str, seed: int, steps: int, *, backwards: bool) -> dict[int, int]:
    world = World(url, seed, backwards=backwards)
    try:
        asyncio.run(world.run(steps))
    finally:
        world.close()
    return world.answers


def test_no_reader_is_ever_wrongly_told_not_modified(sqlite_url):
    answers = play(sqlite_url, 1, 150, backwards=False)
    assert answers[304] > 90 and answers[200] > 90


def test_nor_when_the_clock_is_set_back(sqlite_url):
    play(sqlite_url, 2, 100, backwards=True)


@pytest.mark.campaign
def test_no_reader_is_wrongly_told_not_modified_in_a_thousand_steps(store_url):
    play(store_url, 3, 1000, backwards=False)
