"""Keeps copies of feeds in memory: fresh ones are sent at once, stale ones are built anew in one thread.

Whether a copy is fresh is known without the store: it counts the commits of this process. Other processes may
write too, so the revision log is looked at anyway once half a second has passed.

Feeds are built in turns of some 30 ms, one feed a caller at a time, and who asks pays for them: nobody can
occupy the thread with questions that were never asked before.
"""

import asyncio
import gzip
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import monotonic, thread_time
from typing import Protocol

import msgspec

from service.clock import Clock
from service.errors import NotFound, Problem, TooManyRequests, Unavailable
from service.feedcache.builder import FeedBuilder, FeedCopy, Steps
from service.feedcache.request import FeedRequest
from service.feedcache.selection import OutOfDate
from service.store import revisions
from service.store.engine import Store

LOOK_EVERY = 0.5
MOST_WAITING = 200
MOST_BYTES = 256 * 1024 * 1024
MOST_FEEDS = 2_000
GZIP_LEVEL = 6
TOO_MANY = "Too many feeds are being made."

_log = logging.getLogger(__name__)


class Payer(Protocol):
    """Who has a feed built: `wait` is 0, or the seconds until he may have one built again."""

    @property
    def caller(self) -> str: ...

    def wait(self) -> int: ...

    def spend(self, seconds: float) -> None: ...


class _Turn(msgspec.Struct):
    """A caller's turn to have a feed built, and how many of his requests wait for it."""

    lock: asyncio.Lock
    waiting: int = 0


