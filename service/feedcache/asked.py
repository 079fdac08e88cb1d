"""What a feed address asks for. A fetched feed never fails over a parameter: programs would disable it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec

from feeds.entry import Profile
from feeds.formats import FORMATS
from service.catalogue import filters
from service.catalogue.event import SLUG_PATTERN, Kind, Language
from service.catalogue.faults import Invalid
from service.catalogue.filters import EventFilter

Suffix = Literal["ics", "json", "atom"]
Pairs = tuple[tuple[str, str], ...]

LONGEST_QUERY = 4000
MOST_ALARMS = 5
FURTHEST_MONTHS = 240
FURTHEST_ALARM = timedelta(days=90)
DEADLINES: tuple[Kind, ...] = ("application_window", "milestone")
EVENTS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "application_window")

_PATH = re.compile(
    r"/feeds/(?P<lang>ko|en)/(?P<one>events/)?(?P<name>[a-z0-9-]{1,100})\.(?P<suffix>ics|json|atom)"
)
_PERIOD = re.compile(r"P(?:(\d{1,2})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")
_LENGTH = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


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


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A feed somebody asks for. `query` is canonical, so that one feed has one name; `ignored` was bad."""

    lang: Language
    name: str
    suffix: Suffix
    single: bool = False
    options: Options = Options()
    filters: EventFilter = EventFilter()
    query: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The canonical address: the key of its copies and of its Last-Modified."""
        folder = "events/" if self.single else ""
        return f"/feeds/{self.lang}/{folder}{self.name}.{self.suffix}" + (
            f"?{self.query}" if self.query else ""
        )


def read(path: str, query: bytes) -> Asked | None:
    """The feed of an address; None where no feed can be, whatever the store holds."""
    found = _PATH.fullmatch(path)
    if found is None or not re.fullmatch(SLUG_PATTERN, found["name"]) or found["suffix"] not in FORMATS:
        return None
    if found["one"] and found["suffix"] != "ics":
        return None
    pairs, unreadable = _pairs(query)
    options, taken, bad = _options(pairs)
    chosen, kept, worse = _filters([pair for pair in pairs if pair[0] in filters.NAMES])
    unknown = [name for name, _ in pairs if name not in OPTIONS and name not in filters.NAMES]
    return Asked(
        lang="ko" if found["lang"] == "ko" else "en",
        name=found["name"],
        suffix=found["suffix"],  # type: ignore[arg-type]
        single=bool(found["one"]),
        options=options,
        filters=chosen,
        query=urlencode(sorted({*taken, *kept})),
        ignored=_named([*unreadable, *bad, *worse, *unknown]),
    )


def narrowed(asked: Asked, noun: str | None) -> EventFilter | None:
    """The filters with what the feed's name says; None when both cannot hold. `noun` says what it names."""
    wanted: dict[str, tuple[str, ...]] = {}
    if asked.name in ("events", "deadlines") and noun is None:
        wanted["kind"] = EVENTS if asked.name == "events" else DEADLINES
    elif noun is not None:
        wanted[noun] = (asked.name,)
    both: dict[str, Any] = {}
    for field, values in wanted.items():
        mine = getattr(asked.filters, field)
        both[field] = tuple(value for value in values if not mine or value in mine)
        if not both[field]:
            return None
    return msgspec.structs.replace(asked.filters, **both)


def _pairs(query: bytes) -> tuple[Pairs, list[str]]:
    """The parameters that can be read, raw Korean included, and the names of those that cannot."""
    pairs: list[tuple[str, str]] = []
    bad = []
    for part in query[:LONGEST_QUERY].split(b"&"):
        try:
            pairs += parse_qsl(part.decode(), errors="strict")
        except ValueError:
            bad.append(part.partition(b"=")[0].decode("ascii", "replace"))
    return tuple(pairs), bad


def _options(pairs: Pairs) -> tuple[Options, list[tuple[str, str]], list[str]]:
    """The options, the parameters that set one to more than its default, and the bad ones."""
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
    return Options(**read), taken, bad


def _filters(pairs: Sequence[tuple[str, str]]) -> tuple[EventFilter, Sequence[tuple[str, str]], list[str]]:
    """The filters without the faulty ones: a feed shows rather too much than nothing."""
    bad: list[str] = []
    while True:
        try:
            return filters.parse_filters(pairs), pairs, bad
        except Invalid as invalid:
            named = {fault.parameter for fault in invalid.faults}
            bad += [name for name in named if name]
            rest = [pair for pair in pairs if pair[0] not in named]
            pairs = rest if len(rest) < len(pairs) else []


def _named(names: Sequence[str]) -> tuple[str, ...]:
    # They go into a header, so only plain ones are quoted back.
    return tuple(sorted({name if _NAME.fullmatch(name) else "unreadable" for name in names}))


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return parse


def _flag(text: str) -> bool:
    if text not in ("0", "1", "true", "false"):
        raise ValueError(text)
    return text in ("1", "true")


def _reach(text: str) -> Reach:
    found = _PERIOD.fullmatch(text)
    if found is None or text == "P":
        raise ValueError(text)
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    reach = Reach(12 * years + months, 7 * weeks + days)
    if reach.months + reach.days // 30 > FURTHEST_MONTHS:
        raise ValueError(text)
    return reach


def _alarms(text: str) -> tuple[timedelta, ...]:
    lengths = {_length(part) for part in text.split(",")}
    if len(lengths) > MOST_ALARMS:
        raise ValueError(text)
    return tuple(sorted(lengths, reverse=True))


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text)
    if found is None or text[-1] in "PT":
        raise ValueError(text)
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    if length > FURTHEST_ALARM:
        raise ValueError(text)
    return length


DEFAULTS = Options()
OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "windows": _choice("edges", "bar", "both", "none"),
    "alarms": _alarms,
    "cancelled": _choice("keep", "mark", "drop"),
    "placeholders": _flag,
    "levels": _choice("parent", "child", "all"),
    "detail": _choice("full", "min"),
    "past": _reach,
    "ahead": _reach,
    "profile": _choice("plain", "rich"),
}
