"""The copies in memory: fresh ones are answered at once, stale ones are made anew by one thread.

Whether a copy is fresh is known without the store: it counts the commits of this process. Other processes
may write too, so the log is looked at anyway once half a second has passed.
"""

import asyncio
import gzip
import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from time import monotonic

from service.clock import Clock
from service.errors import NotFound, Problem, Unavailable
from service.feedcache.builder import Order, Overtaken, Press, Run
from service.feedcache.rendering import Edition
from service.feedcache.request import Asked
from service.feedcache.selection import OutOfDate
from service.store import revisions
from service.store.engine import Store

LOOK_EVERY = 0.5
MOST_WAITING = 200
GZIP_LEVEL = 6
# A first reader does not wait for a long feed to be packed; it is sent as it is meanwhile.
PACKED_AT_ONCE = 1024 * 1024

Making = asyncio.Task[Mapping[str, Edition | Exception]]

_log = logging.getLogger("dday.feeds")


class FeedCache:
    """Editions by their canonical address. Used from the event loop only; the press works in a thread."""

    def __init__(self, store: Store, *, clock: Clock, base_url: str, uid_domain: str) -> None:
        self._store, self._clock = store, clock
        self._press = Press(store, base_url=base_url, uid_domain=uid_domain)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeds")
        self._kept = Kept()
        self._making: dict[str, Making] = {}
        self._packing: dict[str, asyncio.Task[bytes]] = {}
        self._head = -1
        self._commits = -1
        self._looked = float("-inf")
        self.looks = 0

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def fresh(self, edition: Edition, *, now: datetime) -> bool:
        """Whether it may be sent without asking anybody."""
        return (
            edition.seq == self._head
            and not self.has_news
            and monotonic() - self._looked < LOOK_EVERY
            and edition.season.has(now)
        )

    def was_read(self, path: str) -> None:
        """Somebody was given it while it was fresh."""
        self._kept.was_read(path)

    @property
    def has_news(self) -> bool:
        """Whether this process has written something that has not been looked at here."""
        return self._commits != self._store.commits

    def latest(self, most: int) -> list[Edition]:
        """Those read last, except where time alone has changed them."""
        now = self._clock.now()
        return [edition for edition in islice(self._kept.latest(), most) if edition.season.has(now)]

    async def get(self, asked: Asked) -> Edition:
        """The feed as it is now. NotFound for one that cannot be; an older copy while the store is away.

        OutOfDate for a saved feed whose address has to be looked up again.
        """
        path = asked.path
        edition = self._kept.get(path)
        try:
            await self.look()
            while edition is None or not self._serves(edition, asked):
                # Once more if the making had begun before the change that this caller may know of.
                edition = await self._made(Order(asked, edition))
            self._kept.was_read(path)
            return edition
        except OutOfDate:
            raise
        except Problem as problem:
            older = self._older(asked)
            if problem.status < 500 or older is None:
                raise
            _log.warning("Feed %s is served as it was: %s", path, problem.detail)
        except Exception as error:
            older = self._older(asked)
            _log.exception("Feed %s could not be made", path)
            if older is None:
                raise Unavailable("This feed cannot be made just now.") from error
        return older

    def _older(self, asked: Asked) -> Edition | None:
        """What may be sent while there is nothing newer: not what another selection showed."""
        kept = self._kept.get(asked.path)
        return kept if kept is not None and kept.asked.version == asked.version else None

    def _serves(self, edition: Edition, asked: Asked) -> bool:
        current = edition.seq >= self._head and edition.asked.version == asked.version
        return current and edition.season.has(self._clock.now())

    async def look(self) -> int:
        """See where the log stands, if that may have changed; which look it was that holds."""
        now, commits = monotonic(), self._store.commits
        if self.has_news or now - self._looked >= LOOK_EVERY:
            head = await self._store.aread(revisions.head)
            self._learn(head, commits, now)
        return self.looks

    async def settled(self) -> None:
        """Wait for what is being made."""
        if self._making:
            await asyncio.wait(set(self._making.values()))

    def outdated(self, most: int) -> list[Edition]:
        """Of those read last, the ones that do not have all that is known to have happened."""
        return [edition for edition in self.latest(most) if edition.seq < self._head]

    def publish(self, editions: Sequence[Edition]) -> Making:
        """Make these anew in one run, each from what it was; who asks for one meanwhile waits for that."""
        return self._start([Order(edition.asked, edition) for edition in editions])

    async def packed(self, edition: Edition) -> bytes | None:
        """The gzip copy, made once an edition; None while a long one is in the making."""
        if ready := self._kept.packed(edition):
            return ready
        task = self._packs(edition)
        return await asyncio.shield(task) if len(edition.body) <= PACKED_AT_ONCE else None

    async def pack_again(self, edition: Edition) -> None:
        """Have it packed if somebody has wanted an earlier one so."""
        if self._kept.was_packed(edition.asked.path) and not self._kept.packed(edition):
            await asyncio.shield(self._packs(edition))

    async def _made(self, order: Order) -> Edition:
        """One making a feed at a time, whoever asks for it; a caller that leaves does not stop it."""
        path = order.asked.path
        task = self._making.get(path)
        # One that has just ended stays listed until the loop's next turn, which awaiting it does not bring.
        if task is None or task.done():
            if len(self._making) >= MOST_WAITING:
                raise Unavailable("Too many feeds are being made.", retry_after=30)
            task = self._start([order])
        made = (await asyncio.shield(task))[path]
        another = isinstance(made, OutOfDate) and made.version != order.asked.version
        if another or isinstance(made, Overtaken):
            # It was another selection that was being made, or another process has published a later state.
            return await self._made(order)
        if isinstance(made, Exception):
            raise made
        return made

    def _start(self, orders: Sequence[Order]) -> Making:
        task = asyncio.create_task(self._run(orders))
        paths = [order.asked.path for order in orders]
        self._making.update(dict.fromkeys(paths, task))
        task.add_done_callback(lambda _: self._end(paths, task))
        return task

    def _end(self, paths: Sequence[str], task: Making) -> None:
        for path in paths:
            if self._making.get(path) is task:
                del self._making[path]

    async def _run(self, orders: Sequence[Order]) -> Mapping[str, Edition | Exception]:
        begun, commits = monotonic(), self._store.commits
        run = await asyncio.get_running_loop().run_in_executor(self._thread, self._pressed, orders)
        for order in orders:
            made = run.made[order.asked.path]
            if isinstance(made, Edition):
                self._kept.put(made)
            elif isinstance(made, NotFound | OutOfDate):
                self._forget(order.asked)
        # What it wrote itself, the dates, is no news.
        self._learn(run.seq, commits + run.commits, begun)
        return run.made

    def _forget(self, asked: Asked) -> None:
        """Unless a later selection stands there by now."""
        kept = self._kept.get(asked.path)
        if kept is not None and kept.asked.version <= asked.version:
            self._kept.forget(asked.path)

    def _pressed(self, orders: Sequence[Order]) -> Run:
        drafts = self._press.draft(orders, now=self._clock.now())
        # Dated when it is done: earlier editions have gone out meanwhile, with the time on them.
        return self._press.finish(drafts, now=self._clock.now())

    def _learn(self, head: int, commits: int, looked: float) -> None:
        """What was committed meanwhile has a higher count and is looked for again.

        A run counts as a look: what it has learned does not vouch for where private addresses lead.
        """
        if head >= self._head:
            self._head, self._commits, self._looked = head, commits, looked
            self.looks += 1

    def _packs(self, edition: Edition) -> asyncio.Task[bytes]:
        task = self._packing.get(edition.etag)
        if task is None:
            task = asyncio.create_task(self._pack(edition))
            self._packing[edition.etag] = task
            task.add_done_callback(lambda _: self._packing.pop(edition.etag, None))
        return task

    async def _pack(self, edition: Edition) -> bytes:
        loop = asyncio.get_running_loop()
        ready = await loop.run_in_executor(
            None, lambda: gzip.compress(edition.body, compresslevel=GZIP_LEVEL, mtime=0)
        )
        self._kept.pack(edition, ready)
        return ready


