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
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct, structs
from sqlalchemy import Connection

from service.clock import Clock, running
from service.delivery import prepare
from service.delivery.attempt import switch_off
from service.delivery.dispatcher import DEEPEST
from service.delivery.limits import Tempo
from service.delivery.outbox import Means, Outbox
from service.delivery.prepare import Dropped, Outbound, Page, Subscribers
from service.metrics import Metrics
from service.outward import Outward
from service.reminders.webhook import Webhook
from service.store import claims, deliveries, results, waiting
from service.store.claims import Claimed
from service.store.deliveries import GIVEN_UP
from service.store.engine import Store
from service.store.results import Recovered, Result
from service.store.waiting import Due, Found

HOUSEKEEPING_SECONDS = 1.0
# While enough is at hand, this long passes between two claims.
CLAIM_SECONDS = 0.15
# After a failure of the store; what was to be written is kept and written later.
PAUSE_SECONDS = 0.5
# The fewest rows a claim looks at: enough to see past a few long queues.
GLANCE = 64


# FOLDED service/reminders/cycle.py: One transaction of the sending loop: record what has ended, keep what will be sent, claim more.
class ToDo(Struct, kw_only=True):
    """What has to be written: results, what is about to be sent, what is not after all, and what was lost."""

    results: list[Result]
    armed: list[Outbound]
    dropped: list[Dropped]
    released: list[Claimed]
    forsaken: list[Claimed]

    @staticmethod
    def nothing() -> "ToDo":
        return ToDo(results=[], armed=[], dropped=[], released=[], forsaken=[])

    def __bool__(self) -> bool:
        return bool(self.results or self.armed or self.dropped or self.released or self.forsaken)

    def before(self, later: "ToDo") -> "ToDo":
        """Both, in this order: what could not be written is written with the next."""
        return ToDo(
            results=self.results + later.results,
            armed=self.armed + later.armed,
            dropped=self.dropped + later.dropped,
            released=self.released + later.released,
            forsaken=self.forsaken + later.forsaken,
        )


class Wish(Struct, frozen=True, kw_only=True):
    """What may be claimed: `depth` a webhook where much is due, none `without`, and the choice of them.

    `crowded` where the last claim found that much was due.
    """

    limit: int
    depth: int
    without: list[str]
    crowded: bool
    choose: Callable[[Sequence[Due]], list[str]]


class Who(Struct, frozen=True, kw_only=True):
    """In whose name, at which instant, for how long; chance spreads what was lost."""

    worker: str
    now: datetime
    lease: timedelta
    chance: float


class Turn(Struct, frozen=True, kw_only=True):
    """What one transaction did and found. `next_due` is looked up when claiming found nothing.

    `outdated` are neither armed nor dropped, as their webhook or event has changed since they were looked at.
    `given_up` are deliveries that an attempt was the last of, `outlived` how many nobody had claimed in time;
    `expired` and `superseded` count those of all ways there are.
    """

    claimed: tuple[Claimed, ...] = ()
    outdated: frozenset[str] = frozenset()
    dropped: tuple[Dropped, ...] = ()
    queues: int = 0
    crowded: bool = False
    stale: int = 0
    expired: int = 0
    superseded: int = 0
    recovered: tuple[Recovered, ...] = ()
    given_up: tuple[Result, ...] = ()
    outlived: int = 0
    disabled: tuple[Webhook, ...] = ()
    next_due: datetime | None = None


def turn(c: Connection, todo: ToDo, wish: Wish | None, *, who: Who, housekeeping: bool) -> Turn:
    """All of it or nothing; run again after a failure it comes to the same."""
    done = _settle(c, todo, who)
    looking = housekeeping or bool(todo.forsaken)
    recovered = results.recover(c, now=who.now, chance=who.chance) if looking else ()
    outlived = claims.expire(c, now=who.now) if housekeeping else 0
    found = _due(c, wish, who) if wish else Found()
    chosen = wish.choose(found.due) if wish else []
    claimed = claims.claim(c, chosen, worker=who.worker, now=who.now, lease=who.lease)
    return structs.replace(
        done,
        claimed=claimed,
        queues=len({each.webhook for each in found.due}),
        crowded=found.crowded,
        expired=done.expired + outlived,
        superseded=done.superseded + taken_back(recovered),
        recovered=recovered,
        outlived=outlived,
        next_due=deliveries.next_due(c, after=who.now) if wish and not claimed else None,
    )


