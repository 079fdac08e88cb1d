"""What this process has claimed: looked at again, waiting, under way, and what has to be written about it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from service.clock import Clock, running
from service.delivery import attempt
from service.delivery.dispatcher import FRESH_SECONDS, Lanes, Started
from service.delivery.limits import Tempo
from service.delivery.prepare import Outbound, Page, Prepared, Subscribers, prepare
from service.delivery.worker import ToDo
from service.metrics import Metrics
from service.outward import Outward
from service.reminders import retry
from service.store.claims import Claimed
from service.store.engine import Store
from service.store.results import Result

log = logging.getLogger(__name__)
# How often what waits is looked through for what has waited too long.
SWEEP_SECONDS = 0.5


class Means(Struct, frozen=True, kw_only=True):
    """Everything sending needs. `page` gives an event's own page, `chance` numbers in [0, 1)."""

    store: Store
    egress: Outward
    clock: Clock
    subscribers: Subscribers
    metrics: Metrics
    tempo: Tempo
    page: Page
    chance: Callable[[], float]


class Outbox:
    """`todo` is what the next transaction has to write; `woken` is set when that has grown."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.lanes = Lanes(most=means.tempo.per_webhook, total=means.tempo.concurrency)
        self.todo = ToDo.nothing()
        self.woken = asyncio.Event()
        self._stopping = False
        self._swept, self._begun = 0.0, 0
        self._sends: set[asyncio.Task[None]] = set()
        self._preparing: set[asyncio.Task[None]] = set()

    def take(self, claimed: Sequence[Claimed], *, began: float) -> None:
        """These are ours; find out what to send. `began` is when claiming them did."""
        for each in claimed:
            self.lanes.claimed(each.planned.webhook, abandons=each.abandons)
        if claimed:
            _keep(self._preparing, self._prepare(claimed, began=began))

    def arm(self) -> None:
        """What is sent next is to be written down with the next transaction; what has waited long is not."""
        if self._stopping:
            return
        now = running()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self._return(self.lanes.outlived(began=now - self._means.tempo.trust, armed=now - FRESH_SECONDS))
        self.todo.armed += self.lanes.arm()

    def committed(self, todo: ToDo, *, outdated: frozenset[str]) -> None:
        """This is written, so what it arms may go, but for what was outdated: that is looked at once more."""
        fresh = [each for each in todo.armed if each.claimed.planned.id not in outdated]
        again = [each for each in todo.armed if each.claimed.planned.id in outdated]
        self.lanes.armed(fresh, now=running())
        self.lanes.disarm(again)
        for each in again:
            _keep(self._preparing, self._prepare([each.claimed], began=each.began))
        self._begin()

    async def prepared(self) -> None:
        await asyncio.gather(*self._preparing)

    async def sent(self, *, patience: float | None = None) -> int:
        """Wait for what is under way, and for what then gets its turn; returns how many were begun so far."""
        while self._sends:
            _, late = await asyncio.wait(set(self._sends), timeout=patience)
            if late:
                break
        return self._begun

    async def close(self) -> None:
        """Begin nothing more; what has not begun is given back."""
        self._stopping = True
        await self.prepared()
        self._return((*self.lanes.clear(), *self.todo.armed))
        self.todo.armed = []

    async def _prepare(self, claimed: Sequence[Claimed], *, began: float) -> None:
        means = self._means
        look = partial(
            prepare,
            claimed=claimed,
            subscribers=means.subscribers,
            page=means.page,
            began=began,
            now=means.clock.now(),
        )
        try:
            self._sort(await means.store.reading(look))
        except Exception:
            log.exception("claimed deliveries cannot be prepared; giving them back")
            for each in claimed:
                self._give_back(each)

    def _sort(self, prepared: Prepared) -> None:
        for outbound in prepared.ready:
            self.lanes.add(outbound)
        for each in prepared.dropped:
            self.lanes.settled(each.claimed.planned.webhook, abandons=each.claimed.abandons)
        for claimed in prepared.paused:
            self._give_back(claimed)
        self.todo.dropped += prepared.dropped
        self.woken.set()

    def _begin(self) -> None:
        """Start what the limits allow."""
        now, at = running(), self._means.clock.now()
        while not self._stopping and (started := self.lanes.next(now=now)) is not None:
            if self._too_late(started, now=now) or self.lanes.is_held(started.webhook, at):
                self.lanes.put_back(started)
                self._give_back(started.outbound.claimed)
            else:
                self._begun += 1
                _keep(self._sends, self._send(started))

    def _too_late(self, started: Started, *, now: float) -> bool:
        """What it was made from may have changed, or too little of the lease is left."""
        return started.stale or now - started.outbound.began >= self._means.tempo.trust

    async def _send(self, started: Started) -> None:
        means, outbound = self._means, started.outbound
        hold = None
        try:
            result = await attempt.attempt(
                means.egress,
                outbound,
                clock=means.clock,
                chance=means.chance(),
                schedule=means.tempo.schedule,
            )
            hold = self._note(outbound, result)
        except Exception:
            # A mistake of ours: the lease runs out, and after some of these the delivery is quarantined.
            log.exception("delivery %s was not sent", outbound.claimed.planned.id)
        self.lanes.finished(started, seconds=running() - started.began, hold=hold)
        self.lanes.settled(outbound.claimed.planned.webhook, abandons=outbound.claimed.abandons)
        self._begin()
        self.woken.set()

    def _note(self, outbound: Outbound, result: Result) -> datetime | None:
        """Returns until when its webhook is to be left alone."""
        claimed = outbound.claimed
        self._count(claimed, result)
        if result.answer.outcome == "abandoned":
            # The process that sent it died: as little is known of it as if all of us had.
            self.todo.forsaken.append(claimed)
            return None
        self.todo.results.append(result)
        if hold := retry.hold(result.answer, now=result.finished_at):
            self._return(self.lanes.recall(claimed.planned.webhook))
        return hold

    def _return(self, outbounds: Iterable[Outbound]) -> None:
        for outbound in outbounds:
            self._give_back(outbound.claimed)

    def _give_back(self, claimed: Claimed) -> None:
        self.lanes.settled(claimed.planned.webhook, abandons=claimed.abandons)
        self.todo.released.append(claimed)

    def _count(self, claimed: Claimed, result: Result) -> None:
        self._means.metrics.attempted(result.answer.outcome)
        if claimed.fence == 1:
            late = (result.started_at - claimed.planned.due_at).total_seconds()
            self._means.metrics.lateness.observe(max(0.0, late))


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
    """asyncio forgets tasks that nobody holds."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
