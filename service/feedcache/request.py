"""Reads a feed's address and options. A bad parameter never fails a fetch: programs disable such feeds."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, urlencode

import msgspec

from feeds.entry import Profile
from service.catalogue import filters
from service.catalogue.event import SLUG_PATTERN, Language, Text
from service.catalogue.filters import EventFilter
from service.catalogue.validation import Invalid

Suffix = Literal["ics", "json", "atom"]
Pairs = tuple[tuple[str, str], ...]

LONGEST_QUERY = 4000
MOST_ALARMS = 5
FURTHEST_MONTHS = 240
FURTHEST_ALARM = timedelta(days=90)

PERIOD = re.compile(r"P(?:(\d{1,2})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")
LENGTH = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")
FLAGS = {"0": False, "1": True, "true": True, "false": False}

PRIVATE_FOLDER = "/feeds/p/"
_PATH = re.compile(
    r"/feeds/(?P<lang>ko|en)/(?P<single>events/)?(?P<name>[a-z0-9-]{1,100})\.(?P<suffix>ics|json|atom)"
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Reach(msgspec.Struct, frozen=True):
    """A length of calendar time: so many months, then so many days."""

    months: int
    days: int


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a feed with their defaults."""

    windows: Literal["edges", "bar", "both", "none"] = "edges"
    alarms: tuple[timedelta, ...] = ()
    cancelled: Literal["keep", "mark", "drop"] = "keep"
    placeholders: bool = False
    levels: Literal["parent", "child", "all"] = "all"
    # None means full until the feed outgrows what Google reads.
    detail: Literal["full", "min"] | None = None
    # As far back as ahead: calendars delete what a feed leaves out, and a subscriber loses the record of it.
    past: Reach = Reach(18, 0)
    ahead: Reach = Reach(18, 0)
    tz: Literal["local", "utc"] = "local"
    profile: Profile = "plain"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A private address that was replaced `since` and still works `until`."""

    since: datetime
    until: datetime


class SavedFeedRef(msgspec.Struct, frozen=True, kw_only=True):
    """The saved feed behind a private address; each change of its selection or name has a `version`."""

    id: str
    version: int
    name: Text
    moved: Moved | None = None


class FeedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that is asked for. `query` is canonical, so equal feeds have equal paths; `ignored` names bad
    parameters; `single` means the feed of the one event `name`."""

    lang: Language
    name: str
    suffix: Suffix
    single: bool = False
    options: Options = Options()
    filters: EventFilter = EventFilter()
    query: str = ""
    ignored: tuple[str, ...] = ()
    saved: SavedFeedRef | None = None

    @property
    def path(self) -> str:
        """The canonical address: the key of the feed's copies and of its stored Last-Modified.

        For a saved feed it is no address. It holds no token, as it is stored and logged, and it outlives
        changes of the selection, so that Last-Modified goes on growing.
        """
        if self.saved is not None:
            place = f"saved/{self.saved.id}{_moved_part(self.saved.moved)}"
        else:
            place = f"{self.lang}/{'events/' if self.single else ''}{self.name}"
        return f"/feeds/{place}.{self.suffix}" + (f"?{self.query}" if self.query else "")

    @property
    def moved(self) -> Moved | None:
        return self.saved.moved if self.saved else None

    @property
    def version(self) -> int:
        return self.saved.version if self.saved else 0

    @property
    def path_before_move(self) -> str | None:
        """The path of what was sent at this address before it was replaced; None if it was not."""
        if self.saved is None or self.saved.moved is None:
            return None
        return msgspec.structs.replace(self, saved=msgspec.structs.replace(self.saved, moved=None)).path

    def has_ended(self, now: datetime) -> bool:
        """Whether the address was replaced and its overlap has run out since it was looked up."""
        return self.moved is not None and self.moved.until <= now


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parsed parameters: the options and filters given, the pairs that differ from a default (sorted), and
    the names of those `ignored`."""

    options: Mapping[str, Any]
    filters: EventFilter
    canonical: Pairs
    ignored: tuple[str, ...]


def canonical_path(path: str) -> str:
    """Returns an address of a feed as `/v1/feeds` lists it: people type capitals, and programs add a slash.

    The token in a private address keeps its case.
    """
    place, dot, suffix = path.rstrip("/").rpartition(".")
    if not dot or "/" in suffix:
        return path
    folder = place[: len(PRIVATE_FOLDER)].lower()
    place = folder + place[len(folder) :] if folder == PRIVATE_FOLDER else place.lower()
    return f"{place}{dot}{suffix.lower()}"


def parse(path: str, query: bytes) -> FeedRequest | None:
    """Returns the feed of a public address; None where no feed can be, whatever the store holds."""
    match = _PATH.fullmatch(path)
    if match is None or not re.fullmatch(SLUG_PATTERN, match["name"]):
        return None
    if match["single"] and match["suffix"] != "ics":
        return None
    parameters = parse_parameters(*split_query(query))
    return FeedRequest(
        lang=cast(Language, match["lang"]),
        name=match["name"],
        suffix=cast(Suffix, match["suffix"]),
        single=bool(match["single"]),
        options=Options(**parameters.options),
        filters=parameters.filters,
        query=urlencode(parameters.canonical),
        ignored=parameters.ignored,
    )


def split_query(query: bytes) -> tuple[Pairs, list[str]]:
    """Returns the parameters that can be decoded, raw Korean included, and the names of those that cannot."""
    pairs: list[tuple[str, str]] = []
    undecodable = []
    for part in query[:LONGEST_QUERY].split(b"&"):
        try:
            pairs += parse_qsl(part.decode(), errors="strict")
        except ValueError:
            undecodable.append(part.partition(b"=")[0].decode("ascii", "replace"))
    return tuple(pairs), undecodable


def parse_parameters(pairs: Pairs, bad_names: Sequence[str] = ()) -> Parameters:
    """Parses options and filters, and leaves out what is unknown or bad; `bad_names` are bad already."""
    options: dict[str, Any] = {}
    canonical: set[tuple[str, str]] = set()
    bad = list(bad_names)
    for name, text in pairs:
        if name not in OPTIONS:
            bad += [] if name in filters.NAMES else [name]
            continue
        try:
            value = OPTIONS[name](text)
        except ValueError:
            bad.append(name)
            continue
        if name in options:
            bad.append(name)
            continue
        options[name] = value
        if value != getattr(DEFAULTS, name):
            canonical.add((name, ",".join(sorted(text.split(",")))))
    good_filters, good_pairs, bad_filters = _parse_filters(
        [pair for pair in pairs if pair[0] in filters.NAMES]
    )
    return Parameters(
        options=options,
        filters=good_filters,
        canonical=tuple(sorted(canonical.union(good_pairs))),
        ignored=_quotable([*bad, *bad_filters]),
    )


def _parse_filters(
    pairs: Pairs | list[tuple[str, str]],
) -> tuple[EventFilter, Sequence[tuple[str, str]], list[str]]:
    """Parses filters without their faulty values: a feed shows rather too much than nothing."""
    bad: list[str] = []
    while True:
        try:
            return filters.parse_filters(pairs), pairs, bad
        except Invalid as invalid:
            faulty = {fault.parameter for fault in invalid.faults}
            bad += [name for name in faulty if name]
            some_values = [pair for pair in pairs if pair[0] not in faulty or _is_good_alone(pair)]
            no_values = [pair for pair in pairs if pair[0] not in faulty]
            pairs = next((fewer for fewer in (some_values, no_values) if len(fewer) < len(pairs)), [])


def _is_good_alone(pair: tuple[str, str]) -> bool:
    """Whether this value of a filter that takes several is good, so that only the others are bad."""
    if pair[0] not in filters.MANY:
        return False
    try:
        filters.parse_filters([pair])
    except Invalid:
        return False
    return True


def _quotable(names: Sequence[str]) -> tuple[str, ...]:
    # They are quoted back in a header, so only plain ones are.
    return tuple(sorted({name if _PLAIN_NAME.fullmatch(name) else "unreadable" for name in names}))


def _moved_part(moved: Moved | None) -> str:
    if moved is None:
        return ""
    # Both ends: addresses that were replaced one after the other may end together.
    since, until = (int(end.timestamp() * 1000) for end in (moved.since, moved.until))
    return f"/moved-{since}-{until}"


class OneOf(msgspec.Struct, frozen=True):
    """A parser of one of a few words, which the OpenAPI document lists. Raises ValueError, as all here do."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(text)
        return text


def flag(text: str) -> bool:
    """Parses yes or no."""
    if text not in FLAGS:
        raise ValueError(text)
    return FLAGS[text]


def period(text: str) -> Reach:
    """Parses how far a feed goes back or ahead: years, months, weeks, days, at most 20 years."""
    match = PERIOD.fullmatch(text)
    if match is None or text == "P":
        raise ValueError(text)
    years, months, weeks, days = (int(part or 0) for part in match.groups())
    reach = Reach(12 * years + months, 7 * weeks + days)
    if reach.months + reach.days // 30 > FURTHEST_MONTHS:
        raise ValueError(text)
    return reach


def alarms(text: str) -> tuple[timedelta, ...]:
    """Parses how long before each entry to ring: up to five lengths between commas; longest first."""
    lengths = {_length(part) for part in text.split(",")}
    if len(lengths) > MOST_ALARMS:
        raise ValueError(text)
    return tuple(sorted(lengths, reverse=True))


def _length(text: str) -> timedelta:
    match = LENGTH.fullmatch(text)
    if match is None or text[-1] in "PT":
        raise ValueError(text)
    weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
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
    "tz": OneOf(("local", "utc")),
    "profile": OneOf(("plain", "rich")),
}
