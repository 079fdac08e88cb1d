"""The sending loop: claim, look again, write down the bytes, send, record. Many at once, none twice.

A request leaves only after its attempt and its bytes are committed, so what a receiver has seen is always
known here. While there is much to do, transactions are spaced so that each writes many.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from service.clock import Clock
from service.egress import Egress
from service.metrics import Metrics
from service.reminders import sending
from service.reminders.cycle import ToDo, Turn, Who, Wish, turn
from service.reminders.lanes import DEEPEST, Lanes, Started
from service.reminders.prepare import Page, Prepared, prepare
from service.reminders.subscribers import Subscribers
from service.reminders.tempo import Tempo
from service.store import claims
from service.store.claims import Claimed
from service.store.engine import Store
from service.store.results import Result

log = logging.getLogger(__name__)
HOUSEKEEPING_SECONDS = 1.0
# After a failure of the store; what was to be written is kept and written later.
PAUSE_SECONDS = 0.5
# Rows one claim looks at, where much is due.
GLANCE = 1024


class Deliverer:
    """Sends what is due. `start` and `drain` for a service, `run_once` for a clock that stands still."""

    def __init__(
        self,
        store: Store,
        egress: Egress,
        *,
        clock: Clock,
        masters: Mapping[str, bytes],
        tempo: Tempo | None = None,
        metrics: Metrics | None = None,
        page: Page = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._egress, self._clock, self._page, self._chance = store, egress, clock, page, chance
        self._tempo = tempo or Tempo()
        self._metrics = metrics or Metrics()
        self._worker = f"wrk_{secrets.token_hex(8)}"
        self._subscribers = Subscribers(masters)
        self._lanes = Lanes(most=self._tempo.per_webhook, total=self._tempo.concurrency)
        self._todo = ToDo.nothing()
        self._queues = 1
        self._kept_house = 0.0
        self._stopping = False
        self._woken = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._preparing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over what an earlier process left behind, and begin."""
        await self.recover()
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def recover(self) -> int:
        """T10: what was under way when the last process died. On PostgreSQL the leases say when."""
        if self._store.dialect != "sqlite":
            return 0
        # The file's lock says that nobody else can be sending.
        recover = partial(claims.recover, now=self._clock.now(), chance=self._chance(), everything=True)
        return await self._store.writing(recover)

    async def drain(self) -> None:
        """Claim nothing more, give back what has not begun, wait for what has, and record it."""
        self._stopping = True
        self._woken.set()
        if self._loop is not None:
            await self._loop
        await asyncio.gather(*self._preparing)
        for outbound in (*self._lanes.clear(), *self._todo.fresh):
            self._give_back(outbound.claimed)
        self._todo.fresh = []
        if self._sends:
            await asyncio.wait(self._sends, timeout=self._tempo.drain.total_seconds())
        await self._turn(claiming=False)

    async def run_once(self) -> int:
        """Send everything that is due at this instant of the clock; returns the number of attempts."""
        sent = 0
        while True:
            done = await self._turn(claiming=True)
            await asyncio.gather(*self._preparing)
            while self._sends:
                sent += len(self._sends)
                await asyncio.wait(self._sends)
            if not (done.claimed or self._todo):
                return sent

    @property
    def in_flight(self) -> int:
        return self._lanes.in_flight

    def nudge(self) -> None:
        """Something may be due now."""
        self._woken.set()

    async def _run(self) -> None:
        while not self._stopping:
            began = time.monotonic()
            try:
                done = await self._turn(claiming=True)
            except Exception:
                log.exception("deliveries cannot be read or written; trying again")
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            await self._rest(done, began=began)

    async def _rest(self, done: Turn, *, began: float) -> None:
        """Until there is something to do, but never so short that each transaction writes little."""
        if not self._todo:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._patience(done.next_due))
        self._woken.clear()
        spacing = self._tempo.group.total_seconds() - (time.monotonic() - began)
        if spacing > 0 and not self._stopping:
            await asyncio.sleep(spacing)

    def _patience(self, next_due: datetime | None) -> float:
        poll = self._tempo.poll.total_seconds() * (0.8 + 0.4 * self._chance())
        if next_due is None:
            return poll
        return min(poll, max(0.001, (next_due - self._clock.now()).total_seconds()))

    async def _turn(self, *, claiming: bool) -> Turn:
        """One transaction, then its consequences in memory."""
        todo, self._todo = self._todo, ToDo.nothing()
        began = time.monotonic()
        housekeeping = claiming and began - self._kept_house >= HOUSEKEEPING_SECONDS
        who = Who(worker=self._worker, now=self._clock.now(), lease=self._tempo.lease, chance=self._chance())
        wish = self._wish() if claiming else None
        try:
            done = await self._store.writing(
                lambda c: turn(c, todo, wish, who=who, housekeeping=housekeeping)
            )
        except BaseException:
            self._todo = todo.before(self._todo)
            raise
        self._kept_house = began if housekeeping else self._kept_house
        self._queues = done.queues or 1
        self._follow(done, todo, began=began)
        return done

    def _wish(self) -> Wish | None:
        held = self._lanes.held
        room = self._tempo.ahead - held
        # Few large claims cost less than many small ones, as long as no slot is idle.
        if room < self._tempo.ahead // 2 and held >= 2 * self._tempo.concurrency:
            return None
        return Wish(
            limit=GLANCE,
            depth=max(1, min(DEEPEST, GLANCE // self._queues)),
            without=self._lanes.full(),
            choose=lambda due: self._lanes.choose(due, room=room),
        )

    def _follow(self, done: Turn, todo: ToDo, *, began: float) -> None:
        self._metrics.stale.inc(done.stale)
        self._metrics.expired.inc(done.expired)
        self._metrics.recovered.inc(done.recovered)
        self._metrics.disabled.inc(done.disabled)
        for outbound in todo.fresh:
            self._lanes.add(outbound)
        for claimed in done.claimed:
            self._lanes.claimed(claimed.planned.webhook, abandons=claimed.abandons)
        if done.claimed:
            _keep(self._preparing, self._prepare(done.claimed, began=began))
        self._begin()

    async def _prepare(self, claimed: Sequence[Claimed], *, began: float) -> None:
        look = partial(
            prepare,
            claimed=claimed,
            subscribers=self._subscribers,
            page=self._page,
            began=began,
            now=self._clock.now(),
        )
        try:
            prepared = await self._store.reading(look)
        except Exception:
            log.exception("claimed deliveries cannot be prepared; giving them back")
            for each in claimed:
                self._give_back(each)
            return
        self._sort(prepared)

    def _sort(self, prepared: Prepared) -> None:
        for outbound in prepared.repeated:
            self._lanes.add(outbound)
        for each in prepared.dropped:
            self._lanes.settled(each.claimed.planned.webhook, abandons=each.claimed.abandons)
        self._todo.fresh += prepared.fresh
        self._todo.dropped += prepared.dropped
        self._begin()
        self._woken.set()

    def _begin(self) -> None:
        """Start what the limits allow."""
        while not self._stopping and (started := self._lanes.next()) is not None:
            if time.monotonic() - started.outbound.began >= self._tempo.trust:
                self._lanes.put_back(started)
                self._give_back(started.outbound.claimed)
                continue
            _keep(self._sends, self._send(started))

    async def _send(self, started: Started) -> None:
        outbound, began = started.outbound, time.monotonic()
        claimed = outbound.claimed
        try:
            result = await sending.attempt(
                self._egress,
                outbound,
                clock=self._clock,
                chance=self._chance(),
                schedule=self._tempo.schedule,
            )
            self._count(claimed, result)
            self._todo.results.append(result)
        except Exception:
            # A mistake of ours: the lease runs out, and after some of these the delivery is quarantined.
            log.exception("delivery %s was not sent", claimed.planned.id)
        self._lanes.finished(started, seconds=time.monotonic() - began)
        self._lanes.settled(claimed.planned.webhook, abandons=claimed.abandons)
        self._begin()
        self._woken.set()

    def _give_back(self, claimed: Claimed) -> None:
        self._lanes.settled(claimed.planned.webhook, abandons=claimed.abandons)
        self._todo.released.append(claimed)

    def _count(self, claimed: Claimed, result: Result) -> None:
        self._metrics.attempts.labels(outcome=result.answer.outcome).inc()
        if result.answer.outcome == "not_allowed":
            self._metrics.blocked.inc()
        if claimed.fence == 1:
            late = (result.started_at - claimed.planned.due_at).total_seconds()
            self._metrics.lateness.observe(max(0.0, late))


def _keep(tasks: set[asyncio.Task[None]], work: "asyncio._CoroutineLike[None]") -> None:
    """asyncio forgets tasks that nobody holds."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
