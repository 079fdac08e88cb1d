"""The sending loop: claims what can be sent now, sends it, and records what came of it.

One transaction a turn records the attempts that ended, claims as many deliveries as may be in flight, and
opens their attempts; then their requests begin. A request leaves only after its attempt and its bytes are
committed, so whatever a receiver has seen is on record.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from service.clock import Clock, running
from service.delivery.attempt import attempt, switch_off
from service.delivery.dispatcher import QUICK_SECONDS, Dispatcher
from service.delivery.prepare import Outbound, Page, Subscribers, prepare
from service.egress.client import Egress
from service.logs import Recurring
from service.metrics import Metrics
from service.reminders import retry
from service.reminders.webhook import Webhook
from service.settings import Settings
from service.store import claims, deliveries, results
from service.store.claims import Claimed, Ended
from service.store.deliveries import GIVEN_UP
from service.store.engine import Store
from service.store.results import Recovered, Result

HOUSEKEEPING_SECONDS = 1.0
# The pause after a failure of the store; results that could not be written are written with the next turn.
PAUSE_SECONDS = 0.5
# At least so many due deliveries are looked at in one turn before the queue is read webhook by webhook.
LOOK_AT = 64

log = logging.getLogger(__name__)


class Turn(Struct, frozen=True, kw_only=True):
    """The outcome of one transaction. `outbound` is to be sent now; `next_due` is None if any was claimed.

    `unsent` are claimed deliveries that ended without a request, `given_up` attempts that were the last of
    their delivery, `outlived` the number of deliveries that nobody had claimed in time.
    """

    outbound: tuple[Outbound, ...] = ()
    unsent: tuple[tuple[Claimed, Ended], ...] = ()
    given_up: tuple[Result, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    disabled: tuple[Webhook, ...] = ()
    outlived: int = 0
    stale: int = 0
    superseded: int = 0
    next_due: datetime | None = None

    @property
    def expired(self) -> int:
        """Deliveries that expired in this turn, in whatever way."""
        ended = Counter(ended.state for _, ended in self.unsent)
        return self.outlived + ended["expired"] + sum(r.verdict.state == "expired" for r in self.given_up)


_DEFAULTS = Settings()


class Limits(Struct, frozen=True, kw_only=True):
    """The first four are the operator's settings; tests change the others. Nothing else depends on a pace."""

    schedule: tuple[timedelta, ...] = _DEFAULTS.retry_schedule
    # The total of one attempt, as the egress enforces it.
    attempt: timedelta = _DEFAULTS.attempt_timeout
    lease: timedelta = _DEFAULTS.lease
    # Requests in flight, in all.
    concurrency: int = _DEFAULTS.concurrency
    # Requests in flight to one webhook that answers quickly.
    per_webhook: int = 4
    # A request begins only while this much of the lease would be left after it.
    margin: timedelta = timedelta(seconds=5)
    # The longest pause between two looks at the queue.
    poll: timedelta = timedelta(seconds=1)
    # The shortest time between two transactions while requests are in flight, so that each writes many.
    group: timedelta = timedelta(milliseconds=40)
    # How long a worker that stops waits for the requests in flight.
    drain: timedelta = timedelta(seconds=20)

    @property
    def trust(self) -> float:
        """Seconds after a claim in which its requests may begin."""
        return (self.lease - self.attempt - self.margin).total_seconds()


