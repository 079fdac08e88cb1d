"""What a listing asks of the index: groups of facets, each of which an event must have one of."""

from datetime import datetime
from typing import Literal

import msgspec

from service.catalogue import search_terms
from service.catalogue.filters import EventFilter
from service.store.timestamps import FIRST, LAST, millis, millis_or

Sort = Literal["start", "-start", "end", "-end", "updated", "-updated"]
SORTS: tuple[Sort, ...] = ("start", "-start", "end", "-end", "updated", "-updated")

# Phases that only begin when the event has begun, and that only windows can be in.
LIVE = frozenset({"open", "closing_soon", "ongoing"})
BEGUN = LIVE | {"ended", "closed"}
OF_WINDOWS = frozenset({"open", "closing_soon", "closed"})
# A window is never taken for open beyond its `hi`, but still is at that instant: "by 18:00" holds at 18:00.
ACCEPTING = LIVE & OF_WINDOWS
STILL = 1
# An event that gives no end is ongoing until its day is over, up to this long after its `hi`.
SLACK = 3 * 86_400_000


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Any of these facets. Only plain groups (not words, not phases) can order a list by end or change.

    An implied group follows from the phases asked for: it may drive, and need not be looked up. Of a doubtful
    one the reader looks at the text anyway: to look it up saves that, and is needed for nothing else.
    """

    names: tuple[str, ...]
    kind: Literal["plain", "word", "phase"] = "plain"
    implied: bool = False
    doubtful: bool = False


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`lo < begins_before` and `hi > ends_after` bound the event; the phases bound it further, coarsely."""

    groups: tuple[Group, ...]
    ranged: bool
    ends_after: int
    begins_before: int
    updated_since: int | None
    now: int
    live_until: int
    begun_before: int
    begins_after: int

    @property
    def bounded(self) -> bool:
        """Whether the time says anything about which events are asked for."""
        ends, begins = max(self.ends_after, self.live_until), min(self.begins_before, self.begun_before)
        return ends > FIRST or begins <= LAST or self.begins_after > FIRST


def wanted(asked: EventFilter, *, now: datetime) -> Wanted:
    at = millis(now)
    phases = frozenset[str](asked.phase)
    return Wanted(
        groups=(*_plain(asked), *_words(asked), *_phases(asked)),
        ranged=asked.from_ is not None or asked.to is not None,
        ends_after=millis_or(asked.from_, FIRST),
        begins_before=millis_or(asked.to, LAST + 1),
        updated_since=None if asked.updated_since is None else millis(asked.updated_since),
        now=at,
        live_until=_live_until(phases, at),
        begun_before=at + 1 if phases and phases <= BEGUN else LAST + 1,
        begins_after=at if phases == {"upcoming"} else FIRST,
    )


def _live_until(phases: frozenset[str], at: int) -> int:
    if not phases or not phases <= LIVE:
        return FIRST
    return at - (STILL if phases <= ACCEPTING else SLACK)


def _plain(asked: EventFilter) -> list[Group]:
    named = {
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
    groups = [
        Group(names=tuple(f"{name}:{value}" for value in values)) for name, values in named.items() if values
    ]
    if asked.phase and not asked.kind and OF_WINDOWS.issuperset(asked.phase):
        groups.append(Group(names=("kind:application_window",), implied=True))
    return groups


def _words(asked: EventFilter) -> list[Group]:
    query = asked.q or ""
    doubted = search_terms.doubtful_tokens(query)
    return [
        Group(names=(f"q:{token}",), kind="word", doubtful=token in doubted)
        for token in sorted(search_terms.query_tokens(query))
    ]


def _phases(asked: EventFilter) -> list[Group]:
    names = tuple(f"phase:{phase}" for phase in asked.phase)
    return [Group(names=names, kind="phase")] if names else []
