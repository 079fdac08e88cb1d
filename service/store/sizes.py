"""How many events have a facet, roughly: counted no further than it matters, and remembered for a while."""

# ruff: noqa: S608 - every text below is made of our own words; values are bound.

from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import Connection

from service.store.asking import Params, answers

# The execution option of an engine under which its connections find what they remember together.
REMEMBERED = "sizes"
# So many are counted; beyond that it is told from how close together the most recent ones lie.
COUNTED = 1_000
RECENT = 2 * 365 * 86_400_000
BELIEVED = 600_000
MOST = 10_000


class Sizes:
    """What the connections of an engine have counted, and since when."""

    def __init__(self) -> None:
        self._since = 0
        self._known: dict[str, int] = {}

    def at(self, now: int) -> dict[str, int]:
        """What is still believed, for the caller to add to. Threads that meet here lose a count, no more."""
        if not 0 <= now - self._since < BELIEVED or len(self._known) > MOST:
            self._since, self._known = now, {}
        return self._known


def sizes(c: Connection, names: Iterable[str], *, now: int) -> dict[str, int]:
    """The size of each, as of not long ago: it decides the way, never the answer. Exact below COUNTED."""
    known: dict[str, int] = c.get_execution_options().get(REMEMBERED, Sizes()).at(now)
    if asked := [name for name in names if name not in known]:
        params: Params = {f"f{index}": name for index, name in enumerate(asked)}
        since = now - RECENT
        rows = answers(c, _sizing(len(asked)), {**params, "most": COUNTED, "since": since})
        for index, counted, recent, last in rows:
            known[asked[index]] = _size(counted, recent, span=(last or now) - since)
    return known


def _size(counted: int, recent: int, *, span: int) -> int:
    if counted < COUNTED:
        return counted
    return counted + (recent if recent < COUNTED else recent * RECENT // max(span, 1))


@lru_cache(maxsize=200)
def _sizing(count: int) -> str:
    return " UNION ALL ".join(
        f"SELECT {index}, "
        f"(SELECT count(*) FROM (SELECT 1 FROM facet WHERE facet = :f{index} LIMIT :most) n), "
        "count(*), max(lo) FROM (SELECT lo FROM facet "
        f"WHERE facet = :f{index} AND shelf = 0 AND lo >= :since ORDER BY lo LIMIT :most) l"
        for index in range(count)
    )
