"""Foreign iCalendar as components and their properties, each line read by icalendar.

icalendar gets single unfolded lines instead of the file, because it has no limits, evaluates every VTIMEZONE
(whose rules can cost minutes), gives up a whole file at one stray END, and does not know line numbers.
"""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple, cast

import msgspec
from icalendar.parser import Contentline, unescape_backslash

from feeds.text import CONTROLS

MOST_BYTES = 5 * 1024 * 1024
MOST_LINES = 200_000
LONGEST_LINE = 256 * 1024
MOST_COMPONENTS = 5_000
MOST_DEPTH = 4
MOST_DATES = 1_000
# A component with more to tell is told no further.
MOST_FAULTS = 100

# What stands directly in a calendar, and never in one another. Alarms and the like are in these.
READ = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE"})
# Possessive, or a million folds would be a million states to go back to.
_FOLDED_LINE = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]+)*+(?:\n|\Z)")
# The first group holds the names of the properties that are read.
_PROPERTY = re.compile(
    r"(?:(VERSION|PRODID|METHOD|NAME|X-WR-CALNAME|X-WR-TIMEZONE|UID|SEQUENCE|DTSTAMP|DTSTART|DTEND|DUE|DURATION"
    r"|SUMMARY|DESCRIPTION|LOCATION|GEO|URL|X-LINK|ORGANIZER|CATEGORIES|STATUS|CLASS|RELATED-TO|LAST-MODIFIED"
    r"|RECURRENCE-ID|RRULE|EXRULE|RDATE|EXDATE|X-MICROSOFT-CDO-ALLDAYEVENT|TZID|TZOFFSETTO|X-LIC-LOCATION)"
    r"|[A-Z0-9-]{1,100})[;:]",
    re.IGNORECASE,
)

# Codecs are loaded when they are first used, which is too late in a process that opens no file.
for _codec in ("cp949", "euc-kr", "utf-16"):
    codecs.lookup(_codec)


class CalendarRefused(ValueError):
    """The whole file is beyond a limit, or no calendar; the message is a sentence."""


class Unreadable(ValueError):
    """One component or value is left out; the message says why."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be read or is left out, and its line; the rest of the file was read."""

    line: int
    uid: str | None = None
    detail: str


class Property(NamedTuple):
    """One line: its value before it is unescaped, its parameters, and the line as it stands (unfolded)."""

    raw: str
    parameters: dict[str, str]
    line: str


class Component(msgspec.Struct):
    """The properties of one component that are read, in order, without those of the components in it.

    Of a VTIMEZONE all TZOFFSETTO are here. `calendar` is the VCALENDAR around it.
    """

    name: str
    number: int
    calendar: "Component | None" = None
    properties: dict[str, list[Property]] = msgspec.field(default_factory=dict)
    told: list[tuple[int, str]] = msgspec.field(default_factory=list)

    def tell(self, detail: str, line: int | None = None) -> None:
        if len(self.told) < MOST_FAULTS:
            self.told.append((line or self.number, detail))

    @property
    def faults(self) -> list[Fault]:
        uid = self.raw("UID") or None if self.calendar else None
        return [Fault(line=line, uid=uid, detail=detail) for line, detail in self.told]

    def add(self, number: int, line: str) -> None:
        known = _PROPERTY.match(line)
        if known and not known[1] and ":" in line:
            return
        # What is beyond the limit of dates is only counted so far: a line takes icalendar 25 µs.
        if known and known[1] and len(self.all(known[1].upper())) > MOST_DATES:
            return
        if known and known[1] and line[known.end() - 1] == ":":
            raw = line[known.end() :].strip()
            self.properties.setdefault(known[1].upper(), []).append(Property(raw, {}, line))
            return
        try:
            if ":" not in line:
                raise ValueError
            name, parameters, raw = Contentline(line).raw_parts()  # type: ignore[no-untyped-call]
        except ValueError:
            self.tell(f"This is no property: {line[:60]!r}.", number)
        else:
            named = {key.upper(): str(value) for key, value in parameters.items()}
            self.properties.setdefault(name.upper(), []).append(Property(raw.strip(), named, line))

    def all(self, name: str) -> list[Property]:
        return self.properties.get(name, [])

    def first(self, name: str) -> Property | None:
        return next(iter(self.all(name)), None)

    def raw(self, name: str) -> str:
        return next((found.raw for found in self.all(name)), "")

    def text(self, name: str) -> str:
        return cast(str, unescape_backslash(self.raw(name)))


