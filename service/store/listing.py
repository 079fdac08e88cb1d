"""A page of events: filtered, sorted and continued by index (docs/decisions/0042-listing.md).

One group of facets drives, the others are looked up for each candidate. Events without a known start come
last in both orders of start, and those without a known end in both orders of end; events of one instant come
in order of creation.
"""

from collections.abc import Callable
from datetime import datetime
from operator import itemgetter

import msgspec
from sqlalchemy import Connection

from service.catalogue import search_terms
from service.catalogue.event import Text
from service.catalogue.filters import EventFilter
from service.store import route
from service.store.asking import answers
from service.store.candidates import statement
from service.store.facets import UNDATED
from service.store.stored_event import Stored, stored
from service.store.wanted import Sort as Sort
from service.store.wanted import wanted
from service.store.way import Part, Statement, parts

# One more than a page, as its presence says that there is a next page.
PEEK = 1
MOST_AT_ONCE = 2000
_ORDER = itemgetter(0, 1)


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended; what a cursor carries."""

    part: int
    key: int
    number: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[Stored, ...]
    next: Position | None


def listed(
    c: Connection,
    filters: EventFilter,
    *,
    now: datetime,
    sort: Sort = "start",
    limit: int = 50,
    after: Position | None = None,
    enough: int = route.ENOUGH,
) -> Listed:
    """The events that `service.catalogue.filters.matches` accepts, in order, from after the position on.

    Up to `enough` candidates may be gathered and sorted; it changes the way, never the answer.
    """
    asked = wanted(filters, now=now)
    way = route.choose(c, asked, sort=sort, enough=enough)
    merging = c.dialect.name == "postgresql"
    page = _Page(begin=after, until=limit + PEEK)
    for part in parts(sort, asked):
        if after is None or part.index >= after.part:
            query = statement(way, asked, sort=sort, part=part, leg_by_leg=merging)
            _fill(c, page, query, part, right=_judge(filters, now))
        if len(page.items) > limit:
            break
    more = len(page.items) > limit
    return Listed(items=tuple(page.items[:limit]), next=page.places[limit - 1] if more else None)


def undated(
    c: Connection, filters: EventFilter, *, now: datetime, limit: int, enough: int = route.ENOUGH
) -> tuple[Stored, ...]:
    """Of the events that `matches` accepts those of which nobody can say when, the newest first."""
    asked = wanted(filters, now=now)
    if asked.ranged:
        return ()
    way = route.choose(c, asked, sort="-start", enough=enough)
    merging = c.dialect.name == "postgresql"
    page, part = _Page(begin=None, until=limit), Part(index=0, shelves=(UNDATED,))
    query = statement(way, asked, sort="-start", part=part, leg_by_leg=merging)
    _fill(c, page, query, part, right=_judge(filters, now))
    return tuple(page.items)


class _Page(msgspec.Struct, kw_only=True):
    """A page being filled, from `begin` on until it has `until` items, each with its place in the order."""

    begin: Position | None
    until: int
    items: list[Stored] = []
    places: list[Position] = []


def _fill(
    c: Connection, page: _Page, query: Statement, part: Part, *, right: Callable[[Stored], bool]
) -> None:
    """Read candidates of one part until the page has enough of them, or there are no more."""
    seen: set[int] = set()
    size = page.until - len(page.items)
    begin = page.begin if page.begin and page.begin.part == part.index else None
    while len(page.items) < page.until:
        before = len(page.items)
        rows = answers(c, query.text, query.values(_cursor(begin), size))
        for key, number, *values in sorted(rows, key=_ORDER, reverse=query.descending):
            begin = Position(part.index, key, number)
            # An event that is moved between two statements comes twice.
            if number not in seen and right(item := stored(values)):
                page.items.append(item)
                page.places.append(begin)
            seen.add(number)
        if len(rows) < size:
            return
        size = _next_size(page.until - len(page.items), found=len(page.items) - before, read=size)


def _next_size(missing: int, *, found: int, read: int) -> int:
    """As many as should hold what is missing, if they are like those read before; never many times more."""
    likely = missing * read // found + missing // 2 + 1 if found else 2 * read
    return min(max(likely, 1), 4 * read, MOST_AT_ONCE)


def _cursor(position: Position | None) -> tuple[int, int] | None:
    return None if position is None else (position.key, position.number)


def _judge(filters: EventFilter, now: datetime) -> Callable[[Stored], bool]:
    """The exact test of what the index tells roughly: the phase at this instant, and words as a whole."""
    sought = search_terms.undecided(filters.q) if filters.q else ()

    def right(item: Stored) -> bool:
        return (not filters.phase or item.phase(now) in filters.phase) and (
            not sought or search_terms.stand_in(sought, _texts(item.document))
        )

    return right


class _Texts(msgspec.Struct, frozen=True):
    """As much of a document as a search looks into."""

    name: Text
    summary: Text | None


_TEXTS = msgspec.json.Decoder(_Texts)


def _texts(document: bytes) -> tuple[str, ...]:
    found = _TEXTS.decode(document)
    return search_terms.searched(found.name, found.summary)
