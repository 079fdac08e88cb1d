"""Foreign iCalendar into plain values: what can be read is read, what cannot is named by its line.

It takes bytes only, opens nothing, and is bounded; running it in a child that can be killed is up to the
service. Links and texts come out as they went in: whoever shows them escapes them.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from feeds.entry import Status
from feeds.read_lines import Block, Fault, Line, Scan, TooMuch, scan
from feeds.read_rule import Rule, RuleError, parse
from feeds.text import unescaped

__all__ = ["Fault", "Found", "Reading", "TooMuch", "read"]

MOST_DATES = 1_000
LONGEST = timedelta(days=3_660)
_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(Z?)")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?"
)
_SEPARATOR = re.compile(r"(?<!\\)((?:\\\\)*),")
_ZONES = available_timezones()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT. `end` is exclusive; a `recurrence` names the occurrence of `uid` that this replaces.

    `line` is where it begins.
    """

    uid: str
    sequence: int = 0
    start: date
    end: date | None = None
    zone: str | None = None
    title: str = ""
    description: str = ""
    place: str = ""
    url: str | None = None
    categories: tuple[str, ...] = ()
    status: Status = "confirmed"
    parent: str | None = None
    modified: datetime | None = None
    recurrence: date | None = None
    rule: Rule | None = None
    more: tuple[date, ...] = ()
    without: tuple[date, ...] = ()
    line: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as far as it could be read."""

    name: str | None
    events: tuple[Found, ...]
    faults: tuple[Fault, ...]


class _Unreadable(ValueError):
    """One component is left out; the message says why."""


def read(data: bytes, *, floating: str = "UTC") -> Reading:
    """Read a calendar; times without a zone are in its own, else in `floating`. TooMuch past limits."""
    if not isinstance(data, bytes):
        raise TypeError("A calendar is read from bytes, never from text or a path.")
    found = scan(data)
    default = next((line.value for line in found.head if line.name == "X-WR-TIMEZONE"), "")
    zones = _Zones(found, default if default in _ZONES else floating)
    faults, events = list(found.faults), []
    seen: set[tuple[str, date | None]] = set()
    for block in found.blocks:
        if block.name != "VEVENT":
            continue
        faults += block.faults
        try:
            event = _event(block, zones)
            if (event.uid, event.recurrence) in seen:
                raise _Unreadable("This UID stands here twice.")
        except (_Unreadable, RuleError) as error:
            faults.append(Fault(line=block.number, uid=_first(block, "UID"), detail=str(error)))
            continue
        seen.add((event.uid, event.recurrence))
        events.append(event)
    names = {line.name: unescaped(line.value) for line in found.head}
    name = names.get("NAME") or names.get("X-WR-CALNAME")
    return Reading(name=name, events=tuple(events), faults=tuple(faults))


class _Zones:
    """What TZIDs mean here: IANA names, and fixed offsets that the calendar itself defines."""

    def __init__(self, found: Scan, default: str) -> None:
        self.default = default
        self._fixed = dict(filter(None, map(_fixed, found.blocks)))

    def place(self, wall: datetime, name: str | None) -> datetime:
        zone = name or self.default
        known = ZoneInfo(zone) if zone in _ZONES else self._fixed.get(zone)
        if known is None:
            raise _Unreadable(f"Nobody knows the time zone {zone[:60]!r}.")
        try:
            return wall.replace(tzinfo=known).astimezone(UTC)
        except OverflowError:
            raise _Unreadable("A date beyond the calendar.") from None


def _fixed(block: Block) -> tuple[str, timezone] | None:
    """A VTIMEZONE is believed only as a name here; its rules can cost minutes and are not evaluated."""
    name = _first(block, "TZID") if block.name == "VTIMEZONE" else None
    sign = re.fullmatch(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?", name or "")
    if name is None or sign is None or int(sign[2]) > 14:
        return None
    offset = timedelta(hours=int(sign[2]), minutes=int(sign[3] or 0))
    return name, timezone(-offset if sign[1] == "-" else offset)


def _event(block: Block, zones: _Zones) -> Found:
    lines = {line.name: line for line in reversed(block.lines)}
    if "UID" not in lines or not lines["UID"].value.strip():
        raise _Unreadable("It has no UID.")
    if "DTSTART" not in lines:
        raise _Unreadable("It has no DTSTART.")
    start = _moment(lines["DTSTART"], zones)
    status = lines["STATUS"].value.upper() if "STATUS" in lines else "CONFIRMED"
    return Found(
        uid=lines["UID"].value.strip(),
        sequence=_sequence(lines.get("SEQUENCE")),
        start=start,
        end=_end(start, lines, zones),
        zone=lines["DTSTART"].parameters.get("TZID"),
        title=_words(lines.get("SUMMARY")),
        description=_words(lines.get("DESCRIPTION")),
        place=_words(lines.get("LOCATION")),
        url=lines["URL"].value if "URL" in lines else None,
        categories=_categories(line for line in block.lines if line.name == "CATEGORIES"),
        status=cast(Status, status.lower()) if status in ("TENTATIVE", "CANCELLED") else "confirmed",
        parent=lines["RELATED-TO"].value if "RELATED-TO" in lines else None,
        modified=_instant(lines.get("LAST-MODIFIED"), zones),
        recurrence=_moment(lines["RECURRENCE-ID"], zones) if "RECURRENCE-ID" in lines else None,
        rule=_rule(block),
        more=_dates(block, "RDATE", zones),
        without=_dates(block, "EXDATE", zones),
        line=block.number,
    )


def _rule(block: Block) -> Rule | None:
    rules = [line for line in block.lines if line.name == "RRULE"]
    if len(rules) > 1 or any(line.name == "EXRULE" for line in block.lines):
        raise _Unreadable("More than one RRULE, or an EXRULE, is not supported.")
    return parse(rules[0].value) if rules else None


def _dates(block: Block, name: str, zones: _Zones) -> tuple[date, ...]:
    found: list[date] = []
    for line in block.lines:
        if line.name == name:
            values = line.value.split(",", MOST_DATES)
            if len(found) + len(values) > MOST_DATES:
                raise _Unreadable(f"More than {MOST_DATES} dates in {name}.")
            found += [_moment(msgspec.structs.replace(line, value=value), zones) for value in values]
    return tuple(found)


def _moment(line: Line, zones: _Zones) -> date:
    # A PERIOD begins with its start, which is all that is kept of it.
    text = line.value.strip().partition("/")[0]
    try:
        if day := _DAY.fullmatch(text):
            return date(int(day[1]), int(day[2]), int(day[3]))
        if moment := _MOMENT.fullmatch(text):
            year, month, date_, hour, minute, second = map(int, moment.groups()[:6])
            wall = datetime(year, month, date_, hour, minute, second, tzinfo=UTC)
            return wall if moment[7] else zones.place(wall, line.parameters.get("TZID"))
    except ValueError as error:
        if isinstance(error, _Unreadable):
            raise
    raise _Unreadable(f"{line.name} {text[:40]!r} is no date.")


def _end(start: date, lines: dict[str, Line], zones: _Zones) -> date | None:
    if "DTEND" in lines:
        end = _moment(lines["DTEND"], zones)
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise _Unreadable("It begins with a day and ends with a time, or the other way round.")
        return end if end >= start else None
    if "DURATION" not in lines:
        return None
    length = _length(lines["DURATION"].value.strip())
    return start + length if timedelta() <= length <= LONGEST and start.year < 9900 else None


def _length(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None or text[-1] in "PT":
        raise _Unreadable(f"DURATION {text[:40]!r} is none.")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found[1] == "-" else length


def _instant(line: Line | None, zones: _Zones) -> datetime | None:
    moment = _moment(line, zones) if line else None
    return moment if isinstance(moment, datetime) else None


def _sequence(line: Line | None) -> int:
    text = line.value.strip() if line else "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _words(line: Line | None) -> str:
    return unescaped(line.value) if line else ""


def _categories(lines: Iterable[Line]) -> tuple[str, ...]:
    parts = (part for line in lines for part in _SEPARATOR.sub("\\1\n", line.value).split("\n"))
    return tuple(unescaped(part) for part in parts if part)


def _first(block: Block, name: str) -> str | None:
    return next((line.value for line in block.lines if line.name == name), None)
