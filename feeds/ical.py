"""Entries as iCalendar: each VEVENT is rendered once to bytes, a calendar is header, join, footer.

icalendar writes the lines; what it is given has been sanitised and every name is on a list here first,
since its own guards are `assert`s. Folding is ours: icalendar's splits escaped backslashes and counts per
character.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Alarm as VAlarm
from icalendar import Event as VEvent
from icalendar.cal.component import Component
from icalendar.prop import vCategory, vText

from feeds.entry import Alarm, Entry, EntryError, Feed, Fragment, Profile
from feeds.text import clean, escaped, folded, link, one_line
from feeds.timezones import local, vtimezone

# Ends with the language of the words (ISO 9070). Constant across releases: a new one reads as a new calendar.
PRODID = "-//Dday//Calendar feeds//{}"
IDENTITY = {"UID", "DTSTAMP", "SEQUENCE", "CREATED", "LAST-MODIFIED", "RELATED-TO"}
CONTENT = {"DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "LOCATION", "GEO", "URL", "CATEGORIES", "STATUS"}
LOOK = {"TRANSP", "COLOR", "IMAGE", "CONFERENCE", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT"}
PROPERTIES = IDENTITY | CONTENT | LOOK | {"ACTION", "TRIGGER"}
PARAMETERS = frozenset({"TZID", "VALUE", "RELTYPE", "LANGUAGE", "FEATURE", "RELATED"})
FOOTER = b"END:VCALENDAR\r\n"
NAMELESS = "…"  # libical drops a property without a value, and readers rely on these


class _Line(vText):
    """A value already in its final form; icalendar must not escape it again."""

    def to_ical(self) -> bytes:
        return str(self).encode()


class _Text(vText):
    """TEXT with an escaper that keeps backslash-N, which icalendar's own turns into a line break."""

    def to_ical(self) -> bytes:
        return escaped(self).encode()


def render(entry: Entry, *, profile: Profile) -> Fragment | None:
    """One VEVENT; None for an entry without a day. The bytes depend on the arguments and nothing else."""
    if entry.start is None:
        return None
    event, zone = VEvent(), _zone(entry)
    _identity(event, entry)
    _times(event, entry, zone)
    _words(event, entry, rich=profile == "rich")
    _marks(event, entry)
    if profile == "rich":
        _extras(event, entry)
    for number, alarm in enumerate(entry.alarms, start=1):
        event.add_component(_alarm(entry, alarm, number))
    return Fragment(body=_bytes(event), order=(_instant(entry.start), entry.uid), zone=zone)


def assemble(feed: Feed, bodies: Sequence[bytes], *, zones: frozenset[str]) -> bytes:
    """The calendar around rendered entries, in the order given; `zones` are those they are told in."""
    # RFC 5545 3.6 wants at least one component, so an empty feed carries its zone.
    known = sorted(zones) or [feed.zone]
    return b"".join([_header(feed), *map(vtimezone, known), *bodies, FOOTER])


def _header(feed: Feed) -> bytes:
    # No UID, though RFC 7986 allows one: nobody reads it, and vdirsyncer takes it for that of every event.
    title, description = one_line(feed.title), clean(feed.description)
    hours = f"PT{int(feed.refresh.total_seconds() // 3600)}H"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODID.format(feed.language.upper())}",
        "CALSCALE:GREGORIAN",
        f"LAST-MODIFIED:{_utc(feed.modified)}",
        f"NAME:{escaped(title)}",
        f"X-WR-CALNAME:{escaped(title)}",
        f"DESCRIPTION:{escaped(description)}",
        f"X-WR-CALDESC:{escaped(description)}",
        f"X-WR-TIMEZONE:{feed.zone}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{hours}",
        f"X-PUBLISHED-TTL:{hours}",
    ]
    lines += [f"SOURCE;VALUE=URI:{url}" for url in [link(feed.url)] if url]
    lines += [f"URL:{url}" for url in [link(feed.page)] if url]
    lines += [f"COLOR:{_token(feed.color)}"] if feed.color else []
    return _lines(lines)


def _identity(event: Component, entry: Entry) -> None:
    # DTSTAMP is the last revision (RFC 5545 3.8.7.2 without METHOD), never "now": equal data, equal bytes.
    _put(event, "UID", _Line(_token(entry.uid)))
    _put(event, "DTSTAMP", _Line(_utc(entry.updated)))
    _put(event, "SEQUENCE", _Line(str(entry.sequence)))
    _put(event, "CREATED", _Line(_utc(entry.created)))
    _put(event, "LAST-MODIFIED", _Line(_utc(entry.updated)))


def _times(event: Component, entry: Entry, zone: str | None) -> None:
    for name, moment in (("DTSTART", entry.start), ("DTEND", entry.end)):
        if moment is None:
            continue
        if not isinstance(moment, datetime):
            _put(event, name, _Line(_day(moment), params={"VALUE": "DATE"}))
        elif (wall := local(moment, zone)) and zone:
            _put(event, name, _Line(_clock(wall), params={"TZID": zone}))
        else:
            _put(event, name, _Line(_utc(moment)))


