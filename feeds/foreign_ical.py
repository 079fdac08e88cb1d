"""Reads foreign iCalendar into plain values: icalendar reads each line, and a fault names its line.

icalendar gets single unfolded lines instead of the file, because it has no limits, evaluates every VTIMEZONE
(whose rules can cost minutes), gives up a whole file at one stray END, and does not know line numbers.
Links and texts come out as they went in: whoever shows them escapes them.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from icalendar.parser import Contentline, split_on_unescaped_comma, unescape_backslash
from icalendar.prop import vDDDTypes, vDuration, vRecur
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feeds.entry import Status
from feeds.text import CONTROLS

MOST_BYTES = 5 * 1024 * 1024
MOST_LINES = 200_000
LONGEST_LINE = 256 * 1024
MOST_COMPONENTS = 5_000
MOST_DEPTH = 4
MOST_DATES = 1_000
LONGEST_DURATION = timedelta(days=3_660)
# Other rules could run away when they are expanded. A part of numbers has its bounds.
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
RULE_PARTS: dict[str, tuple[int, int] | None] = {
    "FREQ": None,
    "UNTIL": None,
    "COUNT": (1, 1_000),
    "INTERVAL": (1, 1_000),
    "BYDAY": None,
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "WKST": None,
}
MOST_VALUES = 100

# Possessive, or a million folds would be a million states to go back to.
_FOLDED_LINE = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")
# The first group holds the names of the properties that are read.
_PROPERTY = re.compile(
    r"(?:(VERSION|PRODID|NAME|X-WR-CALNAME|X-WR-TIMEZONE|UID|SEQUENCE|DTSTART|DTEND|DURATION|SUMMARY|DESCRIPTION"
    r"|LOCATION|URL|CATEGORIES|STATUS|RELATED-TO|LAST-MODIFIED|RECURRENCE-ID|RRULE|EXRULE|RDATE)|[A-Z0-9-]{1,100})[;:]",
    re.IGNORECASE,
)
_FIXED_OFFSET = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?")
_ZONES = available_timezones()


class CalendarRefused(ValueError):
    """The whole file is beyond a limit, or no calendar; the message is a sentence."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be read, and its line; the rest of the file was read."""

    line: int
    uid: str | None = None
    detail: str


class ForeignEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT, which begins at `line`. Times are in UTC; `zone` is the IANA name that `start` had.

    `end` is exclusive. With a `recurrence` it replaces that occurrence of `uid`. `rule` and `more` (RDATE)
    are bounded and not expanded.
    """

    uid: str
    sequence: int
    start: date
    end: date | None
    zone: str | None
    title: str
    description: str
    place: str
    url: str | None
    categories: tuple[str, ...]
    status: Status
    parent: str | None
    modified: date | None
    recurrence: date | None
    rule: vRecur | None
    more: tuple[date, ...]
    line: int


class ForeignCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as far as it could be read."""

    name: str | None
    events: tuple[ForeignEvent, ...]
    faults: tuple[Fault, ...]


def read(data: bytes, *, floating: str = "UTC") -> ForeignCalendar:
    """Reads a calendar; times without a zone are in its X-WR-TIMEZONE, else in `floating`.

    Raises CalendarRefused. Opens nothing, and so runs in a process that cannot (`service.importers.child`).
    """
    if not isinstance(data, bytes):
        raise TypeError("A calendar is read from bytes, never from text or a path.")
    head, *components = _components(data)
    default = head.raw("X-WR-TIMEZONE")
    events: dict[tuple[str, date | None], ForeignEvent] = {}
    faults = []
    for component in components:
        if component.name != "VEVENT":
            continue
        try:
            event = _event(component, default if default in _ZONES else floating)
            if (event.uid, event.recurrence) in events:
                raise _Unreadable("This UID stands here twice.")
            events[event.uid, event.recurrence] = event
        except _Unreadable as error:
            faults.append(Fault(line=component.number, uid=component.raw("UID") or None, detail=str(error)))
        faults += component.faults
    name = head.text("NAME") or head.text("X-WR-CALNAME") or None
    return ForeignCalendar(name=name, events=tuple(events.values()), faults=(*head.faults, *faults))


