"""The index that events are listed by: labels, each with its events in the order of their start.

A label is a fact that a list may ask for, such as `tag:ai`. Words are in `service.store.word_index`. A row of
`event_label` says that event `number` has it; the key is (label, shelf, lo, number). `lo` and `hi` are the
bounds of `when` in milliseconds since 1970; an unknown `hi` is the last instant. A shelf holds the events of
about one length: what overlaps an instant began at most that length before it, so a range of time is a
bounded stretch of each shelf. Events without a known start have a shelf of their own, in order of their end;
those without either have the last one.

The row of a `phase:` label has the shelf of the phase's own length, as a call may be open for far longer, or
shorter, than its dates say. `signature` is a Bloom filter of the event's labels: a cheap first test for
another label. `event` has the same columns for lists that ask for no label.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace as replaced
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql

from service.catalogue import evidence, view, windows
from service.catalogue.event import Event
from service.catalogue.windows import Phase, Step
from service.store import locks, word_index
from service.store.sql import LAST, MILLISECOND, among, millis, millis_or, rows_among
from service.store.stored_event import decode_steps, encode_steps, last_seen
from service.store.tables import event, event_label, label, meta

# Has to be raised with every change to what rows an event has, and to what follows from an event in its
# document or its phases; the next start derives them anew.
VERSION = 7

# The longest event of each shelf in milliseconds, except of the shelf for longer ones.
SPANS = tuple(timedelta(days=days) // MILLISECOND for days in (1.5, 8, 35, 100, 400))
LONGEST, OPEN_START, UNDATED = len(SPANS), len(SPANS) + 1, len(SPANS) + 2
# Phases that few events are in and that their dates do not tell. The others follow from `lo` and `hi`.
LABELLED_PHASES: frozenset[Phase] = frozenset(
    {"open", "closing_soon", "forecasted", "postponed", "cancelled", "unknown"}
)
EVENTS_AT_ONCE = 2000
# A signed number of 64 bits has about as many to spare, on either engine.
SIGNATURE_BITS = 61


class ListingPlace(NamedTuple):
    """The place of an event among all events: the columns of `event` with these names."""

    shelf: int
    lo: int
    hi: int
    signature: int

    @property
    def starts(self) -> int | None:
        """The earliest start in milliseconds since 1970, None where it is not known."""
        return self.lo if self.shelf < OPEN_START else None


class Entry(NamedTuple):
    """A row of the index without the numbers of its label and its event."""

    label: str
    shelf: int
    lo: int
    hi: int
    signature: int


class IndexedLabel(NamedTuple):
    """The number of a label in the index, and how many rows it has."""

    id: int
    size: int


def place(subject: Event) -> ListingPlace:
    bounds = windows.span(subject)
    hi, mark = millis_or(bounds.latest, LAST), signature(labels(subject))
    if bounds.earliest is None:
        return ListingPlace(OPEN_START if hi < LAST else UNDATED, hi, hi, mark)
    lo = millis(bounds.earliest)
    return ListingPlace(_shelf(hi - lo), lo, hi, mark)


def columns(subject: Event) -> dict[str, int | None]:
    """Returns the columns of an event that it is looked up by, in a list or by the planner of reminders."""
    start, end = (evidence.earliest(subject, field) for field in evidence.DATES)
    counted = windows.span(replaced(subject, start=start, end=end, evidence=()))
    return {
        **place(subject)._asdict(),
        "starts": None if counted.earliest is None else millis(counted.earliest),
        "ends": millis_or(counted.latest, LAST),
    }


def entries(subject: Event, steps: Sequence[Step]) -> frozenset[Entry]:
    """Returns every row of an event; a pure function of what is stored, so that old rows can be found."""
    home = place(subject)
    rows = {Entry(name, *home) for name in labels(subject)}
    ends = [millis_or(step.at, LAST) for step in steps[1:]] + [LAST]
    last_ends = {step.phase: end for step, end in zip(steps, ends, strict=True)}
    for phase in LABELLED_PHASES & last_ends.keys():
        shelf = home.shelf if home.shelf >= OPEN_START else _shelf(last_ends[phase] - home.lo)
        rows.add(Entry(f"phase:{phase}", shelf, *home[1:]))
    return frozenset(rows)


def labels(subject: Event) -> Iterator[str]:
    """Yields the labels of an event that do not depend on the time."""
    yield f"kind:{subject.kind}"
    yield f"status:{subject.status}"
    if not subject.is_public:
        yield f"visibility:{subject.visibility}"
    yield f"disputed:{int(evidence.disputed(subject))}"
    yield f"unsupported:{int(bool(evidence.unsupported(subject)))}"
    yield from (f"tag:{tag}" for tag in subject.tags)
    yield from (f"organization:{part.id}" for part in subject.organizations)
    yield from (f"city:{city}" for city in (subject.place.cities if subject.place else ()))
    named = {"series": subject.series, "program": subject.program, "part_of": subject.part_of}
    yield from (f"{name}:{value}" for name, value in named.items() if value is not None)


def signature(names: Iterable[str]) -> int:
    """Returns two bits for each label. An event without all bits of a label surely lacks the label."""
    mark = 0
    for name in names:
        checksum = zlib.crc32(name.encode())
        mark |= 1 << (checksum % SIGNATURE_BITS) | 1 << ((checksum >> 16) * 31 % SIGNATURE_BITS)
    return mark


def _shelf(length: int) -> int:
    return next((shelf for shelf, span in enumerate(SPANS) if length <= span), LONGEST)


_KNOWN = select(label).where(among(label.c.name))


def known(c: Connection, names: Iterable[str]) -> dict[str, IndexedLabel]:
    """Returns those of these labels that some event has or had."""
    return {row.name: IndexedLabel(row.id, row.size) for row in rows_among(c, _KNOWN, names)}


_KEY = ("label", "shelf", "lo", "number")
_COLUMNS = (*_KEY, "hi", "signature")
_DELETE_ROW = delete(event_label).where(*(event_label.c[name] == bindparam(f"the_{name}") for name in _KEY))
_RESIZE = (
    update(label).where(label.c.id == bindparam("the_id")).values(size=label.c.size + bindparam("growth"))
)


def replace(
    c: Connection, *, before: Mapping[int, frozenset[Entry]], after: Mapping[int, frozenset[Entry]]
) -> None:
    """Brings the rows of these events, by number, from one state to another; writes only what differs."""
    old = [(n, row) for n, rows in before.items() for row in rows - after.get(n, frozenset())]
    new = [(n, row) for n, rows in after.items() for row in rows - before.get(n, frozenset())]
    ids = _label_ids(c, {row.label for _, row in (*old, *new)})
    # In key order the pages of the index are filled one after another.
    old_keys = sorted((ids[row.label], row.shelf, row.lo, n) for n, row in old)
    new_rows = sorted((ids[row.label], row.shelf, row.lo, n, row.hi, row.signature) for n, row in new)
    if old_keys:
        names = [f"the_{name}" for name in _KEY]
        c.execute(_DELETE_ROW, [dict(zip(names, key, strict=True)) for key in old_keys])
    if new_rows:
        c.execute(insert(event_label), [dict(zip(_COLUMNS, row, strict=True)) for row in new_rows])
    growth = Counter(row.label for _, row in new)
    growth.subtract(row.label for _, row in old)
    sizes = [{"the_id": ids[name], "growth": count} for name, count in sorted(growth.items()) if count]
    if sizes:
        c.execute(_RESIZE, sizes)


# Either dialect's INSERT is written like this.
_ADD_LABEL = postgresql.insert(label).on_conflict_do_nothing()


def _label_ids(c: Connection, names: set[str]) -> dict[str, int]:
    """Returns the numbers of these labels; a new one gets a number."""
    ids = {name: each.id for name, each in known(c, sorted(names)).items()}
    if missing := sorted(names - ids.keys()):
        c.execute(_ADD_LABEL, [{"name": name, "size": 0} for name in missing])
        ids |= {name: each.id for name, each in known(c, missing).items()}
    return ids


_IS_VERSION = meta.c.name == "search_index"


def is_current(c: Connection) -> bool:
    """Whether the rows were derived as this version derives them."""
    return bool(c.execute(select(meta.c.value).where(_IS_VERSION)).scalar_one() == str(VERSION))


_NEXT_EVENTS = (
    select(event.c.number, event.c.document, event.c.shown, event.c.steps)
    .where(event.c.number > bindparam("after"))
    .order_by(event.c.number)
    .limit(EVENTS_AT_ONCE)
)
_DERIVED = ("document", "shown", "steps", "searched", *ListingPlace._fields, "starts", "ends")
_SET_DERIVED = (
    update(event)
    .where(event.c.number == bindparam("the_number"))
    .values({name: bindparam(name) for name in _DERIVED})
)


def rebuild(c: Connection) -> None:
    """Derives every row, and all else that follows from an event, as this version does.

    It is done in the transaction of `c`, so that a list never misses an event meanwhile.
    """
    locks.migration(c)
    if is_current(c):
        return
    locks.catalogue(c)
    c.execute(delete(event_label))
    c.execute(delete(label))
    word_index.clear(c)
    after = 0
    while rows := c.execute(_NEXT_EVENTS, {"after": after}).all():
        subjects = {row.number: view.event_of(row.document) for row in rows}
        seen = last_seen(c, list(subjects.values()))
        halts = {row.number: windows.halted(decode_steps(row.steps)) for row in rows}
        steps = {
            n: windows.phase_steps(each, seen=seen[each.id], halt=halts[n]) for n, each in subjects.items()
        }
        texts = dict(zip(subjects, word_index.searched(c, list(subjects.values())), strict=True))
        derived = [
            {
                "the_number": row.number,
                "document": view.derived_anew(row.document),
                "shown": row.shown and view.derived_anew(row.shown),
                "steps": encode_steps(steps[row.number]),
                "searched": texts[row.number],
                **columns(subjects[row.number]),
            }
            for row in rows
        ]
        c.execute(_SET_DERIVED, derived)
        replace(c, before={}, after={n: entries(each, steps[n]) for n, each in subjects.items()})
        words = {n: word_index.tokens(texts[n], starts=place(each).starts) for n, each in subjects.items()}
        word_index.replace(c, before={}, after=words)
        word_index.learn(c, texts.values())
        after = rows[-1].number
    c.execute(update(meta).where(_IS_VERSION).values(value=str(VERSION)))
