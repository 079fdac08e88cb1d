"""Random changes of a saved feed, its addresses and the events; no reader is wrongly told anything.

The model knows when each address was replaced and when it ends. Readers of every kind must be told 410 from
then on and never before; until then they must hold what a renderer without any memory would send now.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from service.catalogue.event import Text
from service.catalogue.filters import FilterBody
from service.catalogue.saved_feed import FeedOptions, NewSavedFeed, PatchSavedFeed
from service.clock import SimulatedClock
from service.feedcache import saved
from service.feedcache.builder import FeedBuilder
from service.feedcache.request import Moved
from service.feedcache.saved import address
from service.store import saved_feeds
from tests.service.feedcache.asgi import get
from tests.service.feedcache.test_validators_model import (
    DOMAIN,
    Held,
    World,
    conditions,
    http_date,
)

FEED = "fed_model"
CHOICES = (
    (FilterBody(), FeedOptions()),
    (FilterBody(kind="summit"), FeedOptions(cancelled="mark", alarms=("P1D",))),
    (FilterBody(tag="ai"), FeedOptions(windows="both", past="P3D", ahead="P2M")),
    (FilterBody(phase=("open", "upcoming")), FeedOptions(placeholders=True)),
)
PUBLIC = ("/feeds/ko/calendar.ics", b"")
OVERLAPS = (timedelta(0), timedelta(minutes=3), timedelta(days=2), timedelta(days=90))


class Known(msgspec.Struct):
    """What the model knows of an address."""

    token: str
    since: datetime | None = None
    until: datetime | None = None
    over: bool = False


class PrivateWorld(World):
    """A world with one saved feed, read at all its addresses, and a public one beside it."""

    def begin(self) -> None:
        body = NewSavedFeed(name="팀", filter=FilterBody(), options=FeedOptions())
        feed = saved.created(body, feed_id=FEED, owner="key", now=self.clock.now())
        self.store.write(lambda c: saved_feeds.create(c, feed))
        token = self.store.write(lambda c: saved_feeds.create_address(c, FEED, now=self.clock.now()))
        self.known = [Known(token)]
        self.told_gone = 0

    async def run(self, steps: int) -> None:
        self.begin()
        for _ in range(steps):
            actions = (self.put, self.delete, self.pass_time, self.restart, self.change, self.rotate)
            self.chance.choices(actions, (6, 2, 6, 0.3, 2, 0.7))[0]()
            await self.carry_out()
            await self.look(PUBLIC)
            for known in self.chance.sample(self.known, min(3, len(self.known))):
                await self.read(known, self.chance.choice(("ics", "json", "atom")))

    def change(self) -> None:
        chosen, options = self.chance.choice(CHOICES)
        name = Text(ko=f"팀 {self.chance.randrange(2)}", en="Team")
        body = PatchSavedFeed(
            name=name, lang=self.chance.choice(("ko", "en")), filter=chosen, options=options
        )

        def work(c: Any) -> None:
            kept = saved_feeds.get(c, FEED, owner=None, locked=True)
            after = saved.patched(kept.feed, body, now=self.clock.now())
            if after is not kept.feed:
                saved_feeds.replace(c, kept, after)

        self.try_write(work)

    def rotate(self) -> None:
        now = self.clock.now()
        end = now + self.chance.choice(OVERLAPS)
        for known in self.known:
            if known.until is None or known.until > now:
                known.since = known.since or now
                known.until = min(known.until or end, end)
        made = Known("")

        def work(c: Any) -> None:
            saved_feeds.end_addresses(c, FEED, now=now, at=end)
            made.token = saved_feeds.create_address(c, FEED, now=now)

        self.try_write(work)
        self.known.append(made)

    async def read(self, known: Known, suffix: str) -> None:
        place = (address(known.token, "팀", suffix), self.chance.choice((b"", b"cancelled=mark")))
        for reader in self.readers:
            held = self.held.get((place, reader))
            status, headers, body = await get(self.feeds, place, conditions(held, reader))
            now = self.clock.now()
            if known.until is not None and known.until <= now:
                assert status == 410, (known, reader)
                self.told_gone += 1
                continue
            self.answers[status] += 1
            if status == 200:
                self.held[place, reader] = Held(
                    body=body, tag=headers["etag"], modified=headers["last-modified"], date=http_date(now)
                )
            assert self.held[place, reader].body == self.truth(known, suffix, place[1], now), (known, reader)

    def truth(self, known: Known, suffix: str, query: bytes, now: datetime) -> bytes:
        kept = self.store.read(lambda c: saved_feeds.get(c, FEED, owner=None))
        moved = Moved(since=known.since, until=known.until) if known.since and known.until else None
        feed = saved.feed_request(
            msgspec.json.encode(kept.feed), suffix, query, feed=FEED, version=kept.version, moved=moved
        )
        builder = FeedBuilder(
            self.store, clock=SimulatedClock(now), base_url=self.base_url, uid_domain=DOMAIN
        )
        return builder.build(feed, None).body


def play(url: str, seed: int, steps: int) -> PrivateWorld:
    world = PrivateWorld(url, seed, backwards=False)
    try:
        asyncio.run(world.run(steps))
    finally:
        world.close()
    return world


def test_no_reader_of_a_private_feed_is_ever_told_wrongly(sqlite_url):
    world = play(sqlite_url, 5, 100)
    assert world.answers[304] > 60 and world.answers[200] > 60 and world.told_gone > 60


@pytest.mark.campaign
def test_no_reader_of_a_private_feed_is_told_wrongly_in_eight_hundred_steps(store_url):
    play(store_url, 6, 800)
