"""Copies of saved feeds, whose selection may change and whose addresses may end while they are built."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from service.catalogue.saved_feed import NewSavedFeed, PatchSavedFeed
from service.clock import SimulatedClock
from service.feedcache import saved
from service.feedcache.builder import FeedBuilder
from service.feedcache.request import FeedRequest, Moved
from service.feedcache.saved import address
from service.feedcache.selection import OutOfDate
from service.store import feed_state, saved_feeds
from service.store.engine import Store
from tests.service.feedcache.asgi import SOMEBODY, get, write
from tests.service.feedcache.large import NOW
from tests.service.feedcache.test_cache import CALENDAR, Front, front

TEAM = "fed_team"


def keep(store: Store) -> tuple[str, bytes]:
    """The address of a new saved feed."""
    feed = saved.created(NewSavedFeed(name="팀"), feed_id=TEAM, owner="key", now=NOW)
    store.write(lambda c: saved_feeds.create(c, feed))
    return address(store.write(lambda c: saved_feeds.create_address(c, TEAM, now=NOW)), "team", "ics"), b""


def renamed(c: Connection) -> None:
    stored = saved_feeds.get(c, TEAM, owner=None, locked=True)
    saved_feeds.replace(c, stored, saved.patched(stored.feed, PatchSavedFeed(name="새 팀"), now=NOW))


def removed(c: Connection) -> None:
    saved_feeds.remove(c, TEAM, now=NOW)


def ended(c: Connection) -> None:
    saved_feeds.end_addresses(c, TEAM, now=NOW)


def feed_request(store: Store, *, moved: Moved | None = None) -> FeedRequest:
    stored = store.read(lambda c: saved_feeds.get(c, TEAM, owner=None))
    document = msgspec.json.encode(stored.feed)
    return saved.feed_request(document, "ics", feed=TEAM, version=stored.version, moved=moved)


def builder(store: Store, clock: Any) -> FeedBuilder:
    return FeedBuilder(store, clock=clock, base_url="https://dday.example", uid_domain="dday.example")


class EventfulClock(SimulatedClock):
    """A clock with which something happens just before it is read for the second time."""

    def __init__(self, now: datetime, happens: Any) -> None:
        super().__init__(now)
        self.happens, self.readings = happens, 0

    def now(self) -> datetime:
        self.readings += 1
        if self.readings == 2:
            self.happens()
        return super().now()


@pytest.mark.parametrize("change", [renamed, removed])
def test_a_copy_of_a_selection_that_is_no_more_is_forgotten(store: Store, change: Any) -> None:
    team = keep(store)

    async def play(front: Front) -> Any:
        await get(front.feeds, team)
        outdated = feed_request(store)
        assert front.cache.fresh(outdated.path, now=NOW) is None
        await front.cache.look()
        assert front.cache.fresh(outdated.path, now=NOW) is not None
        await write(front.feeds, change)
        await front.rename("새 이름")
        with pytest.raises(OutOfDate):
            await front.cache.get(outdated, SOMEBODY)
        await front.cache.look()
        return front.cache.fresh(outdated.path, now=NOW)

    with front(store) as opened:
        assert asyncio.run(play(opened)) is None


@pytest.mark.parametrize(("change", "status"), [(renamed, 200), (removed, 410), (ended, 410)])
def test_what_another_reader_has_learned_vouches_for_no_private_address(
    store: Store, change: Any, status: int
) -> None:
    team = keep(store)

    async def play(front: Front) -> tuple[int, bytes]:
        for _ in range(3):
            await get(front.feeds, CALENDAR)
            await get(front.feeds, team)
        await write(front.feeds, change)
        await get(front.feeds, CALENDAR)
        answer, _, body = await get(front.feeds, team)
        return answer, body

    with front(store) as opened:
        answer, body = asyncio.run(play(opened))
    assert (answer, "새 팀".encode() in body) == (status, status == 200)


def test_who_knows_the_new_selection_is_given_it_while_the_old_one_is_being_built(store: Store) -> None:
    keep(store)

    async def play(front: Front) -> bytes:
        building = asyncio.create_task(front.cache.get(feed_request(store), SOMEBODY))
        await asyncio.sleep(0)
        store.write(renamed)
        copy = await front.cache.get(feed_request(store), SOMEBODY)
        await asyncio.wait([building])
        return copy.body

    with front(store) as opened:
        assert "X-WR-CALNAME:새 팀".encode() in asyncio.run(play(opened))


def test_a_selection_that_changes_before_it_is_dated_is_not_dated(store: Store) -> None:
    keep(store)
    feed = feed_request(store)
    with pytest.raises(OutOfDate):
        builder(store, EventfulClock(NOW, lambda: store.write(renamed))).build(feed, None)
    assert store.read(lambda c: feed_state.get(c, feed.path)) is None


def test_a_replaced_address_says_so_and_is_dated_later(store: Store) -> None:
    keep(store)
    end = NOW + timedelta(days=2)
    plain, moved = feed_request(store), feed_request(store, moved=Moved(since=NOW, until=end))
    before = builder(store, SimulatedClock(NOW)).build(plain, None)
    after = builder(store, SimulatedClock(NOW)).build(moved, None)
    assert b"UID:moved-" in after.body and b"UID:moved-" not in before.body
    assert after.modified > before.modified
    assert after.modified == int(NOW.timestamp()) + feed_state.BEYOND
    with pytest.raises(OutOfDate):
        builder(store, SimulatedClock(end)).build(moved, None)
