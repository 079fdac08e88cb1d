"""What a page needs from the store, read on one snapshot, as everybody sees it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from service.catalogue.entries import Around, names_used
from service.catalogue.event import Organization, Program, Relation, Series, Source
from service.catalogue.filters import EventFilter
from service.catalogue.view import Document
from service.pages.components import PhasedEvent
from service.store import entities, entity_names, events, references
from service.store.listing import Sort
from service.store.stored_event import Stored

MOST = 200


class Tie(msgspec.Struct, frozen=True, kw_only=True):
    """A related event; `backward` when it is the other that names this one."""

    relation: Relation
    seen: PhasedEvent
    backward: bool


class EventMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """An event and everything its page says around it."""

    seen: PhasedEvent
    uid: str
    around: Around
    series: Series | None
    program: Program | None
    parent: PhasedEvent | None
    organizations: Mapping[str, Organization]
    sources: Mapping[str, Source]
    children: tuple[PhasedEvent, ...]
    editions: tuple[PhasedEvent, ...]
    calls: tuple[PhasedEvent, ...]
    ties: tuple[Tie, ...]


def event(c: Connection, event_id: str, *, now: datetime, uid_domain: str) -> EventMaterial:
    """NotFound for an event that is not there, or not for everybody."""
    stored = events.get(c, event_id)
    seen = _seen(stored, now)
    document = seen.document
    parent = many(c, [document.part_of], now=now) if document.part_of else {}
    editions = (
        listed(c, EventFilter(series=(document.series,)), now=now, sort="-start") if document.series else ()
    )
    children = listed(c, EventFilter(part_of=(event_id,)), now=now)
    series = entities.find(c, "series", document.series) if document.series else None
    program = entities.find(c, "program", document.program) if document.program else None
    return EventMaterial(
        seen=seen,
        uid=f"{stored.uid}@{uid_domain}",
        around=entity_names.named(c, names_used(document), uid_domain=uid_domain),
        series=series.noun if series and isinstance(series.noun, Series) else None,
        program=program.noun if program and isinstance(program.noun, Program) else None,
        parent=parent.get(document.part_of or ""),
        organizations=organizations(c, [one.id for one in document.organizations]),
        sources=_sources(c, document),
        children=children,
        editions=_others(_whole(editions), {event_id}),
        calls=_calls(c, document, now=now, without={event_id, *(one.document.id for one in children)}),
        ties=_ties(c, document, now=now),
    )


def listed(
    c: Connection, filters: EventFilter, *, now: datetime, sort: Sort = "start", limit: int = MOST
) -> tuple[PhasedEvent, ...]:
    """The first events that match."""
    return tuple(_seen(one, now) for one in events.listed(c, filters, now=now, sort=sort, limit=limit).items)


def many(c: Connection, event_ids: Sequence[str], *, now: datetime) -> dict[str, PhasedEvent]:
    """Those of these events that are there for everybody."""
    return {key: _seen(one, now) for key, one in events.get_many(c, event_ids).items()}


def organizations(c: Connection, identifiers: Sequence[str]) -> dict[str, Organization]:
    found = entities.get_many(c, "organization", list(dict.fromkeys(identifiers)))
    return {name: one.noun for name, one in found.items() if isinstance(one.noun, Organization)}


def _seen(stored: Stored, now: datetime) -> PhasedEvent:
    return PhasedEvent(document=stored.standing, phase=stored.phase(now))


def _whole(editions: Sequence[PhasedEvent]) -> tuple[PhasedEvent, ...]:
    """Editions themselves, without what happens within one of them."""
    return tuple(one for one in editions if one.document.part_of is None)


def _others(found: Sequence[PhasedEvent], without: set[str]) -> tuple[PhasedEvent, ...]:
    return tuple(one for one in found if one.document.id not in without)


def _calls(c: Connection, document: Document, *, now: datetime, without: set[str]) -> tuple[PhasedEvent, ...]:
    """The windows of the same program, the newest first."""
    if document.program is None:
        return ()
    wanted = EventFilter(program=(document.program,), kind=("application_window",))
    return _others(listed(c, wanted, now=now, sort="-start"), without)


def _ties(c: Connection, document: Document, *, now: datetime) -> tuple[Tie, ...]:
    naming = references.naming(c, document.id)
    found = many(c, list(dict.fromkeys([*(tie.event for tie in document.related), *naming[:MOST]])), now=now)
    forward = [
        Tie(relation=tie.relation, seen=found[tie.event], backward=False)
        for tie in document.related
        if tie.event in found
    ]
    backward = [
        Tie(relation=tie.relation, seen=found[by], backward=True)
        for by in naming
        if by in found
        for tie in found[by].document.related
        if tie.event == document.id
    ]
    return (*forward, *backward)


def _sources(c: Connection, document: Document) -> dict[str, Source]:
    cited = list(dict.fromkeys(item.source for item in document.evidence))
    found = entities.get_many(c, "source", cited)
    return {name: one.noun for name, one in found.items() if isinstance(one.noun, Source)}
