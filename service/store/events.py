"""Events: read one or a page, write one or a batch. Every write is a revision, or nothing at all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, select

from service.catalogue.event import Event
from service.catalogue.filters import EventFilter as EventFilter
from service.errors import NotFound
from service.store import event_writes
from service.store.event_writes import Delete as Delete
from service.store.event_writes import Operation as Operation
from service.store.event_writes import Put as Put
from service.store.listing import SORTS as SORTS
from service.store.listing import ListedPage as ListedPage
from service.store.listing import Position as Position
from service.store.listing import Sort as Sort
from service.store.listing import listed as listed
from service.store.listing import undated as undated
from service.store.revisions import Revision
from service.store.sql import among, millis, rows_among
from service.store.stored_event import COLUMNS, Saved, Stored, stored
from service.store.tables import event as events

_SHOWN = [events.c[name] for name in COLUMNS]
_ONE = select(*_SHOWN).where(events.c.id == bindparam("id"))
_MANY = select(*_SHOWN).where(among(events.c.id))


def get(c: Connection, event_id: str, *, full: bool = False) -> Stored:
    """Returns the event as everybody sees it, or with `full` any as it is."""
    row = c.execute(_ONE, {"id": event_id}).one_or_none()
    found = None if row is None else stored(row) if full else stored(row).public
    if found is None:
        raise NotFound("event", event_id)
    return found


def get_many(c: Connection, event_ids: Sequence[str], *, full: bool = False) -> dict[str, Stored]:
    """Returns those that exist for everybody, or with `full` all, by id."""
    found = (stored(row) for row in rows_among(c, _MANY, event_ids))
    seen = ((each if full else each.public) for each in found)
    return {each.id: each for each in seen if each is not None}


def put(
    c: Connection,
    event: Event,
    *,
    now: datetime,
    cause: str,
    if_revision: int | None = None,
    create_only: bool = False,
    says_status: bool = False,
) -> Saved:
    """Create or replace an event that has passed `rules.check`; for `says_status` see `Put`.

    Invalid when it names something that does not exist, PreconditionFailed when it is not at `if_revision`.
    An event equal to what is stored makes no revision.
    """
    operation = Put(event=event, if_revision=if_revision, create_only=create_only, says_status=says_status)
    [saved] = _saved(apply(c, [operation], now=now, cause=cause))
    return saved


def put_many(c: Connection, written: Sequence[Event], *, now: datetime, cause: str) -> tuple[Saved, ...]:
    """Create or replace all or none; they may name each other. Faults point to `/<index>/put/…`."""
    operations = [Put(event=event, prefix=f"/{index}/put") for index, event in enumerate(written)]
    return _saved(apply(c, operations, now=now, cause=cause))


def delete(c: Connection, event_id: str, *, now: datetime, cause: str, if_revision: int | None = None) -> int:
    """Leave a tombstone in the log and return its seq. Conflict while other events name this one."""
    results = apply(c, [Delete(id=event_id, if_revision=if_revision)], now=now, cause=cause)
    [tombstone] = (result for result in results if isinstance(result, Revision))
    return tombstone.seq


def apply(
    c: Connection, operations: Sequence[Operation], *, now: datetime, cause: str
) -> tuple[Saved | Revision, ...]:
    """A batch of puts and deletes, all or nothing: Saved for each put, the tombstone for each delete."""
    return event_writes.apply(c, operations, now=now, cause=cause)


def anchored(
    c: Connection, anchor: Literal["start", "end"], *, after: datetime, until: datetime
) -> tuple[Stored, ...]:
    """Public events whose first (or last) possible instant lies in (after, until], in that order.

    The planner decides what it may be reminded of; this only keeps it from reading everything.
    """
    column = events.c.starts if anchor == "start" else events.c.ends
    within = (column > millis(after)) & (column <= millis(until))
    rows = c.execute(select(*_SHOWN).where(within).order_by(column, events.c.number))
    return tuple(seen for row in rows if (seen := stored(row).public))


def _saved(results: Sequence[Saved | Revision]) -> tuple[Saved, ...]:
    return tuple(result for result in results if isinstance(result, Saved))