class FeedCache:
    """Copies by their canonical path, least recently read first. Used from the event loop only.

    `looks` counts the looks at the revision log: what was found out before the last one may be out of date.
    """

    def __init__(self, store: Store, *, clock: Clock, base_url: str, uid_domain: str) -> None:
        self._store, self._clock = store, clock
        self._builder = FeedBuilder(store, clock=clock, base_url=base_url, uid_domain=uid_domain)
        # One thread: a second would take turns with the first, and starve the event loop twice as much.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeds")
        self._copies: OrderedDict[str, FeedCopy] = OrderedDict()
        self._gzipped: dict[str, tuple[str, asyncio.Future[bytes]]] = {}
        self._bytes = 0
        self._building: dict[tuple[str, int], asyncio.Task[FeedCopy]] = {}
        self._turns: dict[str, _Turn] = {}
        self._newest = -1
        self._commits = -1
        self._looked = float("-inf")
        self.looks = 0

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def fresh(self, path: str, *, now: datetime) -> FeedCopy | None:
        """Returns the copy if it may be sent without asking the store."""
        copy = self._copies.get(path)
        if copy is None or copy.seq < self._newest or not copy.validity.covers(now) or self._must_look():
            return None
        self._copies.move_to_end(path)
        return copy

    async def get(self, request: FeedRequest, payer: Payer) -> FeedCopy:
        """Returns the feed as it is now, or an older copy while the store is away or the payer has no credit.

        Raises NotFound for a feed that cannot be, TooManyRequests, Unavailable, and OutOfDate for a saved
        feed whose address has to be looked up again.
        """
        try:
            return await self._current(request, payer)
        except OutOfDate:
            raise
        except Problem as problem:
            broke = isinstance(problem, TooManyRequests)
            if not (broke or problem.status >= 500) or (older := self._older(request)) is None:
                raise
            if not broke:
                _log.warning("Feed %s is served as it was: %s", request.path, problem.detail)
        except Exception as error:
            _log.exception("Feed %s could not be built", request.path)
            if (older := self._older(request)) is None:
                raise Unavailable("This feed cannot be made just now.") from error
        return older

    async def look(self) -> int:
        """Looks at the revision log unless nothing can have changed there; returns `looks`."""
        if self._must_look():
            now, commits = monotonic(), self._store.commits
            newest = await self._store.aread(revisions.head)
            # What was committed meanwhile has a higher count and is looked for again.
            if newest >= self._newest:
                self._newest, self._commits, self._looked = newest, commits, now
                self.looks += 1
        return self.looks

    async def gzipped(self, copy: FeedCopy) -> bytes:
        """Returns the gzip of the copy's body, which is compressed once."""
        path = copy.request.path
        etag, compressing = self._gzipped.get(path, ("", None))
        if compressing is None or etag != copy.etag:
            compressing = asyncio.get_running_loop().run_in_executor(None, _compress, copy.body)
            self._gzipped[path] = copy.etag, compressing
        return await asyncio.shield(compressing)

    async def _current(self, request: FeedRequest, payer: Payer) -> FeedCopy:
        await self.look()
        newest = self._newest
        while (copy := self._present(request, newest)) is None:
            # A second time if somebody else's build had begun before what this caller may know of.
            await self._built(request, payer, newest)
        self._copies.move_to_end(request.path)
        return copy

    def _present(self, request: FeedRequest, newest: int) -> FeedCopy | None:
        """Returns the copy if it shows what was asked for as of `newest`, and now."""
        copy = self._copies.get(request.path)
        if copy is None or copy.seq < newest or not copy.answers(request):
            return None
        return copy if copy.validity.covers(self._clock.now()) else None

    async def _built(self, request: FeedRequest, payer: Payer, newest: int) -> None:
        """Waits for one build a feed, whoever asked for it; a caller that leaves does not stop it."""
        key = (request.path, request.version)
        if key not in self._building:
            await self._turn(payer.caller)
            try:
                if key in self._building or self._present(request, newest) is not None:
                    self._next_turn(payer.caller)
                    return
                if wait := payer.wait():
                    raise TooManyRequests(wait)
                if len(self._building) >= MOST_WAITING:
                    raise Unavailable(TOO_MANY, retry_after=30)
            except Problem:
                self._next_turn(payer.caller)
                raise
            self._building[key] = task = asyncio.create_task(self._build(request, payer))
            # Also if the caller leaves, his next feed has to wait for this one.
            task.add_done_callback(lambda _: self._next_turn(payer.caller))
        await asyncio.shield(self._building[key])

    async def _turn(self, caller: str) -> None:
        """Waits until no other feed is built for this caller."""
        turn = self._turns.setdefault(caller, _Turn(asyncio.Lock()))
        if turn.waiting >= MOST_WAITING:
            raise Unavailable(TOO_MANY, retry_after=30)
        turn.waiting += 1
        try:
            await turn.lock.acquire()
        finally:
            turn.waiting -= 1

    def _next_turn(self, caller: str) -> None:
        turn = self._turns[caller]
        turn.lock.release()
        if not turn.waiting:
            del self._turns[caller]

    async def _build(self, request: FeedRequest, payer: Payer) -> FeedCopy:
        path, loop = request.path, asyncio.get_running_loop()
        previous = self._copies.get(path)
        try:
            steps = self._builder.steps(request, previous)
            copy: FeedCopy | None = None
            while copy is None:
                # Each step queues behind those of other feeds.
                copy, spent = await loop.run_in_executor(self._thread, _step, steps)
                payer.spend(spent)
        except (NotFound, OutOfDate):
            # Unless a later selection stands there by now.
            if (kept := self._copies.get(path)) is not None and kept.request.version <= request.version:
                self._forget(path)
            raise
        finally:
            del self._building[path, request.version]
        self._keep(copy)
        return copy

    def _older(self, request: FeedRequest) -> FeedCopy | None:
        """Returns what may be sent while the feed cannot be built: not what another selection showed."""
        copy = self._copies.get(request.path)
        return copy if copy is not None and copy.answers(request) else None

    def _must_look(self) -> bool:
        return self._commits != self._store.commits or monotonic() - self._looked >= LOOK_EVERY

    def _keep(self, copy: FeedCopy) -> None:
        before = self._copies.pop(copy.request.path, None)
        self._copies[copy.request.path] = copy
        self._bytes += len(copy.body) - (len(before.body) if before else 0)
        while len(self._copies) > 1 and (self._bytes > MOST_BYTES or len(self._copies) > MOST_FEEDS):
            self._forget(next(iter(self._copies)))

    def _forget(self, path: str) -> None:
        self._bytes -= len(self._copies.pop(path).body)
        self._gzipped.pop(path, None)


def _step(steps: Steps) -> tuple[FeedCopy | None, float]:
    """Goes on building until the next pause; returns the feed once it is done, and the seconds of CPU."""
    began = thread_time()
    try:
        next(steps)
    except StopIteration as done:
        return done.value, thread_time() - began
    return None, thread_time() - began


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=GZIP_LEVEL, mtime=0)
