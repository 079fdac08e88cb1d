"""A page of events: filtered, sorted and continued by the index (docs/decisions/0042-listing.md).

A page is read in the order of its sort. For an order of start the rarest label that is asked for drives, shelf
by shelf, and the others are looked up for each candidate. For an order of end or of change the events are
walked in that order, unless a label or a range leaves so few that they are gathered and sorted. Phases and long
words are decided exactly on what was found, and the page is filled up.

Events without a known start come last in both orders of start, and those without a known end in both orders
of end; events of one instant come in order of creation.
"""

# ruff: noqa: S608 - every text below is made of our own words; values are bound.

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, TextClause, text

from service.catalogue import search_terms
from service.catalogue.event import Text
from service.catalogue.filters import EventFilter
from service.store import search_index
from service.store.search_index import LABELLED_PHASES, LONGEST, OPEN_START, SPANS, UNDATED, Label
from service.store.stored_event import COLUMNS, Stored, stored
from service.store.timestamps import FIRST, LAST, millis, millis_or

Sort = Literal["start", "-start", "end", "-end", "updated", "-updated"]
SORTS: tuple[Sort, ...] = ("start", "-start", "end", "-end", "updated", "-updated")

# One more than a page is read, as its presence says that there is a next page.
PEEK = 1
MOST_AT_ONCE = 2000
# So many candidates may be gathered and sorted instead of walking the order of the page.
ENOUGH = 2000
DATED = tuple(range(LONGEST + 1))
# No event has a number below or above these.
BEFORE_ALL, AFTER_ALL = -1, 2**62

# Phases that only begin when the event has begun, and that only windows can be in.
LIVE = frozenset({"open", "closing_soon", "ongoing"})
BEGUN = LIVE | {"ended", "closed"}
OF_WINDOWS = frozenset({"open", "closing_soon", "closed"})
IMPLIED = ("kind:application_window",)
# A window is never taken for open beyond its `hi`, but still is at that instant: "by 18:00" holds at 18:00.
ACCEPTING = LIVE & OF_WINDOWS
STILL = 1
# An event that gives no end is ongoing until its day is over, up to this long after its `hi`.
SLACK = 3 * 86_400_000
# The number of events that are in a live phase at a time, however many have been.
FEW = 900

Params = dict[str, Any]


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended; what a cursor carries."""

    part: int
    key: int
    number: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page, and where the next one begins."""

    items: tuple[Stored, ...]
    next: Position | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of which an event must have one. `size` is an estimate of how many events are in question.

    `signature` holds the bits that all of them share; search tokens are in no signature.

    A phase only drives: whether it holds at this instant is decided on the event. An implied group follows
    from the phases asked for and need not be looked up where one of them drives.
    """

    labels: tuple[int, ...]
    size: int
    signature: int = 0
    is_phase: bool = False
    is_live: bool = False
    is_implied: bool = False


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing asks of the index: groups, and bounds in milliseconds since 1970.

    hi > `after`; lo < `before` and lo >= `begins`, where a start is known; `ranged` leaves out events of which
    nobody can say when.
    """

    groups: tuple[Group, ...]
    now: int
    ranged: bool
    after: int
    before: int
    begins: int
    updated_since: int | None

    @property
    def bounded(self) -> bool:
        """Whether the time says anything about which events are asked for."""
        return self.after > FIRST or self.before <= LAST or self.begins > FIRST


def listed(
    c: Connection,
    filters: EventFilter,
    *,
    now: datetime,
    sort: Sort = "start",
    limit: int = 50,
    after: Position | None = None,
    enough: int = ENOUGH,
) -> Listed:
    """The events that `service.catalogue.filters.matches` accepts, in order, from after the position on.

    Up to `enough` candidates may be gathered and sorted; it changes the way, never the answer.
    """
    query = _query(c, filters, now=now)
    if query is None:
        return Listed(items=(), next=None)
    page = _Page(begin=after, until=limit + PEEK)
    for part in _parts(sort, ranged=query.ranged):
        if after is None or part.index >= after.part:
            _fill(c, page, _statement(c, query, sort, part, enough=enough), part, right=_judge(filters, now))
        if len(page.items) > limit:
            break
    more = len(page.items) > limit
    return Listed(items=tuple(page.items[:limit]), next=page.places[limit - 1] if more else None)


