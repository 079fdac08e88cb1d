"""Records attempts and frees what dead workers held: T3 to T6, T9 and T10 of docs/reliability.md."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, case, exists, func, select, update

from service.errors import Conflict
from service.reminders.retry import Answer, Verdict
from service.store import deliveries
from service.store.claims import MINE, TESTING, UNOWNED
from service.store.deliveries import GIVEN_UP, Delivery, State
from service.store.sql import among, instant, many, millis
from service.store.tables import IS_LEASED, attempt, delivery, webhook

# After this many lost attempts in a row a delivery is dead: it may be what kills its workers.
POISON = 10
# How long a redelivery is of use: whoever asks for one wants it, however old it is.
REDELIVERY_USEFUL = timedelta(days=1)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One finished request and what is to follow from it."""

    delivery: str
    webhook: str
    fence: int
    answer: Answer
    verdict: Verdict
    started_at: datetime
    finished_at: datetime


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook without a success since `since`, and its failures in a row."""

    webhook: str
    since: datetime
    failures: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of recording.

    `stale` counts results whose fence was outdated, `superseded` failures of deliveries that had been taken
    back meanwhile; `given_up` are failures that ended their deliveries.
    """

    stale: int = 0
    superseded: int = 0
    given_up: tuple[Result, ...] = ()
    failing: tuple[Failing, ...] = ()


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that a dead worker held, and what it is now."""

    delivery: str
    webhook: str
    state: State
    reason: str | None


def record(c: Connection, results: Sequence[Result]) -> Recorded:
    """Records all of them. A failure with an outdated fence changes nothing but its attempt."""
    if not results:
        return Recorded()
    succeeded = [result for result in results if result.answer.succeeded]
    failed = [result for result in results if not result.answer.succeeded]
    done = _succeed(c, succeeded)
    counted, superseded = _fail(c, failed)
    in_time = {id(result) for result in (*succeeded, *counted)}
    many(c, _CLOSE, [_closing(result, stale=id(result) not in in_time) for result in results])
    return Recorded(
        stale=len(results) - done - len(counted),
        superseded=superseded,
        given_up=tuple(result for result in counted if result.verdict.state in GIVEN_UP),
        failing=_count_failures(c, succeeded, counted),
    )


def _succeed(c: Connection, results: Sequence[Result]) -> int:
    """T4; returns how many results brought a success about: of two for one delivery the first."""
    return many(c, _SUCCEED, [{**_key(result), "now": millis(result.finished_at)} for result in results])


def _fail(c: Connection, results: Sequence[Result]) -> tuple[list[Result], int]:
    """T5 and T6; returns the results that counted, and how many of their deliveries had been taken back."""
    if not results:
        return [], 0
    locked = c.execute(_LOCKED, {"ids": [result.delivery for result in results]})
    held = {row.id: row for row in locked if row.state == "leased"}
    counted = [r for r in results if r.delivery in held and held[r.delivery].fence == r.fence]
    again = [r for r in counted if r.verdict.state == "retry"]
    many(c, _RETRY, [_retrying(result) for result in again])
    many(c, _END, [_ending(result) for result in counted if result.verdict.state != "retry"])
    return counted, sum(held[r.delivery].drop_flag for r in again)


def _key(result: Result) -> dict[str, Any]:
    return {"the_id": result.delivery, "my": result.fence}


def _retrying(result: Result) -> dict[str, Any]:
    next_at = result.verdict.next_at or result.finished_at
    cost = 0 if result.verdict.is_free else 1
    return {**_key(result), "now": millis(result.finished_at), "next_at": millis(next_at), "cost": cost}


def _ending(result: Result) -> dict[str, Any]:
    verdict = result.verdict
    return {
        **_key(result),
        "now": millis(result.finished_at),
        "state": verdict.state,
        "reason": verdict.reason,
    }


def _closing(result: Result, *, stale: bool) -> dict[str, Any]:
    answer = result.answer
    return {
        **_key(result),
        "started_at": millis(result.started_at),
        "finished_at": millis(result.finished_at),
        "outcome": "stale" if stale else answer.outcome,
        "status": answer.status,
        "latency_ms": answer.milliseconds,
        "bytes": answer.bytes,
        "excerpt": answer.excerpt,
    }


def _count_failures(
    c: Connection, succeeded: Sequence[Result], failed: Sequence[Result]
) -> tuple[Failing, ...]:
    """Keeps each webhook's failures in a row; any success, even a late one, ends the row."""
    well = {result.webhook for result in succeeded}
    failures = Counter(result.webhook for result in failed if result.webhook not in well)
    if well:
        c.execute(_WELL, {"ids": sorted(well)})
    if not failures:
        return ()
    ends = {result.webhook: millis(result.finished_at) for result in failed}
    # In one order everywhere, so that two workers never wait for each other.
    many(c, _ILL, [{"the_id": key, "more": n, "now": ends[key]} for key, n in sorted(failures.items())])
    rows = c.execute(_FAILING, {"ids": sorted(failures)})
    return tuple(
        Failing(webhook=row.id, since=instant(row.failing_since), failures=row.failures) for row in rows
    )


def recover(
    c: Connection, *, now: datetime, chance: float, everything: bool = False, limit: int = 500
) -> tuple[Recovered, ...]:
    """Frees what dead workers held to be claimed again (T3, T10).

    That is every lease that ran out; with `everything`, for a worker that knows it is alone, every lease but
    those of tests under way. A begun delivery may be claimed again only after a pause that doubles each time,
    and after POISON times not at all.
    """
    query = _HELD.where(_over(now, everything=everything))
    rows = c.execute(query if everything else query.limit(limit)).all()
    freed = [_freed(row, now=now, chance=chance) for row in rows]
    many(c, _ABANDON, [{"the_id": row.id, "my": row.fence, "now": millis(now)} for row in rows])
    many(c, _FREE, freed)
    return tuple(
        Recovered(delivery=row.id, webhook=row.webhook_id, state=each["state"], reason=each["reason"])
        for row, each in zip(rows, freed, strict=True)
    )


