"""The index that events are listed by: labels, each with its events in the order of their start.

A label is a fact that a list may ask for, such as `tag:ai` or `q:서밋` (a search token). One row of `event_label`
says "event `number` has this label"; its key is (label, shelf, lo, number). `lo` and `hi` are the bounds of
`when` in milliseconds since 1970, an unknown `hi` the last instant. A shelf holds events of much the same length: what overlaps an instant began
at most its shelf's length before it, so a range reads a bounded stretch of each shelf. Events without a known
start lie on a shelf of their own, ordered by their end; those without either on the last one.

A `phase:` label lies on the shelf of the phase's own length, as a call may be open for far longer, or shorter,
than its dates say. `signature` is a Bloom filter of the event's labels: a cheap first test for "has this label
too". `event` has the same columns for lists that ask for no label.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from service.catalogue import evidence, search_terms, view, windows
from service.catalogue.event import Event
from service.catalogue.windows import Phase, Step
from service.store import locks
from service.store.sql import among
from service.store.stored_event import decode_steps
from service.store.tables import event, event_label, label, meta
from service.store.timestamps import LAST, MILLISECOND, millis, millis_or

# A change to what `derive` makes raises this, and the next start rebuilds the index.
VERSION = 2

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
# Phases that few events are in at a time and that their dates alone do not tell. The others follow from `lo`
# and `hi`.
LABELLED_PHASES: frozenset[Phase] = frozenset(
    {"open", "closing_soon", "forecasted", "postponed", "cancelled", "unknown"}
)
EVENTS_AT_ONCE = 500
LABELS_AT_ONCE = 5_000
# As many as a signed number of 64 bits has to spare on either engine.
SIGNATURE_BITS = 61


class ListingPlace(NamedTuple):
    """Where an event lies among all: the columns of `event` with these names."""

    shelf: int
    lo: int
    hi: int
    signature: int


class Entry(NamedTuple):
    """A row of the index but for the numbers of its label and its event."""

    label: str
    shelf: int
    lo: int
    hi: int
    signature: int


def place(subject: Event) -> ListingPlace:
    """The bounds of an event, the shelf for its length, and the signature of its labels."""
    bounds = windows.span(subject)
    hi, mark = millis_or(bounds.latest, LAST), signature(labels(subject))
    if bounds.earliest is None:
        return ListingPlace(OPEN_START if hi < LAST else UNDATED, hi, hi, mark)
    lo = millis(bounds.earliest)
    return ListingPlace(_shelf(hi - lo), lo, hi, mark)


def entries(subject: Event, steps: Sequence[Step]) -> frozenset[Entry]:
    """Every row of an event; a pure function of what is stored, so that old rows can be found again."""
    home = place(subject)
    names = {*labels(subject), *(f"q:{token}" for token in search_terms.event_tokens(subject))}
    rows = {Entry(name, *home) for name in names}
    for phase, ceases in _last_instants(steps).items():
        shelf = home.shelf if home.shelf >= OPEN_START else _shelf(ceases - home.lo)
        rows.add(Entry(f"phase:{phase}", shelf, *home[1:]))
    return frozenset(rows)


def labels(subject: Event) -> Iterable[str]:
    """The labels of an event that do not depend on the time, without its search tokens."""
    yield f"kind:{subject.kind}"
    yield f"status:{subject.status}"
    yield f"disputed:{int(evidence.disputed(subject))}"
    yield from (f"tag:{tag}" for tag in subject.tags)
    yield from (f"organization:{part.id}" for part in subject.organizations)
    city = subject.place.city if subject.place else None
    for name, value in (
        ("series", subject.series),
        ("program", subject.program),
        ("part_of", subject.part_of),
        ("city", city),
    ):
        if value is not None:
            yield f"{name}:{value}"


def signature(names: Iterable[str]) -> int:
    """Two bits a label. An event some of whose bits are not set surely lacks a label with these."""
    mark = 0
    for name in names:
        found = zlib.crc32(name.encode())
        mark |= 1 << (found % SIGNATURE_BITS) | 1 << ((found >> 16) * 31 % SIGNATURE_BITS)
    return mark


def _shelf(length: int) -> int:
    return next((shelf for shelf, span in enumerate(SPANS) if length <= span), LONGEST)


def _last_instants(steps: Sequence[Step]) -> dict[Phase, int]:
    """When each labelled phase is over for good."""
    ends = [millis_or(step.at, LAST) for step in steps[1:]] + [LAST]
    found: dict[Phase, int] = {}
    for step, ceases in zip(steps, ends, strict=True):
        if step.phase in LABELLED_PHASES:
            found[step.phase] = max(ceases, found.get(step.phase, ceases))
    return found


class Label(NamedTuple):
    """A label's number in the index, and how many rows it has."""

    id: int
    size: int