def undated(c: Connection, filters: EventFilter, *, now: datetime, limit: int) -> tuple[Stored, ...]:
    """Of the events that `matches` accepts those of which nobody can say when, the newest first."""
    query = _query(c, filters, now=now)
    if query is None or query.ranged:
        return ()
    page, part = _Page(begin=None, until=limit), Part(index=0, shelves=(UNDATED,))
    _fill(c, page, _statement(c, query, "-start", part, enough=0), part, right=_judge(filters, now))
    return tuple(page.items)


def _query(c: Connection, asked: EventFilter, *, now: datetime) -> Query | None:
    """None where a label is asked for that no event has ever had."""
    at, phases = millis(now), frozenset[str](asked.phase)
    named = _names(asked)
    labels = search_index.known(c, {name for names in named for name in names}) if named else {}
    groups = [_group(names, labels, is_implied=names == IMPLIED and not asked.kind) for names in named]
    if any(not group.labels for group in groups):
        return None
    live = bool(phases) and phases <= LIVE
    return Query(
        groups=tuple(groups),
        now=at,
        ranged=asked.from_ is not None or asked.to is not None,
        after=max(
            millis_or(asked.from_, FIRST), at - (STILL if phases <= ACCEPTING else SLACK) if live else FIRST
        ),
        before=min(millis_or(asked.to, LAST + 1), at + 1 if phases and phases <= BEGUN else LAST + 1),
        begins=at if phases == {"upcoming"} else FIRST,
        updated_since=None if asked.updated_since is None else millis(asked.updated_since),
    )


def _names(asked: EventFilter) -> list[tuple[str, ...]]:
    """The names of the labels asked for, a tuple a group."""
    plain = {
        "kind": asked.kind,
        "tag": asked.tag,
        "series": asked.series,
        "program": asked.program,
        "organization": asked.organization,
        "city": asked.city,
        "status": asked.status,
        "part_of": asked.part_of,
        "disputed": () if asked.disputed is None else (str(int(asked.disputed)),),
    }
    if asked.phase and LABELLED_PHASES.issuperset(asked.phase):
        plain["phase"] = asked.phase
    if asked.phase and not asked.kind and OF_WINDOWS.issuperset(asked.phase):
        plain["kind"] = ("application_window",)
    groups = [tuple(f"{name}:{value}" for value in values) for name, values in plain.items() if values]
    return [*groups, *((f"q:{token}",) for token in sorted(search_terms.query_tokens(asked.q or "")))]


def _group(names: Sequence[str], labels: dict[str, Label], *, is_implied: bool) -> Group:
    known = [name for name in names if name in labels]
    found = [labels[name] for name in known]
    is_phase = names[0].startswith("phase:")
    size = sum(each.size for each in found)
    is_live = is_phase and all(name.removeprefix("phase:") in LIVE for name in names)
    size = min(size, FEW) if is_live else size
    single = len(known) == 1 and not is_phase and not names[0].startswith("q:")
    return Group(
        labels=tuple(each.id for each in found),
        size=size,
        signature=search_index.signature(known) if single else 0,
        is_phase=is_phase,
        is_live=is_live,
        is_implied=is_implied,
    )


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the order of a page; parts follow each other. Its keys lie in `low` to `high`."""

    index: int
    shelves: tuple[int, ...]
    low: int = FIRST
    high: int = LAST


def _parts(sort: Sort, *, ranged: bool) -> tuple[Part, ...]:
    """Known instants first, in either direction; what has no bound at all is in no range."""
    undated = () if ranged else (UNDATED,)
    every = (*DATED, OPEN_START, *undated)
    if sort in ("start", "-start"):
        return Part(index=0, shelves=DATED), Part(index=1, shelves=(OPEN_START, *undated))
    if sort == "-end":
        return Part(index=0, shelves=every, high=LAST - 1), Part(index=1, shelves=every, low=LAST)
    return (Part(index=0, shelves=every),)


_ALL = Part(index=0, shelves=(*DATED, OPEN_START, UNDATED))


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement for some rows of a part; `stretches` are read in order: a name, its least and greatest key."""

    sql: str
    params: Params
    stretches: tuple[tuple[str, int, int], ...]
    descending: bool

    def bound(self, begin: tuple[int, int] | None, limit: int) -> Params:
        """The parameters for what comes after `begin`, in the direction of the page."""
        params = {**self.params, "size": limit}
        for name, low, high in self.stretches:
            if self.descending:
                key, number = min(begin or (high, AFTER_ALL), (high, AFTER_ALL))
            else:
                key, number = max(begin or (low, BEFORE_ALL), (low, BEFORE_ALL))
            params[f"k{name}"], params[f"n{name}"] = key, number
            params[f"b{name}"] = low if self.descending else high
        return params


