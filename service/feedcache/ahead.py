"""Feeds made before anybody asks: those that people read are ready when a write is answered.

Whoever reads after that finds the new bytes. A write waits a little at most, and many writes a tenth of their
time altogether; what is not made by then is made just after (docs/decisions/0065-feeds-before-the-answer.md).
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from time import monotonic

import msgspec

from service.feedcache.cache import FeedCache, Making
from service.feedcache.rendering import Edition

# Made in one run: no more than is joined in some milliseconds.
MOST_AT_ONCE = 8
MOST_BYTES = 16 * 1024 * 1024
# How long a write waits for it, and what share of their time many writes do, saved up for some of them.
PATIENCE = 0.04
SHARE, SAVED = 0.1, 0.5
# Just after a write, the others of these; but not after each write of many.
MADE_AHEAD = 20
QUIET, BETWEEN_ROUNDS = 0.02, 0.5

_log = logging.getLogger("dday.feeds")


class Allowance(msgspec.Struct, frozen=True):
    """How many seconds writes may be kept waiting, as of an instant."""

    seconds: float
    at: float

    def left(self, now: float) -> float:
        return min(SAVED, self.seconds + SHARE * (now - self.at))

    def after(self, spent: float, now: float) -> "Allowance":
        return Allowance(self.left(now) - spent, now)


class Ahead:
    """Used from the event loop only. `patience` in seconds."""

    def __init__(self, cache: FeedCache, *, patience: float = PATIENCE, saved: float = SAVED) -> None:
        self._cache, self._patience = cache, patience
        self._allowance = Allowance(saved, monotonic())
        self._after: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self._after is not None:
            self._after.cancel()

    async def before_answer(self) -> None:
        """Make what people read if something was written, unless that takes too long. Never raises."""
        begun = monotonic()
        if not self._cache.has_news or self._allowance.left(begun) <= 0:
            return
        read = next(portions(self._cache.latest(MOST_AT_ONCE)), None)
        if read is None:
            return
        await asyncio.wait([self._publish(read)], timeout=self._patience)
        now = monotonic()
        self._allowance = self._allowance.after(now - begun, now)

    def after_answer(self) -> None:
        """Make the rest, once and not for every write of many."""
        if self._after is None or self._after.done():
            self._after = asyncio.create_task(self._catch_up())

    def _publish(self, editions: Sequence[Edition]) -> Making:
        making = self._cache.publish(editions)
        making.add_done_callback(_say_why)
        return making

    async def _catch_up(self) -> None:
        await asyncio.sleep(QUIET)
        while True:
            try:
                # What a write did not wait for to its end need not be begun again.
                await self._cache.settled()
                await self._cache.look()
                for part in portions(self._cache.outdated(MADE_AHEAD)):
                    await self._publish(part)
                for edition in self._cache.latest(MADE_AHEAD):
                    await self._cache.pack_again(edition)
            except Exception as error:
                # Whoever asks for it next is told.
                _log.debug("Feeds are not made ahead: %s", error)
                return
            if not self._cache.has_news:
                return
            await asyncio.sleep(BETWEEN_ROUNDS)


def portions(editions: Sequence[Edition]) -> Iterator[list[Edition]]:
    """In their order, as many at a time as are made in one run; at least one."""
    portion: list[Edition] = []
    size = 0
    for edition in editions:
        size += len(edition.body)
        if portion and (len(portion) == MOST_AT_ONCE or size > MOST_BYTES):
            yield portion
            portion, size = [], len(edition.body)
        portion.append(edition)
    if portion:
        yield portion


def _say_why(making: Making) -> None:
    if not making.cancelled() and (error := making.exception()) is not None:
        _log.warning("Feeds were not made before a write was answered: %s", error)