class Worker:
    """Sends what is due: `start` and `drain` for a service, `run_once` for a clock that stands still."""

    def __init__(
        self,
        store: Store,
        egress: Egress,
        *,
        clock: Clock,
        masters: Mapping[str, bytes],
        limits: Limits | None = None,
        metrics: Metrics | None = None,
        page: Page = lambda _, __: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._egress, self._clock = store, egress, clock
        self._limits, self._metrics = limits or Limits(), metrics or Metrics()
        self._page, self._chance = page, chance
        self._subscribers = Subscribers(masters)
        self._dispatcher = Dispatcher(per_webhook=self._limits.per_webhook, total=self._limits.concurrency)
        self._name = f"wrk_{secrets.token_hex(8)}"
        self._results: list[Result] = []
        self._requests: set[asyncio.Task[None]] = set()
        self._attempts = 0
        self._woken, self._idle = asyncio.Event(), asyncio.Event()
        self._kept_house = 0.0
        self._failures = Recurring(log)
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """The requests on their way."""
        return self._dispatcher.in_flight

    async def start(self) -> None:
        """Takes over what an earlier process left behind, and begins."""
        await self.recover()
        self._loop = asyncio.create_task(self._run(), name="delivery worker")

    async def recover(self) -> int:
        """Frees what the last process held when it died (T10). On PostgreSQL leases run out instead."""
        if self._store.dialect != "sqlite":
            return 0
        # The file's lock says that no other worker holds anything.
        recover = partial(results.recover, now=self._clock.now(), chance=self._chance(), everything=True)
        recovered = await self._store.awrite(recover)
        self._tell(Turn(recovered=recovered, superseded=_superseded(recovered)))
        return len(recovered)

    async def drain(self) -> None:
        """Claims nothing more, waits for the requests in flight, and records them."""
        self._stopping = True
        self._woken.set()
        if self._loop is not None:
            await self._loop
        await self._sent(patience=self._limits.drain.total_seconds())
        await self._turn(claiming=False)

    async def run_once(self) -> int:
        """Sends everything that is due at this instant of the clock; returns the number of attempts."""
        before = self._attempts
        while (turn := await self._turn(claiming=True)).outbound or turn.unsent or self._results:
            await self._sent()
        return self._attempts - before

    def nudge(self) -> None:
        """Looks at the queue at once: something may be due."""
        self._woken.set()

    async def _run(self) -> None:
        while not self._stopping:
            began = time.monotonic()
            try:
                turn = await self._turn(claiming=True)
            except Exception as error:
                self._failures.failed("deliveries cannot be read or written; trying again", error)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            await self._rest(turn, began=began)

    async def _rest(self, turn: Turn, *, began: float) -> None:
        """Waits until there is something to do; while requests are in flight, for several results at once."""
        # What ended without a request leaves its place to the next one at once.
        if not self._results and not turn.unsent:
            await _either(self._woken, self._patience(turn.next_due))
        self._woken.clear()
        spacing = self._limits.group.total_seconds() - (time.monotonic() - began)
        if spacing > 0 and self.in_flight and not self._stopping:
            await _either(self._idle, spacing)

    def _patience(self, next_due: datetime | None) -> float:
        # Spread, so that several workers do not all look at once.
        poll = self._limits.poll.total_seconds() * (0.8 + 0.4 * self._chance())
        now = self._clock.now()
        soonest = min((at for at in (next_due, self._dispatcher.next_free(now)) if at), default=None)
        return poll if soonest is None else min(poll, max(0.001, (soonest - now).total_seconds()))

    async def _turn(self, *, claiming: bool) -> Turn:
        """One transaction, then the requests that it opened attempts for."""
        began = running()
        # While the clock is in doubt, what is due and whose lease is over cannot be known.
        claiming = claiming and self._clock.jump is None
        housekeeping = claiming and began - self._kept_house >= HOUSEKEEPING_SECONDS
        ended, self._results = self._results, []
        work = partial(self._transact, ended=ended, claiming=claiming, housekeeping=housekeeping)
        try:
            turn = await self._write(work)
        except BaseException:
            self._results = ended + self._results
            raise
        self._kept_house = began if housekeeping else self._kept_house
        self._tell(turn)
        for outbound in turn.outbound:
            self._begin(outbound, claimed=began)
        return turn

    async def _write(self, work: Callable[[Connection], Turn]) -> Turn:
        """On SQLite at once: a thread beside a busy loop waits for the interpreter at every row."""
        if self._store.dialect == "sqlite":
            return self._store.write(work)
        return await self._store.awrite(work)

    def _transact(
        self, c: Connection, *, ended: Sequence[Result], claiming: bool, housekeeping: bool
    ) -> Turn:
        """Records, recovers, expires and claims in one transaction; it may be repeated after a failure."""
        now = self._clock.now()
        recorded = results.record(c, ended)
        disabled = switch_off(c, ended, recorded.failing, now=now)
        recovered = results.recover(c, now=now, chance=self._chance()) if housekeeping else ()
        outlived = claims.expire(c, now=now) if housekeeping else 0
        claimed = self._claim(c, now) if claiming else ()
        prepared = prepare(c, claimed, subscribers=self._subscribers, page=self._page, now=now)
        claims.open_attempts(c, [each.attempted for each in prepared.outbound], worker=self._name, now=now)
        unsent = claims.end(c, [ended for _, ended in prepared.ended], now=now)
        claims.release(c, prepared.paused)
        return Turn(
            outbound=prepared.outbound,
            unsent=prepared.ended,
            given_up=recorded.given_up,
            recovered=recovered,
            disabled=disabled,
            outlived=outlived,
            stale=recorded.stale,
            superseded=recorded.superseded + unsent["superseded"] + _superseded(recovered),
            next_due=None if claimed or not claiming else deliveries.next_due(c, after=now),
        )

    def _claim(self, c: Connection, now: datetime) -> tuple[Claimed, ...]:
        due = claims.due(
            c,
            worker=self._name,
            now=now,
            per_webhook=self._limits.per_webhook,
            limit=max(LOOK_AT, self._dispatcher.room),
            busy=self._dispatcher.busy(now),
        )
        chosen = self._dispatcher.choose(due, now)
        return claims.claim(c, chosen, worker=self._name, now=now, lease=self._limits.lease)

    def _begin(self, outbound: Outbound, *, claimed: float) -> None:
        self._attempts += 1
        self._idle.clear()
        webhook = outbound.claimed.planned.webhook
        quick = self._dispatcher.started(
            webhook, now=self._clock.now(), rate=outbound.subscriber.webhook.pace
        )
        self._metrics.in_flight.set(self.in_flight)
        # asyncio forgets tasks that nobody holds.
        task = asyncio.create_task(self._request(outbound, webhook, began_quick=quick, claimed=claimed))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _request(self, outbound: Outbound, webhook: str, *, began_quick: bool, claimed: float) -> None:
        began, quick, hold, limited = running(), False, None, False
        try:
            # After a long stop of this process another worker may hold the delivery: let the lease run out.
            if began - claimed < self._limits.trust:
                result = await attempt(
                    self._egress,
                    outbound,
                    clock=self._clock,
                    chance=self._chance(),
                    schedule=self._limits.schedule,
                )
                self._note(outbound, result)
                quick = result.answer.succeeded and running() - began < QUICK_SECONDS
                hold = retry.hold(result.answer, now=result.finished_at)
                limited = retry.is_limit(result.answer)
        except Exception:
            # A mistake of ours: the lease runs out, and after some of these the delivery is dead.
            log.exception("delivery %s was not sent", outbound.claimed.planned.id)
        self._dispatcher.finished(
            webhook,
            began_quick=began_quick,
            quick=quick,
            now=self._clock.now(),
            hold=hold,
            limited=limited,
        )
        self._metrics.in_flight.set(self.in_flight)
        self._woken.set()
        if not self.in_flight:
            self._idle.set()

    def _note(self, outbound: Outbound, result: Result) -> None:
        claimed = outbound.claimed
        self._results.append(result)
        self._metrics.attempted(result.answer.outcome)
        if claimed.fence == 1:
            late = (result.started_at - claimed.planned.due_at).total_seconds()
            self._metrics.lateness.observe(max(0.0, late))

    async def _sent(self, *, patience: float | None = None) -> None:
        """Waits for the requests in flight."""
        if self._requests:
            await asyncio.wait(set(self._requests), timeout=patience)

    def _tell(self, turn: Turn) -> None:
        """Counts and logs what one committed transaction did."""
        self._metrics.stale.inc(turn.stale)
        self._metrics.expired.inc(turn.expired)
        self._metrics.superseded.inc(turn.superseded)
        self._metrics.recovered.inc(len(turn.recovered))
        self._metrics.disabled.inc(len(turn.disabled))
        log_turn(turn)


def _superseded(recovered: Iterable[Recovered]) -> int:
    return sum(each.state == "superseded" for each in recovered)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Waits for the event, or so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def log_turn(turn: Turn) -> None:
    """Logs, a line each, which deliveries nobody will get any more and which webhooks were switched off.

    By ids only: the address of a webhook is often a secret, and its name is its owner's. What was only taken
    back, as its event moved or its owner wished, is not logged.
    """
    for result in turn.given_up:
        verdict = result.verdict
        _log_given_up(result.delivery, result.webhook, verdict.state, verdict.reason, result.answer.outcome)
    for claimed, ended in turn.unsent:
        if ended.state in GIVEN_UP:
            _log_given_up(ended.delivery, claimed.planned.webhook, ended.state, ended.reason, None)
    for held in turn.recovered:
        if held.state in GIVEN_UP:
            _log_given_up(held.delivery, held.webhook, held.state, held.reason, "abandoned")
    if turn.outlived:
        log.info("%d deliveries expired unsent", turn.outlived, extra={"expired": turn.outlived})
    log_switched_off(turn.disabled)


def log_switched_off(webhooks: Iterable[Webhook]) -> None:
    """Logs webhooks that the service switched off."""
    for off in webhooks:
        fields = {"webhook": off.id, "reason": off.disabled_reason}
        log.warning("webhook %s was switched off: %s", off.id, off.disabled_reason, extra=fields)


def _log_given_up(delivery: str, webhook: str, outcome: str, reason: str | None, answer: str | None) -> None:
    """`answer` is the outcome of the last attempt; None where none was made."""
    fields = {
        "delivery": delivery,
        "webhook": webhook,
        "outcome": outcome,
        "reason": reason,
        "answer": answer,
    }
    log.info("delivery %s is %s: %s", delivery, outcome, reason, extra=fields)
