"""What a foreign calendar says, as drafts of seeds: a curator goes on from there.

A draft is a well-formed event, but not yet a seed: its kind is open, and no date stands without evidence.
"""

import re
from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from feeds.read_ical import Fault, Found, Reading
from feeds.text import clean, link, one_line
from service.catalogue import dates, validation
from service.catalogue.event import Event
from service.catalogue.validation import Invalid

LONGEST_ID = 60
LONGEST_SUMMARY = 5000
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_DAY = timedelta(days=1)


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """The drafts of one calendar, and what of it could not be read or is not in them."""

    name: str | None
    events: tuple[Event, ...]
    faults: tuple[Fault, ...]


class _Unfit(ValueError):
    """One component makes no draft; the message says why."""


def drafted(reading: Reading, *, timezone: str) -> Drafts:
    """A draft of each event; instants are told in their own zone where it is one, else in `timezone`."""
    events: dict[str, Event] = {}
    faults = list(reading.faults)
    for found in reading.events:
        try:
            event = _event(found, timezone, taken=events.keys())
        except (_Unfit, OverflowError) as error:
            faults.append(_fault(found, str(error)))
        except Invalid as invalid:
            faults += (_fault(found, f"{each.pointer}: {each.detail}") for each in invalid.faults)
        else:
            events[event.id] = event
            faults += (_fault(found, detail) for detail in _left_out(found))
    faults.sort(key=lambda fault: fault.line)
    return Drafts(name=reading.name, events=tuple(events.values()), faults=tuple(faults))


def _event(found: Found, timezone: str, *, taken: Container[str]) -> Event:
    title = one_line(found.title)
    if not title:
        raise _Unfit("It has no SUMMARY.")
    zone = _zone(found.zone) or timezone
    start, end = _dates(found, zone)
    summary = clean(found.description).strip()
    place = one_line(found.place)
    fields: dict[str, Any] = {
        "id": _identifier(found, title, taken),
        "kind": "other",
        "name": _text(title),
        "summary": _text(summary) if 0 < len(summary) <= LONGEST_SUMMARY else None,
        "status": {"tentative": "tentative", "cancelled": "cancelled"}.get(found.status, "scheduled"),
        "start": start,
        "end": end,
        "timezone": zone,
        "place": {"name": _text(place)} if place else None,
        "tags": tuple(dict.fromkeys(filter(None, map(_slug, found.categories))))[:50],
        "url": link(found.url),
        "external_ids": {"ical": one_line(found.uid)},
    }
    try:
        return validation.check(msgspec.convert(fields, Event))
    except msgspec.ValidationError as error:
        raise _Unfit(f"{error}.") from None


def _dates(found: Found, zone: str) -> tuple[str, str | None]:
    """Start and end as a seed writes them; the end of whole days is their last."""
    start, end = found.start, found.end
    if end is not None and not isinstance(end, datetime):
        end = end - _DAY if end > start else None
    first = _spelt(start, zone)
    last = _spelt(end, zone) if end is not None else None
    return first, None if last == first else last


def _spelt(moment: date, zone: str) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.astimezone(dates.zone(zone)).strftime("%Y-%m-%dT%H:%M").rjust(16, "0")


def _zone(name: str | None) -> str | None:
    try:
        return name if name is not None and dates.zone(name) else None
    except dates.ZoneError:
        return None


def _left_out(found: Found) -> Iterator[str]:
    """What the event says and its draft does not."""
    if found.rule is not None:
        yield f"It recurs ({found.rule.frequency.lower()}); only its first date is drafted."
    if found.more:
        yield f"It has {len(found.more)} more dates (RDATE), which are not drafted."
    if len(clean(found.description).strip()) > LONGEST_SUMMARY:
        yield f"Its DESCRIPTION has more than {LONGEST_SUMMARY} characters and is left out."
    if found.url is not None and link(found.url) is None:
        yield "Its URL is no web address and is left out."


def _identifier(found: Found, title: str, taken: Container[str]) -> str:
    """From the title and year where that has Latin letters, else from the UID: the same at every reading."""
    digest = sha256(f"{found.uid}\0{found.recurrence or ''}".encode("utf-8", "replace")).hexdigest()
    words = _slug(title)[:LONGEST_ID].strip("-")
    year = f"{found.start.year}"
    if re.search("[a-z]", words):
        plain = words if year in words.split("-") else f"{words}-{year}"
    else:
        plain = f"ical-{digest[:12]}"
    return plain if plain not in taken else f"{plain}-{digest[:12]}"


def _slug(text: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", text.lower()))[:100].strip("-")


def _text(text: str) -> dict[str, str]:
    return {"ko" if _HANGUL.search(text) else "en": text}


def _fault(found: Found, detail: str) -> Fault:
    return Fault(line=found.line, uid=found.uid, detail=detail)
