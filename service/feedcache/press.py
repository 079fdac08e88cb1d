"""Makes editions: reads what changed, renders what is new, joins the rest, and dates the result.

Everything here runs in the one thread of `service.feedcache.cache`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from time import sleep

import msgspec
from sqlalchemy import Connection

from feeds.entry import Feed
from feeds.formats import FORMATS
from service.catalogue.entries import Around, NounName, Style, names_used
from service.feedcache import edition, heads, layers, material, moved
from service.feedcache.asked import Asked
from service.feedcache.edition import BUDGET, Edition, Layer, Rendered, document_of
from service.feedcache.material import Material
from service.feedcache.reach import season
from service.store import feedstate, locks, names
from service.store.engine import Store
from service.store.feedstate import FeedState
from service.store.records import Stored

# About 100 MB of rendered events; beyond it they are rendered again when next asked for.
MOST_RENDERED = 60_000
AT_A_TIME = 4

Shelf = dict[tuple[str, int], Rendered]


class Press:
    """Keeps rendered events across feeds, so that an event in ten feeds is rendered once."""

    def __init__(self, store: Store, *, base_url: str, uid_domain: str) -> None:
        self._store, self._base_url, self._uid_domain = store, base_url, uid_domain
        self._shelves: dict[tuple[Style, str, str], Shelf] = {}
        self._count = 0

    def publish(self, asked: Asked, previous: Edition | None, *, now: datetime) -> Edition:
        """The feed as it is now. From a `previous` edition only what changed since is read and rendered."""
        same = previous is not None and previous.asked.version == asked.version
        base = previous if previous and same and previous.season.has(now) else None
        found = self._read(asked, base.seq if base else None, now=now)
        if base and _is_untouched(base, found):
            return msgspec.structs.replace(base, seq=found.seq)
        full, short = self._layers(found, asked, base if found.changes_only else None, now=now)
        if full.size > BUDGET and _may_shorten(asked) and short is None:
            found = self._read(asked, None, now=now) if found.changes_only else found
            short = self._layer(found, asked, None, detail="min", now=now)
        return self._dated(asked, found, full=full, short=short, now=now)

    def _read(self, asked: Asked, since: int | None, *, now: datetime) -> Material:
        return self._store.read(lambda c: material.read(c, asked, since=since, now=now))

    def _layers(
        self, found: Material, asked: Asked, base: Edition | None, *, now: datetime
    ) -> tuple[Layer, Layer | None]:
        detail = asked.options.detail or "full"
        full = self._layer(found, asked, base.full if base else None, detail=detail, now=now)
        if base is None or base.short is None or full.size <= BUDGET:
            return full, None
        return full, self._layer(found, asked, base.short, detail="min", now=now)

    def _layer(
        self, found: Material, asked: Asked, base: Layer | None, *, detail: str, now: datetime
    ) -> Layer:
        style = edition.style_of(asked, base_url=self._base_url, detail=detail)
        rows = self._rendered(found.stored, style, asked)
        return layers.made(rows, found, base, asked=asked, now=now)

    def _rendered(self, stored: Sequence[Stored], style: Style, asked: Asked) -> dict[str, Rendered]:
        shelf = self._shelf(style, asked)
        known = {one.id: shelf.get((one.uid, one.seq)) for one in stored}
        fresh = {one.id: document_of(one) for one in _politely(stored) if known[one.id] is None}
        used: set[tuple[NounName, str]] = set()
        used.update(*(names_used(document) for document in fresh.values()))
        used.update(*(one.used for one in known.values() if one))
        around = self._around(used)
        rows: dict[str, Rendered] = {}
        for one in _politely(stored):
            kept = known[one.id]
            if kept is None or not kept.is_current(around):
                document = fresh.get(one.id) or document_of(one)
                kept = edition.render(document, uid=self._uid(one), around=around, style=style, asked=asked)
                shelf[one.uid, one.seq] = kept
                self._count += 1
            rows[one.id] = kept
        return rows

    def _around(self, used: set[tuple[NounName, str]]) -> Around:
        if not used:
            return {}
        return self._store.read(lambda c: names.named(c, sorted(used), uid_domain=self._uid_domain))

    def _uid(self, stored: Stored) -> str:
        return f"{stored.uid}@{self._uid_domain}"

    def _shelf(self, style: Style, asked: Asked) -> Shelf:
        if self._count > MOST_RENDERED:
            self._shelves.clear()
            self._count = 0
        return self._shelves.setdefault((style, asked.suffix, asked.options.profile), {})

    def _dated(
        self, asked: Asked, found: Material, *, full: Layer, short: Layer | None, now: datetime
    ) -> Edition:
        shown = self._told(short or full, asked)
        over = shown.size > BUDGET and asked.suffix == "ics" and not asked.single
        title = heads.title(asked, found.named)
        feed = self._head(
            asked, title, heads.notice(asked.lang, shortened=short is not None, over_budget=over)
        )
        digest = edition.digest_of(feed, shown, asked)
        state = found.state
        if state is None or state.digest != digest:
            newest = None if state else max((piece.updated for piece in shown.ordered), default=None)
            state = self._note(asked, digest, found.seq, newest, now=now)
        feed = msgspec.structs.replace(feed, modified=datetime.fromtimestamp(state.modified, UTC))
        return Edition(
            asked=asked,
            title=title,
            seq=found.seq,
            season=season(asked.filters, now=now),
            full=full,
            short=short,
            over_budget=over,
            body=edition.assemble(feed, shown, asked),
            etag=_hash(f"{digest} {state.modified}"),
            modified=state.modified,
        )

    def _told(self, layer: Layer, asked: Asked) -> Layer:
        """The layer with what the readers of this address must know."""
        if asked.saved is None:
            return layer
        entry = moved.notice(asked.saved, asked.lang, uid_domain=self._uid_domain)
        fragment = FORMATS[asked.suffix].render(entry, profile=asked.options.profile) if entry else None
        return layers.with_piece(layer, edition.piece_of(entry, fragment)) if entry and fragment else layer

    def _note(
        self, asked: Asked, digest: str, seq: int, newest: datetime | None, *, now: datetime
    ) -> FeedState:
        def work(c: Connection) -> FeedState:
            if asked.saved is not None:
                # In our turn, so that no later selection can have been dated before this one.
                locks.catalogue(c)
                material.check_version(c, asked)
            return feedstate.note(
                c,
                asked.path,
                digest=digest,
                seq=seq,
                newest=newest,
                now=now,
                instead_of=asked.instead_of,
            )

        return self._store.write(work)

    def _head(self, asked: Asked, title: str, notice: str | None) -> Feed:
        key = f"-{_hash(asked.query)[:8]}" if asked.query else ""
        return heads.head(
            asked, title=title, notice=notice, base_url=self._base_url, uid_domain=self._uid_domain, key=key
        )


def _politely(stored: Sequence[Stored]) -> Iterator[Stored]:
    """A few at a time, letting other threads go first: else each of their steps waits 5 ms for its turn."""
    for number, one in enumerate(stored):
        if number % AT_A_TIME == 0:
            sleep(0)
        yield one


def _is_untouched(base: Edition, found: Material) -> bool:
    """Whether whatever happened since concerns other feeds."""
    same_name = heads.title(base.asked, found.named) == base.title
    return (
        found.changes_only and not found.stored and not found.gone and same_name and found.state is not None
    )


def _may_shorten(asked: Asked) -> bool:
    """Who asks for a detail gets it, whatever the size; news readers have no such limit."""
    return asked.options.detail is None and asked.suffix == "ics" and not asked.single


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
