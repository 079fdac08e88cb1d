"""What a feed address asks for. A fetched feed never fails over a parameter: programs would disable it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec

from feeds.formats import FORMATS
from service.catalogue import filters
from service.catalogue.event import SLUG_PATTERN, Kind, Language, Text
from service.catalogue.filters import EventFilter
from service.catalogue.validation import Invalid
from service.feedcache.options import OPTIONS, Options, Pairs, read_options

Suffix = Literal["ics", "json", "atom"]

LONGEST_QUERY = 4000
DEADLINES: tuple[Kind, ...] = ("application_window", "milestone")
EVENTS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "application_window")

_PATH = re.compile(
    r"/feeds/(?P<lang>ko|en)/(?P<one>events/)?(?P<name>[a-z0-9-]{1,100})\.(?P<suffix>ics|json|atom)"
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


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
