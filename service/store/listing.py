"""Lists events by page: filtered, sorted and continued by the index (docs/decisions/0042-listing.md).

A statement reads a limited number of candidates, in one of four ways:

- merge: in an order of start, the rows of the rarest group of labels, shelf by shelf, each in that order;
- walk: in an order of end or of change, the events in that order;
- gather: where candidates are few (a rare label, a short range, recent changes), all of them, then sorted;
- numbers: where a search found few, these, then sorted.

The other groups of labels are looked up for each candidate. Phases and words are decided exactly on the
events that were read, and the page is filled up. A search knows beforehand which numbers may match, so of
other candidates only the number is read; an order of start goes year by year, past those without a match.

By relevance the best level of `search_terms` comes first, and in a level what starts last.

Events without a known start come last in both orders of start, and those without a known end in both orders
of end; events of one instant come in order of creation.

It has over 400 lines, as the filters, the access path and the statement share a few private values.
"""

# ruff: noqa: S608 - the SQL is made of words of this module, as text: to build and compile expressions for
# each combination of filters takes longer than to run them. Values are bound.

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import MAXYEAR, UTC, datetime
from itertools import chain, islice
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import Connection, TextClause, select, text

from service.catalogue.filters import EventFilter
from service.store import search_index, word_index
from service.store.search_index import LABELLED_PHASES, LONGEST, OPEN_START, SPANS, UNDATED, IndexedLabel
from service.store.sql import FIRST, LAST, among, millis, millis_or, rows_among
from service.store.stored_event import COLUMNS, Stored, stored
from service.store.tables import event
from service.store.word_index import Found

Sort = Literal["start", "-start", "end", "-end", "updated", "-updated", "relevance"]
SORTS: tuple[Sort, ...] = get_args(Sort)
# Phases that an event is in after it has begun, and those that only windows are in.
LIVE = frozenset({"open", "closing_soon", "ongoing"})
BEGUN = LIVE | {"ended", "closed"}
OF_WINDOWS = frozenset({"open", "closing_soon", "closed"})
# A window is not open after its `hi`, but it is at that instant: "by 18:00" includes 18:00.
ACCEPTING = LIVE & OF_WINDOWS
STILL = 1
# An event without an end is ongoing until its day is over, at most this long after its `hi`.
SLACK = 3 * 86_400_000

_KEYS = {"start": "lo", "end": "ends", "updated": "updated_at"}
_FACETS = ("kind", "tag", "series", "program", "organization", "city", "status", "part_of")
_DATED = tuple(range(LONGEST + 1))
# No event has a number below or above these.
_BEFORE_ALL, _AFTER_ALL = -1, 2**62
# Fewer candidates than this are gathered.
_FEW = 2000
# About how many events are in a live phase at a time; its label has those of all times.
_LIVE_EVENTS = 900
_MOST_AT_ONCE = 2000


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The place of an event in an order, as a cursor carries it."""

    part: int
    key: int
    number: int


class ListedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, and the position to continue after; None on the last page."""

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
    few: int = _FEW,
    full: bool = False,
) -> ListedPage:
    """Returns the events that `service.catalogue.filters.matches` accepts, in order, after a position.

    They are as everybody sees them, or with `full` as they are. Fewer than `few` candidates are gathered;
    that changes the way, never the answer.
    """
    query = _query(c, filters, now=now)
    found = word_index.find(c, filters.q) if query and filters.q else None
    if query is None or (found and not found.events):
        return ListedPage(items=(), next=None)
    path, accepts = _access_path(c, query, sort, few=few), _accepts(filters, found, now, full=full)
    matches = (
        _matches(c, query, path, part, accepts, after=after, wanted=limit + 1, few=few)
        for part in _parts(c, sort, filters, found, few=few)
        if after is None or part.index >= after.part
    )
    # One more than a page tells that there is a next one.
    page = list(islice(chain.from_iterable(matches), limit + 1))
    more = len(page) > limit
    return ListedPage(
        items=tuple(item for _, item in page[:limit]), next=page[limit - 1][0] if more else None
    )


