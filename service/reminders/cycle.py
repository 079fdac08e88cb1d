"""One transaction of the sending loop: record what has ended, keep what will be sent, claim more."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, structs
from sqlalchemy import Connection

from service.reminders import looks
from service.reminders.prepare import Dropped, Outbound
from service.reminders.switchoff import switch_off
from service.reminders.webhook import Webhook
from service.store import claims, deliveries, results, waiting
from service.store.claims import Claimed
from service.store.results import Recovered, Result
from service.store.waiting import Due, Found


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
    outdated = looks.outdated(c, [look for look in seen if look is not None])
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
