"""Which group of facets should drive a listing: the rarest, counted only as far as it matters."""

from sqlalchemy import Connection

from service.store import candidates
from service.store.asking import answers
from service.store.facets import EVERY
from service.store.sizes import sizes
from service.store.timestamps import FIRST, LAST
from service.store.wanted import LIVE, Group, Sort, Wanted
from service.store.way import Way

# Up to this many candidates are cheaper to gather and sort than to look for in the order of the page.
ENOUGH = 1000
# What is going on now, however much has been; and what there is no need to count.
FEW, MANY = 900, 1_000_000
EVERYTHING = Group(names=(EVERY,))


def choose(c: Connection, asked: Wanted, *, sort: Sort, enough: int = ENOUGH) -> Way:
    """The way that reads the fewest rows, as far as a glance at the index tells."""
    groups = asked.groups or (EVERYTHING,)
    size = _sizes(c, groups, asked.now)
    smallest = min(groups, key=lambda group: size[group])
    plain = min((g for g in groups if g.kind == "plain"), key=lambda group: size[group], default=EVERYTHING)
    by_start = sort in ("start", "-start")
    for way in _gathering(asked, smallest, plain, sort):
        if _count(c, way, asked, enough) < enough:
            return _among(groups, way, size)
    if by_start:
        return _among(groups, Way(driver=smallest, along="shelves"), size)
    return _among(groups, Way(driver=plain, along="end" if sort in ("end", "-end") else "updated"), size)


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


def _among(groups: tuple[Group, ...], way: Way, size: dict[Group, int]) -> Way:
    """All but the driver are looked up. Of doubtful ones of one size, like 글로 and 로벌, one will do."""
    others: list[Group] = []
    doubted = {size[way.driver]} if way.driver.doubtful else set()
    for group in groups:
        if group in (way.driver, EVERYTHING) or group.implied or (group.doubtful and size[group] in doubted):
            continue
        others.append(group)
        if group.doubtful:
            doubted.add(size[group])
    return Way(driver=way.driver, others=tuple(others), along=way.along, gathered=way.gathered)


def _sizes(c: Connection, groups: tuple[Group, ...], now: int) -> dict[Group, int]:
    if len(groups) == 1:
        return {groups[0]: MANY}
    known = sizes(c, [name for g in groups if not _lives(g) for name in g.names], now=now)
    return {group: FEW if _lives(group) else sum(known[name] for name in group.names) for group in groups}


def _lives(group: Group) -> bool:
    """Phases that events are in now only for a while; rows of those that were are passed over by index."""
    return group.kind == "phase" and all(name.removeprefix("phase:") in LIVE for name in group.names)


def _count(c: Connection, way: Way, asked: Wanted, enough: int) -> int:
    if way.driver.kind == "word" and way.along == "shelves" and not asked.bounded:
        [name] = way.driver.names
        return sizes(c, [name], now=asked.now)[name]
    statement, params = candidates.count(way, asked, enough=enough)
    [[found]] = answers(c, statement, params)
    return int(found)
