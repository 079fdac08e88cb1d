"""The log of every change: one row a change, written in the transaction of the change itself.

`seq` grows with every row, over events and nouns alike; a reader that has seen one number has seen all below.
The planner is such a reader, and its position is stored beside the log.

That an event was taken along by what it is part of, or released, is a row too, of the noun `turn`: it changes
nothing of the event, so it is no revision, but the planner and the feeds have to follow it.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from service.catalogue.revisions import FieldDifference
from service.catalogue.windows import Halt
from service.store.references import Noun
from service.store.sql import among, instant, millis, rows_among
from service.store.tables import counter, cursor, revision

Recorded = Noun | Literal["turn"]
_CHANGES = msgspec.json.Decoder(tuple[FieldDifference, ...])
_NOTHING = ""
# The changes that everybody sees; the others are those of events that are not public.
IS_PUBLIC = or_(revision.c.outside.is_(None), revision.c.outside != _NOTHING)


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """A change as everybody sees it, where that is another one: an event is made when it is published, and
    gone when it is not public any more. `document` is None where it is that of the change itself."""

    op: Literal["put", "delete"]
    changes: tuple[FieldDifference, ...] = ()
    document: str | None = None


_OUTSIDE = msgspec.json.Decoder(Outside)


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `document` is the event as of this revision (without phase), None for a deletion; `halt`
    says whether it was off then.

    `outside` is the change as everybody sees it, where that is another one; `hidden` says that it is none.
    """

    seq: int
    noun: Recorded
    id: str
    op: Literal["put", "delete"]
    revision: int
    uid: str | None
    changes: tuple[FieldDifference, ...]
    document: bytes | None
    cause: str
    at: datetime
    halt: Halt | None = None
    outside: Outside | None = None
    hidden: bool = False

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the changed fields."""
        return tuple(change.field for change in self.changes)

    @property
    def public(self) -> "Revision":
        """The change as everybody sees it, unless it is hidden."""
        if (seen := self.outside) is None:
            return self
        document = self.document if seen.document is None else seen.document.encode()
        if seen.op == "delete":
            document = None
        return replace(self, op=seen.op, changes=seen.changes, document=document, outside=None)


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


def next_at(c: Connection, *, after: int) -> datetime | None:
    """Returns when the first change after this `seq` was made."""
    first = select(revision.c.at).where(revision.c.seq > after).order_by(revision.c.seq).limit(1)
    at = c.execute(first).scalar_one_or_none()
    return None if at is None else instant(at)


def public_head(c: Connection) -> int:
    """The newest `seq` that everybody may know of: it does not move with what only curators see."""
    newest = select(revision.c.seq).where(IS_PUBLIC).order_by(revision.c.seq.desc()).limit(1)
    return c.execute(newest).scalar_one_or_none() or 0


def floor(c: Connection) -> int:
    """The newest `seq` that has been pruned: a reader further back than this has missed changes."""
    return int(c.execute(select(counter.c.value).where(counter.c.name == "pruned")).scalar_one())


def since(
    c: Connection, seq: int, limit: int, *, nouns: Sequence[Recorded] = ("event",), full: bool = False
) -> tuple[Revision, ...]:
    """The changes after `seq`, oldest first: those that everybody sees, or with `full` all."""
    later = (revision.c.noun.in_(nouns)) & (revision.c.seq > seq)
    return read(c, select(revision).where(later).order_by(revision.c.seq).limit(limit), full=full)


def latest(c: Connection, limit: int) -> tuple[Revision, ...]:
    """The newest changes of events that everybody sees, the newest first."""
    its = select(revision).where(revision.c.noun == "event")
    return read(c, its.order_by(revision.c.seq.desc()).limit(limit))


def of_event(
    c: Connection, event_id: str, *, after: int = 0, limit: int = 1000, full: bool = False
) -> tuple[Revision, ...]:
    """The history of one event, oldest first, across deletion and re-creation."""
    return of_noun(c, "event", event_id, after=after, limit=limit, full=full)


def of_noun(
    c: Connection, noun: Noun, identifier: str, *, after: int = 0, limit: int = 1000, full: bool = False
) -> tuple[Revision, ...]:
    """The history of one thing, oldest first."""
    its = (revision.c.noun == noun) & (revision.c.id == identifier) & (revision.c.seq > after)
    return read(c, select(revision).where(its).order_by(revision.c.seq).limit(limit), full=full)


def dated_at(c: Connection, event_ids: Sequence[str]) -> dict[str, datetime]:
    """When everybody saw the dates of these events written last, as far as the log is kept."""
    dated = or_(*(revision.c.changes.like(f'%"field":"{field}","before":%') for field in ("start", "end")))
    newest = (
        select(revision.c.id, func.max(revision.c.at).label("at"))
        .where(among(revision.c.id), revision.c.noun == "event", dated, IS_PUBLIC)
        .group_by(revision.c.id)
    )
    return {row.id: instant(row.at) for row in rows_among(c, newest, event_ids)}


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


def read(c: Connection, query: Any, *, full: bool = False) -> tuple[Revision, ...]:
    """The rows of a query of this table: as everybody sees them, or with `full` all as they are."""
    if full:
        return tuple(_revision(row) for row in c.execute(query))
    return tuple(_revision(row).public for row in c.execute(query.where(IS_PUBLIC)))


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
        halt=row.halt,
        outside=_OUTSIDE.decode(row.outside) if row.outside else None,
        hidden=row.outside == _NOTHING,
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
        "halt": entry.halt,
        "cause": entry.cause,
        "at": millis(entry.at),
        "outside": _NOTHING if entry.hidden else _encoded(entry.outside),
    }


def _encoded(seen: Outside | None) -> str | None:
    return None if seen is None else msgspec.json.encode(seen).decode()


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
