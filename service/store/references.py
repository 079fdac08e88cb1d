"""Who names whom. A name must lead somewhere, and what is named cannot be deleted."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from service.catalogue.event import Event, Organization, Participation, Program, Series, Source
from service.catalogue.validation import Fault
from service.errors import Conflict
from service.store.tables import event, noun, reference

Noun = Literal["event", "series", "program", "organization", "source"]
Owner = Event | Series | Program | Organization | Source

NOUNS: dict[type, Noun] = {
    Event: "event",
    Series: "series",
    Program: "program",
    Organization: "organization",
    Source: "source",
}
SHOWN = 5


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """`pointer` says where in the owner's document the name stands."""

    noun: Noun
    id: str
    pointer: str


def of(owner: Owner) -> tuple[Reference, ...]:
    """Every name in this document that must lead to something stored."""
    match owner:
        case Event():
            return (
                *_one("series", owner.series, "/series"),
                *_one("program", owner.program, "/program"),
                *_one("event", owner.part_of, "/part_of"),
                *(
                    Reference(noun="event", id=tie.event, pointer=f"/related/{index}/event")
                    for index, tie in enumerate(owner.related)
                ),
                *_organizations(owner.organizations),
                *_sources([said.source for said in owner.evidence]),
            )
        case Program():
            return (
                *_one("program", owner.part_of, "/part_of"),
                *_organizations(owner.organizations),
                *_sources([said.source for said in owner.evidence]),
            )
        case Series():
            return tuple(_organizations(owner.organizations))
        case Organization():
            return tuple(_one("organization", owner.part_of, "/part_of"))
        case Source():
            return ()


def _one(noun: Noun, identifier: str | None, pointer: str) -> Iterable[Reference]:
    return () if identifier is None else (Reference(noun=noun, id=identifier, pointer=pointer),)


def _organizations(parts: Sequence[Participation]) -> Iterable[Reference]:
    return (
        Reference(noun="organization", id=part.id, pointer=f"/organizations/{index}/id")
        for index, part in enumerate(parts)
    )


def _sources(cited: Sequence[str]) -> Iterable[Reference]:
    return (
        Reference(noun="source", id=source, pointer=f"/evidence/{index}/source")
        for index, source in enumerate(cited)
    )


def missing(c: Connection, owners: Sequence[tuple[str, Owner]]) -> tuple[Fault, ...]:
    """Faults for names that lead nowhere; each owner comes with the prefix of its pointers."""
    wanted = [(prefix, name) for prefix, owner in owners for name in of(owner)]
    stored = _stored(c, {(name.noun, name.id) for _, name in wanted})
    return tuple(
        Fault(pointer=prefix + name.pointer, detail=f"There is no {name.noun} {name.id!r}.")
        for prefix, name in wanted
        if (name.noun, name.id) not in stored
    )


def _stored(c: Connection, names: set[tuple[Noun, str]]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    events = [identifier for kind, identifier in names if kind == "event"]
    if events:
        rows = c.execute(_EVENTS, {"ids": events})
        found.update(("event", row.id) for row in rows)
    others = [identifier for kind, identifier in names if kind != "event"]
    if others:
        found.update((row.kind, row.id) for row in c.execute(_OTHERS, {"ids": others}))
    return found


_EVENTS = select(event.c.id).where(event.c.id.in_(bindparam("ids", expanding=True)))
_OTHERS = select(noun.c.kind, noun.c.id).where(
    noun.c.kind.in_(["series", "program", "organization", "source"]),
    noun.c.id.in_(bindparam("ids", expanding=True)),
)


def replace(c: Connection, owners: Sequence[tuple[Noun, str, Owner | None]]) -> None:
    """Keep the names of these documents, and only those; None for one that is gone."""
    before = _kept(c, owners)
    after = {
        (name.noun, name.id, by_noun, by_id)
        for by_noun, by_id, owner in owners
        if owner is not None
        for name in of(owner)
    }
    if gone := before - after:
        c.execute(_FORGET, [dict(zip(_COLUMNS, row, strict=True)) for row in gone])
    if new := after - before:
        c.execute(insert(reference), [dict(zip(_KEYS, row, strict=True)) for row in new])


def _kept(c: Connection, owners: Sequence[tuple[Noun, str, Owner | None]]) -> set[tuple[str, str, str, str]]:
    kept: set[tuple[str, str, str, str]] = set()
    for kind in {by_noun for by_noun, _, _ in owners}:
        ids = [by_id for by_noun, by_id, _ in owners if by_noun == kind]
        rows = c.execute(_BY, {"kind": kind, "ids": ids})
        kept.update((row.noun, row.id, row.by_noun, row.by_id) for row in rows)
    return kept


_KEYS = ("noun", "id", "by_noun", "by_id")
_COLUMNS = tuple(f"the_{key}" for key in _KEYS)
_BY = select(reference).where(
    reference.c.by_noun == bindparam("kind"), reference.c.by_id.in_(bindparam("ids", expanding=True))
)
_FORGET = delete(reference).where(*(reference.c[key] == bindparam(f"the_{key}") for key in _KEYS))


def refuse_orphans(c: Connection, kind: Noun, gone: Sequence[str]) -> None:
    """Conflict if anything still names what was deleted."""
    if not gone:
        return
    rows = c.execute(_NAMED, {"kind": kind, "ids": list(gone)}).all()
    if not rows:
        return
    names = [f"{row.by_noun} {row.by_id!r}" for row in rows]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    raise Conflict(f"{kind} {rows[0].id!r} is still named by {', '.join(names[:SHOWN])}{more}.")


def named_by(c: Connection, kind: Noun, identifier: str) -> tuple[tuple[str, str], ...]:
    """Everything that names this, as (noun, id)."""
    rows = c.execute(_NAMED, {"kind": kind, "ids": [identifier]})
    return tuple((row.by_noun, row.by_id) for row in rows)


def naming(c: Connection, identifier: str) -> tuple[str, ...]:
    """The public events that name this event."""
    return tuple(c.execute(_NAMING, {"of": identifier}).scalars())


_NAMING = (
    select(reference.c.by_id)
    .join(event, event.c.id == reference.c.by_id)
    .where(reference.c.noun == "event", reference.c.id == bindparam("of"), reference.c.by_noun == "event")
    .where(event.c.visibility == "public")
    .order_by(reference.c.by_id)
)
_NAMED = (
    select(reference)
    .where(reference.c.noun == bindparam("kind"), reference.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(reference.c.id, reference.c.by_noun, reference.c.by_id)
)
