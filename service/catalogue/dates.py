"""Dates as people know them: a minute, a day, a month, a year, some of its digits, or not at all.

A date is EDTF text (ISO 8601-2, the subset below) and stays what was written; its bounds are computed and
never say more than the text. Grammar: `YYYY-MM-DDThh:mm`, `YYYY-MM-DD`, `YYYY-MM`, `YYYY`; `X` for digits
not known (`202X`, `20XX`, `XXXX`, month `XX`); one trailing `?` (uncertain), `~` (approximate) or `%` (both)
on a date without a time.
"""

import calendar
import importlib.resources
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

Precision = Literal["minute", "day", "month", "year", "decade", "century", "unknown"]

_SHAPE = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{3}X|[0-9]{2}XX|XXXX)"
    r"(?:-(?P<month>[0-9]{2}|XX)(?:-(?P<day>[0-9]{2}))?)?"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}))?"
    r"(?P<mark>[?~%])?"
)
# What people paste from elsewhere: a time with seconds, or with an offset.
_WITH_OFFSET = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_FORMS = "write YYYY-MM-DDThh:mm, YYYY-MM-DD, YYYY-MM or YYYY (X for unknown digits, ? ~ % behind a date)"
# The ends of the calendar stand in for instants that no datetime can hold; whole seconds print shortest.
MIN_INSTANT = datetime(1, 1, 1, tzinfo=UTC)
MAX_INSTANT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_MASKED: dict[int, Precision] = {1: "decade", 2: "century", 4: "unknown"}
_ONE_DAY = timedelta(days=1)
_MIDNIGHT = time()


class EdtfError(ValueError):
    """A text that is not a date; the message is a sentence for a person."""


class ZoneError(ValueError):
    """A name that is not a time zone of ours; the message is a sentence for a person."""


class Edtf(Struct, frozen=True, kw_only=True):
    """A date that was read. `first` and `last` are the outermost days the text allows, null without a year.

    `precision` is the smallest calendar unit that holds all allowed days. `next_day` marks `24:00`, which is
    midnight at the end of `first`; `minute` is then 00:00.
    """

    text: str
    precision: Precision
    first: date | None
    last: date | None
    minute: time | None = None
    next_day: bool = False
    uncertain: bool = False
    approximate: bool = False

    @property
    def qualified(self) -> bool:
        return self.uncertain or self.approximate


class Bounds(Struct, frozen=True, kw_only=True):
    """Instants in UTC. `latest` of a day or coarser is exclusive: the midnight that ends it."""

    earliest: datetime | None
    latest: datetime | None


def parse(text: str) -> Edtf:
    """Read a date; its `.text` is the text it was read from, which is the only spelling of it."""
    edtf = parse_end(text)
    if edtf.next_day:
        raise EdtfError("24:00 is accepted for an end only; write 00:00 of the next day")
    return edtf


@lru_cache(maxsize=8192)
def parse_end(text: str) -> Edtf:
    """Read a date that ends something, which may be at `24:00`."""
    found = _SHAPE.fullmatch(text)
    if found is None and _WITH_OFFSET.fullmatch(text):
        raise EdtfError(f"“{text[:40]}”: write the time on the wall without an offset; `timezone` says where")
    if found is None:
        raise EdtfError(f"“{text[:40]}” is not a date: {_FORMS}")
    first, last = _span(found)
    minute, next_day = _clock(found)
    return Edtf(
        text=text,
        precision=_precision(found),
        first=first,
        last=last,
        minute=minute,
        next_day=next_day,
        uncertain=found["mark"] in ("?", "%"),
        approximate=found["mark"] in ("~", "%"),
    )


def allows(edtf: Edtf, day: date) -> bool:
    """Whether the text leaves it open that it means this day."""
    mask = edtf.text[:10].rstrip("?~%")
    return all(mine in ("X", theirs) for mine, theirs in zip(mask, day.isoformat(), strict=False))


def names_day(edtf: Edtf) -> bool:
    """Whether it names a day, be it with a question mark."""
    return edtf.precision in ("day", "minute") and edtf.first is not None