def _words(event: Component, entry: Entry, *, rich: bool) -> None:
    # No LANGUAGE in the plain profile: node-ical makes an object of a SUMMARY that has a parameter.
    language = {"LANGUAGE": entry.language} if rich else None
    _put(event, "SUMMARY", _Text(one_line(entry.title) or NAMELESS, params=language))
    if description := clean(entry.description).strip():
        _put(event, "DESCRIPTION", _Text(description, params=language))
    if entry.spot and (place := one_line(entry.spot.text or "")):
        _put(event, "LOCATION", _Text(place, params=language))
    if entry.spot and entry.spot.geo:
        _put(event, "GEO", _Line("{:.6f};{:.6f}".format(*entry.spot.geo)))
    if url := link(entry.url):
        _put(event, "URL", _Line(url))
    if words := [_Text(word) for word in map(one_line, entry.categories) if word]:
        # One line: PyPI `ics` refuses a second CATEGORIES.
        categories = vCategory([])
        categories.cats = list(words)
        _put(event, "CATEGORIES", categories)


def _marks(event: Component, entry: Entry) -> None:
    _put(event, "STATUS", _Line(entry.status.upper()))
    _put(event, "TRANSP", _Line("OPAQUE" if entry.busy else "TRANSPARENT"))
    if entry.parent:
        _put(event, "RELATED-TO", _Line(_token(entry.parent), params={"RELTYPE": "PARENT"}))
    if entry.color:
        _put(event, "COLOR", _Line(_token(entry.color)))
    if not entry.busy or entry.status == "tentative":
        # Outlook takes what is OPAQUE for BUSY by itself.
        _put(event, "X-MICROSOFT-CDO-BUSYSTATUS", _Line("TENTATIVE" if entry.busy else "FREE"))
    if not entry.timed:
        _put(event, "X-MICROSOFT-CDO-ALLDAYEVENT", _Line("TRUE"))


def _extras(event: Component, entry: Entry) -> None:
    if image := link(entry.image):
        _put(event, "IMAGE", _Line(image, params={"VALUE": "URI"}))
    if entry.spot and (online := link(entry.spot.online)):
        # One FEATURE each: icalendar would quote "VIDEO,AUDIO" as a single value.
        _put(event, "CONFERENCE", _Line(online, params={"VALUE": "URI", "FEATURE": "VIDEO"}))


def _alarm(entry: Entry, alarm: Alarm, number: int) -> Component:
    part = VAlarm()
    _put(part, "UID", _Line(f"alarm{number}-{_token(entry.uid)}"))
    _put(part, "ACTION", _Line("DISPLAY"))
    related = {"RELATED": "END"} if alarm.related == "end" else None
    _put(part, "TRIGGER", _Line(_duration(alarm.trigger), params=related))
    _put(part, "DESCRIPTION", _Text(one_line(alarm.text) or NAMELESS))
    return part


def _put(component: Component, name: str, value: Any) -> None:
    if name not in PROPERTIES or not PARAMETERS.issuperset(value.params):
        raise EntryError(f"{name} with {sorted(value.params)} may not be written into a calendar.")
    component[name] = value


def _bytes(component: Component) -> bytes:
    return _lines(str(line) for line in component.content_lines(sorted=False) if line)


def _lines(lines: Iterable[str]) -> bytes:
    # The last word on injection, and not an `assert`: nothing that ends a line may be inside one.
    encoded = [line.encode() for line in lines]
    if any(b"\n" in line or b"\r" in line for line in encoded):
        raise EntryError("A line break inside a calendar line.")
    return b"".join(folded(line) + b"\r\n" for line in encoded)


def _zone(entry: Entry) -> str | None:
    """The zone both ends can be told in; half an event in UTC would only confuse."""
    moments = [moment for moment in (entry.start, entry.end) if isinstance(moment, datetime)]
    return entry.zone if moments and all(local(moment, entry.zone) for moment in moments) else None


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise EntryError(f"An instant without a zone would float: {moment}.")
    return _clock(moment.astimezone(UTC)) + "Z"


def _instant(moment: date) -> str:
    return _utc(moment) if isinstance(moment, datetime) else _day(moment)


def _day(day: date) -> str:
    # Not strftime: its %Y drops the zeros of early years.
    return day.isoformat()[:10].replace("-", "")


def _clock(wall: datetime) -> str:
    return f"{_day(wall)}T{wall.hour:02}{wall.minute:02}{wall.second:02}"


def _token(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or set(text) & set(' ",;:\\'):
        raise EntryError(f"{text[:80]!r} cannot be an identifier in a calendar.")
    return text


def _duration(length: timedelta) -> str:
    sign, length = ("-", -length) if length < timedelta(0) else ("", length)
    days, minutes = divmod(int(length.total_seconds()) // 60, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return f"{sign}P{text}" if text else "PT0S"
