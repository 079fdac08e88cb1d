"""The SQL that finds the candidates of a page. Its text depends on the shape of what is asked, not on values.

A leg reads one stretch of the index of `facet`: a shelf (in order of start), or the order of the end or of
the last change. Legs that are read in the order of the page are merged and stop when the page is full; legs
that are not ("gathered") are read whole, which `service.store.route` allows only where they are short.
"""

# ruff: noqa: S608 - every text below is made of our own words; values are bound.

import msgspec

from service.store.asking import Params
from service.store.facets import EVERY, LONGEST, OPEN_START, SPANS, UNDATED, signature
from service.store.stored_event import COLUMNS
from service.store.timestamps import FIRST, LAST
from service.store.wanted import Group, Sort, Wanted
from service.store.way import DATED, Part, Statement, Way


def statement(way: Way, asked: Wanted, *, sort: Sort, part: Part, leg_by_leg: bool) -> Statement:
    """Candidates of one part of the order, joined with their events.

    PostgreSQL merges legs only where each is told its order (`leg_by_leg`), SQLite only where none is.
    """
    descending = sort.startswith("-")
    fixed: Params = {}
    stretches: list[_Stretch] = []
    column = _COLUMN[sort.lstrip("-")]
    legs = _legs(way, asked, column, part, fixed, stretches, descending=descending)
    direction = " DESC" if descending else ""
    if leg_by_leg and not way.gathered and len(legs) > 1:
        legs = [f"({leg} ORDER BY key{direction}, number{direction} LIMIT :size)" for leg in legs]
    if way.gathered:
        stretches = [_Stretch(name="", column="key", low=part.low, high=part.high)]
    within = _within("u.key", "u.number", "", descending=descending) if way.gathered else []
    return Statement(
        text=_joined(_merged(way, legs, within, leg_by_leg=leg_by_leg), direction),
        fixed=fixed,
        stretches=tuple({s.name: (s.name, s.low, s.high) for s in stretches}.values()),
        descending=descending,
    )


_COLUMN = {"start": "lo", "end": "hi", "updated": "updated"}


def _merged(way: Way, legs: list[str], within: list[str], *, leg_by_leg: bool) -> str:
    """All legs in one; an event with two of the driver's facets is in two of them, and comes once.

    SQLite leaves out the second while it merges; PostgreSQL does so to what it has merged.
    """
    several = len(way.driver.names) > 1
    if not within and not (several and leg_by_leg):
        return (" UNION " if several else " UNION ALL ").join(legs)
    distinct = "DISTINCT " if several else ""
    where = f" WHERE {' AND '.join(within)}" if within else ""
    return f"SELECT {distinct}u.key AS key, u.number AS number FROM ({' UNION ALL '.join(legs)}) u{where}"


def _legs(
    way: Way,
    asked: Wanted,
    column: str,
    part: Part,
    fixed: Params,
    ordered: list["_Stretch"],
    *,
    descending: bool = False,
) -> list[str]:
    """One SELECT a facet and stretch. Values go to `fixed`, stretches to be read in order to `ordered`."""
    rest = _conditions(way, asked, part, fixed)
    legs = []
    for place, name in enumerate(way.driver.names):
        fixed[f"f{place}"] = name
        for leg in _stretches(way, asked, part):
            if way.gathered:
                within = [f"d.{leg.column} BETWEEN :l{leg.name} AND :h{leg.name}"]
                fixed[f"l{leg.name}"], fixed[f"h{leg.name}"] = leg.low, leg.high
            else:
                within = _within(f"d.{leg.column}", "d.number", leg.name, descending=descending)
                ordered.append(leg)
            legs.append(_leg(way, column, [f"d.facet = :f{place}", *leg.where, *within, *rest]))
    return legs


