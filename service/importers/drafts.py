"""Turns the events of a foreign calendar into drafts of seeds, from which a curator goes on.

A draft is a well-formed event, but not yet a seed: its kind is open, and no date stands without evidence.
"""

import re
from collections.abc import Container, Iterable, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import msgspec

from feeds.foreign_ical import Fault, ForeignCalendar, ForeignEvent
from feeds.text import clean, link, one_line
from service.catalogue import dates, validation
from service.catalogue.event import Event
from service.catalogue.validation import Invalid
from service.importers.recurrence import MOST_OCCURRENCES, Occurrence, occurrences

LONGEST_ID = 60
LONGEST_SUMMARY = 5000
LONGEST_UID = 300
LONGEST_NOTE = 300
MOST_DRAFTS = 5_000
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_DAY = timedelta(days=1)
_DISPENSABLE = frozenset({"summary", "place", "url", "end"})

Todo = Literal["window", "milestone"]


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What is for whoever imports to say; `since` is the first day of recurring events that is asked for."""

    timezone: str
    todo: Todo = "window"
    expand: bool = False
    since: date | None = None
    source: str | None = None


class CalendarDrafts(msgspec.Struct, frozen=True, kw_only=True):
    """The drafts of one calendar; `faults` name what could not be read or is not in the drafts.

    `organizers` are by the id of the draft: which organization it is, only a curator can say.
    """

    name: str | None
    url: str | None = None
    events: tuple[Event, ...]
    organizers: dict[str, str] = {}
    faults: tuple[Fault, ...]


class _NoDraft(ValueError):
    """One component makes no draft; the message says why."""


def drafted(calendar: ForeignCalendar, choices: Choices) -> CalendarDrafts:
    """Drafts each event; instants are told in the zone the calendar names for them, else in that chosen."""
    drafts: dict[str, Event] = {}
    organizers: dict[str, str] = {}
    faults = list(calendar.faults)
    page = link(calendar.url) if len(_series(calendar.events)) == 1 else None
    for versions in _series(calendar.events):
        for occurrence in _chosen(versions, choices, faults, room=MOST_DRAFTS - len(drafts)):
            foreign = occurrence.event
            try:
                event, refused = _event(occurrence, choices, page=page, taken=drafts.keys())
            except (_NoDraft, OverflowError) as error:
                faults.append(_fault(foreign, str(error)))
            else:
                drafts[event.id] = event
                if organizer := _organizer(foreign):
                    organizers[event.id] = organizer
                faults += (_fault(foreign, detail) for detail in (*refused, *_left_out(foreign, choices)))
    return CalendarDrafts(
        name=calendar.name,
        url=link(calendar.url),
        events=tuple(drafts.values()),
        organizers=organizers,
        faults=tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.line)),
    )


def _series(events: Iterable[ForeignEvent]) -> list[list[ForeignEvent]]:
    """An event and its overrides together, in the order of the file."""
    series: dict[tuple[str, str], list[ForeignEvent]] = {}
    for event in events:
        series.setdefault((event.kind, event.uid), []).append(event)
    return list(series.values())


def _chosen(
    versions: list[ForeignEvent], choices: Choices, faults: list[Fault], *, room: int
) -> tuple[Occurrence, ...]:
    """The dates to draft; says which are not."""
    first = versions[0]
    found = occurrences(
        versions, most=min(room, MOST_OCCURRENCES) if choices.expand else 1, since=choices.since
    )
    recurs = "It recurs" + (f" ({first.rules[0]['FREQ'][0].lower()})" if first.rules else "")
    if not found.found:
        faults.append(_fault(first, f"{recurs}; no date of it is left to draft."))
    elif found.more and not choices.expand:
        faults.append(_fault(first, f"{recurs}; only its first date is drafted."))
    elif found.more:
        dated = "1 date is" if len(found.found) == 1 else f"{len(found.found)} dates are"
        faults.append(_fault(first, f"{recurs}; {dated} drafted, and there are more."))
    return found.found


def _event(
    occurrence: Occurrence, choices: Choices, *, page: str | None, taken: Container[str]
) -> tuple[Event, list[str]]:
    """The draft, and words about what the catalogue would refuse of it and it can do without."""
    foreign = occurrence.event
    title = one_line(foreign.title)
    if validation.is_blank(title):
        raise _NoDraft("It has no SUMMARY.")
    zone = foreign.zone if foreign.zone in dates.zone_names() else choices.timezone
    start, end = _dates(foreign, zone, choices)
    summary = clean(foreign.description).strip()
    status = {"tentative": "tentative", "cancelled": "cancelled"}.get(foreign.status, "scheduled")
    place = _place(foreign)
    fields: dict[str, Any] = {
        "id": _identifier(occurrence, title, zone, taken),
        "kind": _kind(foreign, choices),
        "name": _text(title),
        "summary": _text(summary) if 0 < len(summary) <= LONGEST_SUMMARY else None,
        "status": status,
        "start": start,
        "end": end,
        "timezone": zone,
        "place": place or None,
        "tags": tuple(dict.fromkeys(filter(None, map(_slug, foreign.categories))))[:50],
        "url": link(foreign.url) or page,
        "external_ids": _external_ids(occurrence),
        "visibility": "internal" if foreign.private else "public",
        "evidence": tuple(_evidence(foreign, choices, status=status, start=start, end=end)),
    }
    return _accepted(fields)


def _accepted(fields: dict[str, Any]) -> tuple[Event, list[str]]:
    details: list[str] = []
    while True:
        try:
            return validation.check(msgspec.convert(fields, Event)), details
        except msgspec.ValidationError as error:
            faults: tuple[validation.Fault, ...] = (validation.fault_of(error),)
        except Invalid as invalid:
            faults = invalid.faults
        # A to-do that is due before it begins is due all the same.
        window = fields["kind"] == "application_window"
        for fault in faults:
            name = (fault.pointer or "/").split("/")[1]
            dropped = "start" if window and name == "end" else name
            if name not in _DISPENSABLE or (fields[dropped] is None and len(faults) == 1):
                raise _NoDraft(f"{fault.pointer}: {fault.detail}.")
            details.append(f"{fault.pointer}: {fault.detail}. The draft is without its {dropped}.")
            fields[dropped] = None


def _kind(foreign: ForeignEvent, choices: Choices) -> str:
    if foreign.kind == "event":
        return "other"
    return "application_window" if choices.todo == "window" else "milestone"


def _dates(foreign: ForeignEvent, zone: str, choices: Choices) -> tuple[str | None, str | None]:
    """Start and end as a seed writes them; the end of whole days is the last of them."""
    start, end = foreign.start, foreign.end
    first = _edtf(start, zone) if start is not None else None
    if foreign.kind == "todo":
        last = _edtf(end, zone) if end is not None else None
        # A milestone is a moment, and only what begins has a place in a calendar.
        return (last if choices.todo == "milestone" else first), last
    if end is not None and not isinstance(end, datetime):
        end = end - _DAY if start is None or end > start else None
    last = _edtf(end, zone) if end is not None else None
    return first, None if last == first else last


def _edtf(moment: date, zone: str) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.astimezone(dates.zone(zone)).strftime("%Y-%m-%dT%H:%M").rjust(16, "0")


def _place(foreign: ForeignEvent) -> dict[str, Any]:
    name = one_line(foreign.place)
    place: dict[str, Any] = {}
    if address := link(name):
        place["online_url"] = address
    elif name:
        place["name"] = _text(name)
    if geo := _geo(foreign.geo):
        place["geo"] = geo
    return place


def _geo(text: str) -> dict[str, float] | None:
    found = re.fullmatch(r"([+-]?\d{1,2}(?:\.\d{1,20})?)\s*[;,]\s*([+-]?\d{1,3}(?:\.\d{1,20})?)", text)
    if found is None or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        return None
    return {"lat": float(found[1]), "lon": float(found[2])}


def _organizer(foreign: ForeignEvent) -> str:
    return one_line(re.sub("^mailto:", "", foreign.organizer, flags=re.IGNORECASE))[:300].strip()


def _external_ids(occurrence: Occurrence) -> dict[str, str]:
    """Which event of which calendar it is, and which version: by these the next reading knows it."""
    foreign = occurrence.event
    ids = {"ical": _uid(foreign.uid), "ical.sequence": str(foreign.sequence)}
    if occurrence.original is not None:
        form = "%Y%m%dT%H%M%SZ" if isinstance(occurrence.original, datetime) else "%Y%m%d"
        ids["ical.recurrence"] = occurrence.original.strftime(form)
    return ids if foreign.sequence else {key: ids[key] for key in ids if key != "ical.sequence"}


def _uid(uid: str) -> str:
    line = one_line(uid)
    return (
        line if len(line) <= LONGEST_UID else f"sha256-{sha256(line.encode('utf-8', 'replace')).hexdigest()}"
    )


def _evidence(
    foreign: ForeignEvent, choices: Choices, *, status: str, start: str | None, end: str | None
) -> Iterator[dict[str, str]]:
    """What the calendar says of dates and state, each with its lines."""
    if choices.source is None:
        return
    begins = ("DUE",) if foreign.kind == "todo" and start == end else ("DTSTART", "RRULE", "RECURRENCE-ID")
    told: list[tuple[str, str | None, tuple[str, ...]]] = [
        ("start", start, begins),
        ("end", end, ("DTEND", "DUE", "DURATION")),
        ("status", status if status != "scheduled" else None, ("STATUS",)),
        ("organizations", _organizer(foreign) or None, ("ORGANIZER",)),
    ]
    for field, value, names in told:
        if value is not None:
            lines = clean("\n".join(foreign.source[name] for name in names if name in foreign.source))
            noted = {"note": lines[:LONGEST_NOTE]} if lines.strip() else {}
            yield {"field": field, "value": value, "source": choices.source, **noted}


def _left_out(foreign: ForeignEvent, choices: Choices) -> Iterator[str]:
    """Says what the event has and its draft has not."""
    if len(clean(foreign.description).strip()) > LONGEST_SUMMARY:
        yield f"Its DESCRIPTION has more than {LONGEST_SUMMARY} characters and is left out."
    if foreign.url is not None and link(foreign.url) is None:
        yield "Its URL is no web address and is left out."
    if foreign.geo and _geo(foreign.geo) is None:
        yield "Its GEO is no place on Earth and is left out."
    if other := [one_line(each)[:40] for each in foreign.categories if not _slug(each)]:
        yield f"CATEGORIES {', '.join(other)} make no tag and are left out."
    if foreign.private:
        yield "It is private, so its draft is internal."
    if foreign.kind == "todo" and choices.todo == "milestone" and foreign.start is not None:
        yield "Its DTSTART is left out: a milestone is when it is due."


def _identifier(occurrence: Occurrence, title: str, zone: str, taken: Container[str]) -> str:
    """From the title and year where that has Latin letters, else from the UID: the same at every reading.

    Of a date of several it is the day instead of the year.
    """
    foreign, original = occurrence.event, occurrence.original
    recurrence = "" if original is None else str(original)
    digest = sha256(f"{foreign.uid}\0{recurrence}".encode("utf-8", "replace")).hexdigest()
    when = original or foreign.start or foreign.end
    day = _edtf(when, zone)[:10] if when else None
    suffix = day and (day[:4] if original is None else day)
    slug = _slug(title)[:LONGEST_ID].strip("-")
    if not re.search("[a-z]", slug):
        identifier = f"ical-{digest[:12]}"
    else:
        identifier = slug if not suffix or f"-{suffix}-" in f"-{slug}-" else f"{slug}-{suffix}"
    return identifier if identifier not in taken else f"{identifier}-{digest[:12]}"


def _slug(text: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", text.lower()))[:100].strip("-")


def _text(text: str) -> dict[str, str]:
    return {"ko" if _HANGUL.search(text) else "en": text}


def _fault(foreign: ForeignEvent, detail: str) -> Fault:
    return Fault(line=foreign.line, uid=_uid(foreign.uid), detail=detail)
