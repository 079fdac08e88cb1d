"""Recording results: T4 to T6, in batches, with the attempts they close."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, Row, Text, bindparam, case, exists, func, select, update

from service.errors import Conflict
from service.reminders.retry import Answer, Verdict
from service.store import among, deliveries
from service.store.bulk import Bulk, many, once
from service.store.claims import MINE, TESTING, THIS_ATTEMPT, UNOWNED
from service.store.deliveries import GIVEN_UP, Delivery, State
from service.store.tables import IS_LEASED, attempt, delivery, webhook
from service.store.timestamps import instant, millis


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One finished request and what is to follow from it."""

    delivery: str
    webhook: str
    fence: int
    answer: Answer
    verdict: Verdict
    started_at: datetime
    finished_at: datetime


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of recording: results that came too late to count, and webhooks that keep failing.

    `given_up` are failures that their deliveries ended with; `superseded` how many were to be tried again and
    had been taken back meanwhile.
    """

    stale: int
    superseded: int
    given_up: tuple[Result, ...]
    failing: tuple["Failing", ...]


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook without a success since then."""

    webhook: str
    since: datetime
    failures: int


def record(c: Connection, results: Sequence[Result]) -> Recorded:
    """All of them in this transaction. A result of an outdated fence changes nothing but its attempt."""
    if not results:
        return Recorded(stale=0, superseded=0, given_up=(), failing=())
    well = [result for result in results if result.answer.succeeded]
    _CLOSE.write(c, [_closed(result, stale=False) for result in well])
    done = _succeeded(c, well)
    ill = [result for result in results if not result.answer.succeeded]
    failed, superseded = _failed(c, ill)
    in_time = {id(result) for result in failed}
    _CLOSE.write(c, [_closed(result, stale=id(result) not in in_time) for result in ill])
    return Recorded(
        stale=len(results) - done - len(failed),
        superseded=superseded,
        given_up=tuple(result for result in failed if result.verdict.state in GIVEN_UP),
        failing=_health(c, well, failed),
    )


def _succeeded(c: Connection, results: Sequence[Result]) -> int:
    """T4. How many of them brought it about; of two for one delivery the first."""
    firsts = {result.delivery: result for result in reversed(results)}
    ids = defaultdict(list)
    for key, result in firsts.items():
        ids[result.fence].append(key)
    now = max((millis(result.finished_at) for result in results), default=0)
    asked = [{"ids": among.ids(c, its), "my": fence, "now": now} for fence, its in ids.items()]
    return sum(once(c, _SUCCEED[c.dialect.name], each).rowcount for each in asked)


def _failed(c: Connection, results: Sequence[Result]) -> tuple[list[Result], int]:
    """T5 and T6, after the successes, which they must not touch. Those in time, and how many were dropped."""
    held = _held(c, [result.delivery for result in results]) if results else {}
    counted = [r for r in results if r.delivery in held and held[r.delivery].fence == r.fence]
    again = [r for r in counted if r.verdict.state == "retry"]
    _transition(c, _RETRY, [_retry(r) for r in again])
    _transition(c, _END, [_end(r) for r in counted if r.verdict.state != "retry"])
    return counted, sum(held[r.delivery].drop_flag for r in again)


