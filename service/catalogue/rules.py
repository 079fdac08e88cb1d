"""What a noun of the catalogue must satisfy beyond its types; every fault is told at once, with its place."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from service.catalogue import dates, texts
from service.catalogue.dates import Edtf, EdtfError, ZoneError
from service.catalogue.event import Alias, Event, Evidence, Organization, Program, Series, Source
from service.catalogue.faults import Fault as Fault
from service.catalogue.faults import Invalid as Invalid
from service.catalogue.faults import refuse

NounT = TypeVar("NounT", bound=Series | Program | Organization | Source)
Reader = Callable[[str], Edtf]

# Outside these years something is mistyped, and arithmetic by days would leave the calendar.
FIRST_YEAR, LAST_YEAR = 1000, 9998
# /feeds/ko/<name>.ics is also the feed of a series, program or organization of that id.
FEED_NAMES = ("calendar", "events", "deadlines")
_READERS: dict[str, Reader] = {"start": dates.parse, "end": dates.parse_end, "contains": dates.parse}


def check(event: Event) -> Event:
    """The event in its normal form (close rule filled in, texts in NFC), or `Invalid` with all its faults."""
    event = normalise(event)
    refuse(
        [
            *texts.faults(event),
            *_when(event),
            *_closing(event),
            *_repeated("/tags", event.tags),
            *_repeated("/organizations", event.organizations),
            *_repeated("/related", event.related),
            *_repeated("/evidence", [(e.field, e.value, e.source, e.quote) for e in event.evidence]),
            *_to_itself(event),
            *_evidence(event.evidence),
            *_previous(event),
        ]
    )
    return event


def check_noun(noun: NounT) -> NounT:
    """The same for a series, program, organization or source."""
    noun = texts.normal_form(noun)
    faults = list(texts.faults(noun))
    if isinstance(noun, Source):
        faults += _source(noun)
    else:
        faults += _aliases(noun.aliases)
    if isinstance(noun, (Program, Organization)) and noun.part_of == noun.id:
        faults.append(Fault(pointer="/part_of", detail="it cannot be part of itself"))
    if not isinstance(noun, Source) and noun.id in FEED_NAMES:
        faults.append(Fault(pointer="/id", detail="a feed of all events has this name; choose another"))
    if isinstance(noun, (Series, Program)):
        faults += _repeated("/organizations", noun.organizations)
    if isinstance(noun, Program):
        faults += _evidence(noun.evidence)
    refuse(faults)
    return noun


def normalise(event: Event) -> Event:
    """Texts in NFC, and for a window its close rule spelt out: fixed if it has an end, else unknown."""
    event = texts.normal_form(event)
    if event.is_window and event.close_rule is None:
        return msgspec.structs.replace(event, close_rule="fixed" if event.end is not None else "unknown")
    return event


def _when(event: Event) -> Iterator[Fault]:
    start, faults = _date("/start", event.start, dates.parse)
    yield from faults
    end, faults = _date("/end", event.end, dates.parse_end)
    yield from faults
    try:
        zone = dates.zone(event.timezone)
    except ZoneError as error:
        yield Fault(pointer="/timezone", detail=str(error))
        return
    if start is not None and end is not None and _reversed(start, end, zone):
        yield Fault(pointer="/end", detail=f"the end {end.text} is before the start {start.text}")


def _date(pointer: str, text: object, read: Reader) -> tuple[Edtf | None, tuple[Fault, ...]]:
    if not isinstance(text, str):
        return None, ()
    try:
        edtf = read(text)
    except EdtfError as error:
        return None, (Fault(pointer=pointer, detail=str(error)),)
    if edtf.first and edtf.last and not FIRST_YEAR <= edtf.first.year <= edtf.last.year <= LAST_YEAR:
        return None, (Fault(pointer=pointer, detail=f"the year is to be {FIRST_YEAR} to {LAST_YEAR}"),)
    return edtf, ()


def _reversed(start: Edtf, end: Edtf, zone: ZoneInfo) -> bool:
    """Whether no instant the end allows comes at or after the first instant of the start."""
    earliest, latest = dates.bounds(start, zone).earliest, dates.bounds(end, zone).latest
    if earliest is None or latest is None:
        return False
    if end.minute is not None:
        return latest < earliest
    # A day's latest is exclusive; comparing days too, because a zone may have skipped the only one.
    return latest <= earliest and (end.last or date.max) < (start.first or date.min)


def _closing(event: Event) -> Iterator[Fault]:
    for name in ("close_rule", "close_text"):
        if not event.is_window and getattr(event, name) is not None:
            yield Fault(pointer=f"/{name}", detail="only an application window closes by a rule")
    if event.is_window and event.close_rule == "fixed" and event.end is None:
        yield Fault(pointer="/close_rule", detail="a fixed close needs an end")


def _repeated(pointer: str, items: Sequence[Hashable]) -> Iterator[Fault]:
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if item in seen:
            yield Fault(pointer=f"{pointer}/{index}", detail=f"it repeats {pointer}/{seen[item]}")
        else:
            seen[item] = index


def _to_itself(event: Event) -> Iterator[Fault]:
    if event.part_of == event.id:
        yield Fault(pointer="/part_of", detail="it cannot be part of itself")
    for index, related in enumerate(event.related):
        if related.event == event.id:
            yield Fault(pointer=f"/related/{index}/event", detail="it cannot be related to itself")


def _evidence(evidence: Sequence[Evidence]) -> Iterator[Fault]:
    for index, item in enumerate(evidence):
        reader = _READERS.get(item.field)
        if reader is not None:
            yield from _date(f"/evidence/{index}/value", item.value, reader)[1]


def _previous(event: Event) -> Iterator[Fault]:
    for index, item in enumerate(event.previous_dates or ()):
        yield from _date(f"/previous_dates/{index}/start", item.start, dates.parse)[1]
        yield from _date(f"/previous_dates/{index}/end", item.end, dates.parse_end)[1]


def _aliases(aliases: Sequence[Alias]) -> Iterator[Fault]:
    for index, alias in enumerate(aliases):
        yield from _date(f"/aliases/{index}/since", alias.since, dates.parse)[1]
        yield from _date(f"/aliases/{index}/until", alias.until, dates.parse_end)[1]


def _source(source: Source) -> Iterator[Fault]:
    yield from _date("/published", source.published, dates.parse)[1]
    if source.retrieved is not None:
        edtf, faults = _date("/retrieved", source.retrieved, dates.parse)
        yield from faults
        if edtf is not None and edtf.precision != "day":
            yield Fault(pointer="/retrieved", detail="write the day we looked as YYYY-MM-DD")
