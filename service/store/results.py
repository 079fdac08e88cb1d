"""Recording results: T4 to T6, in batches, with the attempts they close."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, Row, Text, bindparam, case, func, select, update

from service.reminders.answers import Answer
from service.reminders.retry import Verdict
from service.store import among
from service.store.bulk import Bulk, many, once
from service.store.delivery_records import GIVEN_UP
from service.store.instants import instant, millis
from service.store.reminder_tables import IS_LEASED, attempt, delivery, webhook


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
