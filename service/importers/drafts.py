"""Turns the events of a foreign calendar into drafts of seeds, from which a curator goes on.

A draft is a well-formed event, but not yet a seed: its kind is open, and no date stands without evidence.
"""

import re
from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from feeds.foreign_ical import Fault, ForeignCalendar, ForeignEvent
from feeds.text import clean, link, one_line
from service.catalogue import dates, validation
from service.catalogue.event import Event
from service.catalogue.validation import Invalid

LONGEST_ID = 60
LONGEST_SUMMARY = 5000
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_DAY = timedelta(days=1)


class CalendarDrafts(msgspec.Struct, frozen=True, kw_only=True):
    """The drafts of one calendar; `faults` name what could not be read or is not in the drafts."""

    name: str | None
    events: tuple[Event, ...]
    faults: tuple[Fault, ...]


class _NoDraft(ValueError):
    """One component makes no draft; the message says why."""


def drafted(calendar: ForeignCalendar, *, timezone: str) -> CalendarDrafts:
    """Drafts each event; instants are told in the zone the calendar names for them, else in `timezone`."""
    drafts: dict[str, Event] = {}
    faults = list(calendar.faults)
    for foreign in calendar.events:
        try:
            event = _event(foreign, timezone, taken=drafts.keys())
        except (_NoDraft, OverflowError) as error:
            faults.append(_fault(foreign, str(error)))
        except Invalid as invalid:
            faults += (_fault(foreign, f"{fault.pointer}: {fault.detail}") for fault in invalid.faults)
        else:
            drafts[event.id] = event
            faults += (_fault(foreign, detail) for detail in _left_out(foreign))
    faults.sort(key=lambda fault: fault.line)
    return CalendarDrafts(name=calendar.name, events=tuple(drafts.values()), faults=tuple(faults))


def _event(foreign: ForeignEvent, timezone: str, *, taken: Container[str]) -> Event:
    title = one_line(foreign.title)
    if not title:
        raise _NoDraft("It has no SUMMARY.")
    zone = foreign.zone if foreign.zone in dates.zone_names() else timezone
    start, end = _dates(foreign, zone)
    summary = clean(foreign.description).strip()
    place = one_line(foreign.place)
    fields: dict[str, Any] = {
        "id": _identifier(foreign, title, taken),
        "kind": "other",
        "name": _text(title),
        "summary": _text(summary) if 0 < len(summary) <= LONGEST_SUMMARY else None,
        "status": {"tentative": "tentative", "cancelled": "cancelled"}.get(foreign.status, "scheduled"),
        "start": start,
        "end": end,
        "timezone": zone,
        "place": {"name": _text(place)} if place else None,
        "tags": tuple(dict.fromkeys(filter(None, map(_slug, foreign.categories))))[:50],
        "url": link(foreign.url),
        "external_ids": {"ical": one_line(foreign.uid)},
    }
    try:
        return validation.check(msgspec.convert(fields, Event))
    except msgspec.ValidationError as error:
        raise _NoDraft(f"{error}.") from None


def _dates(foreign: ForeignEvent, zone: str) -> tuple[str, str | None]:
    """Start and end as a seed writes them; the end of whole days is the last of them."""
    start, end = foreign.start, foreign.end
    if end is not None and not isinstance(end, datetime):
        end = end - _DAY if end > start else None
    first = _edtf(start, zone)
    last = _edtf(end, zone) if end is not None else None
    return first, None if last == first else last


def _edtf(moment: date, zone: str) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.astimezone(dates.zone(zone)).strftime("%Y-%m-%dT%H:%M").rjust(16, "0")


def _left_out(foreign: ForeignEvent) -> Iterator[str]:
    """Says what the event has and its draft has not."""
    if foreign.rule is not None:
        yield f"It recurs ({foreign.rule['FREQ'][0].lower()}); only its first date is drafted."
    if foreign.more:
        yield f"It has {len(foreign.more)} more dates (RDATE), which are not drafted."
    if len(clean(foreign.description).strip()) > LONGEST_SUMMARY:
        yield f"Its DESCRIPTION has more than {LONGEST_SUMMARY} characters and is left out."
    if foreign.url is not None and link(foreign.url) is None:
        yield "Its URL is no web address and is left out."


def _identifier(foreign: ForeignEvent, title: str, taken: Container[str]) -> str:
    """From the title and year where that has Latin letters, else from the UID: the same at every reading."""
    digest = sha256(f"{foreign.uid}\0{foreign.recurrence or ''}".encode("utf-8", "replace")).hexdigest()
    slug = _slug(title)[:LONGEST_ID].strip("-")
    year = f"{foreign.start.year}"
    if re.search("[a-z]", slug):
        identifier = slug if year in slug.split("-") else f"{slug}-{year}"
    else:
        identifier = f"ical-{digest[:12]}"
    return identifier if identifier not in taken else f"{identifier}-{digest[:12]}"


def _slug(text: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", text.lower()))[:100].strip("-")


def _text(text: str) -> dict[str, str]:
    return {"ko" if _HANGUL.search(text) else "en": text}


def _fault(foreign: ForeignEvent, detail: str) -> Fault:
    return Fault(line=foreign.line, uid=foreign.uid, detail=detail)
