"""What a feed address asks for. A fetched feed never fails over a parameter: programs would disable it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec

from feeds.entry import Profile
from feeds.formats import FORMATS
from service.catalogue import dates, filters
from service.catalogue.event import SLUG_PATTERN, Kind, Language, Text
from service.catalogue.filters import HOME, EventFilter
from service.catalogue.validation import Invalid
from service.catalogue.windows import TICK

Suffix = Literal["ics", "json", "atom"]

LONGEST_QUERY = 4000
DEADLINES: tuple[Kind, ...] = ("application_window", "milestone")
EVENTS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "application_window")

_PATH = re.compile(
    r"/feeds/(?P<lang>ko|en)/(?P<one>events/)?(?P<name>[a-z0-9-]{1,100})\.(?P<suffix>ics|json|atom)"
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


# FOLDED service/feedcache/options.py: The options of a feed: how each is read, and what it is when nobody says.
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


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An address that was replaced `since`, and leads on `until` it is dead."""

    since: datetime
    until: datetime


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Which saved feed an address leads to. A `version` is one state of its selection and name."""

    id: str
    version: int
    name: Text
    moved: Moved | None = None


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
    saved: Saved | None = None

    @property
    def path(self) -> str:
        """The canonical address: the key of its copies and of its Last-Modified.

        That of a saved feed is no address at all. It outlives every change of the selection, so that dates
        go on from there, and holds no token, as it is stored and logged.
        """
        folder = "events/" if self.single else ""
        place = f"{self.lang}/{folder}{self.name}" if self.saved is None else _place(self.saved)
        return f"/feeds/{place}.{self.suffix}" + (f"?{self.query}" if self.query else "")

    @property
    def moved(self) -> Moved | None:
        return self.saved.moved if self.saved else None

    @property
    def instead_of(self) -> str | None:
        """The path of what was sent at this address before it was replaced."""
        if self.saved is None or self.saved.moved is None:
            return None
        return msgspec.structs.replace(self, saved=msgspec.structs.replace(self.saved, moved=None)).path

    @property
    def version(self) -> int:
        return self.saved.version if self.saved else 0

    def is_over(self, now: datetime) -> bool:
        """Whether the time of a replaced address has run out since it was looked up."""
        return self.moved is not None and self.moved.until <= now


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What parameters come to: `given` are the good ones, `ignored` the names of the others."""

    options: Mapping[str, Any]
    filters: EventFilter
    given: Pairs
    ignored: tuple[str, ...]


def read(path: str, query: bytes) -> Asked | None:
    """The feed of an address; None where no feed can be, whatever the store holds."""
    found = _PATH.fullmatch(path)
    if found is None or not re.fullmatch(SLUG_PATTERN, found["name"]) or found["suffix"] not in FORMATS:
        return None
    if found["one"] and found["suffix"] != "ics":
        return None
    pairs, unreadable = read_query(query)
    choice = choose(pairs, unreadable)
    return Asked(
        lang="ko" if found["lang"] == "ko" else "en",
        name=found["name"],
        suffix=found["suffix"],  # type: ignore[arg-type]
        single=bool(found["one"]),
        options=Options(**choice.options),
        filters=choice.filters,
        query=urlencode(choice.given),
        ignored=choice.ignored,
    )