def _statement(c: Connection, query: Query, sort: Sort, part: Part, *, enough: int) -> Statement:
    for source in _sources(query, sort):
        if _count(c, query, source, enough) < enough:
            return _by_gathering(query, source, sort, part)
    return _by_start(c, query, sort, part) if sort in ("start", "-start") else _by_walking(query, sort, part)


# Where candidates come from: the rows of a group, all events by their bounds, or what changed of late.
Source = Group | Literal["bounds", "change"]


def _sources(query: Query, sort: Sort) -> Iterator[Source]:
    """The ways of gathering that are worth a count, where the order of the page says little about the query."""
    if query.updated_since is not None and sort not in ("updated", "-updated"):
        yield "change"
    if sort in ("start", "-start"):
        return
    rarest = _rarest(query) if query.groups else None
    if rarest is not None:
        # What is open ends soon: a walk along the ends meets it at once.
        if not (rarest.is_live and sort == "end"):
            yield rarest
    elif query.before <= LAST or (query.after > FIRST and sort in ("updated", "-updated")):
        yield "bounds"


def _rarest(query: Query) -> Group:
    return min(query.groups, key=lambda group: (group.size, group.is_implied))


def _count(c: Connection, query: Query, source: Source, enough: int) -> int:
    """How many candidates there are, counted no further than `enough`."""
    if isinstance(source, Group) and not source.is_phase and (source.size < enough or not query.bounded):
        return source.size
    params: Params = {"enough": enough}
    legs = " UNION ALL ".join(_candidates(query, source, _ALL, "number", params, alone=True))
    counting = f"SELECT count(*) FROM (SELECT 1 FROM ({legs}) l LIMIT :enough) n"
    return int(c.execute(_prepared(counting), params).scalar_one())


def _by_start(c: Connection, query: Query, sort: Sort, part: Part) -> Statement:
    """The rows of the rarest group, shelf by shelf, merged in order.

    PostgreSQL merges legs only where each is told its order, SQLite only where none is.
    """
    descending = sort.startswith("-")
    driver = _rarest(query) if query.groups else None
    params: Params = {}
    stretches, legs = [], []
    direction = " DESC" if descending else ""
    for shelf in part.shelves:
        low, high = _stretch(query, driver, shelf)
        stretches.append((str(shelf), low, high))
        for leg in _legs(query, driver, shelf, params):
            legs.append(f"{leg} AND {_within('d.lo', 'd.number', str(shelf), descending=descending)}")
    if c.dialect.name == "postgresql" and len(legs) > 1:
        legs = [f"({leg} ORDER BY k{direction}, n{direction} LIMIT :size)" for leg in legs]
    return Statement(
        sql=_joined(" UNION ALL ".join(legs), direction),
        params=params,
        stretches=tuple(stretches),
        descending=descending,
    )


def _stretch(query: Query, driver: Group | None, shelf: int) -> tuple[int, int]:
    """The least and the greatest `lo` that can be asked for on a shelf."""
    if shelf == UNDATED:
        return FIRST, LAST
    if shelf == OPEN_START:
        return query.after + 1, LAST
    low = query.begins
    if shelf < LONGEST:
        # A phase's row lies on the shelf of the phase, whose length says nothing about the event's.
        after = query.now if driver is not None and driver.is_phase else query.after
        low = max(low, after - SPANS[shelf])
    return low, query.before - 1