def known(c: Connection, names: Iterable[str]) -> dict[str, Label]:
    """Those of these labels that some event has or had."""
    wanted = list(names)
    if not wanted:
        return {}
    return {row.name: Label(row.id, row.size) for row in c.execute(_KNOWN, {"ids": wanted})}


def replace(
    c: Connection, *, before: Mapping[int, frozenset[Entry]], after: Mapping[int, frozenset[Entry]]
) -> None:
    """Brings the rows of these events, by number, from one state to another, touching only what differs."""
    gone = [(n, row) for n, rows in before.items() for row in rows - after.get(n, frozenset())]
    new = [(n, row) for n, rows in after.items() for row in rows - before.get(n, frozenset())]
    numbers = _numbers(c, {row.label for _, row in (*gone, *new)})
    if gone:
        c.execute(_FORGET, [_key(numbers, n, row) for n, row in gone])
    if new:
        # In key order the pages of the index are filled one after another.
        rows = sorted((numbers[row.label], row.shelf, row.lo, n, row.hi, row.signature) for n, row in new)
        c.execute(insert(event_label), [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    growth = Counter(row.label for _, row in new)
    growth.subtract(row.label for _, row in gone)
    changes = [{"the_id": numbers[name], "more": more} for name, more in sorted(growth.items()) if more]
    if changes:
        c.execute(_GROW, changes)


def _numbers(c: Connection, names: set[str]) -> dict[str, int]:
    """The numbers of these labels; those never seen get one."""
    found: dict[str, int] = {}
    ordered = sorted(names)
    ignoring = postgresql.insert if c.dialect.name == "postgresql" else sqlite.insert
    for first in range(0, len(ordered), LABELS_AT_ONCE):
        some = ordered[first : first + LABELS_AT_ONCE]
        found |= {name: each.id for name, each in known(c, some).items()}
        if missing := [name for name in some if name not in found]:
            c.execute(
                ignoring(label).on_conflict_do_nothing(), [{"name": name, "size": 0} for name in missing]
            )
            found |= {name: each.id for name, each in known(c, missing).items()}
    return found


def _key(numbers: Mapping[str, int], number: int, row: Entry) -> dict[str, Any]:
    values = (numbers[row.label], row.shelf, row.lo, number)
    return {f"the_{name}": value for name, value in zip(_KEY, values, strict=True)}


def is_current(c: Connection) -> bool:
    """Whether the rows were derived as this version derives them."""
    return bool(c.execute(select(meta.c.value).where(_IS_VERSION)).scalar_one() == str(VERSION))


def rebuild(c: Connection) -> None:
    """Derives every row anew, in the transaction of `c`, so that a list never misses an event meanwhile."""
    locks.migration(c)
    if is_current(c):
        return
    locks.catalogue(c)
    c.execute(delete(event_label))
    c.execute(delete(label))
    after = 0
    while rows := c.execute(_NEXT, {"after": after}).all():
        subjects = {row.number: (view.event_of(row.document), decode_steps(row.steps)) for row in rows}
        c.execute(
            _PLACE,
            [{"the_number": n, **place(subject)._asdict()} for n, (subject, _) in subjects.items()],
        )
        made = {n: entries(subject, steps) for n, (subject, steps) in subjects.items()}
        replace(c, before={}, after=made)
        after = rows[-1].number
    c.execute(update(meta).where(_IS_VERSION).values(value=str(VERSION)))


_KEY = ("label", "shelf", "lo", "number")
_COLUMNS = (*_KEY, "hi", "signature")
_IS_VERSION = meta.c.name == "search_index"
_KNOWN = select(label).where(among(label.c.name))
_FORGET = delete(event_label).where(*(event_label.c[name] == bindparam(f"the_{name}") for name in _KEY))
_GROW = update(label).where(label.c.id == bindparam("the_id")).values(size=label.c.size + bindparam("more"))
_PLACE = (
    update(event)
    .where(event.c.number == bindparam("the_number"))
    .values({name: bindparam(name) for name in ListingPlace._fields})
)
_NEXT = (
    select(event.c.number, event.c.document, event.c.steps)
    .where(event.c.number > bindparam("after"))
    .order_by(event.c.number)
    .limit(EVENTS_AT_ONCE)
)
