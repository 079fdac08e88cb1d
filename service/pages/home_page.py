"""The first page: what closes soon, what is open, what comes next, what changed, and how to subscribe."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from service.catalogue.event import Kind, Language, Organization, Program, Series
from service.catalogue.filters import EventFilter
from service.catalogue.windows import Phase
from service.pages import queries
from service.pages.components import Frame, Line, Link, Noun, PhasedEvent, feed_box, line, link
from service.pages.phrases import PHRASES
from service.store import entities, revisions
from service.store.listing import Sort
from service.store.revisions import Revision

CALLS: tuple[Kind, ...] = ("application_window",)
LONG, SHORT, NAMES = 30, 10, 200
LOG = 100
PAST = ("ended", "closed")
FEEDS = ("deadlines", "events", "calendar")


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A list under a heading; `empty` is what to say when there is nothing, "" to leave the section out."""

    id: str
    title: str
    lines: tuple[Line, ...]
    empty: str = ""


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """Links to browse."""

    title: str
    links: tuple[Link, ...]


class HomeMaterial(msgspec.Struct, frozen=True, kw_only=True):
    closing: tuple[PhasedEvent, ...]
    open: tuple[PhasedEvent, ...]
    opening: tuple[PhasedEvent, ...]
    upcoming: tuple[PhasedEvent, ...]
    past: tuple[PhasedEvent, ...]
    changed: tuple[tuple[Revision, PhasedEvent], ...]
    shelves: tuple[tuple[Noun, tuple[Series | Program | Organization, ...]], ...]


class HomePage(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    sections: tuple[Section, ...]
    later: tuple[Section, ...]
    shelves: tuple[Shelf, ...]


def read(c: Connection, *, now: datetime) -> HomeMaterial:
    def listed(
        phases: tuple[Phase, ...], kinds: tuple[Kind, ...], sort: Sort, limit: int
    ) -> tuple[PhasedEvent, ...]:
        return queries.listed(c, EventFilter(phase=phases, kind=kinds), now=now, sort=sort, limit=limit)

    return HomeMaterial(
        closing=listed(("closing_soon",), (), "end", LONG),
        open=listed(("open",), CALLS, "end", LONG),
        opening=listed(("upcoming",), CALLS, "start", SHORT),
        upcoming=_outermost(listed(("ongoing", "upcoming"), (), "start", 2 * LONG)),
        past=listed(("ended", "closed"), (), "-end", SHORT),
        changed=_changed(c, now),
        shelves=(
            ("series", _all(c, "series")),
            ("programs", _all(c, "program")),
            ("organizations", _all(c, "organization")),
        ),
    )


def _outermost(found: tuple[PhasedEvent, ...]) -> tuple[PhasedEvent, ...]:
    """The first of them without the calls, and without what is part of another, whose page lists it.

    To ask the store for every kind but one would take it fifty times as long.
    """
    events = [one for one in found if not one.document.is_window]
    shown = {one.document.id for one in events}
    return tuple(one for one in events if one.document.part_of not in shown)[:LONG]


def _changed(c: Connection, now: datetime) -> tuple[tuple[Revision, PhasedEvent], ...]:
    """The newest change of each event written last. That a past one was added is no news."""
    newest: dict[str, Revision] = {}
    for revision in revisions.latest(c, LOG):
        newest.setdefault(revision.id, revision)
    found = queries.many(c, list(newest), now=now)
    kept = [(revision, found[name]) for name, revision in newest.items() if name in found]
    news = [(log, seen) for log, seen in kept if log.revision > 1 or seen.phase not in PAST]
    return tuple(news[:SHORT])


def _all(c: Connection, kind: entities.NounKind) -> tuple[Series | Program | Organization, ...]:
    found = (one.noun for one in entities.listed(c, kind, limit=NAMES).items)
    return tuple(one for one in found if isinstance(one, Series | Program | Organization))


def page(
    found: HomeMaterial, *, now: datetime, lang: Language, base_url: str, large: Container[str] = ()
) -> HomePage:
    """`large` are the paths of feeds that are larger than Google reads."""
    say = PHRASES[lang]

    def lines(seen: Iterable[PhasedEvent]) -> tuple[Line, ...]:
        return tuple(line(one, now=now, lang=lang) for one in seen)

    changed = tuple(line(one, now=now, lang=lang, news=_news(log, lang)) for log, one in found.changed)
    return HomePage(
        frame=_frame(lang, base_url, large),
        sections=(
            Section(id="closing", title=say.closing_soon, lines=lines(found.closing), empty=say.none_closing),
            Section(id="open", title=say.open_calls, lines=lines(found.open), empty=say.none_open),
            Section(id="opening", title=say.opening, lines=lines(found.opening)),
            Section(id="upcoming", title=say.upcoming, lines=lines(found.upcoming), empty=say.none_upcoming),
        ),
        later=(
            Section(id="changed", title=say.changed, lines=changed),
            Section(id="past", title=say.past, lines=lines(found.past)),
        ),
        shelves=tuple(_shelf(noun, shelf, lang) for noun, shelf in found.shelves if shelf),
    )


def _frame(lang: Language, base_url: str, large: Container[str]) -> Frame:
    say = PHRASES[lang]
    titles = (say.subscribe_deadlines, say.subscribe_events, say.subscribe_all)
    boxes = tuple(
        feed_box(f"/feeds/{lang}/{name}.ics", title=title, lang=lang, base_url=base_url, large=large)
        for name, title in zip(FEEDS, titles, strict=True)
    )
    return Frame(
        lang=lang, path="/", title=say.tagline, description=say.about, base_url=base_url, feeds=boxes
    )


def _news(revision: Revision, lang: Language) -> str:
    say = PHRASES[lang]
    if revision.revision == 1:
        return say.new
    return say.moved if {"start", "end"} & set(revision.changed) else say.edited


def _shelf(noun: Noun, shelf: Sequence[Series | Program | Organization], lang: Language) -> Shelf:
    links = sorted((link(noun, one.id, one.name, lang) for one in shelf), key=lambda one: one.said.text)
    return Shelf(title=getattr(PHRASES[lang], noun), links=tuple(links))