def _legs(query: Query, driver: Group | None, shelf: int, params: Params) -> Iterator[str]:
    """A SELECT of key and number for each label of the driver on this shelf."""
    where = _conditions(query, driver, params, bounded=shelf >= OPEN_START)
    if driver is None:
        yield " AND ".join([f"SELECT d.lo AS k, d.number AS n FROM event d WHERE d.shelf = {shelf}", *where])
        return
    for index, label in enumerate(driver.labels):
        params[f"f{index}"] = label
        its = [f"d.label = :f{index}", f"d.shelf = {shelf}", *where]
        yield f"SELECT d.lo AS k, d.number AS n FROM event_label d WHERE {' AND '.join(its)}"


def _conditions(query: Query, driver: Group | None, params: Params, *, bounded: bool) -> list[str]:
    """What is checked of each candidate beyond its place; `bounded` where that says all about `hi`."""
    where = []
    if query.after > FIRST and not bounded:
        where.append("d.hi > :after")
        params["after"] = query.after
    if query.updated_since is not None:
        where.append(f"{'d.updated_at' if driver is None else _of_its_event('updated_at')} >= :since")
        params["since"] = query.updated_since
    # A phase lies on a shelf of its own.
    shelf = _of_its_event("shelf") if driver is not None and driver.is_phase else "d.shelf"
    return where + _looked_up(query, driver, shelf, params)


def _of_its_event(column: str) -> str:
    return f"(SELECT e.{column} FROM event e WHERE e.number = d.number)"


def _looked_up(query: Query, driver: Group | None, shelf: str, params: Params) -> list[str]:
    """The other groups, looked up for a candidate `d`; all labels of an event lie on one `shelf`."""
    by_phase = driver is not None and driver.is_phase
    others = [
        group
        for group in query.groups
        if group is not driver and not group.is_phase and not (group.is_implied and by_phase)
    ]
    where = []
    if mask := functools.reduce(operator.or_, (group.signature for group in others), 0):
        where.append("(d.signature & :mask) = :mask")
        params["mask"] = mask
    for index, group in enumerate(others):
        names = [f"g{index}_{place}" for place in range(len(group.labels))]
        params.update(zip(names, group.labels, strict=True))
        is_one = f"IN ({', '.join(f':{name}' for name in names)})" if len(names) > 1 else f"= :{names[0]}"
        where.append(
            # Not EXISTS, which PostgreSQL would make a join of and begin at the wrong end.
            f"(SELECT 1 FROM event_label q WHERE q.label {is_one} AND q.shelf = {shelf} "
            "AND q.lo = d.lo AND q.number = d.number LIMIT 1) = 1"
        )
    return where


# Names are short, as psycopg takes a statement of more than 4,096 letters apart anew each time.
def _within(key: str, number: str, name: str, *, descending: bool) -> str:
    """A row-value bound on the side the page is read from: the index is entered at the right place."""
    compare, bound = ("<", ">=") if descending else (">", "<=")
    return f"({key}, {number}) {compare} (:k{name}, :n{name}) AND {key} {bound} :b{name}"


_EVENT = ", ".join(f"e.{name}" for name in COLUMNS)


def _joined(page: str, direction: str) -> str:
    # Sorted by the reader: quicker than to carry documents through a sort.
    return (
        f"SELECT p.k, p.n, {_EVENT} FROM "
        f"({page} ORDER BY k{direction}, n{direction} LIMIT :size) p JOIN event e ON e.number = p.n"
    )


def _by_walking(query: Query, sort: Sort, part: Part) -> Statement:
    """The events in the order of their end or of their change."""
    descending, key = sort.startswith("-"), _KEY[sort.lstrip("-")]
    params: Params = {}
    low = max(part.low, query.after + 1) if key == "hi" else max(part.low, query.updated_since or FIRST)
    where = [*_of_event(query, part, params), *_looked_up(query, None, "d.shelf", params)]
    within = _within(f"d.{key}", "d.number", "", descending=descending)
    page = f"SELECT d.{key} AS k, d.number AS n FROM event d WHERE {' AND '.join([within, *where])}"
    return Statement(
        sql=_joined(page, " DESC" if descending else ""),
        params=params,
        stretches=(("", low, part.high),),
        descending=descending,
    )


