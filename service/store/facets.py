"""The index rows of an event: what `service.store.listing` finds it by.

One row says "event `number` has this facet". Its key is (facet, shelf, lo, number), so that all events of a
facet lie in order of their start. `shelf` sorts them by how long they last: an event that overlaps an
instant began at most its shelf's length before it, so a range query reads a bounded stretch of each shelf.

`lo` and `hi` are the bounds of `when` (an unknown `hi` is the last instant). Events without a known start lie
on a shelf of their own, ordered by their end; those without either on the last one. A `phase:` row lasts from
`begins` to its `hi`, and lies on the shelf of that length; `home` is where the event's other rows lie.
`signature` holds two bits for each facet of the event: a cheap first test for "has this facet too".
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, text

from service.catalogue import evidence, search_terms, windows
from service.catalogue.event import Event
from service.catalogue.windows import Step
from service.store.tables import facet
from service.store.timestamps import FIRST, LAST, MILLISECOND, millis, millis_or

__all__ = ["EVERY", "OPEN_START", "SPANS", "UNDATED", "Row", "derive", "replace", "signature"]

# A change to what is derived below raises this, and the next start rebuilds the rows.
VERSION = 1

EVERY = "*"
SPANS = tuple(
    span // MILLISECOND
    for span in (
        timedelta(hours=36),
        timedelta(days=8),
        timedelta(days=35),
        timedelta(days=100),
        timedelta(days=400),
    )
)
LONGEST, OPEN_START, UNDATED = len(SPANS), len(SPANS) + 1, len(SPANS) + 2
BITS = 61


class Row(NamedTuple):
    facet: str
    shelf: int
    lo: int
    number: int
    hi: int
    signature: int
    updated: int | None
    home: int
    begins: int | None


def derive(event: Event, steps: Sequence[Step], *, number: int, updated: int) -> frozenset[Row]:
    """Every index row of an event; a pure function of what is stored, so that old rows can be found again."""
    bounds = windows.span(event)
    starts, hi = bounds.earliest, millis_or(bounds.latest, LAST)
    lo = hi if starts is None else millis(starts)
    home = _shelf(lo, hi) if starts is not None else OPEN_START if hi < LAST else UNDATED
    plain = tuple(facets_of(event))
    phases = _phases(steps)
    mark = signature([*plain, *phases])
    rows = {Row(name, home, lo, number, hi, mark, updated, home, None) for name in (EVERY, *plain)}
    rows |= {
        Row(f"q:{token}", home, lo, number, hi, mark, None, home, None)
        for token in search_terms.event_tokens(event)
    }
    rows |= {
        Row(name, _phase_shelf(home, lo, ceases), lo, number, ceases, mark, None, home, begins)
        for name, (begins, ceases) in phases.items()
    }
    return frozenset(rows)


def facets_of(event: Event) -> Iterable[str]:
    """The facets of an event that do not depend on the time."""
    yield f"kind:{event.kind}"
    yield f"status:{event.status}"
    yield f"disputed:{int(evidence.disputed(event))}"
    yield from (f"tag:{tag}" for tag in event.tags)
    yield from {f"organization:{part.id}" for part in event.organizations}
    yield from (f"{name}:{value}" for name, value in _singles(event) if value is not None)


def _singles(event: Event) -> Iterable[tuple[str, str | None]]:
    yield "series", event.series
    yield "program", event.program
    yield "part_of", event.part_of
    yield "city", event.place.city if event.place else None


def signature(names: Iterable[str]) -> int:
    """Two bits a name. A facet whose bits are not all set is surely absent."""
    mark = 0
    for name in names:
        found = zlib.crc32(name.encode())
        mark |= 1 << (found % BITS) | 1 << ((found >> 16) * 31 % BITS)
    return mark


def _shelf(lo: int, hi: int) -> int:
    return next((shelf for shelf, span in enumerate(SPANS) if hi - lo <= span), LONGEST)


def _phase_shelf(home: int, lo: int, ceases: int) -> int:
    return home if home in (OPEN_START, UNDATED) else _shelf(lo, ceases)


def _phases(steps: Sequence[Step]) -> dict[str, tuple[int, int]]:
    """From when to when each phase may hold; one that holds twice is given as one stretch."""
    stretches: dict[str, tuple[int, int]] = {}
    ends = [millis_or(step.at, LAST) for step in steps[1:]] + [LAST]
    for step, ceases in zip(steps, ends, strict=True):
        begins = millis_or(step.at, FIRST)
        earlier = stretches.get(f"phase:{step.phase}", (begins, ceases))
        stretches[f"phase:{step.phase}"] = (min(begins, earlier[0]), max(ceases, earlier[1]))
    return stretches


def replace(c: Connection, *, before: Iterable[Row], after: Iterable[Row]) -> None:
    """Bring the stored rows from one set to another, touching only what differs."""
    old, new = frozenset(before), frozenset(after)
    if gone := old - new:
        c.execute(_FORGET, [_key(row) for row in gone])
    if added := new - old:
        # In key order the pages of the index are filled one after another.
        _insert(c, sorted(added, key=_order))


def _insert(c: Connection, rows: list[Row]) -> None:
    if c.dialect.name == "sqlite":
        c.execute(insert(facet), [row._asdict() for row in rows])
    else:
        # One statement for all rows: a round trip each would cost more than the rows.
        c.execute(
            _UNNEST,
            {name: list(column) for name, column in zip(Row._fields, zip(*rows, strict=True), strict=True)},
        )


_UNNEST = text(
    "INSERT INTO facet (facet, shelf, lo, number, hi, signature, updated, home, begins) SELECT * FROM unnest("
    "cast(:facet AS text[]), cast(:shelf AS smallint[]), cast(:lo AS bigint[]), cast(:number AS bigint[]), "
    "cast(:hi AS bigint[]), cast(:signature AS bigint[]), cast(:updated AS bigint[]), "
    "cast(:home AS smallint[]), cast(:begins AS bigint[]))"
)


def _key(row: Row) -> dict[str, Any]:
    return {"the_facet": row.facet, "the_shelf": row.shelf, "the_lo": row.lo, "the_number": row.number}


def _order(row: Row) -> tuple[str, int, int, int]:
    return row.facet, row.shelf, row.lo, row.number


_FORGET = delete(facet).where(
    facet.c.facet == bindparam("the_facet"),
    facet.c.shelf == bindparam("the_shelf"),
    facet.c.lo == bindparam("the_lo"),
    facet.c.number == bindparam("the_number"),
)
