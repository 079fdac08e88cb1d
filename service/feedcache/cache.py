"""Keeps copies of feeds in memory: fresh ones are sent at once, stale ones are built anew in one thread.

Whether a copy is fresh is known without the store: it counts the commits of this process. Other processes may
write too, so the revision log is looked at anyway once half a second has passed.
"""

import asyncio
import gzip
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import monotonic

from service.clock import Clock
from service.errors import NotFound, Problem, Unavailable
from service.feedcache.builder import FeedBuilder, FeedCopy
from service.feedcache.request import FeedRequest
from service.feedcache.selection import OutOfDate
from service.store import revisions
from service.store.engine import Store

LOOK_EVERY = 0.5
MOST_WAITING = 200
MOST_BYTES = 256 * 1024 * 1024
MOST_FEEDS = 2_000
GZIP_LEVEL = 6

_log = logging.getLogger(__name__)


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

    async def get(self, request: FeedRequest) -> FeedCopy:
        """Returns the feed as it is now, or an older copy while the store is away.

        Raises NotFound for a feed that cannot be, Unavailable, and OutOfDate for a saved feed whose address
        has to be looked up again.
        """
        try:
            return await self._current(request)
        except OutOfDate:
            raise
        except Problem as problem:
            if problem.status < 500 or (older := self._older(request)) is None:
                raise
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

    async def _current(self, request: FeedRequest) -> FeedCopy:
        await self.look()
        newest, copy = self._newest, self._copies.get(request.path)
        while (
            copy is None
            or copy.seq < newest
            or not copy.answers(request)
            or not copy.validity.covers(self._clock.now())
        ):
            # A second time if somebody else's build had begun before what this caller may know of.
            copy = await self._built(request)
        if request.path in self._copies:
            self._copies.move_to_end(request.path)
        return copy

    async def _built(self, request: FeedRequest) -> FeedCopy:
        """Waits for one build a feed, whoever asked for it; a caller that leaves does not stop it."""
        key = (request.path, request.version)
        task = self._building.get(key)
        if task is None:
            if len(self._building) >= MOST_WAITING:
                raise Unavailable("Too many feeds are being made.", retry_after=30)
            task = self._building[key] = asyncio.create_task(self._build(request))
        return await asyncio.shield(task)

    async def _build(self, request: FeedRequest) -> FeedCopy:
        path, loop = request.path, asyncio.get_running_loop()
        previous = self._copies.get(path)
        try:
            copy = await loop.run_in_executor(self._thread, self._builder.build, request, previous)
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


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=GZIP_LEVEL, mtime=0)
