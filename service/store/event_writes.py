"""One unit of changes to events: judged together, numbered together, written with their revisions.

`service.store.events` is the door; what happens here happens inside one transaction, so that an event, its
revision, its references and its index rows are all there or none is.
"""

import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from service.catalogue import view, windows
from service.catalogue.event import Event
from service.catalogue.revisions import FieldDifference, changed, with_previous_dates
from service.catalogue.validation import Fault, refuse
from service.errors import AlreadyExists, NotFound, PreconditionFailed
from service.store import locks, references, revisions, search_index
from service.store.revisions import Revision
from service.store.search_index import Entry
from service.store.sql import instant, millis
from service.store.stored_event import COLUMNS, Saved, Stored, encode_steps, last_seen, stored
from service.store.tables import event as events

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


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands before the unit."""

    number: int
    created_at: datetime
    event: Event
    stored: Stored

    def entries(self) -> frozenset[Entry]:
        """The rows of the event in the index of the listing."""
        return search_index.entries(self.event, self.stored.steps)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A change that will be written: what was there, what will be (None: nothing), under which number."""

    id: str
    current: Current | None
    event: Event | None
    changes: tuple[FieldDifference, ...]
    revision: int


class Unit:
    """Rows for every table; `write` brings them to the database at once."""

    def __init__(self, *, now: datetime, cause: str, seen: dict[str, date | None]) -> None:
        self._now, self._cause, self._seen = now, cause, seen
        self._log: list[Revision] = []
        self._inserts: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._deletes: list[dict[str, Any]] = []
        self._before: dict[int, frozenset[Entry]] = {}
        self._after: dict[int, frozenset[Entry]] = {}

    def add(self, draft: Draft, seq: int) -> Saved | Revision:
        """Take up one change; the result is what its caller will be told."""
        if draft.current is not None:
            self._before[draft.current.number] = draft.current.entries()
        return self._remove(draft, seq) if draft.event is None else self._save(draft, draft.event, seq)

    def write(self, c: Connection) -> None:
        revisions.append(c, self._log)
        if self._deletes:
            c.execute(_DELETE, self._deletes)
        if self._inserts:
            c.execute(insert(events), self._inserts)
        if self._updates:
            c.execute(_UPDATE, self._updates)
        search_index.replace(c, before=self._before, after=self._after)

    def _save(self, draft: Draft, event: Event, seq: int) -> Saved:
        current = draft.current
        number = current.number if current else seq
        created = current.created_at if current else self._now
        kept = self._stored(draft, event, seq, created)
        row = {**search_index.columns(event), **_columns(kept), "created_at": millis(created)}
        if current:
            self._updates.append({**row, "the_number": number})
        else:
            self._inserts.append({**row, "number": number})
        self._after[number] = search_index.entries(event, kept.steps)
        self._record(draft, seq, uid=kept.uid, document=kept.document)
        return Saved(stored=kept, outcome="changed" if current else "created")

    def _stored(self, draft: Draft, event: Event, seq: int, created: datetime) -> Stored:
        return Stored(
            id=event.id,
            uid=draft.current.stored.uid if draft.current else secrets.token_hex(16),
            document=view.document(
                event,
                previous_dates=event.previous_dates or (),
                revision=draft.revision,
                seq=seq,
                created_at=created,
                updated_at=self._now,
            ),
            steps=windows.phase_steps(event, seen=self._seen[event.id]),
            revision=draft.revision,
            seq=seq,
            updated_at=self._now,
        )

    def _remove(self, draft: Draft, seq: int) -> Revision:
        current = draft.current
        if current is None:
            raise ValueError(f"There is no event {draft.id!r} to remove.")
        self._deletes.append({"the_number": current.number})
        return self._record(draft, seq, uid=current.stored.uid, document=None)

    def _record(self, draft: Draft, seq: int, *, uid: str, document: bytes | None) -> Revision:
        entry = Revision(
            seq=seq,
            noun="event",
            id=draft.id,
            op="delete" if document is None else "put",
            revision=draft.revision,
            uid=uid,
            changes=draft.changes,
            document=document,
            cause=self._cause,
            at=self._now,
        )
        self._log.append(entry)
        return entry


def _columns(kept: Stored) -> dict[str, Any]:
    return {
        "id": kept.id,
        "uid": kept.uid,
        "document": kept.document,
        "steps": encode_steps(kept.steps),
        "revision": kept.revision,
        "seq": kept.seq,
        "updated_at": millis(kept.updated_at),
    }


def rederive_events(c: Connection, currents: Sequence[Current]) -> None:
    """Bring phases up to date with the sources; no revision, as the documents stay what they are."""
    seen = last_seen(c, [current.event for current in currents])
    for current in currents:
        steps = windows.phase_steps(current.event, seen=seen[current.event.id])
        if steps == current.stored.steps:
            continue
        c.execute(_STEPS, {"the_number": current.number, "new_steps": encode_steps(steps)})
        after = search_index.entries(current.event, steps)
        search_index.replace(c, before={current.number: current.entries()}, after={current.number: after})


def _same(column: str) -> BindParameter[Any]:
    return bindparam(column)


_NUMBER = events.c.number == bindparam("the_number")
_DELETE = delete(events).where(_NUMBER)
_UPDATE = (
    update(events)
    .where(_NUMBER)
    .values(
        {
            name: _same(name)
            for name in (
                *("document", "steps", "revision", "seq", "updated_at"),
                *("shelf", "lo", "hi", "signature", "starts", "ends"),
            )
        }
    )
)
_STEPS = update(events).where(_NUMBER).values(steps=bindparam("new_steps"))


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
    """Returns what is to be written, None where nothing changes. An id made anew counts on from `last`."""
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
    rederive_events(c, list(read_current(c, event_ids).values()))