def _settle(c: Connection, todo: ToDo, who: Who) -> Turn:
    """Write down what has ended and what is about to begin, as far as what was seen still holds."""
    recorded = results.record(c, todo.results)
    disabled = switch_off(c, todo.results, recorded.failing, now=who.now)
    seen = [*(each.look for each in todo.armed), *(each.look for each in todo.dropped)]
    outdated = prepare.outdated(c, [look for look in seen if look is not None])
    armed = [each.armed for each in todo.armed if each.claimed.planned.id not in outdated]
    claims.arm(c, armed, worker=who.worker, now=who.now)
    going = tuple(each for each in todo.dropped if each.claimed.planned.id not in outdated)
    dropped = claims.drop(c, {each.key: (each.state, each.reason) for each in going}, now=who.now)
    kept = [each.key for each in todo.dropped if each.claimed.planned.id in outdated]
    given_back = [(each.planned.id, each.fence) for each in todo.released]
    unwanted = claims.release(c, given_back + kept, now=who.now)
    claims.forsake(c, [(each.planned.id, each.fence) for each in todo.forsaken], now=who.now)
    return Turn(
        outdated=outdated,
        dropped=going,
        stale=recorded.stale,
        expired=dropped["expired"] + _in(recorded.given_up, "expired"),
        superseded=recorded.superseded + dropped["superseded"] + unwanted,
        given_up=recorded.given_up,
        disabled=disabled,
    )


def taken_back(recovered: Sequence[Recovered]) -> int:
    """How many of what a dead worker held nobody wants any more."""
    return sum(each.state == "superseded" for each in recovered)


def _in(ended: Sequence[Result], state: str) -> int:
    return sum(each.verdict.state == state for each in ended)


def _due(c: Connection, wish: Wish, who: Who) -> Found:
    return waiting.due(
        c,
        worker=who.worker,
        now=who.now,
        depth=wish.depth,
        limit=wish.limit,
        without=wish.without,
        crowded=wish.crowded,
    )


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
        note(done)
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
        note(done)
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


# FOLDED service/reminders/logbook.py: What the log says of deliveries: what nobody will get any more, and which webhook was switched off.
# FOLDED service/reminders/logbook.py:
# FOLDED service/reminders/logbook.py: Told once it is committed, for a transaction that fails is run again. By ids only: the address of a webhook is
# FOLDED service/reminders/logbook.py: often a secret, and its name is its owner's.
def note(done: Turn) -> None:
    """One line a fact. What was only taken back, as its event moved or its owner wished, is none."""
    for result in done.given_up:
        verdict = result.verdict
        _lost(result.delivery, result.webhook, verdict.state, verdict.reason, answer=result.answer.outcome)
    for each in done.dropped:
        if each.state in GIVEN_UP:
            planned = each.claimed.planned
            _lost(planned.id, planned.webhook, each.state, each.reason, answer=None)
    for held in done.recovered:
        if held.state in GIVEN_UP:
            _lost(held.delivery, held.webhook, held.state, held.reason, answer="abandoned")
    if done.outlived:
        log.info("%d deliveries expired unsent", done.outlived, extra={"expired": done.outlived})
    switched_off(done.disabled)


def late(expired: int) -> None:
    """What was of no use any more when it was planned, after a stop of ours."""
    if expired:
        log.info("%d deliveries were planned too late to be sent", expired, extra={"expired": expired})


def switched_off(webhooks: Iterable[Webhook]) -> None:
    for off in webhooks:
        fields = {"webhook": off.id, "reason": off.disabled_reason}
        log.warning("webhook %s was switched off: %s", off.id, off.disabled_reason, extra=fields)


def _lost(delivery: str, webhook: str, outcome: str, reason: str | None, *, answer: str | None) -> None:
    """`answer` is that of the last attempt; None where there was none to wait for."""
    fields = {
        "delivery": delivery,
        "webhook": webhook,
        "outcome": outcome,
        "reason": reason,
        "answer": answer,
    }
    log.info("delivery %s is %s: %s", delivery, outcome, reason, extra=fields)


log = logging.getLogger(__name__)
