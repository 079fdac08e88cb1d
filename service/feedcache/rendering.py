"""One state of one feed, ready to send, and the rendered pieces it is joined from."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from feeds.entry import Entry, Feed, Fragment
from feeds.formats import FORMATS
from service.catalogue.entries import Around, Named, NounName, Style, entries, leaves_at, names_used
from service.catalogue.event import Language, Text
from service.catalogue.view import Document
from service.catalogue.vocabulary import LocalizedText, pick
from service.feedcache.request import Asked, Options, Season, extent
from service.store.stored_event import Stored

# Google reads no more than 1 MB and says nothing about the rest.
BUDGET = 900_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOCUMENTS = msgspec.json.Decoder(Document)


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One rendered entry, its digest, and the instants it may touch (None: no day is known)."""

    fragment: Fragment
    digest: bytes
    touches: tuple[datetime, datetime] | None
    updated: datetime

    @property
    def order(self) -> tuple[str, str]:
        return self.fragment.order


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """All pieces of one event in one style, and the names they were made with."""

    pieces: tuple[Piece, ...]
    used: tuple[tuple[NounName, str], ...]
    named: tuple[Named | None, ...]
    leaves_at: datetime | None

    def is_current(self, around: Around) -> bool:
        return self.named == tuple(map(around.get, self.used))


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A feed's pieces at one level of detail: by event, and those shown, in their order.

    `bodies` and `digests` stand beside `ordered`, `size` and `zones` (how many pieces are told in each) are
    kept up to date, so that joining thousands looks at none of them.
    """

    rows: Mapping[str, Rendered]
    ordered: Sequence[Piece]
    bodies: Sequence[bytes]
    digests: Sequence[bytes]
    size: int
    zones: Mapping[str, int]

    @property
    def zones_used(self) -> frozenset[str]:
        return frozenset(self.zones)


# FOLDED service/feedcache/heads.py: What a feed is called and what it says about itself.
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
TOO_LONG = LocalizedText(
    ko="일정이 많아 간략히 보여 줍니다. 시리즈나 프로그램별 달력에는 설명이 모두 있습니다.",
    en="Shortened because there is so much; the feeds of a single series or program have every detail.",
)
BEYOND_GOOGLE = LocalizedText(
    ko="구글 캘린더가 읽는 크기(1MB)를 넘습니다. 시리즈, 프로그램, 태그별 달력을 구독하세요.",
    en="Larger than Google Calendar reads (1 MB): subscribe to the feed of a series, a program or a tag.",
)
ZONE = "Asia/Seoul"
COLOR = "crimson"


def title(asked: Asked, named: Text | None) -> str:
    if asked.saved is not None:
        return pick(asked.saved.name, asked.lang)
    words = TITLES.get(asked.name) if named is None else None
    return (
        pick(words, asked.lang)
        if words
        else pick(NAMED, asked.lang).format(pick(named or Text(), asked.lang))
    )


def notice(lang: Language, *, shortened: bool, over_budget: bool) -> str | None:
    """What a subscriber must know about the size; None when all is told in full."""
    if over_budget:
        return pick(BEYOND_GOOGLE, lang)
    return pick(TOO_LONG, lang) if shortened else None


def head(asked: Asked, *, title: str, notice: str | None, base_url: str, uid_domain: str, key: str) -> Feed:
    """The feed without its date. `key` tells filtered feeds of one name apart.

    A saved feed does not say where it came from: its address is a secret, and the copies get around.
    """
    about = pick(ABOUT, asked.lang)
    name = f"saved-{asked.saved.id}" if asked.saved else f"{asked.lang}-{asked.name}"
    return Feed(
        uid=f"feed-{name}{key}@{uid_domain}",
        title=title,
        description=f"{about}\n{notice}" if notice else about,
        language=asked.lang,
        zone=ZONE,
        url="" if asked.saved else base_url + asked.path,
        page=f"{base_url}/events/{asked.name}" if asked.single else f"{base_url}/",
        modified=EPOCH,
        color=COLOR,
    )


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent for a feed as long as the log stands at `seq` and its season lasts.

    `short` exists where `full` is more than Google reads; `over_budget` says that even `short` is.
    """

    asked: Asked
    title: str
    seq: int
    season: Season
    full: Layer
    short: Layer | None
    over_budget: bool
    body: bytes
    etag: str
    modified: int

    @property
    def shown(self) -> Layer:
        return self.short or self.full


def document_of(stored: Stored) -> Document:
    return _DOCUMENTS.decode(stored.document)


def style_of(asked: Asked, *, base_url: str, detail: str) -> Style:
    options: Options = asked.options
    return Style(
        lang=asked.lang,
        base_url=base_url,
        windows=options.windows,
        alarms=options.alarms,
        cancelled=options.cancelled,
        placeholders=options.placeholders,
        levels=options.levels,
        detail="min" if detail == "min" else "full",
    )


def render(document: Document, *, uid: str, around: Around, style: Style, asked: Asked) -> Rendered:
    """The pieces of one event: the costly step, done once a revision."""
    form, pieces = FORMATS[asked.suffix], []
    for entry in entries(document, uid=uid, around=around, style=style):
        fragment = form.render(entry, profile=asked.options.profile)
        if fragment is not None:
            pieces.append(piece_of(entry, fragment))
    used = names_used(document)
    return Rendered(
        pieces=tuple(pieces),
        used=used,
        named=tuple(map(around.get, used)),
        leaves_at=leaves_at(document),
    )


def piece_of(entry: Entry, fragment: Fragment) -> Piece:
    digest = blake2b(fragment.body, digest_size=16).digest()
    touches = extent(entry.start, entry.end)
    return Piece(fragment=fragment, digest=digest, touches=touches, updated=entry.updated)


def digest_of(feed: Feed, layer: Layer, asked: Asked) -> str:
    """Of everything in the feed but its own Last-Modified."""
    undated = msgspec.structs.replace(feed, modified=EPOCH)
    whole = blake2b(FORMATS[asked.suffix].assemble(undated, (), zones=layer.zones_used), digest_size=20)
    whole.update(b"".join(layer.digests))
    return whole.hexdigest()


def assemble(feed: Feed, layer: Layer, asked: Asked) -> bytes:
    return FORMATS[asked.suffix].assemble(feed, layer.bodies, zones=layer.zones_used)


def hash_of(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
