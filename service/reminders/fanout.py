"""The planning loop: turns what is due soon, and what has changed, into deliveries.

Two cursors are kept with the deliveries they stand for, in one transaction each: `revision`, up to where the
log has been followed, and `planned_until`, up to where reminders are deliveries. A pass reads one snapshot,
decides, and writes; if another process planned meanwhile, what it decided is thrown away. So there is no
leader, and planning twice is harmless.
"""

from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from service.reminders import passes
from service.reminders.passes import Decision
from service.reminders.plan import Planned
from service.store import deliveries, planner_position, webhooks
from service.store.engine import Store
from service.store.planner_position import Position

LOOK_AHEAD = timedelta(minutes=10)
# The time cursor moves in strides: looking up what is due costs much the same for a second as for a minute.
STRIDES = 20
# Rows written in one transaction: nobody else waits longer than this takes.
SLICE = 1000
PASSES = 100_000


class Pass(Struct, frozen=True, kw_only=True):
    """What one run has done."""

    planned: int = 0
    superseded: int = 0
    expired: int = 0
    planned_until: datetime | None = None
    revision: int = 0
    passes: int = 0

    def __add__(self, other: "Pass") -> "Pass":
        return Pass(
            planned=self.planned + other.planned,
            superseded=self.superseded + other.superseded,
            expired=self.expired + other.expired,
            planned_until=other.planned_until or self.planned_until,
            revision=other.revision or self.revision,
            passes=self.passes + other.passes,
        )


def run_once(store: Store, *, now: datetime, look_ahead: timedelta = LOOK_AHEAD) -> Pass:
    """Plan until everything due by `now + look_ahead`, and every change so far, is planned."""
    decide = partial(passes.decide, now=now, until=now + look_ahead, stride=look_ahead / STRIDES)
    total = Pass()
    for _ in range(PASSES):
        decision = store.read(decide)
        if decision is None:
            break
        try:
            total += _carry_out(store, decision, now=now)
        except planner_position.Overtaken:
            continue
    return total


def lag(c: Connection, *, now: datetime) -> timedelta:
    """How long ago the last planned instant passed; zero while planning is ahead of time."""
    until = planner_position.position(c).planned_until
    return max(timedelta(0), now - until) if until else timedelta(0)


def _carry_out(store: Store, decision: Decision, *, now: datetime) -> Pass:
    """The cursors move with the last rows; rows that came before them are the same whoever inserts them."""
    # In the order of their names, which is then that of everything they will be claimed and recorded by.
    rows, seen = tuple(sorted(decision.insert, key=lambda each: each.id)), decision.seen
    while len(rows) > SLICE:
        store.write(partial(_insert, rows=rows[:SLICE], seen=seen, now=now))
        rows, seen = (
            rows[SLICE:],
            Position(planned_until=seen.planned_until, revision=seen.revision, step=seen.step + 1),
        )
    return store.write(partial(_finish, decision=decision, rows=rows, seen=seen, now=now))


def _insert(c: Connection, *, rows: tuple[Planned, ...], seen: Position, now: datetime) -> None:
    planner_position.take_turn(c, seen)
    deliveries.insert(c, _existing(c, rows), now=now)


def _finish(
    c: Connection, *, decision: Decision, rows: tuple[Planned, ...], seen: Position, now: datetime
) -> Pass:
    planner_position.take_turn(c, seen)
    # Superseded first: a reminder that moved to another hour is one row, a moved event's are two.
    gone = deliveries.supersede(c, decision.supersede, now=now)
    deliveries.stand_by(c, decision.stand)
    deliveries.revise(c, decision.revise)
    deliveries.insert(c, _existing(c, rows), now=now)
    for kept in decision.in_step:
        webhooks.replanned(c, kept)
    planner_position.move(c, planned_until=decision.planned_until, revision=decision.revision)
    webhooks.forget_followed(c)
    return Pass(
        planned=sum(row.state == "pending" for row in decision.insert),
        expired=sum(row.state == "expired" for row in decision.insert),
        superseded=gone,
        planned_until=decision.planned_until,
        revision=decision.revision or 0,
        passes=1,
    )


def _existing(c: Connection, rows: tuple[Planned, ...]) -> list[Planned]:
    """A webhook may have been deleted since it was read."""
    there = webhooks.versions(c, sorted({row.webhook for row in rows})) if rows else {}
    return [row for row in rows if row.webhook in there]
