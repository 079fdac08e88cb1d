"""One state of one feed, ready to send, and the rendered pieces it is joined from."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from feeds.entry import Entry, Feed, Fragment
from feeds.formats import FORMATS
from service.catalogue.entries import Around, Named, NounName, Style, entries, leaves_at, names_used
from service.catalogue.view import Document
from service.feedcache.asked import Asked
from service.feedcache.options import Options
from service.feedcache.reach import Season, extent
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
