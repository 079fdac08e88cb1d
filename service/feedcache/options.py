"""The options of a feed: how each is read, and what it is when nobody says."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from feeds.entry import Profile

Pairs = tuple[tuple[str, str], ...]

MOST_ALARMS = 5
FURTHEST_MONTHS = 240
FURTHEST_ALARM = timedelta(days=90)

PERIOD = re.compile(r"P(?:(\d{1,2})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")
LENGTH = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
FLAGS = {"0": False, "1": True, "true": True, "false": False}


class Reach(msgspec.Struct, frozen=True):
    """A length in calendar terms: so many months, then days."""

    months: int
    days: int


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Every option of a feed with its default."""

    windows: Literal["edges", "bar", "both", "none"] = "edges"
    alarms: tuple[timedelta, ...] = ()
    cancelled: Literal["keep", "mark", "drop"] = "keep"
    placeholders: bool = False
    levels: Literal["parent", "child", "all"] = "all"
    # Unset, it is full until the feed outgrows what Google reads.
    detail: Literal["full", "min"] | None = None
    # As far back as ahead: calendars delete what a feed leaves out, and a subscriber loses the record of it.
    past: Reach = Reach(18, 0)
    ahead: Reach = Reach(18, 0)
    profile: Profile = "plain"


def read_options(pairs: Pairs) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    """The options given, the parameters that set one to more than its default, and the bad ones."""
    read: dict[str, Any] = {}
    taken, bad = [], []
    for name, text in pairs:
        if name not in OPTIONS:
            continue
        try:
            value = OPTIONS[name](text)
        except ValueError:
            bad.append(name)
            continue
        if name in read:
            bad.append(name)
        else:
            read[name] = value
            taken += [(name, ",".join(sorted(text.split(","))))] if value != getattr(DEFAULTS, name) else []
    return read, taken, bad


class OneOf(msgspec.Struct, frozen=True):
    """Reads one of a few words, which the OpenAPI document lists too."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(text)
        return text


def flag(text: str) -> bool:
    """Reads yes or no."""
    if text not in FLAGS:
        raise ValueError(text)
    return FLAGS[text]


def period(text: str) -> Reach:
    """Reads how far a feed goes back or ahead."""
    found = PERIOD.fullmatch(text)
    if found is None or text == "P":
        raise ValueError(text)
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    reach = Reach(12 * years + months, 7 * weeks + days)
    if reach.months + reach.days // 30 > FURTHEST_MONTHS:
        raise ValueError(text)
    return reach


def alarms(text: str) -> tuple[timedelta, ...]:
    """Reads how long before each entry a program is to ring."""
    lengths = {_length(part) for part in text.split(",")}
    if len(lengths) > MOST_ALARMS:
        raise ValueError(text)
    return tuple(sorted(lengths, reverse=True))


def _length(text: str) -> timedelta:
    found = LENGTH.fullmatch(text)
    if found is None or text[-1] in "PT":
        raise ValueError(text)
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    if length > FURTHEST_ALARM:
        raise ValueError(text)
    return length


DEFAULTS = Options()
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "windows": OneOf(("edges", "bar", "both", "none")),
    "alarms": alarms,
    "cancelled": OneOf(("keep", "mark", "drop")),
    "placeholders": flag,
    "levels": OneOf(("parent", "child", "all")),
    "detail": OneOf(("full", "min")),
    "past": period,
    "ahead": period,
    "profile": OneOf(("plain", "rich")),
}