def choose(pairs: Pairs, unreadable: Sequence[str] = ()) -> Choice:
    """Tell the good parameters from the bad ones, of which `unreadable` are some more."""
    options, taken, bad = read_options(pairs)
    chosen, kept, worse = _filters([pair for pair in pairs if pair[0] in filters.NAMES])
    unknown = [name for name, _ in pairs if name not in OPTIONS and name not in filters.NAMES]
    return Choice(
        options=options,
        filters=chosen,
        given=tuple(sorted({*taken, *kept})),
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


def _place(saved: Saved) -> str:
    if saved.moved is None:
        return f"saved/{saved.id}"
    # Both ends: addresses that were replaced one after the other may end together.
    since, until = (int(end.timestamp() * 1000) for end in (saved.moved.since, saved.moved.until))
    return f"saved/{saved.id}/moved-{since}-{until}"


def read_query(query: bytes) -> tuple[Pairs, list[str]]:
    """The parameters that can be read, raw Korean included, and the names of those that cannot."""
    pairs: list[tuple[str, str]] = []
    bad = []
    for part in query[:LONGEST_QUERY].split(b"&"):
        try:
            pairs += parse_qsl(part.decode(), errors="strict")
        except ValueError:
            bad.append(part.partition(b"=")[0].decode("ascii", "replace"))
    return tuple(pairs), bad


def _filters(pairs: Sequence[tuple[str, str]]) -> tuple[EventFilter, Sequence[tuple[str, str]], list[str]]:
    """The filters without the faulty values: a feed shows rather too much than nothing."""
    bad: list[str] = []
    while True:
        try:
            return filters.parse_filters(pairs), pairs, bad
        except Invalid as invalid:
            named = {fault.parameter for fault in invalid.faults}
            bad += [name for name in named if name]
            good = [pair for pair in pairs if pair[0] not in named or _is_good(pair)]
            rest = [pair for pair in pairs if pair[0] not in named]
            pairs = next((some for some in (good, rest) if len(some) < len(pairs)), [])


def _is_good(pair: tuple[str, str]) -> bool:
    """Whether it can stand alone: one of several values, the others of which may be bad."""
    if pair[0] not in filters.MANY:
        return False
    try:
        filters.parse_filters([pair])
    except Invalid:
        return False
    return True


def _named(names: Sequence[str]) -> tuple[str, ...]:
    # They go into a header, so only plain ones are quoted back.
    return tuple(sorted({name if _NAME.fullmatch(name) else "unreadable" for name in names}))


# FOLDED service/feedcache/reach.py: How far a feed looks: from some days back to some months ahead, moved once a day.
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# A whole-day entry lies between the first and the last time zone of the world.
EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)
MONTHS = 12


def limited(filters: EventFilter, asked: Asked, *, now: datetime) -> EventFilter:
    """The filters with the range of the feed where they name none of their own."""
    if asked.single:
        return filters
    today = now.astimezone(HOME).date()
    from_ = filters.from_ or dates.day_start(moved(today, asked.options.past, back=True), HOME)
    to = filters.to or dates.day_end(moved(today, asked.options.ahead, back=False), HOME)
    return msgspec.structs.replace(filters, from_=from_, to=to)


def moved(day: date, reach: Reach, *, back: bool) -> date:
    """The day so many months and days away; the 31st of a shorter month is its last day."""
    sign = -1 if back else 1
    year, month = divmod(day.year * MONTHS + day.month - 1 + sign * reach.months, MONTHS)
    first = date(year, month + 1, 1)
    length = (date(year + (month + 1) // MONTHS, (month + 1) % MONTHS + 1, 1) - first).days
    return first.replace(day=min(day.day, length)) + sign * timedelta(days=reach.days)


class Season(msgspec.Struct, frozen=True):
    """A stretch of time in which time alone changes nothing in a feed."""

    begins: datetime
    ends: datetime

    def has(self, now: datetime) -> bool:
        return self.begins <= now < self.ends


def season(filters: EventFilter, *, now: datetime) -> Season:
    """The day; with a phase the minute, but for its first tick: "by 18:00" still holds at 18:00:00."""
    if not filters.phase:
        return Season(today_begins(now), dates.day_end(now.astimezone(HOME).date(), HOME))
    minute = now.replace(second=0, microsecond=0)
    return Season(minute, minute + TICK) if now < minute + TICK else Season(minute + TICK, minute + MINUTE)


def today_begins(now: datetime) -> datetime:
    return dates.day_start(now.astimezone(HOME).date(), HOME)


def extent(start: date | None, end: date | None) -> tuple[datetime, datetime] | None:
    """The instants an entry may touch anywhere in the world; None without a day."""
    if start is None or end is None:
        return None
    begins = start if isinstance(start, datetime) else _midnight(start) - EASTERNMOST
    ends = end if isinstance(end, datetime) else _midnight(end) + WESTERNMOST
    return begins, ends


def _midnight(day: date) -> datetime:
    # Years 1 and 9999 have no room for a zone.
    return datetime(
        min(max(day.year, 2), 9998),
        day.month,
        min(day.day, 28) if day.year in (1, 9999) else day.day,
        tzinfo=UTC,
    )