def _by_gathering(query: Query, source: Source, sort: Sort, part: Part) -> Statement:
    """All candidates of a source that yields few, sorted."""
    descending = sort.startswith("-")
    params: Params = {}
    legs = " UNION ALL ".join(_candidates(query, source, part, _KEY[sort.lstrip("-")], params))
    within = _within("u.k", "u.n", "", descending=descending)
    return Statement(
        sql=_joined(f"SELECT u.k, u.n FROM ({legs}) u WHERE {within}", " DESC" if descending else ""),
        params=params,
        stretches=(("", part.low, part.high),),
        descending=descending,
    )


def _candidates(
    query: Query, source: Source, part: Part, key: str, params: Params, *, alone: bool = False
) -> Iterator[str]:
    """A SELECT of key and number for each stretch of the source; `alone` checks nothing beyond the stretch."""
    driver = source if isinstance(source, Group) else None
    if source == "change":
        params["since"] = query.updated_since
        checks = (
            [] if alone else [*_of_event(query, part, params), *_looked_up(query, None, "d.shelf", params)]
        )
        where = " AND ".join(["d.updated_at >= :since", *checks])
        yield f"SELECT d.{key} AS k, d.number AS n FROM event d WHERE {where}"
        return
    for shelf in part.shelves:
        params[f"l{shelf}"], params[f"h{shelf}"] = _stretch(query, driver, shelf)
        lying = [f"d.shelf = {shelf}", f"d.lo BETWEEN :l{shelf} AND :h{shelf}"]
        legs = [] if alone else _conditions(query, driver, params, bounded=shelf >= OPEN_START)
        if driver is None:
            where = " AND ".join([*lying, *legs])
            yield f"SELECT d.{key} AS k, d.number AS n FROM event d WHERE {where}"
            continue
        column = f"d.{key}" if key in ("lo", "hi", "number") else _of_its_event(key)
        for index, label in enumerate(driver.labels):
            params[f"f{index}"] = label
            where = " AND ".join([f"d.label = :f{index}", *lying, *legs])
            yield f"SELECT {column} AS k, d.number AS n FROM event_label d WHERE {where}"


_KEY = {"start": "lo", "end": "hi", "updated": "updated_at"}


def _of_event(query: Query, part: Part, params: Params) -> list[str]:
    """The bounds of an event, checked on its own row."""
    where = []
    if len(part.shelves) < len(_ALL.shelves):
        # The plus keeps the index of places out of a walk along another.
        where.append(f"+d.shelf IN ({', '.join(map(str, part.shelves))})")
    if query.after > FIRST:
        where.append("d.hi > :after")
        params["after"] = query.after
    if query.before <= LAST:
        where.append(f"(d.lo < :before OR d.shelf >= {OPEN_START})")
        params["before"] = query.before
    if query.begins > FIRST:
        where.append(f"(d.lo >= :begins OR d.shelf >= {OPEN_START})")
        params["begins"] = query.begins
    if query.updated_since is not None:
        where.append("d.updated_at >= :since")
        params["since"] = query.updated_since
    return where


class _Page(msgspec.Struct, kw_only=True):
    """A page being filled, from `begin` on until it has `until` items, each with its place in the order."""

    begin: Position | None
    until: int
    items: list[Stored] = []
    places: list[Position] = []


def _fill(
    c: Connection, page: _Page, statement: Statement, part: Part, *, right: Callable[[Stored], bool]
) -> None:
    """Reads candidates of one part until the page has enough of them, or there are no more."""
    seen: set[int] = set()
    size = page.until - len(page.items)
    begin = page.begin if page.begin and page.begin.part == part.index else None
    while len(page.items) < page.until:
        before = len(page.items)
        place = None if begin is None else (begin.key, begin.number)
        rows = c.execute(_prepared(statement.sql), statement.bound(place, size)).all()
        for key, number, *values in sorted(rows, key=lambda row: row[:2], reverse=statement.descending):
            begin = Position(part.index, key, number)
            # An event with two labels of one group comes twice.
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


# Compiled once for a shape of question; a page asks for two of them.
_prepared: Callable[[str], TextClause] = functools.lru_cache(maxsize=1000)(text)


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
