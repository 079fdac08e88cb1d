"""Copies in memory: when they are sent, built anew, shared, and kept while something is wrong."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, event, text

from service.api.feeds import Feeds
from service.api.middleware import RateLimiter
from service.catalogue.event import Text
from service.clock import SimulatedClock
from service.feedcache.builder import EVENTS_A_STEP
from service.feedcache.cache import MOST_WAITING, FeedCache
from service.feedcache.saved import Addresses
from service.store import events
from service.store.engine import Store
from tests.service.feedcache.asgi import UNLIMITED, Door, get, write
from tests.service.feedcache.large import NOW, catalogue

CALENDAR = ("/feeds/ko/calendar.ics", b"")
BASE = "https://dday.example"


class Front:
    """A store with some events, and the feeds in front of it."""

    def __init__(self, store: Store, *, size: int = 5, rates: RateLimiter = UNLIMITED) -> None:
        self.store, self.clock = store, SimulatedClock(NOW)
        store.write(lambda c: events.put_many(c, catalogue(size), now=NOW, cause="test"))
        self.cache = FeedCache(store, clock=self.clock, base_url=BASE, uid_domain="dday.example")
        addresses = Addresses(store, clock=self.clock)
        self.feeds = Feeds(Door(store), self.cache, addresses, clock=self.clock, base_url=BASE, rates=rates)

    async def rename(self, name: str, **more: Any) -> int:
        return await write(self.feeds, rename(name, **more))


def rename(name: str, **more: Any) -> Any:
    changed = msgspec.structs.replace(catalogue(1)[0], name=Text(ko=name), **more)
    return lambda c: events.put(c, changed, now=NOW, cause="test")


@contextmanager
def front(store: Store, **made: Any) -> Iterator[Front]:
    opened = Front(store, **made)
    try:
        yield opened
    finally:
        opened.cache.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Everything that is asked of any database meanwhile."""
    seen: list[str] = []

    def note(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_the_first_get_after_a_write_shows_it(store: Store) -> None:
    async def play(front: Front) -> bytes:
        await get(front.feeds, CALENDAR)
        assert await front.rename("새 이름") == 200
        _, _, body = await get(front.feeds, CALENDAR)
        return body

    with front(store) as opened:
        assert "SUMMARY:새 이름".encode() in asyncio.run(play(opened))


def test_so_does_the_first_get_while_the_feed_is_being_built_without_it(store: Store) -> None:
    async def play(front: Front) -> bytes:
        earlier = asyncio.create_task(get(front.feeds, CALENDAR))
        await asyncio.sleep(0)  # its build is under way
        assert await front.rename("새 이름") == 200
        _, _, body = await get(front.feeds, CALENDAR)
        await earlier
        return body

    with front(store) as opened:
        assert "SUMMARY:새 이름".encode() in asyncio.run(play(opened))


def test_only_what_a_write_touched_is_read_again(store: Store) -> None:
    async def play(front: Front) -> list[str]:
        await get(front.feeds, CALENDAR)
        await front.rename("새 이름")
        with statements() as seen:
            await get(front.feeds, CALENDAR)
        return [statement for statement in seen if "FROM event" in statement]

    with front(store) as opened:
        [statement] = asyncio.run(play(opened))
    assert "WHERE event.id IN" in statement


def test_a_repeated_get_asks_for_nothing_but_the_newest_seq(store: Store) -> None:
    async def play(front: Front) -> list[str]:
        await get(front.feeds, CALENDAR)
        await get(front.feeds, CALENDAR)
        with statements() as seen:
            for _ in range(3):
                await get(front.feeds, CALENDAR)
                await asyncio.sleep(0.6)  # longer than other processes' writes may stay unseen
                await get(front.feeds, CALENDAR)
        return seen

    with front(store) as opened:
        seen = asyncio.run(play(opened))
    assert len(seen) == 3
    assert all(one.startswith("SELECT counter.value FROM counter WHERE counter.name = ") for one in seen)


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


def test_many_readers_share_one_build_and_one_gzip(store: Store) -> None:
    async def play(front: Front) -> tuple[set[int], list[str]]:
        await get(front.feeds, CALENDAR)
        await front.rename("새 이름")
        with statements() as seen:
            packed = {"accept-encoding": "gzip"}
            answers = await asyncio.gather(*(get(front.feeds, CALENDAR, packed) for _ in range(20)))
        dated = [statement for statement in seen if statement.startswith("UPDATE feed_state")]
        return {id(body) for _, _, body in answers}, dated

    with front(store) as opened:
        bodies, dated = asyncio.run(play(opened))
    assert (len(bodies), len(dated)) == (1, 1)


def test_a_reader_that_leaves_does_not_stop_the_build_for_another(store: Store) -> None:
    async def play(front: Front) -> int:
        impatient, patient = (asyncio.create_task(get(front.feeds, CALENDAR)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        status, _, _ = await patient
        return status

    with front(store) as opened:
        assert asyncio.run(play(opened)) == 200


def test_who_asks_for_one_feed_too_many_at_once_is_told_to_come_again(store: Store) -> None:
    async def play(front: Front) -> list[tuple[int, dict[str, str]]]:
        for _ in range(2):  # so that none has to look at the log first
            await get(front.feeds, CALENDAR)
        places = [("/feeds/ko/calendar.ics", b"past=P%dD" % (day + 1)) for day in range(MOST_WAITING + 2)]
        answers = await asyncio.gather(*(get(front.feeds, place) for place in places))
        return [(status, headers) for status, headers, _ in answers]

    with front(store) as opened:
        *others, (status, headers) = asyncio.run(play(opened))
    assert {other for other, _ in others} == {200}
    assert (status, headers["retry-after"]) == (503, "30")


def test_nobody_waits_for_all_that_another_asks_for(store: Store) -> None:
    """One caller asks for large feeds in a dozen new ways; another's small one is made in between."""

    async def play(front: Front) -> list[str]:
        done: list[str] = []

        async def ask(place: tuple[str, bytes], client: str) -> None:
            status, _, _ = await get(front.feeds, place, client=client)
            assert status == 200
            done.append(client)

        await get(front.feeds, CALENDAR)
        large = [("/feeds/ko/calendar.ics", b"alarms=P%dD" % day) for day in range(1, 13)]
        hog = [asyncio.create_task(ask(place, "10.0.0.2")) for place in large]
        await asyncio.sleep(0)
        await ask(("/feeds/ko/events/event-0.ics", b""), "10.0.0.3")
        await asyncio.gather(*hog)
        return done

    with front(store, size=4 * EVENTS_A_STEP) as opened:
        assert asyncio.run(play(opened)) == ["10.0.0.3", *["10.0.0.2"] * 12]


def test_who_has_spent_what_a_caller_may_gets_older_copies_and_no_new_feeds(store: Store) -> None:
    """One request a minute is less than the millisecond that any feed costs."""
    new = ("/feeds/ko/calendar.ics", b"alarms=P1D")

    async def play(front: Front) -> Iterator[tuple[int, dict[str, str], bytes]]:
        answers = [await get(front.feeds, CALENDAR), await get(front.feeds, new)]
        await front.rename("새 이름")
        answers += [await get(front.feeds, CALENDAR), await get(front.feeds, CALENDAR, client="10.0.0.2")]
        return iter(answers)

    with front(store, rates=RateLimiter(1)) as opened:
        answers = asyncio.run(play(opened))
    (made, _, before), (refused, headers, problem) = next(answers), next(answers)
    assert (made, refused, msgspec.json.decode(problem)["type"]) == (200, 429, "/problems/too-many-requests")
    assert int(headers["retry-after"]) > 0
    (older, _, same), (newest, _, body) = answers
    assert (older, same == before, newest, "새 이름" in body.decode()) == (200, True, 200, True)


def test_a_feed_that_cannot_be_built_is_served_as_it_was(store: Store) -> None:
    async def play(front: Front) -> tuple[bytes, bytes]:
        _, _, before = await get(front.feeds, CALENDAR)
        store.write(lambda c: c.execute(text("DROP TABLE feed_state")))
        assert await front.rename("새 이름") == 200
        _, _, after = await get(front.feeds, CALENDAR)
        return before, after

    with front(store) as opened:
        before, after = asyncio.run(play(opened))
    assert after == before


def test_a_feed_that_is_gone_is_a_404_and_fails_no_other(store: Store) -> None:
    gone = ("/feeds/ko/events/event-0.ics", b"")

    async def play(front: Front) -> tuple[int, int, int]:
        await get(front.feeds, CALENDAR)
        await get(front.feeds, gone)
        written = await front.rename("새 이름", visibility="internal")
        (single, _, _), (_, _, body) = await get(front.feeds, gone), await get(front.feeds, CALENDAR)
        return written, single, body.count(b"BEGIN:VEVENT")

    with front(store) as opened:
        assert asyncio.run(play(opened)) == (200, 404, 4)