class _Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one index order: `column` between `low` and `high`, inclusively."""

    name: str
    column: str
    low: int
    high: int
    where: tuple[str, ...] = ()


def _stretches(way: Way, asked: Wanted, part: Part) -> list[_Stretch]:
    if way.along == "shelves":
        return [_shelf(way, asked, part, shelf) for shelf in part.shelves]
    homes = (f"d.home IN ({', '.join(map(str, part.shelves))})",)
    where = ("d.updated IS NOT NULL", *(homes if len(part.shelves) < UNDATED + 1 else ()))
    if way.along == "updated":
        since = FIRST if asked.updated_since is None else asked.updated_since
        return [_Stretch(name="u", column="updated", low=since, high=LAST, where=where)]
    after = max(asked.ends_after, asked.live_until) + 1
    return [_Stretch(name="e", column="hi", low=max(part.low, after), high=part.high, where=where)]


def _shelf(way: Way, asked: Wanted, part: Part, shelf: int) -> _Stretch:
    low, high = FIRST, LAST
    after = asked.now if way.driver.kind == "phase" else FIRST
    if shelf in DATED:
        high = min(asked.begins_before, asked.begun_before) - 1
        low = asked.begins_after
        if shelf < LONGEST:
            event_after = max(asked.ends_after, asked.live_until)
            # A phase's row lies on the shelf of the phase, whose length says nothing about the event's.
            after = after if way.driver.kind == "phase" else event_after
            low = max(low, after - SPANS[shelf])
    elif shelf == OPEN_START:
        low = asked.ends_after + 1
    return _Stretch(name=str(shelf), column="lo", low=low, high=high, where=(f"d.shelf = {shelf}",))


# Names are short, as psycopg takes a statement of more than 4,096 letters apart anew each time.
def _within(column: str, number: str, name: str, *, descending: bool) -> list[str]:
    """A row-value bound on the side the page is read from: the index is entered at the right place."""
    compare, bound = ("<", ">=") if descending else (">", "<=")
    return [
        f"({column}, {number}) {compare} (:k{name}, :n{name})",
        f"{column} {bound} :b{name}",
    ]


def _leg(way: Way, column: str, where: list[str]) -> str:
    joined, key = "", f"d.{column}"
    if column != "lo" and way.driver.kind != "plain":
        joined = f" JOIN facet s ON {_same_event('s')} AND s.facet = '{EVERY}'"
        key = f"s.{column}"
    return f"SELECT {key} AS key, d.number FROM facet d{joined} WHERE {' AND '.join(where)}"


def _same_event(table: str) -> str:
    return f"{table}.shelf = d.home AND {table}.lo = d.lo AND {table}.number = d.number"


def _conditions(way: Way, asked: Wanted, part: Part, fixed: Params) -> list[str]:
    """What every leg checks of a candidate beyond its place in the index."""
    where = _of_driver(way, asked, fixed)
    mask = signature(g.names[0] for g in way.others if len(g.names) == 1 and g.kind != "word")
    if mask:
        where.append("(d.signature & :mask) = :mask")
        fixed["mask"] = mask
    for index, group in enumerate(way.others):
        if group.kind == "phase":
            where += _in_phase(group, index, way, asked, part, fixed)
        else:
            which = _any_of(group, index, fixed)
            where.append(f"EXISTS (SELECT 1 FROM facet p WHERE {which} AND {_same_event('p')})")
    if way.driver.kind == "phase":
        fixed["now"] = asked.now
    return where


def _of_driver(way: Way, asked: Wanted, fixed: Params) -> list[str]:
    """Bounds of the event: in the driver's own row, or else in the event's row of EVERY."""
    live = way.driver.kind == "phase"
    own: list[str] = []
    if live:
        own.append("d.begins <= :now AND d.hi > :now")
    bounds = []
    after = asked.ends_after if live else max(asked.ends_after, asked.live_until)
    if after > FIRST and way.along != "end":
        bounds.append("{row}.hi > :after")
        fixed["after"] = after
    before = min(asked.begins_before, asked.begun_before)
    if before <= LAST and way.along != "shelves":
        bounds.append(f"({{row}}.lo < :before OR {{row}}.home >= {OPEN_START})")
        fixed["before"] = before
    if asked.updated_since is not None and way.along != "updated":
        bounds.append("{row}.updated >= :since")
        fixed["since"] = asked.updated_since
    if not bounds:
        return own
    if way.driver.kind == "plain" or (way.driver.kind == "word" and asked.updated_since is None):
        return own + [bound.format(row="d") for bound in bounds]
    inner = " AND ".join(bound.format(row="x") for bound in bounds)
    return [
        *own,
        f"EXISTS (SELECT 1 FROM facet x WHERE x.facet = '{EVERY}' AND {_same_event('x')} AND {inner})",
    ]


def _in_phase(group: Group, index: int, way: Way, asked: Wanted, part: Part, fixed: Params) -> list[str]:
    """Its row may be on many shelves, so it is not looked up where the time alone leaves few others."""
    if way.along == "shelves" and asked.begins_after > FIRST and part.shelves == DATED:
        return []
    fixed["now"] = asked.now
    shelves = ", ".join(map(str, (*DATED, OPEN_START, UNDATED)))
    same = f"p.shelf IN ({shelves}) AND p.lo = d.lo AND p.number = d.number"
    which = _any_of(group, index, fixed)
    row = f"EXISTS (SELECT 1 FROM facet p WHERE {which} AND {same} AND p.begins <= :now AND p.hi > :now)"
    if way.along == "end" and asked.live_until > FIRST:
        return [f"(d.hi < {LAST} OR {row})"]
    return [row]


def _any_of(group: Group, index: int, fixed: Params) -> str:
    names = []
    for place, name in enumerate(group.names):
        fixed[f"has{index}_{place}"] = name
        names.append(f":has{index}_{place}")
    return f"p.facet IN ({', '.join(names)})" if len(names) > 1 else f"p.facet = {names[0]}"


_EVENT = ", ".join(f"e.{name}" for name in COLUMNS)


def _joined(legs: str, direction: str) -> str:
    page = f"{legs} ORDER BY key{direction}, number{direction} LIMIT :size"
    # Sorted by the reader: quicker than to carry documents through a sort.
    return f"SELECT k.key, k.number, {_EVENT} FROM ({page}) k JOIN event e ON e.number = k.number"


def count(way: Way, asked: Wanted, *, enough: int) -> tuple[str, Params]:
    """How many candidates this way would read, counted no further than `enough`."""
    whole = Part(index=0, shelves=(*DATED, OPEN_START, *(() if asked.ranged else (UNDATED,))))
    alone = msgspec.structs.replace(way, others=(), gathered=True)
    fixed: Params = {"enough": enough}
    legs = " UNION ALL ".join(_legs(alone, asked, "lo", whole, fixed, []))
    return f"SELECT count(*) FROM (SELECT 1 FROM ({legs}) l LIMIT :enough) n", fixed
