"""How a page is read: which group drives, along which order, in which parts."""

from typing import Literal

import msgspec

from service.store.asking import Params
from service.store.facets import LONGEST, OPEN_START, UNDATED
from service.store.timestamps import FIRST, LAST
from service.store.wanted import Group, Sort, Wanted

Cursor = tuple[int, int]

DATED = tuple(range(LONGEST + 1))
# No event has a number below or above these.
BEFORE_ALL, AFTER_ALL = -1, 2**62


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to find candidates: which group drives, along which order, and whether the page's order is kept."""

    driver: Group
    others: tuple[Group, ...] = ()
    along: Literal["shelves", "end", "updated"]
    gathered: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the order of a page; parts follow each other. Its keys lie in `low` to `high`."""

    index: int
    shelves: tuple[int, ...]
    low: int = FIRST
    high: int = LAST


def parts(sort: Sort, asked: Wanted) -> tuple[Part, ...]:
    """Known instants first, in either direction; what has no bound at all is in no range."""
    undated = () if asked.ranged else (UNDATED,)
    every = (*DATED, OPEN_START, *undated)
    if sort in ("start", "-start"):
        return Part(index=0, shelves=DATED), Part(index=1, shelves=(OPEN_START, *undated))
    if sort == "-end":
        return Part(index=0, shelves=every, high=LAST - 1), Part(index=1, shelves=every, low=LAST)
    return (Part(index=0, shelves=every),)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    fixed: Params
    stretches: tuple[tuple[str, int, int], ...]
    descending: bool

    def values(self, begin: Cursor | None, limit: int) -> Params:
        """Parameters for what comes after `begin`, in the direction of the page."""
        params: Params = {**self.fixed, "size": limit}
        for name, low, high in self.stretches:
            if self.descending:
                key, number = min(begin or (high, AFTER_ALL), (high, AFTER_ALL))
            else:
                key, number = max(begin or (low, BEFORE_ALL), (low, BEFORE_ALL))
            params[f"k{name}"], params[f"n{name}"] = key, number
            params[f"b{name}"] = low if self.descending else high
        return params
