"""One unit of changes to events: judged together, numbered together, written with their revisions.

`service.store.events` is the door; what happens here happens inside one transaction, so that an event, its
revision, its references and its index rows are all there or none is. Everything is written twice where it is
not the same for everybody: as it is, and as who has no key sees it (docs/decisions/0077-who-sees-what.md).

It has over 400 lines, as the steps of a unit pass each other values that nobody else needs.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from service.catalogue import view, windows
from service.catalogue.event import Event
from service.catalogue.revisions import FieldDifference, changed, with_previous_dates
from service.catalogue.validation import Fault, refuse
from service.catalogue.windows import Member
from service.errors import AlreadyExists, NotFound, PreconditionFailed
from service.store import locks, parts, references, revisions, search_index, word_index
from service.store.parts import Lineage
from service.store.revisions import Outside, Revision
from service.store.search_index import Entry
from service.store.sql import among, instant, millis, rows_among
from service.store.stored_event import (
    Current,
    Saved,
    Stored,
    encode_steps,
    last_seen,
    member_of,
    read_current,
)
from service.store.tables import event as events


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Create or replace. `prefix` leads its fault pointers to its place in a batch.

    `says_status` tells that its writer named the status: what is off with what it is part of is on again by
    that, also where the status stored is the same.
    """

    event: Event
    says_status: bool = False
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
    changing = _with_public(c, [draft for draft in drafts if draft])
    prefixes = {o.id: o.prefix for o, draft in zip(operations, drafts, strict=True) if draft}
    written = _write(c, changing, prefixes, now=instant(millis(now)), cause=cause)
    return tuple(
        written.get(operation.id) or Saved(stored=current[operation.id].stored, outcome="unchanged")
        for operation in operations
    )


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A change that will be written: what was there, and what will be (None: nothing).

    `last` is the last revision that the id had, `public` what everybody will see of the event. `again` is the
    change of an event that was taken along, where its own status is written as it is.
    """

    id: str
    current: Current | None
    event: Event | None
    changes: tuple[FieldDifference, ...]
    last: int
    public: Event | None = None
    says_status: bool = False
    again: tuple[FieldDifference, ...] = ()

    @property
    def before(self) -> Event | None:
        return self.current.public if self.current else None

    @property
    def seen(self) -> tuple[FieldDifference, ...]:
        """What everybody sees change in a public event, which nothing need be."""
        return (*changed(self.before, self.public), *self.again) if self.public else ()

    @property
    def is_published(self) -> bool:
        """Whether this is the creation of the event for everybody."""
        return self.before is None and self.public is not None

    @property
    def is_hidden(self) -> bool:
        """Whether nobody sees the change but curators."""
        return not self.seen if self.public else self.before is None

    @property
    def revision(self) -> int:
        """The next revision; what nobody sees does not count, so that numbers tell nothing of it."""
        if self.is_hidden:
            return max(self.last, 1)
        # Of an event that everybody has seen go the last revision is that, so at least the second.
        return 1 if self.before is None and self.last == 1 else self.last + 1

    def member(self, event: Event, first: int) -> Member:
        """As its parts will see it; a status written now was written at `first`, with the whole unit.

        To everybody an event that is published is new, whenever its status was written before.
        """
        if self.is_published:
            written = self.says_status or event.status != "scheduled"
            return member_of(event, first if written else 0)
        written = self.says_status or any(change.field == "status" for change in self.changes)
        before = self.current.status_seq if self.current else 0
        return member_of(event, first if written else before)


class Unit:
    """Rows for every table; `write` brings them to the database at once.

    `lineages` are the events as their parts will see them, each with all it is part of. `searched` is what
    is searched of each.
    """

    def __init__(
        self,
        *,
        now: datetime,
        cause: str,
        seen: dict[str, date | None],
        lineages: Mapping[str, Lineage],
        searched: dict[str, str],
    ) -> None:
        self._now, self._cause, self._seen, self._lineages = now, cause, seen, lineages
        self._searched = searched
        self._log: list[Revision] = []
        self._inserts: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._deletes: list[dict[str, Any]] = []
        self._before: dict[int, frozenset[Entry]] = {}
        self._after: dict[int, frozenset[Entry]] = {}
        self._tokens_before: dict[int, frozenset[str]] = {}
        self._tokens_after: dict[int, frozenset[str]] = {}
        self._renamed: list[str] = []

    def add(self, draft: Draft, seq: int) -> Saved | Revision:
        """Take up one change; the result is what its caller will be told."""
        if draft.current is not None:
            before = draft.current
            self._before[before.number] = search_index.entries(before.event, before.stored.steps)
            self._tokens_before[before.number] = _tokens(before.stored.searched, before.event)
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
        word_index.replace(c, before=self._tokens_before, after=self._tokens_after)
        word_index.learn(c, self._renamed)

    def _save(self, draft: Draft, event: Event, seq: int) -> Saved:
        current = draft.current
        # An event that is published begins anew: its number, its UID and its age tell nothing of before.
        same = None if draft.is_published else current
        number = same.number if same else seq
        created = same.created_at if same else self._now
        kept = self._stored(
            draft, event, seq, created, uid=same.stored.uid if same else secrets.token_hex(16)
        )
        row = {**search_index.columns(event), **_columns(kept), "created_at": millis(created)}
        row["status_seq"] = self._lineages[event.id][0].status_seq
        if same:
            self._updates.append({**row, "the_number": number})
        else:
            self._deletes += [{"the_number": current.number}] if current else []
            self._inserts.append({**row, "number": number})
        self._after[number] = search_index.entries(event, kept.steps)
        self._tokens_after[number] = _tokens(kept.searched, event)
        if current is None or kept.searched != current.stored.searched:
            self._renamed.append(kept.searched)
        self._record(draft, seq, kept)
        return Saved(stored=kept, outcome="changed" if current else "created")

    def _stored(self, draft: Draft, event: Event, seq: int, created: datetime, *, uid: str) -> Stored:
        current = draft.current
        is_unseen = current is not None and draft.public is not None and not draft.seen
        updated = current.stored.updated_at if current and is_unseen else self._now

        def document(subject: Event) -> bytes:
            return view.document(
                subject,
                previous_dates=subject.previous_dates or (),
                revision=draft.revision,
                seq=seq,
                created_at=created,
                updated_at=updated,
            )

        if current and is_unseen:
            shown: bytes | None = current.stored.shown or current.stored.document
        else:
            shown = document(draft.public) if draft.public not in (None, event) else None
        return Stored(
            id=event.id,
            uid=uid,
            document=document(event),
            steps=windows.phase_steps(
                event, seen=self._seen[event.id], halt=windows.halt_of(self._lineages[event.id])
            ),
            revision=draft.revision,
            seq=seq,
            updated_at=updated,
            visibility=event.visibility,
            shown=shown,
            turns=current.stored.turns if current and not draft.is_published else 0,
            turned_at=current.stored.turned_at if current and not draft.is_published else None,
            searched=self._searched[event.id],
        )

    def _remove(self, draft: Draft, seq: int) -> Revision:
        current = draft.current
        if current is None:
            raise ValueError(f"There is no event {draft.id!r} to remove.")
        self._deletes.append({"the_number": current.number})
        return self._record(draft, seq, None)

    def _record(self, draft: Draft, seq: int, kept: Stored | None) -> Revision:
        of = kept or (draft.current and draft.current.stored)
        entry = Revision(
            seq=seq,
            noun="event",
            id=draft.id,
            op="put" if kept else "delete",
            revision=draft.revision,
            uid=of.uid if of else None,
            changes=(*draft.changes, *draft.again),
            document=kept.document if kept else None,
            cause=self._cause,
            at=self._now,
            halt=kept.halt if kept else None,
            outside=_outside(draft, kept.shown if kept else None),
            hidden=draft.is_hidden,
        )
        self._log.append(entry)
        return entry


def _outside(draft: Draft, shown: bytes | None) -> Outside | None:
    """The change as everybody sees it; None where nobody does, or where it is what it is."""
    before = draft.current.event if draft.current else None
    if draft.is_hidden or (draft.before == before and draft.public == draft.event):
        return None
    if draft.public is None:
        return Outside(op="delete")
    return Outside(op="put", changes=draft.seen, document=None if shown is None else shown.decode())


def _columns(kept: Stored) -> dict[str, Any]:
    return {
        "id": kept.id,
        "uid": kept.uid,
        "document": kept.document,
        "steps": encode_steps(kept.steps),
        "revision": kept.revision,
        "seq": kept.seq,
        "updated_at": millis(kept.updated_at),
        "visibility": kept.visibility,
        "shown": kept.shown,
        "searched": kept.searched,
    }


def _tokens(searched: str, event: Event) -> frozenset[str]:
    return word_index.tokens(searched, starts=search_index.place(event).starts)


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
                *("document", "shown", "visibility", "steps", "revision", "seq", "updated_at", "searched"),
                *("shelf", "lo", "hi", "signature", "starts", "ends", "status_seq"),
            )
        }
    )
)
_SEARCHED = update(events).where(_NUMBER).values(searched=bindparam("text"))


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
        return Draft(id=operation.id, current=current, event=None, changes=(), last=before)
    old = current.event if current else None
    dated = with_previous_dates(old, operation.event, before)
    new = msgspec.structs.replace(operation.event, previous_dates=dated)
    changes = changed(old, new)
    again = _again(current, new) if current and operation.says_status else ()
    if current and not changes and not again:
        return None
    return Draft(
        id=operation.id,
        current=current,
        event=new,
        changes=changes,
        last=before,
        says_status=operation.says_status,
        again=again,
    )


def _again(current: Current, new: Event) -> tuple[FieldDifference, ...]:
    if new.status != current.event.status or current.stored.halt in (None, new.status):
        return ()
    return (FieldDifference(field="status", before=current.stored.halt, after=new.status),)


def _with_public(c: Connection, drafts: Sequence[Draft]) -> list[Draft]:
    """Returns the drafts with what everybody will see, and after them those of the events beside this unit
    that name one which is published or withdrawn by it: everybody sees them change."""
    turned = [
        d.id for d in drafts if d.current and d.event and d.current.event.is_public != d.event.is_public
    ]
    changing = {draft.id for draft in drafts}
    naming = {
        by_id for name in turned for by, by_id in references.named_by(c, "event", name) if by == "event"
    }
    echoes = [
        Draft(id=key, current=each, event=each.event, changes=(), last=each.stored.revision)
        for key, each in read_current(c, sorted(naming - changing)).items()
    ]
    hidden = _hidden(c, [*drafts, *echoes])
    drafts = [
        msgspec.structs.replace(draft, public=draft.event and view.public(draft.event, hidden))
        for draft in (*drafts, *sorted(echoes, key=lambda draft: draft.id))
    ]
    return [draft for draft in drafts if draft.id in changing or draft.public != draft.before]


def _hidden(c: Connection, drafts: Sequence[Draft]) -> set[str]:
    """The events named in these drafts that are not public after them."""
    named = {name for draft in drafts if draft.event for name in view.names(draft.event)}
    after = {draft.id: draft.event for draft in drafts}
    rows = rows_among(c, _HIDDEN, sorted(named - after.keys())) if named else ()
    return {row.id for row in rows} | {key for key, event in after.items() if event and not event.is_public}


_HIDDEN = select(events.c.id).where(among(events.c.id), events.c.visibility != "public")


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
    c: Connection, drafts: Sequence[Draft], prefixes: Mapping[str, str], *, now: datetime, cause: str
) -> dict[str, Saved | Revision]:
    if not drafts:
        return {}
    first = revisions.draw(c, len(drafts))
    written = [draft.event for draft in drafts if draft.event]
    seen = last_seen(c, written)
    members = {draft.id: draft.member(draft.event, first) for draft in drafts if draft.event}
    lineages = parts.lineages(c, members)
    searched = dict(zip(members, word_index.searched(c, written), strict=True))
    gathered = Unit(now=now, cause=cause, seen=seen, lineages=lineages, searched=searched)
    results = {draft.id: gathered.add(draft, first + place) for place, draft in enumerate(drafts)}
    gathered.write(c)
    references.replace(c, [("event", draft.id, draft.event) for draft in drafts])
    _check_references(c, drafts, prefixes, lineages)
    moved = [draft.id for draft in drafts if draft.current and draft.current.member != members.get(draft.id)]
    parts.turn(c, moved, members, now=now, cause=cause)
    return results


def _check_references(
    c: Connection, drafts: Sequence[Draft], prefixes: Mapping[str, str], lineages: Mapping[str, Lineage]
) -> None:
    """After the writing, so that the events of one batch may name each other in any order."""
    asked = [(prefixes[draft.id], draft.event) for draft in drafts if draft.event and draft.id in prefixes]
    refuse(references.missing(c, asked))
    refuse([fault for prefix, event in asked for fault in _circle(prefix, lineages[event.id])])
    references.refuse_orphans(c, "event", [draft.id for draft in drafts if draft.event is None])


def _circle(prefix: str, lineage: Lineage) -> Iterator[Fault]:
    """Yields a fault for an event that is, over others, part of itself."""
    if lineage[-1].part_of == lineage[0].id:
        yield Fault(pointer=prefix + "/part_of", detail="it would be part of itself")
    elif len(lineage) > parts.DEPTH:
        yield Fault(pointer=prefix + "/part_of", detail=f"nested more than {parts.DEPTH} deep")


def rename(c: Connection, event_ids: Sequence[str]) -> None:
    """Bring what is searched of events up to date with the names of what they name; no revision."""
    currents = list(read_current(c, event_ids).values())
    texts = word_index.searched(c, [current.event for current in currents])
    changed = [pair for pair in zip(currents, texts, strict=True) if pair[1] != pair[0].stored.searched]
    if changed:
        c.execute(_SEARCHED, [{"the_number": one.number, "text": text} for one, text in changed])
        before = {one.number: _tokens(one.stored.searched, one.event) for one, _ in changed}
        after = {one.number: _tokens(text, one.event) for one, text in changed}
        word_index.replace(c, before=before, after=after)
        word_index.learn(c, [text for _, text in changed])