def undated(c: Connection, filters: EventFilter, *, now: datetime, limit: int) -> tuple[Stored, ...]:
    """Returns the accepted events of which neither start nor end is known, the newest first."""
    query = _query(c, filters, now=now)
    if query is None or filters.from_ or filters.to:
        return ()
    found = word_index.find(c, filters.q) if filters.q else None
    path = _AccessPath(kind="merge", key="lo", descending=True, driver=query.rarest)
    part = _Stretch(shelves=(UNDATED,), among=found and found.events)
    accepts = _accepts(filters, found, now, full=False)
    matches = _matches(c, query, path, part, accepts, after=None, wanted=limit, few=_FEW)
    return tuple(item for _, item in islice(matches, limit))


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of which an event must have one. `size` estimates how many of their rows are in question.

    `signature` has the bits of a single label. A phase is never looked up, as it is
    decided on the event. An implied group follows from the phases, and is not looked up where they drive.
    """

    labels: tuple[int, ...]
    size: int
    signature: int
    is_phase: bool
    is_implied: bool


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    """Filters as the index knows them: groups of labels, and bounds in milliseconds since 1970.

    `hi` > `after`, and where a start is known, `begins` <= `lo` < `before`. `is_live` says that all phases
    asked for are in LIVE.
    """

    groups: tuple[_Group, ...]
    now: int
    is_live: bool
    after: int
    before: int
    begins: int
    updated_since: int | None

    @property
    def rarest(self) -> _Group | None:
        return min(self.groups, key=lambda group: (group.size, group.is_implied), default=None)


def _query(c: Connection, filters: EventFilter, *, now: datetime) -> _Query | None:
    """Returns None where no event ever had any of the labels of a group."""
    named_groups = _label_names(filters)
    labels = search_index.known(c, chain.from_iterable(named_groups))
    groups = tuple(_group(names, labels, filters) for names in named_groups)
    if not all(group.labels for group in groups):
        return None
    at, phases = millis(now), frozenset[str](filters.phase)
    is_live = bool(phases) and phases <= LIVE
    after, before = millis_or(filters.from_, FIRST), millis_or(filters.to, LAST + 1)
    if is_live:
        after = max(after, at - (STILL if phases <= ACCEPTING else SLACK))
    if phases and phases <= BEGUN:
        before = min(before, at + 1)
    return _Query(
        groups=groups,
        now=at,
        is_live=is_live,
        after=after,
        before=before,
        begins=at if phases == {"upcoming"} else FIRST,
        updated_since=None if filters.updated_since is None else millis(filters.updated_since),
    )


def _label_names(filters: EventFilter) -> list[tuple[str, ...]]:
    """Returns the names of the labels asked for, a tuple for each group."""
    values: dict[str, Sequence[str]] = {name: getattr(filters, name) for name in _FACETS}
    for switch in ("disputed", "unsupported"):
        if (wanted := getattr(filters, switch)) is not None:
            values[switch] = (str(int(wanted)),)
    if "public" not in filters.visibility:
        values["visibility"] = filters.visibility
    if LABELLED_PHASES.issuperset(filters.phase):
        values["phase"] = filters.phase
    if filters.phase and OF_WINDOWS.issuperset(filters.phase):
        values["kind"] = filters.kind or ("application_window",)
    return [tuple(f"{name}:{value}" for value in some) for name, some in values.items() if some]


def _group(names: Sequence[str], labels: dict[str, IndexedLabel], filters: EventFilter) -> _Group:
    known = [name for name in names if name in labels]
    facet = names[0].partition(":")[0]
    size = sum(labels[name].size for name in known)
    return _Group(
        labels=tuple(labels[name].id for name in known),
        size=min(size, _LIVE_EVENTS) if facet == "phase" and LIVE.issuperset(filters.phase) else size,
        signature=search_index.signature(known) if len(known) == 1 and facet != "phase" else 0,
        is_phase=facet == "phase",
        is_implied=facet == "kind" and not filters.kind,
    )


class _Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of an order: the events of these shelves whose keys lie in `low` to `high`.

    Only events `among` these are asked for, where a search knows which may match; of about so many
    `candidates` one is.
    """

    index: int = 0
    shelves: tuple[int, ...] = (*_DATED, OPEN_START, UNDATED)
    low: int = FIRST
    high: int = LAST
    among: int | None = None
    candidates: int = 8


