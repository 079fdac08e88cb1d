"""How far the planner has come. A pass that began from an outdated position changes nothing."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select, update

from service.store.sql import instant, millis
from service.store.tables import cursor


class PlannerOvertaken(Exception):
    """Another process has planned meanwhile: what this pass decided is out of date."""


class PlannerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """`planned_until` is None before the first pass ever."""

    planned_until: datetime | None
    revision: int
    step: int


def position(c: Connection) -> PlannerPosition:
    values = {row.name: row.value for row in c.execute(select(cursor))}
    until = values["planned_until"]
    return PlannerPosition(
        planned_until=instant(until) if until else None, revision=values["revision"], step=values["step"]
    )


def take_turn(c: Connection, seen: PlannerPosition) -> None:
    """First in every writing pass: locks the position, and raises Overtaken if it is not the one seen."""
    same = (cursor.c.name == "step") & (cursor.c.value == seen.step)
    if c.execute(update(cursor).where(same).values(value=seen.step + 1)).rowcount != 1:
        raise PlannerOvertaken


def move(c: Connection, *, planned_until: datetime | None = None, revision: int | None = None) -> None:
    if planned_until is not None:
        moved = update(cursor).where(cursor.c.name == "planned_until")
        c.execute(moved.values(value=millis(planned_until)))
    if revision is not None:
        c.execute(update(cursor).where(cursor.c.name == "revision").values(value=revision))