def _over(now: datetime, *, everything: bool) -> Any:
    ran_out = delivery.c.lease_until <= millis(now)
    return ran_out | delivery.c.owner.not_like(f"{TESTING}%") if everything else ran_out


def _freed(row: Any, *, now: datetime, chance: float) -> dict[str, Any]:
    abandons = row.abandons + row.begun
    state, reason = ("dead", "poison") if abandons >= POISON else ("pending", None)
    if row.drop_flag:
        state, reason = "superseded", row.reason
    pause = timedelta(seconds=chance * 2 ** min(abandons, POISON))
    return {
        "the_id": row.id,
        "my": row.fence,
        "state": state,
        "reason": reason,
        "abandons": abandons,
        "next_at": millis(now + pause) if row.begun else row.next_at,
        "finished_at": None if state == "pending" else millis(now),
    }


def redeliver(c: Connection, delivery_id: str, *, owner: str | None, now: datetime) -> Delivery:
    """Sends a finished delivery again, with the same id and body (T9). Conflict if it is not finished."""
    current, _ = deliveries.get(c, delivery_id, owner=owner)
    if _again(c, delivery.c.id == delivery_id, now=now) != 1:
        raise Conflict(f"The delivery is {current.state}; only a finished one can be sent again.")
    return deliveries.get(c, delivery_id, owner=owner)[0]


def redeliver_many(
    c: Connection, webhook_id: str, *, since: datetime, until: datetime, states: Sequence[str], now: datetime
) -> int:
    """Does so for everything due in [since, until) in these states; returns how many."""
    within = (delivery.c.due_at >= millis(since)) & (delivery.c.due_at < millis(until))
    its = (delivery.c.webhook_id == webhook_id) & within & delivery.c.state.in_(states)
    return _again(c, its, now=now)


def _again(c: Connection, which: Any, *, now: datetime) -> int:
    finished = delivery.c.state.in_(("dead", "expired", "succeeded"))
    again = {
        "state": "pending",
        "reason": None,
        "replay": delivery.c.replay + 1,
        "tries": 0,
        "abandons": 0,
        "drop_flag": 0,
        "next_at": millis(now),
        "valid_until": millis(now + REDELIVERY_USEFUL),
        "finished_at": None,
    }
    return c.execute(update(delivery).where(which, finished).values(**again)).rowcount


_DONE: dict[str, Any] = {**UNOWNED, "drop_flag": 0}
_THIS_ATTEMPT = (attempt.c.delivery_id == bindparam("the_id")) & (attempt.c.fence == bindparam("my"))
_IS_MARKED = delivery.c.drop_flag == 1
_CLOSE = (
    update(attempt)
    .where(_THIS_ATTEMPT)
    .values(
        {
            name: bindparam(name)
            for name in ("started_at", "finished_at", "outcome", "status", "latency_ms", "bytes", "excerpt")
        }
    )
)
_SUCCEED = (
    update(delivery)
    .where(
        delivery.c.id == bindparam("the_id"),
        delivery.c.fence >= bindparam("my"),
        delivery.c.state != "succeeded",
    )
    .values(state="succeeded", reason=None, tries=delivery.c.tries + 1, finished_at=bindparam("now"), **_DONE)
)
_LOCKED = (
    select(delivery.c.id, delivery.c.fence, delivery.c.state, delivery.c.drop_flag)
    .where(among(delivery.c.id))
    .with_for_update()
)
_RETRY = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        state=case((_IS_MARKED, "superseded"), else_="pending"),
        finished_at=case((_IS_MARKED, bindparam("now")), else_=None),
        tries=delivery.c.tries + bindparam("cost"),
        abandons=0,
        next_at=bindparam("next_at"),
        **_DONE,
    )
)
_END = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        tries=delivery.c.tries + 1,
        finished_at=bindparam("now"),
        **_DONE,
    )
)
_WELL = (
    update(webhook).where(among(webhook.c.id), webhook.c.failures > 0).values(failures=0, failing_since=None)
)
_ILL = (
    update(webhook)
    .where(webhook.c.id == bindparam("the_id"))
    .values(
        failures=webhook.c.failures + bindparam("more"),
        failing_since=func.coalesce(webhook.c.failing_since, bindparam("now")),
    )
)
_FAILING = select(webhook.c.id, webhook.c.failing_since, webhook.c.failures).where(
    among(webhook.c.id), webhook.c.state == "active"
)
_BEGUN = exists().where(
    attempt.c.delivery_id == delivery.c.id,
    attempt.c.fence == delivery.c.fence,
    attempt.c.finished_at.is_(None),
)
_HELD = (
    select(
        *(delivery.c[n] for n in ("id", "webhook_id", "fence", "abandons", "drop_flag", "reason", "next_at")),
        _BEGUN.label("begun"),
    )
    .where(IS_LEASED)
    .with_for_update(skip_locked=True)
)
_ABANDON = (
    update(attempt)
    .where(_THIS_ATTEMPT, attempt.c.finished_at.is_(None))
    .values(outcome="abandoned", finished_at=bindparam("now"))
)
_FREE = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        **{name: bindparam(name) for name in ("state", "reason", "abandons", "next_at", "finished_at")},
        drop_flag=0,
        **UNOWNED,
    )
)
