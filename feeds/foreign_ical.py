"""Reads foreign iCalendar into plain values; a fault names its line.

What cannot be read is left out and told, and the rest is read. Links and texts come out as they went in:
whoever shows them escapes them.
"""

import re
from datetime import date, datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Literal, cast

import msgspec
from icalendar.parser import split_on_unescaped_comma
from icalendar.prop import vDuration, vRecur

from feeds.entry import Status
from feeds.foreign_lines import MOST_BYTES, CalendarRefused, Component, Fault, Unreadable, components
from feeds.foreign_times import Times, iana, own_zones

__all__ = ("MOST_BYTES", "CalendarRefused", "Fault", "ForeignCalendar", "ForeignEvent", "read")

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
# The lines that say something about a date or a state, for whoever asks where it is from.
TELLING = ("DTSTART", "DTEND", "DUE", "DURATION", "STATUS", "RRULE", "RECURRENCE-ID", "ORGANIZER")

_NO_CONTENT = ("line", "stamp", "modified", "source")


class ForeignEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT or VTODO, which begins at `line`. Times are in UTC; `zone` is the IANA name that they had.

    `end` is exclusive; of a to-do it is DUE, and a day is then the last. With a `recurrence` it replaces
    that occurrence of `uid`. `rules`, `more` (RDATE), `less_rules` (EXRULE) and `less` (EXDATE) are bounded
    and not expanded; rules run by `clock`. A file may give no UID: `uid` is then made from the content.
    """

    kind: Literal["event", "todo"] = "event"
    uid: str
    sequence: int
    stamp: date | None = None
    start: date | None
    end: date | None
    zone: str | None
    clock: tzinfo | None = None
    title: str
    description: str
    place: str
    geo: str = ""
    url: str | None
    organizer: str = ""
    categories: tuple[str, ...]
    status: Status
    private: bool = False
    parent: str | None
    modified: date | None
    recurrence: date | None
    rules: tuple[vRecur, ...] = ()
    more: tuple[date, ...] = ()
    less_rules: tuple[vRecur, ...] = ()
    less: tuple[date, ...] = ()
    source: dict[str, str] = {}
    line: int

    @property
    def content(self) -> tuple[object, ...]:
        """What it says, wherever it stands and whichever version it is."""
        fields = msgspec.structs.asdict(self)
        return tuple(value for name, value in fields.items() if name not in _NO_CONTENT)


class ForeignCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as far as it could be read. `url` is its page, if it names one."""

    name: str | None
    url: str | None = None
    events: tuple[ForeignEvent, ...]
    faults: tuple[Fault, ...]


def read(data: bytes, *, floating: str = "UTC") -> ForeignCalendar:
    """Reads a calendar; times without a zone are in its X-WR-TIMEZONE, else in `floating`.

    Raises CalendarRefused. Opens nothing, and so runs in a process that cannot (`service.importers.child`).
    """
    if not isinstance(data, bytes):
        raise TypeError("A calendar is read from bytes, never from text or a path.")
    found = components(data)
    heads = [each for each in found if each.name == "VCALENDAR"]
    zones = own_zones(each for each in found if each.name == "VTIMEZONE")
    times = {id(head): Times(zones, iana(head.raw("X-WR-TIMEZONE")) or floating) for head in heads}
    versions = _Versions()
    for component in found:
        if component.name in ("VCALENDAR", "VTIMEZONE"):
            continue
        try:
            versions.add(_event(component, times[id(component.calendar)]), component)
        except Unreadable as error:
            component.tell(str(error))
    if not versions.kept and not any(each.faults for each in found):
        found[0].tell("There is no event in it.")
    return ForeignCalendar(
        name=_of_any(heads, "NAME") or _of_any(heads, "X-WR-CALNAME"),
        url=_of_any(heads, "URL") or _of_any(heads, "X-LINK"),
        events=tuple(versions.kept.values()),
        faults=tuple(fault for each in found for fault in each.faults),
    )