def _parts(
    c: Connection, sort: Sort, filters: EventFilter, found: Found | None, *, few: int
) -> Iterable[_Stretch]:
    """Returns the parts of an order, one after another: known instants come first in either direction."""
    # An event without any known bound is in no range.
    unknown = (OPEN_START,) if filters.from_ or filters.to else (OPEN_START, UNDATED)
    every = (*_DATED, *unknown)
    if sort in ("start", "-start", "relevance"):
        if found is None:
            return _Stretch(shelves=_DATED), _Stretch(index=1, shelves=unknown)
        levels = found.levels if sort == "relevance" else (found.events,)
        return _by_start(c, levels, unknown, descending=sort != "start", few=few)
    among = found and found.events
    if sort == "-end":
        known = _Stretch(shelves=every, high=LAST - 1, among=among)
        return known, _Stretch(index=1, shelves=every, low=LAST, among=among)
    return (_Stretch(shelves=every, among=among),)


def _by_start(
    c: Connection, levels: Sequence[int], unknown: tuple[int, ...], *, descending: bool, few: int
) -> Iterator[_Stretch]:
    """Yields the parts of an order of start, level by level; many events year by year."""
    years: dict[int | None, int] = {}
    for level, events in enumerate(levels):
        dated = undated = events
        if events.bit_count() > _most_listed(few):
            years = years or word_index.years(c)
            undated = events & years.get(None, 0)
            for year in sorted((year for year in years if year is not None), reverse=descending):
                if dated := events & years[year]:
                    low = millis(datetime(year, 1, 1, tzinfo=UTC))
                    high = millis(datetime(year + 1, 1, 1, tzinfo=UTC)) - 1 if year < MAXYEAR else LAST
                    share = 1 + 5 * years[year].bit_count() // (4 * dated.bit_count())
                    yield _Stretch(
                        index=2 * level, shelves=_DATED, low=low, high=high, among=dated, candidates=share
                    )
        elif dated:
            yield _Stretch(index=2 * level, shelves=_DATED, among=dated)
        if undated:
            yield _Stretch(index=2 * level + 1, shelves=unknown, among=undated)


def _most_listed(few: int) -> int:
    """How many events are read by their numbers at most."""
    return few // 2


class _AccessPath(msgspec.Struct, frozen=True, kw_only=True):
    """The way candidates are read in the order of `key`; `recent` gathers what changed since an instant.

    The rows of its labels are read where a group is the `driver`, those of all events otherwise.
    """

    kind: Literal["merge", "walk", "gather", "recent", "numbers"]
    key: str
    descending: bool
    driver: _Group | None = None


def _access_path(c: Connection, query: _Query, sort: Sort, *, few: int) -> _AccessPath:
    if sort == "relevance":
        sort = "-start"
    path = functools.partial(_AccessPath, key=_KEYS[sort.lstrip("-")], descending=sort.startswith("-"))
    by_change = sort.endswith("updated")
    if query.updated_since is not None and not by_change and _are_few(c, query, path(kind="recent"), few):
        return path(kind="recent")
    if sort.endswith("start"):
        return path(kind="merge", driver=query.rarest)
    gather = path(kind="gather", driver=query.rarest)
    if gather.driver is None:
        is_narrow = query.before <= LAST or (query.after > FIRST and by_change)
    else:
        # What is open ends soon: a walk along the ends meets it at once.
        is_narrow = not (gather.driver.is_phase and query.is_live and sort == "end")
    return gather if is_narrow and _are_few(c, query, gather, few) else path(kind="walk")


def _are_few(c: Connection, query: _Query, path: _AccessPath, few: int) -> bool:
    """Whether there are fewer than `few` candidates to gather, counted no further than that."""
    driver, of_all_times = path.driver, (query.after, query.begins, query.before) == (FIRST, FIRST, LAST + 1)
    if driver is not None and not driver.is_phase and (driver.size < few or of_all_times):
        return driver.size < few
    statement = _Statement(query, path)
    if path.kind == "recent":
        since = statement.bind("since", query.updated_since)
        candidates = f"SELECT 1 FROM event d WHERE d.updated_at >= {since}"
    else:
        candidates = _union(statement.of_shelves(_Stretch(), key="number", checked=False))
    counting = f"SELECT count(*) FROM (SELECT 1 FROM ({candidates}) l LIMIT {statement.bind('few', few)}) n"
    return int(c.execute(_prepared(counting), statement.params).scalar_one()) < few


