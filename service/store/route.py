"""Which group of facets should drive a listing: the rarest, counted only as far as it matters."""

# ruff: noqa: S608 - every text below is made of our own words; values are bound.

from functools import lru_cache
from typing import cast

from sqlalchemy import Connection, TextClause, text

from service.store import candidates
from service.store.facets import EVERY
from service.store.instants import FIRST, LAST
from service.store.wanted import LIVE, Group, Sort, Wanted
from service.store.way import Way

# Up to this many candidates are cheaper to gather and sort than to look for in the order of the page.
ENOUGH = 1000
# Sizes beyond this are not told apart, and those counted are believed for ten minutes.
UNCOUNTED = 20_000
REMEMBERED = 600_000
MOST_REMEMBERED = 10_000
# What is going on now, however much has been.
FEW = 900
EVERYTHING = Group(names=(EVERY,))


def choose(c: Connection, asked: Wanted, *, sort: Sort, enough: int = ENOUGH) -> Way:
    """The way that reads the fewest rows, as far as a glance at the index tells."""
    groups = asked.groups or (EVERYTHING,)
    sizes = _sizes(c, groups, asked.now)
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
    if sort not in ("start", "-start") and (bounded or _is_rare(smallest, plain)):
        ways.append(Way(driver=smallest, along="shelves", gathered=True))
    return ways


def _is_rare(smallest: Group, plain: Group) -> bool:
    """Words and phases cannot order a page by end or change; a live phase with a plain group need not."""
    return smallest.kind == "word" or (
        smallest.kind == "phase" and (not _lives(smallest) or plain == EVERYTHING)
    )


def _among(groups: tuple[Group, ...], way: Way) -> Way:
    others = tuple(g for g in groups if g not in (way.driver, EVERYTHING) and not g.implied)
    return Way(driver=way.driver, others=others, along=way.along, gathered=way.gathered)


def _sizes(c: Connection, groups: tuple[Group, ...], now: int) -> dict[Group, int]:
    """How many events each group has. Remembered for a while, as it decides the way only, not the answer."""
    if len(groups) == 1:
        return {groups[0]: UNCOUNTED}
    known = _remembered(c, now)
    asked = [name for group in groups if not _lives(group) for name in group.names if name not in known]
    if asked:
        params: dict[str, int | str] = {f"f{index}": name for index, name in enumerate(asked)}
        row = c.execute(_sizing(len(asked)), {**params, "uncounted": UNCOUNTED}).one()
        known.update(zip(asked, row, strict=True))
    return {group: FEW if _lives(group) else sum(known[name] for name in group.names) for group in groups}


def _remembered(c: Connection, now: int) -> dict[str, int]:
    """Sizes this database connection counted not long ago."""
    since, known = c.info.get("facet_sizes", (now, {}))
    if not 0 <= now - since < REMEMBERED or len(known) > MOST_REMEMBERED:
        since, known = now, {}
    c.info["facet_sizes"] = since, known
    return cast(dict[str, int], known)


def _lives(group: Group) -> bool:
    """Phases that events are in now only for a while; rows of those that were are passed over by index."""
    return group.kind == "phase" and all(name.removeprefix("phase:") in LIVE for name in group.names)


@lru_cache(maxsize=200)
def _sizing(count: int) -> TextClause:
    counts = (
        f"(SELECT count(*) FROM (SELECT 1 FROM facet WHERE facet = :f{index} LIMIT :uncounted) n)"
        for index in range(count)
    )
    return text(f"SELECT {', '.join(counts)}")


def _count(c: Connection, way: Way, asked: Wanted, enough: int) -> int:
    statement, params = candidates.count(way, asked, enough=enough)
    return int(c.execute(statement, params).scalar_one())