def _of_any(heads: list[Component], name: str) -> str | None:
    return next(filter(None, (head.text(name) for head in heads)), None)


class _Versions:
    """Of the versions of one event the newest: of the highest SEQUENCE, then of the newest DTSTAMP."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, date | None], ForeignEvent] = {}

    def add(self, event: ForeignEvent, component: Component) -> None:
        key = (event.kind, event.uid, event.recurrence)
        other = self.kept.setdefault(key, event)
        if other is event:
            return
        ranks = [(each.sequence, each.stamp.isoformat() if each.stamp else "") for each in (other, event)]
        if ranks[0] != ranks[1]:
            old, self.kept[key] = (event, other) if ranks[0] > ranks[1] else (other, event)
            component.tell(f"An older version of this UID (SEQUENCE {old.sequence}) is left out.", old.line)
        elif other.content == event.content:
            component.tell("This UID stands here twice.")
        else:
            made = _made_uid(component)
            component.tell("This UID stands here twice, for different things; it gets another.")
            self.kept[event.kind, made, event.recurrence] = msgspec.structs.replace(event, uid=made)


def _event(component: Component, times: Times) -> ForeignEvent:
    if component.name not in ("VEVENT", "VTODO"):
        raise Unreadable(f"It is a {component.name}, which is no event.")
    start = _start(component, times)
    end = _end(start, component, times) if component.name == "VEVENT" else _due(start, component, times)
    whole_days = start is not None and not isinstance(start, datetime)
    sequence, status = component.raw("SEQUENCE"), component.raw("STATUS").lower()
    if component.calendar and component.calendar.raw("METHOD").upper() == "CANCEL":
        status = "cancelled"
    categories = (split_on_unescaped_comma(found.raw) for found in component.all("CATEGORIES"))
    organizer, dated = component.first("ORGANIZER"), component.first("DTSTART") or component.first("DUE")
    lines = {name: component.all(name)[0].line for name in TELLING if component.all(name)}
    return ForeignEvent(
        kind="event" if component.name == "VEVENT" else "todo",
        uid=component.raw("UID") or _made_uid(component),
        sequence=int(sequence) if re.fullmatch("[0-9]{1,9}", sequence) else 0,
        stamp=_lenient(component, "DTSTAMP", times),
        start=start,
        end=end,
        zone=iana(dated.parameters.get("TZID")) if dated else None,
        clock=times.zone(dated),
        title=component.text("SUMMARY"),
        description=component.text("DESCRIPTION"),
        place=component.text("LOCATION"),
        geo=component.raw("GEO"),
        url=component.raw("URL") or component.raw("X-LINK") or None,
        organizer=organizer.parameters.get("CN") or organizer.raw if organizer else "",
        categories=tuple(category for several in categories for category in several if category),
        status=cast(Status, status) if status in ("tentative", "cancelled") else "confirmed",
        private=component.raw("CLASS").upper() in ("PRIVATE", "CONFIDENTIAL"),
        parent=component.raw("RELATED-TO") or None,
        modified=_lenient(component, "LAST-MODIFIED", times),
        recurrence=_lenient(component, "RECURRENCE-ID", times, whole_days=whole_days),
        rules=_rules(component, "RRULE"),
        more=times.moments(component, "RDATE", whole_days=whole_days),
        less_rules=_rules(component, "EXRULE"),
        less=times.moments(component, "EXDATE", whole_days=whole_days),
        source=lines,
        line=component.number,
    )


def _made_uid(component: Component) -> str:
    """Names it by its content, so that it has the same name at every reading; not by when it was written."""
    content = sorted(
        (name, found.raw)
        for name, several in component.properties.items()
        if name not in ("DTSTAMP", "LAST-MODIFIED")
        for found in several
    )
    return f"sha256-{sha256(repr(content).encode('utf-8', 'replace')).hexdigest()[:32]}"


def _lenient(component: Component, name: str, times: Times, *, whole_days: bool = False) -> date | None:
    """A date without which the event stands: what cannot be read is told."""
    try:
        return times.moment(component, name, whole_days=whole_days)
    except Unreadable as error:
        component.tell(str(error))
        return None


def _start(component: Component, times: Times) -> date | None:
    start = times.moment(component, "DTSTART", whole_days=_is_whole_days(component))
    if start is None and component.name == "VEVENT":
        component.tell("It has no DTSTART, so its date is not known.")
    return start


def _is_whole_days(component: Component) -> bool:
    """Outlook may write days as their midnights, and say so beside."""
    dates = [found.raw.rstrip("Zz") for name in ("DTSTART", "DTEND") for found in component.all(name)]
    flagged = component.raw("X-MICROSOFT-CDO-ALLDAYEVENT").upper() == "TRUE"
    return flagged and all(each[8:] in ("", "T000000") for each in dates)


def _end(start: date | None, component: Component, times: Times) -> date | None:
    """The exclusive end, if it can be read and is not before the start."""
    try:
        end = times.moment(component, "DTEND", exclusive=True, whole_days=_is_whole_days(component))
        if end is None and start is not None and component.raw("DURATION"):
            end = start + _duration(component.raw("DURATION"))
        if end is None or start is None:
            return end
        if isinstance(end, datetime) and not isinstance(start, datetime):
            component.tell("It begins with a day and ends with a time, whose day is taken.")
            end = times.moment(component, "DTEND", exclusive=True, whole_days=True) or end
        if isinstance(start, datetime) and not isinstance(end, datetime):
            raise Unreadable("It begins with a time and ends with a day.")
        if end < start:
            raise Unreadable("It ends before it begins.")
    except OverflowError:
        component.tell("It ends beyond the calendar. The end is left out.")
    except Unreadable as error:
        component.tell(f"{error} The end is left out.")
    else:
        return end
    return None


def _due(start: date | None, component: Component, times: Times) -> date | None:
    """When a to-do is due; without that it is no deadline."""
    due = times.moment(component, "DUE")
    if due is None and start is not None and component.raw("DURATION"):
        due = start + _duration(component.raw("DURATION"))
    if due is None:
        raise Unreadable("It is a to-do without DUE.")
    return due


def _duration(text: str) -> timedelta:
    try:
        length = vDuration.from_ical(text)  # type: ignore[no-untyped-call]
    except (ValueError, OverflowError):
        raise Unreadable(f"DURATION {text[:40]!r} is none.") from None
    if not timedelta() <= length <= LONGEST_DURATION:
        raise Unreadable(f"DURATION {text[:40]!r} is not 0 to {LONGEST_DURATION.days} days.")
    return cast(timedelta, length)


def _rules(component: Component, name: str) -> tuple[vRecur, ...]:
    """The rules that can be followed; what cannot is told and left out."""
    rules = []
    for found in component.all(name):
        try:
            rules.append(_rule(name, found.raw))
        except Unreadable as error:
            component.tell(f"{error} The rule is left out.")
    return tuple(rules)


def _rule(name: str, text: str) -> vRecur:
    try:
        rule = vRecur(vRecur.from_ical(text.upper()))
    except ValueError:
        raise Unreadable(f"{name} {text[:40]!r} is not one.") from None
    frequency = rule.get("FREQ", [""])[0]
    if frequency not in FREQUENCIES:
        raise Unreadable(f"FREQ={frequency} is not supported.")
    if "COUNT" in rule and "UNTIL" in rule:
        raise Unreadable("COUNT and UNTIL exclude each other.")
    for part, values in rule.items():
        if part not in RULE_PARTS or len(values) > MOST_VALUES:
            raise Unreadable(f"{part} is not supported.")
        bounds = RULE_PARTS[part]
        if bounds and not all(value and bounds[0] <= value <= bounds[1] for value in values):
            raise Unreadable(f"{part} must be {bounds[0]} to {bounds[1]}.")
    return rule
