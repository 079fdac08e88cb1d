"""The log of every change: one row a change, written in the transaction of the change itself.

`seq` grows with every row, over events and nouns alike; a reader that has seen one number has seen all below.
The planner is such a reader, and its position is stored beside the log.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from service.catalogue.revisions import FieldDifference
from service.store.references import Noun
from service.store.sql import instant, millis
from service.store.tables import counter, cursor, revision

_CHANGES = msgspec.json.Decoder(tuple[FieldDifference, ...])


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `document` is the event as of this revision (without phase), None for a deletion."""

    seq: int
    noun: Noun
    id: str
    op: Literal["put", "delete"]
    revision: int
    uid: str | None
    changes: tuple[FieldDifference, ...]
    document: bytes | None
    cause: str
    at: datetime

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the changed fields."""
        return tuple(change.field for change in self.changes)


def draw(c: Connection, count: int) -> int:
    """Reserve `count` numbers, returning the first. A rollback returns them."""
    drawn = (
        update(counter)
        .where(counter.c.name == "revision")
        .values(value=counter.c.value + count)
        .returning(counter.c.value)
    )
    return int(c.execute(drawn).scalar_one()) - count + 1


def append(c: Connection, rows: Sequence[Revision]) -> None:
    if rows:
        mark = secrets.randbits(62)
        c.execute(insert(revision), [{**_row(row), "mark": mark} for row in rows])


def marks(c: Connection, seqs: Sequence[int]) -> dict[int, int]:
    """The marks of these rows, as far as they are there; 0 is before the first and has the mark 0.

    A row has a random mark from the transaction that wrote it. Whoever read the row at this `seq` with this
    mark has read what this log holds until there, also if the database was restored from a backup since.
    """
    rows = c.execute(select(revision.c.seq, revision.c.mark).where(revision.c.seq.in_(seqs)))
    return {0: 0} | {row.seq: row.mark for row in rows}


def head(c: Connection) -> int:
    """The newest `seq`, 0 in an empty store. It moves with every change of the catalogue, nouns included."""
    return int(c.execute(_HEAD, {}).scalar_one())


def floor(c: Connection) -> int:
    """The newest `seq` that has been pruned: a reader further back than this has missed changes."""
    return int(c.execute(select(counter.c.value).where(counter.c.name == "pruned")).scalar_one())


def since(c: Connection, seq: int, limit: int, *, nouns: Sequence[Noun] = ("event",)) -> tuple[Revision, ...]:
    """The changes after `seq`, oldest first."""
    later = (revision.c.noun.in_(nouns)) & (revision.c.seq > seq)
    return _read(c, select(revision).where(later).order_by(revision.c.seq).limit(limit))


def of_event(c: Connection, event_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Revision, ...]:
    """The history of one event, oldest first, across deletion and re-creation."""
    return of_noun(c, "event", event_id, after=after, limit=limit)


def of_noun(
    c: Connection, noun: Noun, identifier: str, *, after: int = 0, limit: int = 1000
) -> tuple[Revision, ...]:
    """The history of one thing, oldest first."""
    its = (revision.c.noun == noun) & (revision.c.id == identifier) & (revision.c.seq > after)
    return _read(c, select(revision).where(its).order_by(revision.c.seq).limit(limit))


def last_numbers(c: Connection, noun: Noun, identifiers: Sequence[str]) -> dict[str, int]:
    """The last revision number each of these ids ever had: one that is made anew counts on from there."""
    rows = c.execute(
        select(revision.c.id, func.max(revision.c.revision).label("last"))
        .where(revision.c.noun == noun, revision.c.id.in_(identifiers))
        .group_by(revision.c.id)
    )
    return {row.id: row.last for row in rows}


def prune(c: Connection, before: datetime) -> int:
    """Forget changes older than this, but for the newest of them, by which tokens go; returns how many.

    Tokens from before then are expired.
    """
    newest = c.execute(select(func.max(revision.c.seq)).where(revision.c.at < millis(before))).scalar_one()
    if newest is None:
        return 0
    gone = c.execute(delete(revision).where(revision.c.seq < newest)).rowcount
    c.execute(update(counter).where(counter.c.name == "pruned").values(value=newest))
    return gone


def _read(c: Connection, query: Any) -> tuple[Revision, ...]:
    return tuple(_revision(row) for row in c.execute(query))


def _revision(row: Row[Any]) -> Revision:
    return Revision(
        seq=row.seq,
        noun=row.noun,
        id=row.id,
        op=row.op,
        revision=row.revision,
        uid=row.uid,
        changes=_CHANGES.decode(row.changes),
        document=None if row.document is None else row.document.encode(),
        cause=row.cause,
        at=instant(row.at),
    )


def _row(entry: Revision) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "noun": entry.noun,
        "id": entry.id,
        "op": entry.op,
        "revision": entry.revision,
        "uid": entry.uid,
        "changes": msgspec.json.encode(entry.changes).decode(),
        "document": None if entry.document is None else entry.document.decode(),
        "cause": entry.cause,
        "at": millis(entry.at),
    }


_HEAD = select(counter.c.value).where(counter.c.name == "revision")


class PlannerOvertaken(Exception):
    """Another process has planned meanwhile: what this pass decided is out of date."""


class PlannerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The planner's progress in time and in the revision log. `planned_until` is None at first."""

    planned_until: datetime | None
    revision: int
    step: int


def planner_position(c: Connection) -> PlannerPosition:
    values = {row.name: row.value for row in c.execute(select(cursor))}
    until = values["planned_until"]
    return PlannerPosition(
        planned_until=instant(until) if until else None, revision=values["revision"], step=values["step"]
    )


def take_planner_turn(c: Connection, seen: PlannerPosition) -> None:
    """Locks the position, first in every writing pass; PlannerOvertaken if it is not the one seen."""
    same = (cursor.c.name == "step") & (cursor.c.value == seen.step)
    if c.execute(update(cursor).where(same).values(value=seen.step + 1)).rowcount != 1:
        raise PlannerOvertaken


def move_planner(
    c: Connection, *, planned_until: datetime | None = None, revision: int | None = None
) -> None:
    if planned_until is not None:
        moved = update(cursor).where(cursor.c.name == "planned_until")
        c.execute(moved.values(value=millis(planned_until)))
    if revision is not None:
        c.execute(update(cursor).where(cursor.c.name == "revision").values(value=revision))
