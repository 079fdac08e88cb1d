"""Which group of facets should drive a listing: the rarest, counted only as far as it matters."""

# ruff: noqa: S608 - every text below is made of our own words; values are bound.

from functools import lru_cache

from sqlalchemy import Connection, TextClause, text

from service.store import candidates
from service.store.candidates import Way
from service.store.facets import EVERY
from service.store.instants import FIRST, LAST
from service.store.wanted import LIVE, Group, Sort, Wanted

# Up to this many candidates are cheaper to gather and sort than to look for in the order of the page.
ENOUGH = 1000
EVERYTHING = Group(names=(EVERY,))


def choose(c: Connection, asked: Wanted, *, sort: Sort, enough: int = ENOUGH) -> Way:
    """The way that reads the fewest rows, as far as a glance at the index tells."""
    groups = asked.groups or (EVERYTHING,)
    sizes = _sizes(c, groups, enough)
    smallest = min(groups, key=lambda group: sizes[group])
    plain = min((g for g in groups if g.kind == "plain"), key=lambda group: sizes[group], default=EVERYTHING)
    by_start = sort in ("start", "-start")
    for way in _gathering(asked, smallest, plain, sort):
        if _count(c, way, asked, enough) < enough:
            return _among(groups, way)
    if by_start:
        return _among(groups, Way(driver=smallest, along="shelves"))
    return _among(groups, Way(driver=plain, along="end" if sort in ("end", "-end") else "updated"))


def _gathering(asked: Wanted, smallest: Group, plain: Group, sort: Sort) -> list[Way]:
    """Ways that ignore the order of the page, worth a try where it says little about what is asked."""
    ways = []
    if asked.updated_since is not None and sort not in ("updated", "-updated"):
        ways.append(Way(driver=plain, along="updated", gathered=True))
    bounded = asked.begins_before <= LAST or (asked.ends_after > FIRST and sort in ("updated", "-updated"))
    if sort not in ("start", "-start") and (bounded or smallest.kind != "plain"):
        ways.append(Way(driver=smallest, along="shelves", gathered=True))
    return ways


def _among(groups: tuple[Group, ...], way: Way) -> Way:
    others = tuple(group for group in groups if group != way.driver and group != EVERYTHING)
    return Way(driver=way.driver, others=others, along=way.along, gathered=way.gathered)


def _sizes(c: Connection, groups: tuple[Group, ...], enough: int) -> dict[Group, int]:
    if len(groups) == 1:
        return {groups[0]: enough}
    counted = [group for group in groups if not _lives(group)]
    sizes = dict.fromkeys(groups, enough - 1)
    if counted:
        shape = tuple(len(group.names) for group in counted)
        names = [name for group in counted for name in group.names]
        params = {f"f{index}": name for index, name in enumerate(names)}
        row = c.execute(_sizing(shape), {**params, "enough": enough}).one()
        sizes |= dict(zip(counted, row, strict=True))
    return sizes


def _lives(group: Group) -> bool:
    """What is going on now is little, however much of it has been."""
    return group.kind == "phase" and all(name.removeprefix("phase:") in LIVE for name in group.names)


@lru_cache(maxsize=200)
def _sizing(shape: tuple[int, ...]) -> TextClause:
    counts, first = [], 0
    for length in shape:
        names = ", ".join(f":f{first + index}" for index in range(length))
        counts.append(
            f"(SELECT count(*) FROM (SELECT 1 FROM facet WHERE facet IN ({names}) LIMIT :enough) n)"
        )
        first += length
    return text(f"SELECT {', '.join(counts)}")


def _count(c: Connection, way: Way, asked: Wanted, enough: int) -> int:
    statement, params = candidates.count(way, asked, enough=enough)
    return int(c.execute(statement, params).scalar_one())