class _Statement:
    """The text of a SELECT of candidates, and the parameters that it binds."""

    def __init__(self, query: _Query, path: _AccessPath) -> None:
        self._query, self._path, self._driver = query, path, path.driver
        self._by_phase = path.driver is not None and path.driver.is_phase
        self.params: dict[str, int | str | list[int] | None] = {}

    def bind(self, name: str, value: int | str | list[int] | None) -> str:
        # Names are short: psycopg does not remember how it translated a statement of over 4,096 letters.
        self.params[name] = value
        return f":{name}"

    def page(self, part: _Stretch, *, begin: tuple[int, int] | None, size: int, postgresql: bool) -> str:
        """Returns the SELECT of up to `size` candidates of a part after `begin`: key, number, event.

        Where a search decides by their numbers, the events are left out.
        """
        query, path = self._query, self._path
        direction = " DESC" if path.descending else ""
        order = f"ORDER BY k{direction}, n{direction} LIMIT {self.bind('size', size)}"
        if path.kind == "merge":
            branches = self.of_shelves(part, begin=begin)
            # PostgreSQL merges branches only where each has its order, SQLite only where none has.
            if postgresql and len(branches) > 1:
                branches = [f"({branch} {order})" for branch in branches]
            candidates = _union(branches)
        else:
            by_shelf = path.kind == "gather"
            branches = self.of_shelves(part) if by_shelf else [self.of_events(part, postgresql=postgresql)]
            # An event goes on after its `ends` where sources disagree, but it is not surely open then.
            is_late = path.kind == "walk" and path.key == "ends" and query.after > FIRST and not query.is_live
            ends = query.after + 1 if is_late or query.is_live else FIRST
            least = {"ends": ends, "updated_at": query.updated_since or FIRST}.get(path.key, FIRST)
            within = self._within("u.k", "u.n", max(part.low, least), part.high, begin=begin)
            candidates = f"SELECT u.k, u.n FROM ({_union(branches)}) u WHERE {within}"
            if is_late:
                late = self._within("u.k", "u.n", part.low, query.after, begin=begin, name="l")
                of_late = f"{self.of_events(part, postgresql=postgresql)} AND d.ends < d.hi"
                rest = f"SELECT u.k, u.n FROM ({of_late}) u WHERE {late}"
                candidates = _union(f"SELECT l.k, l.n FROM ({one} {order}) l" for one in (candidates, rest))
        if part.among is not None and path.kind != "numbers":
            return f"SELECT p.k, p.n FROM ({candidates} {order}) p"
        # The join may lose the order, and sorting its rows here is quicker than in the database.
        return f"SELECT p.k, p.n, {_EVENT} FROM ({candidates} {order}) p JOIN event e ON e.number = p.n"

    def of_shelves(
        self, part: _Stretch, *, key: str = "", begin: tuple[int, int] | None = None, checked: bool = True
    ) -> list[str]:
        """Returns a SELECT of key and number for each shelf, and each label of the driver.

        With `checked=False` it reads whatever lies in the range of time that is asked for.
        """
        key, driver = key or self._path.key, self._driver
        column = _of_event(key) if driver and key in ("updated_at", "ends") else f"d.{key}"
        source = f"SELECT {column} AS k, d.number AS n FROM {'event_label' if driver else 'event'} d"
        labels = driver.labels if driver else ()
        drivers = [f"d.label = {self.bind(f'f{index}', label)} AND " for index, label in enumerate(labels)]
        branches = []
        for shelf in part.shelves:
            low, high = self._range(shelf)
            if self._path.key == "lo":
                low, high = max(low, part.low), min(high, part.high)
            within = self._within("d.lo", "d.number", low, high, begin=begin, name=str(shelf))
            where = " AND ".join([f"d.shelf = {shelf}", within, *(self._checks(shelf) if checked else ())])
            branches += [f"{source} WHERE {is_driver}{where}" for is_driver in drivers or [""]]
        return branches

    def of_events(self, part: _Stretch, *, postgresql: bool) -> str:
        """Returns the SELECT of key and number of the events of a part."""
        # A plus keeps an index from being used: that of shelves, and for few events that of the order.
        conditions = [f"+d.shelf IN ({', '.join(map(str, part.shelves))})", *self._checks(None)]
        if self._path.kind == "numbers":
            numbers = word_index.numbers(part.among or 0)
            listed = self.bind("those", numbers if postgresql else str(numbers))
            one_of = (
                f"ANY(CAST({listed} AS bigint[]))"
                if postgresql
                else f"(SELECT value FROM json_each({listed}))"
            )
            conditions.insert(0, f"d.number {'=' if postgresql else 'IN'} {one_of}")
        key = f"{'+' if self._path.kind in ('recent', 'numbers') else ''}d.{self._path.key}"
        where = " AND ".join(conditions)
        return f"SELECT {key} AS k, d.number AS n FROM event d WHERE {where}"

    def _within(
        self, key: str, number: str, low: int, high: int, *, begin: tuple[int, int] | None, name: str = ""
    ) -> str:
        """Returns the condition that a key is in `low` to `high`, and comes after `begin` in the order."""
        # One bound on either side, so that the index is entered at the right place.
        if self._path.descending:
            compare, first, bound, last = "<", (high, _AFTER_ALL), ">=", low
            first = min(begin or first, first)
        else:
            compare, first, bound, last = ">", (low, _BEFORE_ALL), "<=", high
            first = max(begin or first, first)
        place = f"({self.bind(f'k{name}', first[0])}, {self.bind(f'n{name}', first[1])})"
        return f"({key}, {number}) {compare} {place} AND {key} {bound} {self.bind(f'b{name}', last)}"

    def _range(self, shelf: int) -> tuple[int, int]:
        """Returns the least and the greatest `lo` that can be asked for on a shelf."""
        query = self._query
        if shelf >= OPEN_START:
            return query.after + 1, LAST
        if shelf == LONGEST:
            return query.begins, query.before - 1
        # The shelf of a phase's row is that of the phase, whose length says nothing about the event's.
        after = query.now if self._by_phase else query.after
        return max(query.begins, after - SPANS[shelf]), query.before - 1

    def _checks(self, shelf: int | None) -> list[str]:
        """Returns what is checked of a candidate beyond the range of its shelf; None is for any shelf."""
        query, where = self._query, []
        if query.after > FIRST and (shelf is None or shelf < OPEN_START):
            where.append(f"d.hi > {self.bind('after', query.after)}")
        if query.before <= LAST and shelf is None:
            where.append(f"(d.lo < {self.bind('before', query.before)} OR d.shelf >= {OPEN_START})")
        if query.begins > FIRST and shelf is None:
            where.append(f"(d.lo >= {self.bind('begins', query.begins)} OR d.shelf >= {OPEN_START})")
        if query.updated_since is not None:
            updated_at = _of_event("updated_at") if self._driver else "d.updated_at"
            where.append(f"{updated_at} >= {self.bind('since', query.updated_since)}")
        return where + self._looked_up()

    def _looked_up(self) -> list[str]:
        """Returns the conditions for the other groups, whose rows lie where the event itself lies."""
        where, shelf = [], _of_event("shelf") if self._by_phase else "d.shelf"
        others = [group for group in self._query.groups if group is not self._driver and not group.is_phase]
        if self._by_phase:
            others = [group for group in others if not group.is_implied]
        if mask := functools.reduce(operator.or_, (group.signature for group in others), 0):
            where.append(f"(d.signature & {self.bind('mask', mask)}) = :mask")
        for index, group in enumerate(others):
            names = [self.bind(f"g{index}_{place}", label) for place, label in enumerate(group.labels)]
            is_label = f"IN ({', '.join(names)})" if len(names) > 1 else f"= {names[0]}"
            # Not EXISTS, which PostgreSQL would turn into a join that begins at the wrong end.
            where.append(
                f"(SELECT 1 FROM event_label q WHERE q.label {is_label} AND q.shelf = {shelf} "
                "AND q.lo = d.lo AND q.number = d.number LIMIT 1) = 1"
            )
        return where