def bounds(edtf: Edtf, zone: ZoneInfo) -> Bounds:
    """The first and the last instant the text allows."""
    if edtf.first is None or edtf.last is None:
        return Bounds(earliest=None, latest=None)
    if edtf.minute is None:
        return Bounds(earliest=day_start(edtf.first, zone), latest=day_end(edtf.last, zone))
    if edtf.next_day and edtf.first == date.max:
        return Bounds(earliest=MAX_INSTANT, latest=MAX_INSTANT)
    day = edtf.first + _ONE_DAY if edtf.next_day else edtf.first
    instant = local_instant(day, edtf.minute, zone)
    return Bounds(earliest=instant, latest=instant)


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant a wall clock shows this; of two the first, of none as RFC 5545 3.3.5 says."""
    return _instant(datetime.combine(day, at), zone, fold=0)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, also where clocks jump over its midnight or show it twice."""
    midnight = datetime.combine(day, _MIDNIGHT)
    first, second = _instant(midnight, zone, fold=0), _instant(midnight, zone, fold=1)
    return first if first <= second else _jump(midnight, zone, after=second, by=first)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day is over for good (exclusive)."""
    if day == date.max:
        return MAX_INSTANT
    midnight = datetime.combine(day + _ONE_DAY, _MIDNIGHT)
    first, second = _instant(midnight, zone, fold=0), _instant(midnight, zone, fold=1)
    return second if first <= second else _jump(midnight, zone, after=second, by=first)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """A zone of the pinned tzdata wheel (`feeds` says so to zoneinfo), never the machine's or `localtime`."""
    if name not in zone_names():
        raise ZoneError(f"“{name[:40]}” is not a time zone; write an IANA name such as Asia/Seoul")
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """Every zone name we take; `Factory` means that nobody has set a zone."""
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}


def _instant(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    offset = wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()
    try:
        return (wall - offset).replace(tzinfo=UTC)
    except OverflowError:
        return MIN_INSTANT if wall.year == 1 else MAX_INSTANT


def _jump(midnight: datetime, zone: ZoneInfo, *, after: datetime, by: datetime) -> datetime:
    """The second at which the local clock first shows `midnight` or later, when it never shows midnight."""
    low, high = 0, int((by - after).total_seconds())
    while low < high:
        middle = (low + high) // 2
        if (after + timedelta(seconds=middle)).astimezone(zone).replace(tzinfo=None) >= midnight:
            high = middle
        else:
            low = middle + 1
    return after + timedelta(seconds=low)


def _precision(found: re.Match[str]) -> Precision:
    year, month, day = found["year"], found["month"], found["day"]
    if "X" in year:
        return _MASKED[year.count("X")]
    if month is None or month == "XX":
        return "year"
    if day is None:
        return "month"
    return "day" if found["hour"] is None else "minute"


def _span(found: re.Match[str]) -> tuple[date | None, date | None]:
    year = found["year"]
    if year == "0000":
        raise EdtfError("there is no year 0000")
    if year == "XXXX":
        _outermost(found, range(2000, 2001))  # a leap year allows what any year allows
        return None, None
    years = range(max(1, int(year.replace("X", "0"))), int(year.replace("X", "9")) + 1)
    return _outermost(found, years)


def _outermost(found: re.Match[str], years: range) -> tuple[date, date]:
    months = (
        range(1, 13)
        if found["month"] in (None, "XX")
        else range(int(found["month"]), int(found["month"]) + 1)
    )
    first = next(_days(found["day"], years, months, ends=False), None)
    last = next(_days(found["day"], years[::-1], months[::-1], ends=True), None)
    if first is None or last is None:
        raise EdtfError(f"“{found[0]}”: there is no such day in the calendar")
    return first, last


def _days(day: str | None, years: range, months: range, *, ends: bool) -> Iterator[date]:
    for year in years:
        for month in months:
            if not 1 <= month <= 12:
                return
            length = calendar.monthrange(year, month)[1]
            number = int(day) if day is not None else (length if ends else 1)
            if 1 <= number <= length:
                yield date(year, month, number)


def _clock(found: re.Match[str]) -> tuple[time | None, bool]:
    if found["hour"] is None:
        return None, False
    if found["day"] is None or "X" in found[0] or found["mark"]:
        raise EdtfError(f"“{found[0]}”: a time of day needs a full date, without X, ?, ~ or %")
    hour, minute = int(found["hour"]), int(found["minute"])
    if (hour, minute) == (24, 0):
        return _MIDNIGHT, True
    if hour > 23 or minute > 59:
        raise EdtfError(f"“{found[0]}”: there is no such time of day")
    return time(hour, minute), False