def components(data: bytes) -> list[Component]:
    """The calendars of a file and what stands in them, in order; deeper components only count."""
    if len(data) > MOST_BYTES:
        raise CalendarRefused(f"The calendar has more than {MOST_BYTES // 1024 // 1024} MiB.")
    nest = _Nest()
    for number, line, intact in _unfolded(data):
        keyword, _, name = line.strip().partition(":")
        if keyword.upper() == "BEGIN":
            nest.begin(name.strip().upper(), number)
        elif keyword.upper() == "END":
            nest.end(name.strip().upper(), number)
        elif line.strip():
            nest.line(number, line)
        if not intact:
            nest.inner().tell("Not all of this line is UTF-8.", number)
    return nest.closed()


class _Nest:
    """What is open while a file is read: names from the outermost in, and the components that are kept."""

    def __init__(self) -> None:
        # For what stands in no calendar at all.
        self.calendar = Component("VCALENDAR", 1)
        self.found = [self.calendar]
        self.path: list[str] = []
        self.count = 0

    def begin(self, name: str, number: int) -> None:
        if name == "VCALENDAR" or name in READ:
            # One in another follows one whose END is missing.
            keep = 1 if name in READ and self.path[:1] == ["VCALENDAR"] else 0
            self._leave(keep, number)
            self.found.append(Component(name, number, None if name == "VCALENDAR" else self.calendar))
            self.count += 1
            if name == "VCALENDAR":
                self.calendar = self.found[-1]
        if self.count > MOST_COMPONENTS:
            raise CalendarRefused(f"The calendar has more than {MOST_COMPONENTS} components.")
        if len(self.path) == MOST_DEPTH:
            raise CalendarRefused(f"Components are nested more than {MOST_DEPTH} deep.")
        self.path.append(name)

    def end(self, name: str, number: int) -> None:
        if name in self.path:
            at = len(self.path) - 1 - self.path[::-1].index(name)
            self._leave(at + 1, number)
            self.path.pop()
        else:
            self.inner().tell(f"END:{name[:40]} closes what is not open.", number)

    def line(self, number: int, line: str) -> None:
        inner = self.path[-1] if self.path else ""
        if inner == "VCALENDAR" or inner in READ:
            self.inner().add(number, line)
        elif self.found[-1].name == "VTIMEZONE" and line[:10].upper() == "TZOFFSETTO":
            self.found[-1].add(number, line)

    def closed(self) -> list[Component]:
        if self.path:
            self.inner().tell("The file ends in the middle; more may have followed.")
        if not any(each.properties or each.calendar for each in self.found):
            raise CalendarRefused("This is not a calendar.")
        return self.found

    def inner(self) -> Component:
        return self.calendar if self.path[-1:] == ["VCALENDAR"] else self.found[-1]

    def _leave(self, keep: int, number: int) -> None:
        for name in self.path[keep:]:
            self.inner().tell(f"{name[:40]} has no END.", number)
        del self.path[keep:]


def _unfolded(data: bytes) -> Iterator[tuple[int, str, bool]]:
    """Lines with their continuations joined: number of the first, text, and whether it could be decoded."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    number, encoding = 1, _encoding(data)
    for folded in _FOLDED_LINE.finditer(data):
        # Joined before decoding, since a fold may stand inside a character.
        line = _joined(folded[0])
        if len(line) > LONGEST_LINE:
            raise CalendarRefused(f"Line {number} is longer than {LONGEST_LINE} bytes.")
        if number > MOST_LINES:
            raise CalendarRefused(f"The calendar has more than {MOST_LINES} lines.")
        try:
            yield number, CONTROLS.sub("", line.decode(encoding)), True
        except UnicodeDecodeError:
            yield number, CONTROLS.sub("", line.decode(encoding, "replace")), False
        number += folded[0].count(b"\n")


def _joined(folded: bytes) -> bytes:
    return folded.replace(b"\r\n", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"").rstrip(b"\r\n")


def _encoding(data: bytes) -> str:
    """UTF-8, or what Korean desktop programs write; bytes of others stay unread, and are told."""
    joined = _joined(data)
    try:
        joined.decode("utf-8")
    except UnicodeDecodeError:
        return "cp949" if _is_korean(joined) else "utf-8"
    return "utf-8"


def _is_korean(data: bytes) -> bool:
    """Whether bytes are CP949 and mostly common syllables: what else reads as CP949 does so by chance."""
    try:
        other = [character for character in data.decode("cp949") if not character.isascii()]
    except UnicodeDecodeError:
        return False
    common = sum("가" <= each <= "힣" and len(each.encode("euc-kr")) == 2 for each in other)
    return 2 * common > len(other)
