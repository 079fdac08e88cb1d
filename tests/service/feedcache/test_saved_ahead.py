"""Saved feeds among those that are made before a write is answered."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from service.catalogue.saved_feed import NewSavedFeed, PatchSavedFeed
from service.feedcache import saved
from service.feedcache.builder import Order, Press
from service.feedcache.request import Asked, Moved
from service.feedcache.saved import address
from service.feedcache.selection import OutOfDate
from service.store import feed_state, saved_feeds
from service.store.engine import Store
from tests.service.feedcache.asgi import get, write
from tests.service.feedcache.large import NOW
from tests.service.feedcache.test_ahead import CALENDAR, Front, front, rename, statements

TEAM, OTHER = "fed_team", "fed_other"


def keep(store: Store, feed_id: str) -> tuple[str, bytes]:
    """The address of a new saved feed."""
    made = saved.created(NewSavedFeed(name="팀"), feed_id=feed_id, owner="key", now=NOW)
    store.write(lambda c: saved_feeds.create(c, made))
    return address(store.write(lambda c: saved_feeds.create_address(c, feed_id, now=NOW)), "team", "ics"), b""


def renamed(c: Connection) -> None:
    kept = saved_feeds.get(c, TEAM, owner=None, locked=True)
    saved_feeds.replace(c, kept, saved.patched(kept.feed, PatchSavedFeed(name="새 팀"), now=NOW))


def removed(c: Connection) -> None:
    saved_feeds.remove(c, TEAM, now=NOW)


def ended(c: Connection) -> None:
    saved_feeds.end_addresses(c, TEAM, now=NOW)


def asked(store: Store, feed_id: str, *, moved: Moved | None = None) -> Asked:
    kept = store.read(lambda c: saved_feeds.get(c, feed_id, owner=None))
    document = msgspec.json.encode(kept.feed)
    return saved.asked(document, "ics", feed=feed_id, version=kept.version, moved=moved)


def paths(front: Front) -> list[str]:
    return [edition.asked.path for edition in front.cache.latest(9)]


def moved_until(end: datetime) -> Moved:
    return Moved(since=NOW, until=end)


def test_a_private_feed_is_ready_when_a_write_is_answered(store: Store) -> None:
    team = keep(store, TEAM)

    async def play(front: Front) -> tuple[bytes, list[str]]:
        await get(front.feeds, team)
        await front.rename("새 이름")
        with statements() as seen:
            _, _, body = await get(front.feeds, team)
        return body, [one for one in seen if "event" in one or "UPDATE" in one or "INSERT" in one]

    with front(store) as opened:
        body, seen = asyncio.run(play(opened))
    assert "SUMMARY:새 이름".encode() in body
    # That its address still leads to it is asked; nothing is made.
    assert seen == []


@pytest.mark.parametrize("change", [renamed, removed])
def test_a_saved_feed_that_is_another_by_now_is_forgotten_and_spoils_nothing(
    store: Store, change: Any
) -> None:
    team, other = keep(store, TEAM), keep(store, OTHER)

    async def play(front: Front) -> list[str]:
        for place in (team, CALENDAR, other):
            await get(front.feeds, place)

        def work(c: Connection) -> None:
            change(c)
            rename("새 이름")(c)

        assert await write(front.feeds, work) == 200
        for edition in front.cache.latest(9):
            assert "SUMMARY:새 이름".encode() in edition.body
        return paths(front)

    with front(store) as opened:
        assert asyncio.run(play(opened)) == [f"/feeds/saved/{OTHER}.ics", CALENDAR[0]]


@pytest.mark.parametrize(("change", "status"), [(renamed, 200), (removed, 410), (ended, 410)])
def test_what_a_run_has_learned_vouches_for_no_private_address(
    store: Store, change: Any, status: int
) -> None:
    """The feeds are made anew after the change, so that there is no news left to look for."""
    team = keep(store, TEAM)

    async def play(front: Front) -> tuple[int, bytes]:
        for _ in range(3):
            await get(front.feeds, CALENDAR)
            await get(front.feeds, team)
        await write(front.feeds, change)
        assert not front.cache.has_news
        answer, _, body = await get(front.feeds, team)
        return answer, body

    with front(store) as opened:
        answer, body = asyncio.run(play(opened))
    assert (answer, "새 팀".encode() in body) == (status, status == 200)


def test_who_knows_the_new_selection_is_given_it_while_the_old_one_is_being_made(store: Store) -> None:
    team = keep(store, TEAM)

    async def play(front: Front) -> bytes:
        await get(front.feeds, team)
        [edition] = front.cache.latest(1)
        store.write(renamed)
        making = front.cache.publish([edition])
        found = await front.cache.get(asked(store, TEAM))
        assert isinstance((await making)[edition.asked.path], OutOfDate)
        return found.body

    with front(store) as opened:
        assert "X-WR-CALNAME:새 팀".encode() in asyncio.run(play(opened))


def test_a_selection_that_changes_before_the_dates_are_noted_is_not_dated(store: Store) -> None:
    keep(store, TEAM)
    keep(store, OTHER)
    press = Press(store, base_url="https://dday.example", uid_domain="dday.example")
    first, second = asked(store, TEAM), asked(store, OTHER)
    drafts = press.draft([Order(first), Order(second)], now=NOW)
    store.write(renamed)
    made = press.finish(drafts, now=NOW).made
    assert isinstance(made[first.path], OutOfDate)
    states = store.read(lambda c: feed_state.get_many(c, [first.path, second.path]))
    assert list(states) == [second.path]
    assert made[second.path].modified == states[second.path].modified  # type: ignore[union-attr]


def test_a_replaced_address_says_so_when_it_is_made_with_others_and_is_dated_later(store: Store) -> None:
    keep(store, TEAM)
    press = Press(store, base_url="https://dday.example", uid_domain="dday.example")
    plain = asked(store, TEAM)
    end = NOW + timedelta(days=2)
    moved = asked(store, TEAM, moved=moved_until(end))
    made = press.finish(press.draft([Order(moved), Order(plain)], now=NOW), now=NOW).made
    before, after = made[plain.path], made[moved.path]
    assert b"UID:moved-" in after.body and b"UID:moved-" not in before.body  # type: ignore[union-attr]
    assert after.modified > before.modified  # type: ignore[union-attr]
    assert after.modified == int(NOW.timestamp()) + feed_state.BEYOND  # type: ignore[union-attr]
    over = press.draft([Order(moved)], now=end).made[moved.path]
    assert isinstance(over, OutOfDate)