# FOLDED service/feedcache/kept.py: Editions in memory in the order in which they were last read, with their gzip copies, within bounds.
MOST_BYTES = 256 * 1024 * 1024
MOST_FEEDS = 2_000


class Kept:
    """Used from the event loop only."""

    def __init__(self) -> None:
        self._editions: OrderedDict[str, Edition] = OrderedDict()
        self._packed: dict[str, tuple[str, bytes]] = {}
        self._bytes = 0

    def get(self, path: str) -> Edition | None:
        return self._editions.get(path)

    def was_read(self, path: str) -> None:
        if path in self._editions:
            self._editions.move_to_end(path)

    def latest(self) -> Iterator[Edition]:
        """The one read last comes first."""
        return reversed(self._editions.values())

    def put(self, edition: Edition) -> None:
        """In the place of the one before, which says nothing about who reads it."""
        path = edition.asked.path
        before = self._editions.get(path)
        self._bytes += len(edition.body) - (len(before.body) if before else 0)
        self._editions[path] = edition
        while len(self._editions) > 1 and (self._bytes > MOST_BYTES or len(self._editions) > MOST_FEEDS):
            self.forget(next(iter(self._editions)))

    def forget(self, path: str) -> None:
        gone = self._editions.pop(path, None)
        self._packed.pop(path, None)
        self._bytes -= len(gone.body) if gone else 0

    def packed(self, edition: Edition) -> bytes | None:
        """Its gzip copy."""
        etag, ready = self._packed.get(edition.asked.path, ("", b""))
        return ready if etag == edition.etag else None

    def was_packed(self, path: str) -> bool:
        """Whether somebody has wanted gzip: an outdated copy says so as well."""
        return path in self._packed

    def pack(self, edition: Edition, ready: bytes) -> None:
        if edition.asked.path in self._editions:
            self._packed[edition.asked.path] = (edition.etag, ready)