def _held(c: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Those that somebody holds, with the rows locked until the end of the transaction."""
    found = once(c, _HELD[c.dialect.name], {"ids": among.ids(c, ids)})
    return {row.id: row for row in found if row.state == "leased"}


def _transition(c: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    """The rows are locked and were looked at, so every guard holds; if not, nothing is recorded."""
    if (done := many(c, statement, rows)) != len(rows):
        raise RuntimeError(f"{done} of {len(rows)} deliveries changed state")


def _retry(result: Result) -> dict[str, Any]:
    next_at = result.verdict.next_at or result.finished_at
    return _its(result) | {"next_at": millis(next_at)}


def _end(result: Result) -> dict[str, Any]:
    return _its(result) | {"state": result.verdict.state, "reason": result.verdict.reason}


def _its(result: Result) -> dict[str, Any]:
    return {"the_id": result.delivery, "my": result.fence, "now": millis(result.finished_at)}


def _closed(result: Result, *, stale: bool) -> tuple[Any, ...]:
    answer = result.answer
    return (
        result.delivery,
        result.fence,
        millis(result.started_at),
        millis(result.finished_at),
        "stale" if stale else answer.outcome,
        answer.status,
        answer.milliseconds,
        answer.bytes,
        answer.excerpt,
    )


def _health(c: Connection, succeeded: Sequence[Result], failed: Sequence[Result]) -> tuple[Failing, ...]:
    """Keep count of failures in a row, by webhook; also a success that came too late says that it is well."""
    well = {result.webhook for result in succeeded}
    failed = [result for result in failed if result.webhook not in well]
    if well:
        once(c, _WELL[c.dialect.name], {"ids": among.ids(c, sorted(well))})
    if not failed:
        return ()
    failures, ends = Counter(r.webhook for r in failed), {r.webhook: millis(r.finished_at) for r in failed}
    # In one order everywhere, so that two workers never wait for each other.
    many(c, _ILL, [{"the_id": h, "more": n, "now": ends[h]} for h, n in sorted(failures.items())])
    query = select(webhook.c.id, webhook.c.failing_since, webhook.c.failures)
    rows = c.execute(query.where(webhook.c.id.in_(sorted(failures)), webhook.c.state == "active"))
    return tuple(Failing(webhook=r.id, since=instant(r.failing_since), failures=r.failures) for r in rows)


_DONE: dict[str, Any] = {"owner": None, "lease_until": None, "drop_flag": 0}
_ENDING: dict[str, Any] = {
    name: attempt.c[name].type
    for name in (
        *("started_at", "finished_at", "outcome", "status"),
        *("latency_ms", "bytes", "excerpt"),
    )
}
_ITS_END = (
    select(attempt.c.finished_at)
    .where(attempt.c.delivery_id == delivery.c.id, attempt.c.fence == bindparam("my"))
    .scalar_subquery()
)
# Of all that were claimed equally often at once: where it joins a list of rows, SQLite first writes down in a
# table of its own what is to change.
_SUCCEED = among.prepared(
    delivery.c.id,
    lambda chosen: (
        update(delivery)
        .where(chosen, delivery.c.fence >= bindparam("my"), delivery.c.state != "succeeded")
        .values(
            state="succeeded",
            reason=None,
            tries=delivery.c.tries + 1,
            finished_at=func.coalesce(_ITS_END, bindparam("now")),
            **_DONE,
        )
    ),
)
_CURRENT = (delivery.c.id == bindparam("the_id")) & (delivery.c.fence == bindparam("my"))
_DROPPED = delivery.c.drop_flag == 1
_RETRY = (
    update(delivery)
    .where(_CURRENT, IS_LEASED)
    .values(
        state=case((_DROPPED, "superseded"), else_="pending"),
        finished_at=case((_DROPPED, bindparam("now")), else_=None),
        tries=delivery.c.tries + 1,
        abandons=0,
        next_at=bindparam("next_at"),
        **_DONE,
    )
)
_END = (
    update(delivery)
    .where(_CURRENT, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        tries=delivery.c.tries + 1,
        finished_at=bindparam("now"),
        **_DONE,
    )
)
_CLOSE = Bulk(
    lambda row: (
        update(attempt)
        .where(attempt.c.delivery_id == row.the_id, attempt.c.fence == row.my)
        .values({name: getattr(row, name) for name in _ENDING})
    ),
    the_id=Text(),
    my=Integer(),
    **_ENDING,
)
_HELD = among.prepared(
    delivery.c.id,
    lambda chosen: (
        select(delivery.c.id, delivery.c.fence, delivery.c.state, delivery.c.drop_flag)
        .where(chosen)
        .with_for_update()
    ),
)
_WELL = among.prepared(
    webhook.c.id,
    lambda chosen: (
        update(webhook).where(chosen, webhook.c.failures > 0).values(failures=0, failing_since=None)
    ),
)
_ILL = (
    update(webhook)
    .where(webhook.c.id == bindparam("the_id"))
    .values(
        failures=webhook.c.failures + bindparam("more"),
        failing_since=func.coalesce(webhook.c.failing_since, bindparam("now")),
    )
)


# FOLDED service/store/recovery.py: What a dead worker held, T3 and T10 of docs/reliability.md: found, and freed to be claimed again.
# After this many lost attempts in a row a delivery is not sent any more.
POISON = 10


def lost(c: Connection, *, now: datetime, everything: bool = False, limit: int = 500) -> tuple[Row[Any], ...]:
    """Deliveries whose lease ran out, and which were begun; `everything` where no other sender can hold any.

    A test is sent by whoever answers its owner, maybe beside the sender: it is lost only with its lease.
    """
    names = ("id", "webhook_id", "fence", "abandons", "drop_flag", "reason", "next_at")
    query = select(*(delivery.c[name] for name in names), _BEGUN.label("begun")).where(IS_LEASED)
    over = delivery.c.lease_until <= millis(now)
    if everything:
        over |= delivery.c.owner.not_like(f"{TESTING}%")
    else:
        query = query.limit(limit)
    return tuple(c.execute(query.where(over).with_for_update(skip_locked=True)))


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that a dead worker held, and what it is now."""

    delivery: str
    webhook: str
    state: State
    reason: str | None


def recover(
    c: Connection, *, now: datetime, chance: float, everything: bool = False
) -> tuple[Recovered, ...]:
    """T3, T10: what a dead worker held may be claimed again.

    What it had begun only later, the more often this happens, and at last not at all: it may be what kills.
    """
    rows = lost(c, now=now, everything=everything)
    made = [_recovered(row, now=now, chance=chance) for row in rows]
    many(c, _ABANDON, [{"the_id": row.id, "my": row.fence, "now": millis(now)} for row in rows])
    many(c, _RECOVER, made)
    return tuple(
        Recovered(delivery=row.id, webhook=row.webhook_id, state=its["state"], reason=its["reason"])
        for row, its in zip(rows, made, strict=True)
    )


def _recovered(row: Row[Any], *, now: datetime, chance: float) -> dict[str, Any]:
    abandons = row.abandons + row.begun
    state, reason = ("dead", "poison") if abandons >= POISON else ("pending", None)
    if row.drop_flag:
        state, reason = "superseded", row.reason
    pause = timedelta(seconds=chance * 2 ** min(abandons, POISON))
    next_at = millis(now + pause) if row.begun else row.next_at
    return {
        "the_id": row.id,
        "my": row.fence,
        "state": state,
        "reason": reason,
        "abandons": abandons,
        "next_at": next_at,
        "finished_at": None if state == "pending" else millis(now),
    }


_RECOVER = (
    update(delivery)
    .where(MINE, IS_LEASED)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        abandons=bindparam("abandons"),
        next_at=bindparam("next_at"),
        finished_at=bindparam("finished_at"),
        drop_flag=0,
        **UNOWNED,
    )
)
_BEGUN = exists().where(
    attempt.c.delivery_id == delivery.c.id,
    attempt.c.fence == delivery.c.fence,
    attempt.c.finished_at.is_(None),
)
_ABANDON = (
    update(attempt)
    .where(THIS_ATTEMPT, attempt.c.finished_at.is_(None))
    .values(outcome="abandoned", finished_at=bindparam("now"))
)


# FOLDED service/store/redelivery.py: Sending again what is finished (T9). Who asks for it gets it: the planner leaves such deliveries alone.
# Who sends something again wants it sent, however old it is.
REDELIVERY_USEFUL = timedelta(days=1)


def redeliver(c: Connection, delivery_id: str, *, owner: str | None, now: datetime) -> Delivery:
    """T9: send a finished one again, under the same id and with the same body."""
    current, _ = deliveries.get(c, delivery_id, owner=owner)
    if _again(c, delivery.c.id == delivery_id, now=now) != 1:
        raise Conflict(f"The delivery is {current.state}; only a finished one can be sent again.")
    return deliveries.get(c, delivery_id, owner=owner)[0]


def redeliver_many(
    c: Connection, webhook_id: str, *, since: datetime, until: datetime, states: Sequence[str], now: datetime
) -> int:
    """The same for everything due in [since, until) in these states; returns how many."""
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
