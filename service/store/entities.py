"""Series, programs, organizations and sources: small documents under (kind, id), logged like events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy import delete as remove

from service.catalogue import search_terms
from service.catalogue.event import Organization, Program, Series, Source
from service.catalogue.revisions import FieldDifference
from service.catalogue.validation import Fault, refuse
from service.errors import AlreadyExists, NotFound, PreconditionFailed
from service.store import entity_names, event_writes, locks, parts, references, revisions
from service.store.references import NOUNS
from service.store.revisions import Revision
from service.store.sql import instant, millis
from service.store.tables import noun as nouns

NounKind = Literal["series", "program", "organization", "source"]
Noun = Series | Program | Organization | Source

TYPES: dict[NounKind, type[Noun]] = {
    "series": Series,
    "program": Program,
    "organization": Organization,
    "source": Source,
}
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DERIVED = "revision", "seq", "created_at", "updated_at"


class StoredNoun(msgspec.Struct, frozen=True, kw_only=True):
    kind: NounKind
    id: str
    noun: Noun
    revision: int
    seq: int
    created_at: datetime
    updated_at: datetime

    def body(self) -> bytes:
        """The JSON to send: the document with its derived fields."""
        derived = {name: getattr(self, name) for name in _DERIVED}
        return b"%b,%b" % (_ENCODER.encode(self.noun)[:-1], _ENCODER.encode(derived)[1:])


class SavedNoun(msgspec.Struct, frozen=True, kw_only=True):
    stored: StoredNoun
    outcome: Literal["created", "changed", "unchanged"]


class ListedNouns(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[StoredNoun, ...]
    next: str | None


def get(c: Connection, kind: NounKind, identifier: str) -> StoredNoun:
    found = find(c, kind, identifier)
    if found is None:
        raise NotFound(kind, identifier)
    return found


def find(c: Connection, kind: NounKind, identifier: str) -> StoredNoun | None:
    row = c.execute(_ONE, {"kind": kind, "id": identifier}).one_or_none()
    return None if row is None else _stored(row)


def get_many(c: Connection, kind: NounKind, identifiers: Sequence[str]) -> dict[str, StoredNoun]:
    """Returns those that exist."""
    if not identifiers:
        return {}
    return {row.id: _stored(row) for row in c.execute(_MANY, {"kind": kind, "ids": list(identifiers)})}


def listed(c: Connection, kind: NounKind, *, limit: int = 50, after: str | None = None) -> ListedNouns:
    """A page in order of id, from after that id on."""
    rows = c.execute(_PAGE, {"kind": kind, "after": after or "", "size": limit + 1}).all()
    items = tuple(_stored(row) for row in rows[:limit])
    return ListedNouns(items=items, next=items[-1].id if len(rows) > limit else None)


def put(
    c: Connection,
    noun: Noun,
    *,
    now: datetime,
    cause: str,
    if_revision: int | None = None,
    create_only: bool = False,
) -> SavedNoun:
    """Create or replace a noun that has passed `rules.check_noun`; an equal one makes no revision.

    A source that changes how long its events may be believed open changes their phases with it, and another
    name what its events are found by.
    """
    locks.catalogue(c)
    kind = _kind(noun)
    current = find(c, kind, noun.id)
    _check_revision(kind, noun.id, current, if_revision=if_revision, create_only=create_only)
    if current is not None and current.noun == noun:
        return SavedNoun(stored=current, outcome="unchanged")
    if current is None and kind in entity_names.GROUPS:
        refuse(_namesake(c, noun.id))
    kept = _next(c, kind, noun, current, now=instant(millis(now)))
    _save(c, kept, new=current is None)
    revisions.append(c, [_entry(kept, _changes(current, noun), cause)])
    references.replace(c, [(kind, noun.id, noun)])
    refuse(references.missing(c, [("", noun)]))
    if current is not None:
        _bring_events_in_step(c, kind, current.noun, noun)
    return SavedNoun(stored=kept, outcome="changed" if current else "created")


def _bring_events_in_step(c: Connection, kind: NounKind, before: Noun, after: Noun) -> None:
    """Follows what changed of a noun in the events that name it: their phases, and what they are found by."""
    if isinstance(before, Source) or isinstance(after, Source):
        parts.rederive(c, _naming(c, kind, after.id))
    elif search_terms.names_of(before) != search_terms.names_of(after):
        event_writes.rename(c, _naming(c, kind, after.id))


def _naming(c: Connection, kind: NounKind, identifier: str) -> list[str]:
    return [by_id for by, by_id in references.named_by(c, kind, identifier) if by == "event"]


def delete(
    c: Connection,
    kind: NounKind,
    identifier: str,
    *,
    now: datetime,
    cause: str,
    if_revision: int | None = None,
) -> int:
    """Leave a tombstone in the log and return its seq. Conflict while anything names it."""
    locks.catalogue(c)
    current = get(c, kind, identifier)
    _check_revision(kind, identifier, current, if_revision=if_revision, create_only=False)
    references.refuse_orphans(c, kind, [identifier])
    tombstone = Revision(
        seq=revisions.draw(c, 1),
        noun=kind,
        id=identifier,
        op="delete",
        revision=current.revision + 1,
        uid=None,
        changes=(),
        document=None,
        cause=cause,
        at=instant(millis(now)),
    )
    c.execute(_DELETE, {"the_kind": kind, "the_id": identifier})
    references.replace(c, [(kind, identifier, None)])
    revisions.append(c, [tombstone])
    return tombstone.seq


def _namesake(c: Connection, identifier: str) -> tuple[Fault, ...]:
    """A feed has one name: of two nouns with the same, one would have none that can be reached."""
    if (other := entity_names.group(c, identifier)) is None:
        return ()
    detail = f"the {other[0]} {identifier!r} has this id, and its feed this name; choose another"
    return (Fault(pointer="/id", detail=detail),)


def _kind(noun: Noun) -> NounKind:
    kind = NOUNS[type(noun)]
    if kind == "event":
        raise TypeError("Events have a module of their own.")
    return kind


def _check_revision(
    kind: NounKind, identifier: str, current: StoredNoun | None, *, if_revision: int | None, create_only: bool
) -> None:
    if create_only and current is not None:
        raise AlreadyExists(f"There is a {kind} {identifier!r} already.")
    if if_revision is not None and (current is None or current.revision != if_revision):
        at = "is not there" if current is None else f"is at revision {current.revision}"
        raise PreconditionFailed(f"The {kind} {identifier!r} {at}, not at {if_revision}.")


def _changes(current: StoredNoun | None, new: Noun) -> tuple[FieldDifference, ...]:
    old = current.noun if current else None
    pairs = ((name, getattr(old, name, None), getattr(new, name)) for name in new.__struct_fields__)
    return tuple(
        FieldDifference(field=name, before=before, after=after)
        for name, before, after in pairs
        if before != after
    )


def _entry(kept: StoredNoun, changes: tuple[FieldDifference, ...], cause: str) -> Revision:
    return Revision(
        seq=kept.seq,
        noun=kept.kind,
        id=kept.id,
        op="put",
        revision=kept.revision,
        uid=None,
        changes=changes,
        document=kept.body(),
        cause=cause,
        at=kept.updated_at,
    )


def _next(
    c: Connection, kind: NounKind, noun: Noun, current: StoredNoun | None, *, now: datetime
) -> StoredNoun:
    """The next revision; a noun made anew counts on from its tombstone."""
    before = current.revision if current else revisions.last_numbers(c, kind, [noun.id]).get(noun.id, 0)
    return StoredNoun(
        kind=kind,
        id=noun.id,
        noun=noun,
        revision=before + 1,
        seq=revisions.draw(c, 1),
        created_at=current.created_at if current else now,
        updated_at=now,
    )


def _save(c: Connection, kept: StoredNoun, *, new: bool) -> None:
    row = {
        "document": _ENCODER.encode(kept.noun).decode(),
        "revision": kept.revision,
        "seq": kept.seq,
        "created_at": millis(kept.created_at),
        "updated_at": millis(kept.updated_at),
    }
    if new:
        c.execute(insert(nouns).values(kind=kept.kind, id=kept.id, **row))
    else:
        c.execute(update(nouns).where(_KEY).values(**row), {"the_kind": kept.kind, "the_id": kept.id})


def _stored(row: Row[Any]) -> StoredNoun:
    return StoredNoun(
        kind=row.kind,
        id=row.id,
        noun=msgspec.json.decode(row.document, type=TYPES[row.kind]),
        revision=row.revision,
        seq=row.seq,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
    )


_KEY = (nouns.c.kind == bindparam("the_kind")) & (nouns.c.id == bindparam("the_id"))
_ONE = select(nouns).where(nouns.c.kind == bindparam("kind"), nouns.c.id == bindparam("id"))
_MANY = select(nouns).where(
    nouns.c.kind == bindparam("kind"), nouns.c.id.in_(bindparam("ids", expanding=True))
)
_PAGE = (
    select(nouns)
    .where(nouns.c.kind == bindparam("kind"), nouns.c.id > bindparam("after"))
    .order_by(nouns.c.id)
    .limit(bindparam("size"))
)
_DELETE = remove(nouns).where(_KEY)