_EVENT = ", ".join(f"e.{name}" for name in COLUMNS)
_union = " UNION ALL ".join
# Statements are compiled once for each combination of filters.
_prepared: Callable[[str], TextClause] = functools.lru_cache(maxsize=1000)(text)


def _of_event(column: str) -> str:
    return f"(SELECT e.{column} FROM event e WHERE e.number = d.number)"


def _matches(
    c: Connection,
    query: _Query,
    path: _AccessPath,
    part: _Stretch,
    accepts: Callable[[Stored], Stored | None],
    *,
    after: Position | None,
    wanted: int,
    few: int,
) -> Iterator[tuple[Position, Stored]]:
    """Yields the accepted events of a part in order; reads on while more of the `wanted` are missing."""
    begin = (after.key, after.number) if after is not None and after.part == part.index else None
    seen: set[int] = set()
    size = missing = wanted
    if part.among is not None:
        count = part.among.bit_count()
        if count <= _most_listed(few) and (path.driver is None or count <= path.driver.size):
            path = msgspec.structs.replace(path, kind="numbers", driver=None)
        else:
            size = min(part.candidates * wanted, _MOST_AT_ONCE)
    while True:
        statement = _Statement(query, path)
        sql = statement.page(part, begin=begin, size=size, postgresql=c.dialect.name == "postgresql")
        rows = c.execute(_prepared(sql), statement.params).all()
        matched = 0
        in_order = sorted(map(tuple, rows), key=operator.itemgetter(0, 1), reverse=path.descending)
        among = None if path.kind == "numbers" else part.among
        for key, number, read in _read(c, in_order, among, seen, at_once=missing):
            if item := accepts(read):
                matched += 1
                yield Position(part.index, key, number), item
        if len(rows) < size:
            return
        begin = in_order[-1][0], in_order[-1][1]
        missing -= matched
        # As many as should hold what is missing, if they are like the last; never many times more.
        likely = missing * size // matched + missing // 2 + 1 if matched else 2 * size
        size = min(max(likely, 1), 4 * size, _MOST_AT_ONCE)