class _Unreadable(ValueError):
    """One component is left out; the message says why."""


class _Property(NamedTuple):
    raw: str
    tzid: str | None


class _Component(msgspec.Struct):
    """The properties of one component that are read, in order, without those of the components in it."""

    name: str
    number: int
    properties: dict[str, list[_Property]]
    faults: list[Fault]

    def add(self, number: int, line: str) -> None:
        known = _PROPERTY.match(line)
        if known and not known[1] and ":" in line:
            return
        # What is beyond the limit of dates is only counted so far: a line takes icalendar 25 µs.
        if known and known[1] and len(self.all(known[1].upper())) > MOST_DATES:
            return
        try:
            if ":" not in line:
                raise ValueError
            name, parameters, raw = Contentline(line).raw_parts()  # type: ignore[no-untyped-call]
        except ValueError:
            self.faults.append(Fault(line=number, detail=f"This is no property: {line[:60]!r}."))
        else:
            tzid = str(parameters["TZID"]) if "TZID" in parameters else None
            self.properties.setdefault(name.upper(), []).append(_Property(raw.strip(), tzid))

    def all(self, name: str) -> list[_Property]:
        return self.properties.get(name, [])

    def raw(self, name: str) -> str:
        return next((found.raw for found in self.all(name)), "")

    def text(self, name: str) -> str:
        return cast(str, unescape_backslash(self.raw(name)))

    def moment(self, name: str, floating: str) -> date | None:
        return next((_moment(name, found.raw, found.tzid or floating) for found in self.all(name)), None)


def _components(data: bytes) -> list[_Component]:
    """First what stands directly in the calendar, then its components; deeper ones only count."""
    if len(data) > MOST_BYTES:
        raise CalendarRefused(f"The calendar has more than {MOST_BYTES // 1024 // 1024} MiB.")
    found = [_Component("VCALENDAR", 1, {}, [])]
    path: list[str] = []
    count = 0
    for number, line in _unfolded(data):
        keyword, _, name = line.partition(":")
        if keyword.upper() == "BEGIN":
            count += 1
            if count > MOST_COMPONENTS:
                raise CalendarRefused(f"The calendar has more than {MOST_COMPONENTS} components.")
            if len(path) == MOST_DEPTH:
                raise CalendarRefused(f"Components are nested more than {MOST_DEPTH} deep.")
            path.append(name.strip().upper())
            if len(path) == 2:
                found.append(_Component(path[1], number, {}, []))
        elif keyword.upper() == "END":
            if not path or path.pop() != name.strip().upper():
                raise CalendarRefused(f"Line {number}: END:{name[:40]} closes what is not open.")
        elif line.strip() and len(path) in (1, 2):
            found[-1 if len(path) == 2 else 0].add(number, line)
    if len(found) == 1 and not found[0].properties:
        raise CalendarRefused("This is not a calendar.")
    return found


