"""The copies in memory: fresh ones are answered at once, stale ones are made anew by one thread.

Whether a copy is fresh is known without the store: it counts the commits of this process. Other processes
may write too, so the log is looked at anyway once half a second has passed.
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
from service.feedcache.asked import Asked
from service.feedcache.edition import Edition
from service.feedcache.material import OutOfDate
from service.feedcache.press import Press
from service.store import revisions
from service.store.engine import Store

LOOK_EVERY = 0.5
MOST_BYTES = 256 * 1024 * 1024
MOST_FEEDS = 2_000
MOST_WAITING = 200
GZIP_LEVEL = 6
# After a write, the feeds read last are made anew before anybody asks, but not after each write of many.
QUIET, BETWEEN_ROUNDS = 0.02, 0.5
MADE_AHEAD = 20
# A first reader does not wait for a long feed to be packed; it is sent as it is meanwhile.
PACKED_AT_ONCE = 1024 * 1024

_log = logging.getLogger("dday.feeds")


class FeedCache:
    """Editions by their canonical address. Used from the event loop only; the press works in a thread."""

    def __init__(self, store: Store, *, clock: Clock, base_url: str, uid_domain: str) -> None:
        self._store, self._clock = store, clock
        self._press = Press(store, base_url=base_url, uid_domain=uid_domain)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeds")
        self._editions: OrderedDict[str, Edition] = OrderedDict()
        self._packed: dict[str, tuple[str, bytes]] = {}
        self._making: dict[str, asyncio.Task[Edition]] = {}
        self._packing: dict[str, asyncio.Task[bytes]] = {}
        self._ahead: asyncio.Task[None] | None = None
        self._bytes = 0
        self._head = -1
        self._commits = -1
        self._looked = float("-inf")
        self.looks = 0

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def fresh(self, edition: Edition, *, now: datetime) -> bool:
        """Whether it may be sent without asking anybody."""
        return (
            edition.seq == self._head
            and self._commits == self._store.commits
            and monotonic() - self._looked < LOOK_EVERY
            and edition.season.has(now)
        )

    def wrote(self) -> None:
        """Somebody has written something: make what people read before they ask again."""
        if self._ahead is None or self._ahead.done():
            self._ahead = asyncio.create_task(self._make_ahead())

    async def _make_ahead(self) -> None:
        await asyncio.sleep(QUIET)
        while True:
            commits = self._store.commits
            for path in list(self._editions)[: -MADE_AHEAD - 1 : -1]:
                if edition := self._editions.get(path):
                    await self._refresh(edition)
            if self._store.commits == commits:
                return
            await asyncio.sleep(BETWEEN_ROUNDS)

    async def _refresh(self, edition: Edition) -> None:
        packed = edition.asked.path in self._packed
        try:
            made = await self.get(edition.asked)
            if packed:
                await self.packed(made)
        except Problem:
            # Whoever asks for it next is told.
            return
        except OutOfDate:
            self._forget(edition.asked.path)

    async def get(self, asked: Asked) -> Edition:
        """The feed as it is now. NotFound for one that cannot be; an older copy while the store is away.

        OutOfDate for a saved feed whose address has to be looked up again.
        """
        path = asked.path
        edition = self._editions.get(path)
        try:
            await self.look()
            while edition is None or not self._serves(edition, asked):
                # Once more if the making had begun before the change that this caller may know of.
                edition = await self._made(asked, edition)
            if path in self._editions:
                self._editions.move_to_end(path)
            return edition
        except OutOfDate:
            raise
        except NotFound:
            self._forget(path)
            raise
        except Problem as problem:
            if problem.status < 500 or edition is None:
                raise
            _log.warning("Feed %s is served as it was: %s", path, problem.detail)
        except Exception as error:
            _log.exception("Feed %s could not be made", path)
            if edition is None:
                raise Unavailable("This feed cannot be made just now.") from error
        return edition

    def _serves(self, edition: Edition, asked: Asked) -> bool:
        current = edition.seq >= self._head and edition.asked.version == asked.version
        return current and edition.season.has(self._clock.now())

    async def packed(self, edition: Edition) -> bytes | None:
        """The gzip copy, made once an edition; None while a long one is in the making."""
        etag, ready = self._packed.get(edition.asked.path, ("", b""))
        if etag == edition.etag:
            return ready
        task = self._packing.get(edition.etag)
        if task is None:
            task = asyncio.create_task(self._pack(edition))
            self._packing[edition.etag] = task
            task.add_done_callback(lambda _: self._packing.pop(edition.etag, None))
        return await asyncio.shield(task) if len(edition.body) <= PACKED_AT_ONCE else None

    async def look(self) -> int:
        """Look at the log unless that was done just now; which look it was that holds."""
        now = monotonic()
        commits = self._store.commits
        if commits == self._commits and now - self._looked < LOOK_EVERY:
            return self.looks
        head = await self._store.glancing(revisions.head)
        # What was committed meanwhile has a higher count and is looked for again.
        self._head, self._commits, self._looked = head, commits, now
        self.looks += 1
        return self.looks

    async def _made(self, asked: Asked, previous: Edition | None) -> Edition:
        """One making a feed at a time, whoever asks for it; a caller that leaves does not stop it."""
        path = asked.path
        task = self._making.get(path)
        if task is None:
            if len(self._making) >= MOST_WAITING:
                raise Unavailable("Too many feeds are being made.", retry_after=30)
            task = asyncio.create_task(self._make(asked, previous))
            self._making[path] = task
            task.add_done_callback(lambda _: self._making.pop(path, None))
        return await asyncio.shield(task)

    async def _make(self, asked: Asked, previous: Edition | None) -> Edition:
        now = self._clock.now()
        loop = asyncio.get_running_loop()
        edition = await loop.run_in_executor(
            self._thread, lambda: self._press.publish(asked, previous, now=now)
        )
        self._keep(edition)
        return edition

    async def _pack(self, edition: Edition) -> bytes:
        loop = asyncio.get_running_loop()
        ready = await loop.run_in_executor(
            None, lambda: gzip.compress(edition.body, compresslevel=GZIP_LEVEL, mtime=0)
        )
        self._packed[edition.asked.path] = (edition.etag, ready)
        return ready

    def _keep(self, edition: Edition) -> None:
        packed = self._packed.get(edition.asked.path)
        self._forget(edition.asked.path)
        self._editions[edition.asked.path] = edition
        self._bytes += len(edition.body)
        if packed:
            # Outdated by its tag; that it is there says that somebody wants gzip.
            self._packed[edition.asked.path] = packed
        while len(self._editions) > 1 and (self._bytes > MOST_BYTES or len(self._editions) > MOST_FEEDS):
            self._forget(next(iter(self._editions)))

    def _forget(self, path: str) -> None:
        gone = self._editions.pop(path, None)
        self._packed.pop(path, None)
        self._bytes -= len(gone.body) if gone else 0