def _read(
    c: Connection, rows: Sequence[Sequence[Any]], among: int | None, seen: set[int], *, at_once: int
) -> Iterator[tuple[int, int, Stored]]:
    """Yields key, number and event of each row, if it is `among` those asked for and not `seen` before.

    An event that has two labels of the driver comes twice.
    """
    if among is None:
        for row in rows:
            if row[1] not in seen:
                seen.add(row[1])
                yield row[0], row[1], stored(row[2:])
        return
    packed = among.to_bytes((among.bit_length() + 7) // 8, "little")
    most = 8 * len(packed)
    keys = {n: key for key, n in rows if n < most and packed[n >> 3] >> (n & 7) & 1 and n not in seen}
    seen.update(keys)
    numbers = list(keys)
    for first in range(0, len(numbers), max(at_once, 1)):
        some = numbers[first : first + max(at_once, 1)]
        found = {row[0]: stored(row[1:]) for row in rows_among(c, _EVENTS, some)}
        yield from ((keys[number], number, found[number]) for number in some if number in found)


_EVENTS = select(event.c.number, *(event.c[name] for name in COLUMNS)).where(among(event.c.number))


def _accepts(
    filters: EventFilter, found: Found | None, now: datetime, *, full: bool
) -> Callable[[Stored], Stored | None]:
    """Returns the exact test of what the index knows roughly: who may see an event, what it names, the phase
    at this instant, and words. What passes is as the caller may see it."""

    def accepts(item: Stored) -> Stored | None:
        seen = item if full else item.public
        if seen is None or seen.visibility not in filters.visibility:
            return None
        if filters.phase and seen.phase(now) not in filters.phase:
            return None
        is_narrowed = bool(filters.part_of) and seen is not item
        if is_narrowed and _PART_OF.decode(seen.document).part_of not in filters.part_of:
            return None
        return seen if found is None or found.has(item.searched) else None

    return accepts


class _PartOfShown(msgspec.Struct, frozen=True):
    """What the document that everybody sees says the event is part of."""

    part_of: str | None


_PART_OF = msgspec.json.Decoder(_PartOfShown)
