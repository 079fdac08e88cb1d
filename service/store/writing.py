"""One unit of changes to events: judged together, numbered together, written with their revisions.

`service.store.events` is the door; what happens here happens inside one transaction, so that an event, its
revision, its references and its index rows are all there or none is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from service.catalogue.event import Event
from service.catalogue.revisions import changed, with_previous_dates
from service.catalogue.validation import Fault, refuse
from service.errors import AlreadyExists, NotFound, PreconditionFailed
from service.store import locks, references, revisions, unit
from service.store.instants import instant, millis
from service.store.records import COLUMNS, Saved, stored
from service.store.revisions import Revision
from service.store.tables import event as events
from service.store.unit import Current, Draft, Unit, last_seen

READ_AT_ONCE = 500
DEPTH = 20


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Create or replace. `prefix` leads its fault pointers to its place in a batch."""

    event: Event
    if_revision: int | None = None
    create_only: bool = False
    prefix: str = ""

    @property
    def id(self) -> str:
        return self.event.id


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    if_revision: int | None = None
    prefix: str = ""


Operation = Put | Delete


def apply(
    c: Connection, operations: Sequence[Operation], *, now: datetime, cause: str
) -> tuple[Saved | Revision, ...]:
    """Do all of it or raise; one result an operation: Saved for a put, the tombstone for a delete."""
    locks.catalogue(c)
    _refuse_twice(operations)
    current = read_current(c, [operation.id for operation in operations])
    last = revisions.last_numbers(c, "event", [o.id for o in operations if o.id not in current])
    drafts = [
        _draft(operation, current.get(operation.id), last.get(operation.id, 0)) for operation in operations
    ]
    written = _write(c, [draft for draft in drafts if draft], now=instant(millis(now)), cause=cause)
    _check_references(c, operations, drafts)
    return tuple(
        written[operation.id] if draft else Saved(stored=current[operation.id].stored, outcome="unchanged")
        for operation, draft in zip(operations, drafts, strict=True)
    )


def read_current(c: Connection, identifiers: Sequence[str]) -> dict[str, Current]:
    found: dict[str, Current] = {}
    for first in range(0, len(identifiers), READ_AT_ONCE):
        rows = c.execute(_CURRENT, {"ids": identifiers[first : first + READ_AT_ONCE]})
        found.update((row.id, _current(row)) for row in rows)
    return found


_CURRENT = select(*(events.c[name] for name in COLUMNS), events.c.number, events.c.created_at).where(
    events.c.id.in_(bindparam("ids", expanding=True))
)


def _current(row: Any) -> Current:
    kept = stored(row[:-2])
    return Current(number=row.number, created_at=instant(row.created_at), event=kept.event, stored=kept)


def _refuse_twice(operations: Sequence[Operation]) -> None:
    seen: set[str] = set()
    faults = []
    for operation in operations:
        if operation.id in seen:
            pointer = operation.prefix + ("/id" if isinstance(operation, Put) else "")
            faults.append(Fault(pointer=pointer, detail=f"{operation.id!r} stands twice in this batch"))
        seen.add(operation.id)
    refuse(faults)


def _draft(operation: Operation, current: Current | None, last: int) -> Draft | None:
    """What is to be written; None where nothing would change. An id made anew counts on from `last`."""
    _check_revision(operation, current)
    before = current.stored.revision if current else last
    if isinstance(operation, Delete):
        if current is None:
            raise NotFound("event", operation.id)
        return Draft(id=operation.id, current=current, event=None, changes=(), revision=before + 1)
    old = current.event if current else None
    dated = with_previous_dates(old, operation.event, before)
    new = msgspec.structs.replace(operation.event, previous_dates=dated)
    changes = changed(old, new)
    if current and not changes:
        return None
    return Draft(id=operation.id, current=current, event=new, changes=changes, revision=before + 1)


def _check_revision(operation: Operation, current: Current | None) -> None:
    if isinstance(operation, Put) and operation.create_only and current:
        raise AlreadyExists(f"There is an event {operation.id!r} already.")
    if operation.if_revision is None:
        return
    if current is None:
        raise PreconditionFailed(f"There is no event {operation.id!r}.")
    if current.stored.revision != operation.if_revision:
        raise PreconditionFailed(
            f"Event {operation.id!r} is at revision {current.stored.revision}, not {operation.if_revision}."
        )


def _write(
    c: Connection, drafts: Sequence[Draft], *, now: datetime, cause: str
) -> dict[str, Saved | Revision]:
    if not drafts:
        return {}
    first = revisions.draw(c, len(drafts))
    seen = last_seen(c, [draft.event for draft in drafts if draft.event])
    gathered = Unit(now=now, cause=cause, seen=seen)
    results = {draft.id: gathered.add(draft, first + place) for place, draft in enumerate(drafts)}
    gathered.write(c)
    references.replace(c, [("event", draft.id, draft.event) for draft in drafts])
    return results


def _check_references(c: Connection, operations: Sequence[Operation], drafts: Sequence[Draft | None]) -> None:
    """After the writing, so that the events of one batch may name each other in any order."""
    changed = [(o.prefix, d.event) for o, d in zip(operations, drafts, strict=True) if d and d.event]
    refuse(references.missing(c, changed))
    refuse(_circles(c, [(prefix, event) for prefix, event in changed if event.part_of]))
    references.refuse_orphans(c, "event", [d.id for d in drafts if d and d.event is None])


def _circles(c: Connection, events: Sequence[tuple[str, Event]]) -> list[Fault]:
    """Faults for events that are, over others, part of themselves."""
    faults = []
    for prefix, event in events:
        above = references.parents(c, event, depth=DEPTH)
        if event.id in above:
            faults.append(Fault(pointer=prefix + "/part_of", detail="it would be part of itself"))
        elif len(above) == DEPTH:
            faults.append(Fault(pointer=prefix + "/part_of", detail=f"nested more than {DEPTH} deep"))
    return faults


def rederive(c: Connection, event_ids: Sequence[str]) -> None:
    """After a change of a source: the phases of the events that cite it."""
    unit.rederive(c, list(read_current(c, event_ids).values()))