def _unfolded(data: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, each with the number of its first."""
    number = 1
    for folded in _FOLDED_LINE.finditer(data.removeprefix(b"\xef\xbb\xbf")):
        # Joined before decoding, since a fold may stand inside a character.
        line = folded[0].replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").rstrip(b"\r\n")
        if len(line) > LONGEST_LINE:
            raise CalendarRefused(f"Line {number} is longer than {LONGEST_LINE} bytes.")
        if number > MOST_LINES:
            raise CalendarRefused(f"The calendar has more than {MOST_LINES} lines.")
        yield number, CONTROLS.sub("", line.decode("utf-8", "replace"))
        number += folded[0].count(b"\n")


def _event(component: _Component, floating: str) -> ForeignEvent:
    if not component.raw("UID"):
        raise _Unreadable("It has no UID.")
    start = component.moment("DTSTART", floating)
    if start is None:
        raise _Unreadable("It has no DTSTART.")
    sequence, status = component.raw("SEQUENCE"), component.raw("STATUS").lower()
    categories = (split_on_unescaped_comma(found.raw) for found in component.all("CATEGORIES"))
    return ForeignEvent(
        uid=component.raw("UID"),
        sequence=int(sequence) if re.fullmatch("[0-9]{1,9}", sequence) else 0,
        start=start,
        end=_end(start, component, floating),
        zone=_iana(component.all("DTSTART")[0].tzid),
        title=component.text("SUMMARY"),
        description=component.text("DESCRIPTION"),
        place=component.text("LOCATION"),
        url=component.raw("URL") or None,
        categories=tuple(category for several in categories for category in several if category),
        status=cast(Status, status) if status in ("tentative", "cancelled") else "confirmed",
        parent=component.raw("RELATED-TO") or None,
        modified=component.moment("LAST-MODIFIED", floating),
        recurrence=component.moment("RECURRENCE-ID", floating),
        rule=_rule(component),
        more=_more(component, floating),
        line=component.number,
    )


def _end(start: date, component: _Component, floating: str) -> date | None:
    end, duration = component.moment("DTEND", floating), component.raw("DURATION")
    if end is not None:
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise _Unreadable("It begins with a day and ends with a time, or the other way round.")
        return end if end >= start else None
    if not duration:
        return None
    try:
        length = vDuration.from_ical(duration)  # type: ignore[no-untyped-call]
    except ValueError:
        raise _Unreadable(f"DURATION {duration[:40]!r} is none.") from None
    return start + length if timedelta() <= length <= LONGEST_DURATION and start.year < 9900 else None


def _rule(component: _Component) -> vRecur | None:
    rules = component.all("RRULE")
    if len(rules) > 1 or component.all("EXRULE"):
        raise _Unreadable("More than one RRULE, or an EXRULE, is not supported.")
    if not rules:
        return None
    try:
        rule = vRecur(vRecur.from_ical(rules[0].raw.upper()))
    except ValueError:
        raise _Unreadable(f"RRULE {rules[0].raw[:40]!r} is not one.") from None
    frequency = rule.get("FREQ", [""])[0]
    if frequency not in FREQUENCIES:
        raise _Unreadable(f"FREQ={frequency} is not supported.")
    if "COUNT" in rule and "UNTIL" in rule:
        raise _Unreadable("COUNT and UNTIL exclude each other.")
    for name, values in rule.items():
        if name not in RULE_PARTS or len(values) > MOST_VALUES:
            raise _Unreadable(f"{name} is not supported.")
        bounds = RULE_PARTS[name]
        if bounds and not all(value and bounds[0] <= value <= bounds[1] for value in values):
            raise _Unreadable(f"{name} must be {bounds[0]} to {bounds[1]}.")
    return rule


def _more(component: _Component, floating: str) -> tuple[date, ...]:
    dates = [(value, found.tzid) for found in component.all("RDATE") for value in found.raw.split(",")]
    if len(dates) > MOST_DATES:
        raise _Unreadable(f"More than {MOST_DATES} dates in RDATE.")
    return tuple(_moment("RDATE", value, tzid or floating) for value, tzid in dates)


def _moment(name: str, text: str, zone: str) -> date:
    """A day, or an instant in UTC; of a PERIOD its start."""
    text = text.strip().partition("/")[0]
    try:
        moment = vDDDTypes.from_ical(text)  # type: ignore[no-untyped-call]
    except ValueError:
        moment = None
    if not isinstance(moment, date):
        raise _Unreadable(f"{name} {text[:40]!r} is no date.")
    if not isinstance(moment, datetime):
        return moment
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))).astimezone(UTC)
    except OverflowError:
        raise _Unreadable("A date beyond the calendar.") from None


def _zone(name: str) -> tzinfo:
    """A VTIMEZONE is believed only as a name: its rules are not evaluated."""
    if iana := _iana(name):
        return ZoneInfo(iana)
    offset = _FIXED_OFFSET.fullmatch(name)
    if offset is None or int(offset[2]) > 14:
        raise _Unreadable(f"Nobody knows the time zone {name[:60]!r}.")
    east = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return timezone(-east if offset[1] == "-" else east)


def _iana(name: str | None) -> str | None:
    """The zone that a TZID names: by its IANA name, its Windows name or behind the vendor's prefix."""
    names = [
        name,
        WINDOWS_TO_OLSON.get(name or ""),
        *("/".join((name or "").split("/")[-n:]) for n in (3, 2, 1)),
    ]
    return next((each for each in names if each in _ZONES), None)
