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
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from service.clock import Clock, running
from service.metrics import Metrics
from service.outward import Outward
from service.reminders import logbook
from service.reminders.cycle import ToDo, Turn, Who, Wish, taken_back, turn
from service.reminders.lane import DEEPEST
from service.reminders.outbox import Means, Outbox
from service.reminders.prepare import Page
from service.reminders.subscribers import Subscribers
from service.reminders.tempo import Tempo
from service.store import results
from service.store.engine import Store

log = logging.getLogger(__name__)
HOUSEKEEPING_SECONDS = 1.0
# While enough is at hand, this long passes between two claims.
CLAIM_SECONDS = 0.15
# After a failure of the store; what was to be written is kept and written later.
PAUSE_SECONDS = 0.5
# The fewest rows a claim looks at: enough to see past a few long queues.
GLANCE = 64


class Deliverer:
    """Sends what is due. `start` and `drain` for a service, `run_once` for a clock that stands still."""

    def __init__(
        self,
        store: Store,
        egress: Outward,
        *,
        clock: Clock,
        masters: Mapping[str, bytes],
        tempo: Tempo | None = None,
        metrics: Metrics | None = None,
        page: Page = lambda _, __: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._means = Means(
            store=store,
            egress=egress,
            clock=clock,
            subscribers=Subscribers(masters),
            metrics=metrics or Metrics(),
            tempo=tempo or Tempo(),
            page=page,
            chance=chance,
        )
        self._outbox = Outbox(self._means)
        self._worker = f"wrk_{secrets.token_hex(8)}"
        # What the last claim found, and when that was.
        self._queues, self._crowded, self._claimed = 1, False, 0.0
        self._kept_house = 0.0
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over what an earlier process left behind, and begin."""
        await self.recover()
        self._loop = asyncio.create_task(self._run(), name="deliver")

    async def recover(self) -> int:
        """T10: what was under way when the last process died. On PostgreSQL the leases say when."""
        means = self._means
        if means.store.dialect != "sqlite":
            return 0
        # The file's lock says that nobody else can be sending.
        now, chance = means.clock.now(), means.chance()
        recover = partial(results.recover, now=now, chance=chance, everything=True)
        found = await means.store.writing(recover)
        done = Turn(recovered=found, superseded=taken_back(found))
        self._count(done)
        logbook.note(done)
        return len(found)

    async def drain(self) -> None:
        """Claim nothing more, give back what has not begun, wait for what has, and record it."""
        self._stopping = True
        self._outbox.woken.set()
        if self._loop is not None:
            await self._loop
        await self._outbox.close()
        await self._outbox.sent(patience=self._means.tempo.drain.total_seconds())
        await self._turn(claiming=False)

    async def run_once(self) -> int:
        """Send everything that is due at this instant of the clock; returns the number of attempts."""
        before = await self._outbox.sent()
        while True:
            done = await self._turn(claiming=True)
            await self._outbox.prepared()
            begun = await self._outbox.sent()
            if not (done.claimed or self._outbox.todo or self._outbox.lanes.held):
                return begun - before

    @property
    def in_flight(self) -> int:
        return self._outbox.lanes.in_flight

    def nudge(self) -> None:
        """Something may be due now."""
        self._outbox.woken.set()

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
        woken = self._outbox.woken
        if not self._outbox.todo:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), self._patience(done.next_due))
        woken.clear()
        spacing = self._means.tempo.group.total_seconds() - (time.monotonic() - began)
        if spacing > 0 and not self._stopping:
            await asyncio.sleep(spacing)

    def _patience(self, next_due: datetime | None) -> float:
        poll = self._means.tempo.poll.total_seconds() * (0.8 + 0.4 * self._means.chance())
        if next_due is None:
            return poll
        return min(poll, max(0.001, (next_due - self._means.clock.now()).total_seconds()))

    async def _turn(self, *, claiming: bool) -> Turn:
        """One transaction, then its consequences in memory."""
        means, outbox, began = self._means, self._outbox, running()
        # Going by a clock in doubt, what is due and whose lease is over cannot be known.
        claiming = claiming and means.clock.jump is None
        outbox.arm()
        todo, outbox.todo = outbox.todo, ToDo.nothing()
        housekeeping = claiming and began - self._kept_house >= HOUSEKEEPING_SECONDS
        wish = self._wish() if claiming else None
        who = Who(worker=self._worker, now=means.clock.now(), lease=means.tempo.lease, chance=means.chance())
        try:
            done = await means.store.writing(
                partial(turn, todo=todo, wish=wish, who=who, housekeeping=housekeeping)
            )
        except BaseException:
            outbox.todo = todo.before(outbox.todo)
            raise
        self._kept_house = began if housekeeping else self._kept_house
        if wish is not None:
            self._queues, self._crowded, self._claimed = done.queues or 1, done.crowded, began
        self._count(done)
        logbook.note(done)
        outbox.take(done.claimed, began=began)
        outbox.committed(todo, outdated=done.outdated)
        return done

    def _wish(self) -> Wish | None:
        tempo, lanes = self._means.tempo, self._outbox.lanes
        room = tempo.ahead - lanes.held
        # Few large claims cost less than many small ones, as long as no slot is idle.
        recent = running() - self._claimed < CLAIM_SECONDS
        if lanes.held >= 2 * tempo.concurrency and (recent or room < tempo.ahead // 2):
            return None
        glance, now = max(GLANCE, room), self._means.clock.now()
        return Wish(
            limit=glance,
            depth=max(1, min(DEEPEST, glance // self._queues)),
            without=lanes.full(now),
            crowded=self._crowded,
            choose=partial(lanes.choose, room=room, now=now),
        )

    def _count(self, done: Turn) -> None:
        metrics = self._means.metrics
        metrics.stale.inc(done.stale)
        metrics.expired.inc(done.expired)
        metrics.superseded.inc(done.superseded)
        metrics.recovered.inc(len(done.recovered))
        metrics.disabled.inc(len(done.disabled))
