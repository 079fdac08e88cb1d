"""Renders the events of a feed to fragments, and joins fragments to a feed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from operator import attrgetter

import msgspec

from feeds.entry import Entry, Feed, Profile
from feeds.formats import FORMATS
from service.catalogue.entries import Around, Named, NounName, Style, entries, names_used
from service.catalogue.entry_times import leaves_at
from service.catalogue.event import Text
from service.catalogue.filters import HOME
from service.catalogue.vocabulary import LocalizedText, pick
from service.feedcache.request import FeedRequest, Suffix
from service.feedcache.selection import SelectedEvent

# Google reads no more than 1 MB and says nothing about the rest.
BUDGET = 900_000
# About 100 MB of rendered events; beyond it styles are forgotten that nobody has asked for longest.
MOST_CACHED = 60_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A whole-day entry lies between the first and the last time zone of the world.
EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)

TITLES = {
    "calendar": LocalizedText(ko="디데이: 전체 일정", en="Dday: everything"),
    "events": LocalizedText(ko="디데이: 행사", en="Dday: events"),
    "deadlines": LocalizedText(ko="디데이: 접수와 마감", en="Dday: calls and deadlines"),
}
NAMED = LocalizedText(ko="디데이: {}", en="Dday: {}")
ABOUT = LocalizedText(
    ko="창업 행사와 접수 일정입니다. 모든 날짜에는 출처가 있으며, 모르는 날짜는 적지 않습니다.",
    en="Startup events and calls. Every date has its source; what is not known is left out.",
)
SHORTENED = LocalizedText(
    ko="일정이 많아 간략히 보여 줍니다. 시리즈나 프로그램별 달력에는 설명이 모두 있습니다.",
    en="Shortened because there is so much; the feeds of a single series or program have every detail.",
)
WITHOUT_PAST = LocalizedText(
    ko="일정이 많아 지난 일정은 오래된 것부터 뺐습니다.",
    en="Because there is so much, past entries are left out, the oldest first.",
)
BEYOND_GOOGLE = LocalizedText(
    ko="구글 캘린더가 읽는 크기(1MB)를 넘습니다. 시리즈, 프로그램, 태그별 달력을 구독하세요.",
    en="Larger than Google Calendar reads (1 MB): subscribe to the feed of a series, a program or a tag.",
)
MOVED = LocalizedText(ko="이 캘린더의 주소가 바뀌었습니다", en="This feed has moved")
MOVED_UNTIL = LocalizedText(
    ko="이 주소는 {}까지만 쓸 수 있습니다. 주소를 알려 준 사람에게 새 주소를 물어보세요.",
    en="This address works until {}. Ask whoever gave it to you for the new one.",
)
ZONE = "Asia/Seoul"
COLOR = "crimson"


# Thousands of entries are joined at a time, and these are quicker than loops.
_BODY, _ORDER, _ZONE, _DIGEST = map(attrgetter, ("body", "order", "zone", "digest"))


class RenderedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an event, as bytes. `order` is its place in the feed, which no two share; `extent` are the
    instants it may touch anywhere in the world (None: no day is known), `updated` is its last change."""

    event_id: str
    body: bytes
    order: tuple[str, str]
    zone: str | None
    digest: bytes
    extent: tuple[datetime, datetime] | None
    updated: datetime


class RenderedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of an event in one style, and the `names` they were rendered with."""

    entries: tuple[RenderedEntry, ...]
    names: tuple[tuple[tuple[NounName, str], Named | None], ...]
    leaves_at: datetime | None


class FragmentCache:
    """Rendered events by style and revision, so an event in ten feeds is rendered once. Not thread-safe."""

    def __init__(self) -> None:
        self._by_style: dict[tuple[Style, Suffix, Profile], dict[tuple[object, ...], RenderedEvent]] = {}

    def render(
        self, events: Iterable[SelectedEvent], names: Around, request: FeedRequest, style: Style
    ) -> Iterator[RenderedEvent]:
        """Yields each event as the feed shows it; only what is new or has another name in it is rendered."""
        key = (style, request.suffix, request.options.profile)
        cached = self._by_style.pop(key, {})
        while self._by_style and len(cached) + sum(map(len, self._by_style.values())) > MOST_CACHED:
            del self._by_style[next(iter(self._by_style))]
        # Most of so many are former revisions. The style that was asked for last stands last.
        cached = self._by_style[key] = cached if len(cached) <= MOST_CACHED else {}
        for event in events:
            state = (event.uid, event.seq, event.turns, event.quiet)
            rendered = cached.get(state)
            if rendered is None or any(names.get(name) != was for name, was in rendered.names):
                cached[state] = rendered = _render(event, names, request, style)
            yield rendered


def style_of(request: FeedRequest, *, base_url: str, shortened: bool) -> Style:
    options = request.options
    return Style(
        lang=request.lang,
        base_url=base_url,
        windows=options.windows,
        alarms=options.alarms,
        cancelled=options.cancelled,
        placeholders=options.placeholders,
        levels=options.levels,
        detail="min" if shortened or options.detail == "min" else "full",
        tz=options.tz,
    )


def title(request: FeedRequest, name: Text | None) -> str:
    """Returns what the feed is called; `name` is that of what it is about."""
    if request.saved is not None:
        return pick(request.saved.name, request.lang)
    if name is None:
        return pick(TITLES[request.name], request.lang)
    return pick(NAMED, request.lang).format(pick(name, request.lang))


def head(
    request: FeedRequest,
    title: str,
    *,
    shortened: bool,
    without_past: bool,
    over_budget: bool,
    base_url: str,
    uid_domain: str,
) -> Feed:
    """Returns the feed without its date. A saved one does not say where it is: its address is a secret."""
    about = [ABOUT, *([BEYOND_GOOGLE] if over_budget else [SHORTENED] if shortened else [])]
    about += [WITHOUT_PAST] if without_past else []
    name = f"saved-{request.saved.id}" if request.saved else f"{request.lang}-{request.name}"
    # Tells the filtered feeds of one name apart.
    key = f"-{_hash(request.query)[:8]}" if request.query else ""
    return Feed(
        uid=f"feed-{name}{key}@{uid_domain}",
        title=title,
        description="\n".join(pick(words, request.lang) for words in about),
        language=request.lang,
        zone=ZONE,
        url="" if request.saved else base_url + request.path,
        page=f"{base_url}/events/{request.name}" if request.single else f"{base_url}/",
        modified=EPOCH,
        color=COLOR,
    )


def moved_notice(request: FeedRequest, *, uid_domain: str) -> RenderedEntry | None:
    """Returns the entry over every day until a replaced address ends; None for one that was not replaced.

    It does not tell the new address: whoever has the old one may have it because it leaked. Another end makes
    another UID, so that no program can keep the old entry.
    """
    if request.saved is None or request.moved is None:
        return None
    first, last = (end.astimezone(HOME).date() for end in (request.moved.since, request.moved.until))
    entry = Entry(
        uid=f"moved-{last:%Y%m%d}-{request.saved.id}@{uid_domain}",
        sequence=0,
        created=request.moved.since,
        updated=request.moved.since,
        title=pick(MOVED, request.lang),
        start=first,
        end=last + timedelta(days=1),
        when=f"~ {last.isoformat()}",
        description=pick(MOVED_UNTIL, request.lang).format(last.isoformat()),
        language=request.lang,
    )
    return _entry("", entry, request)


def in_order(entries: Iterable[RenderedEntry]) -> list[RenderedEntry]:
    return sorted(entries, key=_ORDER)


def size(entries: Iterable[RenderedEntry]) -> int:
    return sum(map(len, map(_BODY, entries)))


def without_past(entries: Sequence[RenderedEntry], *, before: datetime) -> Sequence[RenderedEntry]:
    """Leaves out what had ended `before`, the oldest first, as far as the budget demands."""
    excess = size(entries) - BUDGET
    if excess <= 0:
        return entries
    kept = []
    for entry in entries:
        if excess > 0 and entry.extent and entry.extent[1] <= before:
            excess -= len(entry.body)
        else:
            kept.append(entry)
    return kept


def digest(feed: Feed, entries: Sequence[RenderedEntry], suffix: Suffix) -> str:
    """Returns the hash of everything in the feed but its own Last-Modified."""
    whole = blake2b(FORMATS[suffix].assemble(feed, (), zones=_zones(entries)), digest_size=20)
    whole.update(b"".join(map(_DIGEST, entries)))
    return whole.hexdigest()


def assemble(feed: Feed, entries: Sequence[RenderedEntry], suffix: Suffix, *, modified: int) -> bytes:
    """Joins the feed; `modified` is in seconds since 1970."""
    dated = msgspec.structs.replace(feed, modified=datetime.fromtimestamp(modified, UTC))
    return FORMATS[suffix].assemble(dated, list(map(_BODY, entries)), zones=_zones(entries))


def etag(digest: str, modified: int) -> str:
    """Returns the ETag of this content with this date, without quotes; the same in every process."""
    return _hash(f"{digest} {modified}")


def _zones(entries: Iterable[RenderedEntry]) -> frozenset[str]:
    return frozenset(filter(None, map(_ZONE, entries)))


def _render(event: SelectedEvent, names: Around, request: FeedRequest, style: Style) -> RenderedEvent:
    document = event.document
    rendered = [
        _entry(document.id, entry, request)
        for entry in entries(document, uid=event.uid, around=names, style=style, quiet=event.quiet)
    ]
    return RenderedEvent(
        entries=tuple(entry for entry in rendered if entry is not None),
        names=tuple((name, names.get(name)) for name in names_used(document)),
        leaves_at=leaves_at(document),
    )


def _entry(event_id: str, entry: Entry, request: FeedRequest) -> RenderedEntry | None:
    """Returns None where the format leaves the entry out."""
    fragment = FORMATS[request.suffix].render(entry, profile=request.options.profile)
    if fragment is None:
        return None
    return RenderedEntry(
        event_id=event_id,
        body=fragment.body,
        order=fragment.order,
        zone=fragment.zone,
        digest=blake2b(fragment.body, digest_size=16).digest(),
        extent=_extent(entry.start, entry.end),
        updated=entry.updated,
    )


def _extent(start: date | None, end: date | None) -> tuple[datetime, datetime] | None:
    if start is None or end is None:
        return None
    begins = start if isinstance(start, datetime) else _midnight(start) - EASTERNMOST
    ends = end if isinstance(end, datetime) else _midnight(end) + WESTERNMOST
    return begins, ends


def _midnight(day: date) -> datetime:
    # Years 1 and 9999 have no room for a zone.
    year = min(max(day.year, 2), 9998)
    return datetime(year, day.month, min(day.day, 28) if year != day.year else day.day, tzinfo=UTC)


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
