"""Makes editions: reads what changed, renders what is new, joins the rest, and dates the result.

Several feeds are made in one run, with one look at the log and one write of their dates. Everything here runs
in the one thread of `service.feedcache.cache`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from time import sleep
from typing import ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection

from feeds.entry import Feed
from feeds.formats import FORMATS
from service.catalogue.entries import Around, NounName, Style, names_used
from service.catalogue.view import Document
from service.feedcache import rendering, saved, selection
from service.feedcache.rendering import BUDGET, Edition, Layer, Piece, Rendered, document_of
from service.feedcache.request import Asked, Season, season, today_begins
from service.feedcache.selection import Material, News, OutOfDate, Wanted
from service.store import entity_names, feed_state, locks
from service.store.engine import Store
from service.store.feed_state import Content, FeedState
from service.store.stored_event import Stored

P = ParamSpec("P")
T = TypeVar("T")


class Order(msgspec.Struct, frozen=True):
    """A feed to be made; from a `previous` edition only what changed since is read and rendered."""

    asked: Asked
    previous: Edition | None = None


# FOLDED service/feedcache/layers.py: Which rendered pieces a feed shows, and in which order; a small change touches only its own places.
_order = attrgetter("order")


def made(
    rows: Mapping[str, Rendered], found: Material, base: Layer | None, *, asked: Asked, now: datetime
) -> Layer:
    """The layer of these rows; with a `base`, that one with changed rows put in and the gone ones out."""
    if base is None:
        return _whole(rows, sorted(shown(rows.values(), found, asked, now=now), key=_order))
    old = [base.rows[name] for name in (*rows, *found.gone) if name in base.rows]
    out, into = shown(old, found, asked, now=now), shown(rows.values(), found, asked, now=now)
    kept = dict(base.rows)
    for name in found.gone:
        kept.pop(name, None)
    kept.update(rows)
    return _patched(kept, base, out=out, into=into)


def with_piece(layer: Layer, piece: Piece) -> Layer:
    """The layer with one more piece in its place, which belongs to no event."""
    return _patched(layer.rows, layer, out=(), into=(piece,))


def _whole(rows: Mapping[str, Rendered], ordered: list[Piece]) -> Layer:
    bodies = [piece.fragment.body for piece in ordered]
    return Layer(
        rows=rows,
        ordered=ordered,
        bodies=bodies,
        digests=[piece.digest for piece in ordered],
        size=sum(map(len, bodies)),
        zones=Counter(piece.fragment.zone for piece in ordered if piece.fragment.zone),
    )


def _patched(
    rows: Mapping[str, Rendered], base: Layer, *, out: Iterable[Piece], into: Iterable[Piece]
) -> Layer:
    ordered, bodies, digests = list(base.ordered), list(base.bodies), list(base.digests)
    size, zones = base.size, Counter(base.zones)
    for piece in out:
        # The day has not changed since, so what was shown then is shown now, at exactly this place.
        place = bisect_left(ordered, piece.order, key=_order)
        del ordered[place], bodies[place], digests[place]
        size -= len(piece.fragment.body)
        zones[piece.fragment.zone or ""] -= 1
    for piece in into:
        place = bisect_left(ordered, piece.order, key=_order)
        ordered.insert(place, piece)
        bodies.insert(place, piece.fragment.body)
        digests.insert(place, piece.digest)
        size += len(piece.fragment.body)
        zones[piece.fragment.zone or ""] += 1
    used = {zone: count for zone, count in zones.items() if zone and count}
    return Layer(rows=rows, ordered=ordered, bodies=bodies, digests=digests, size=size, zones=used)


def shown(rows: Iterable[Rendered], found: Material, asked: Asked, *, now: datetime) -> Iterable[Piece]:
    """The pieces within the feed's range, without events that were cancelled long enough ago."""
    today = today_begins(now)
    for row in rows:
        if not asked.single and row.leaves_at is not None and row.leaves_at <= today:
            continue
        yield from (piece for piece in row.pieces if asked.single or _within(piece, found))


def _within(piece: Piece, found: Material) -> bool:
    """An open call is in range while one of its edges may be long past."""
    ranged = found.filters
    if piece.touches is None or ranged is None:
        return True
    begins, ends = piece.touches
    return (ranged.to is None or begins < ranged.to) and (ranged.from_ is None or ends > ranged.from_)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some orders, by address, as of `seq`; `commits` are those that dating them took."""

    made: Mapping[str, Edition | Exception]
    seq: int
    commits: int


# FOLDED service/feedcache/drafts.py: Editions that have no date yet, and how they get one.
class Overtaken(Exception):
    """Another process has published a later state meanwhile; its date must not stand on this one."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An edition that has no date yet."""

    asked: Asked
    found: Material
    title: str
    feed: Feed
    season: Season
    full: Layer
    short: Layer | None
    shown: Layer
    over_budget: bool
    digest: str

    @property
    def is_noted(self) -> bool:
        """Whether the stored date is already that of this content."""
        return self.found.state is not None and self.found.state.digest == self.digest

    @property
    def content(self) -> Content:
        pieces = () if self.found.state else self.shown.ordered
        newest = max((piece.updated for piece in pieces), default=None)
        return Content(
            feed=self.asked.path,
            digest=self.digest,
            seq=self.found.seq,
            newest=newest,
            instead_of=self.asked.instead_of,
        )


def note(c: Connection, drafts: Sequence[Draft], *, now: datetime) -> Mapping[str, FeedState | OutOfDate]:
    """The dates, by address. A saved feed that is another by now gets none."""
    # In our turn, so that no later selection can have been dated before this one.
    locks.catalogue(c)
    out = selection.out_of_date(c, [draft.asked for draft in drafts], now=now)
    states = feed_state.note(c, [one.content for one in drafts if one.asked.path not in out], now=now)
    return {**states, **out}


def dated(draft: Draft, noted: FeedState | OutOfDate | None) -> Edition:
    if isinstance(noted, OutOfDate):
        raise noted
    state = noted or draft.found.state
    if state is None or state.digest != draft.digest:
        raise Overtaken(draft.asked.path)
    feed = msgspec.structs.replace(draft.feed, modified=datetime.fromtimestamp(state.modified, UTC))
    return Edition(
        asked=draft.asked,
        title=draft.title,
        seq=draft.found.seq,
        season=draft.season,
        full=draft.full,
        short=draft.short,
        over_budget=draft.over_budget,
        body=rendering.assemble(feed, draft.shown, draft.asked),
        etag=tag(draft.digest, state.modified),
        modified=state.modified,
    )


def tag(digest: str, modified: int) -> str:
    """The ETag, without its quotes: the content and its date."""
    return rendering.hash_of(f"{digest} {modified}")


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some orders as of `seq`, by address; what has not changed is an edition already."""

    made: Mapping[str, Draft | Edition | Exception]
    seq: int


class Press:
    """Keeps what it has rendered, so that an event in ten feeds is rendered once."""

    def __init__(self, store: Store, *, base_url: str, uid_domain: str) -> None:
        self._store, self._base_url, self._uid_domain = store, base_url, uid_domain
        self._shelves = Shelves(store, uid_domain=uid_domain)

    def publish(self, asked: Asked, previous: Edition | None, *, now: datetime) -> Edition:
        """The feed as it is now."""
        made = self.finish(self.draft([Order(asked, previous)], now=now), now=now).made[asked.path]
        if isinstance(made, Exception):
            raise made
        return made

    def draft(self, orders: Sequence[Order], *, now: datetime) -> Drafts:
        """The feeds as they are now, but for their dates. What is wrong with one is its own outcome."""
        bases = [_base(order, now=now) for order in orders]
        wanted = [
            Wanted(asked=order.asked, since=base.seq if base else None)
            for order, base in zip(orders, bases, strict=True)
        ]
        seq, found = self._read(wanted, now=now)
        made = {
            order.asked.path: _outcome(self._draft, order.asked, one, base, now=now)
            for order, one, base in zip(orders, found, bases, strict=True)
        }
        return Drafts(made=made, seq=seq)

    def finish(self, batch: Drafts, *, now: datetime) -> Run:
        """Editions of the drafts, with dates that are stored before anybody sees them."""
        undated = [one for one in batch.made.values() if isinstance(one, Draft) and not one.is_noted]
        noted = self._store.write(lambda c: note(c, undated, now=now)) if undated else {}
        made = {
            path: _outcome(dated, one, noted.get(path)) if isinstance(one, Draft) else one
            for path, one in batch.made.items()
        }
        return Run(made=made, seq=batch.seq, commits=1 if undated else 0)

    def _read(self, wanted: Sequence[Wanted], *, now: datetime) -> tuple[int, Sequence[Material | Exception]]:
        return self._store.read(lambda c: selection.read(c, wanted, uid_domain=self._uid_domain, now=now))

    def _draft(
        self, asked: Asked, found: Material | Exception, base: Edition | None, *, now: datetime
    ) -> Draft | Edition:
        if isinstance(found, Exception):
            raise found
        if base and _is_untouched(base, found):
            return msgspec.structs.replace(base, seq=found.seq)
        full, short = self._layers(found, asked, base if found.news else None, now=now)
        if full.size > BUDGET and _may_shorten(asked) and short is None:
            # Read a little later than the rest, it may know more, which the next making finds again.
            short = self._layer(self._whole(found, asked, now=now), asked, None, detail="min", now=now)
        shown = self._told(short or full, asked)
        over = shown.size > BUDGET and asked.suffix == "ics" and not asked.single
        title = rendering.title(asked, found.named)
        notice = rendering.notice(asked.lang, shortened=short is not None, over_budget=over)
        feed = self._head(asked, title, notice)
        return Draft(
            asked=asked,
            found=found,
            title=title,
            feed=feed,
            season=season(asked.filters, now=now),
            full=full,
            short=short,
            shown=shown,
            over_budget=over,
            digest=rendering.digest_of(feed, shown, asked),
        )

    def _told(self, layer: Layer, asked: Asked) -> Layer:
        """The layer with what the readers of this address must know."""
        if asked.saved is None:
            return layer
        entry = saved.notice(asked.saved, asked.lang, uid_domain=self._uid_domain)
        fragment = FORMATS[asked.suffix].render(entry, profile=asked.options.profile) if entry else None
        return with_piece(layer, rendering.piece_of(entry, fragment)) if entry and fragment else layer

    def _whole(self, found: Material, asked: Asked, *, now: datetime) -> Material:
        if found.news is None:
            return found
        _, [again] = self._read([Wanted(asked=asked, since=None)], now=now)
        if isinstance(again, Exception):
            raise again
        return again

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
        style = rendering.style_of(asked, base_url=self._base_url, detail=detail)
        rows = self._shelves.rendered(found.stored, style, asked, found.news)
        return made(rows, found, base, asked=asked, now=now)

    def _head(self, asked: Asked, title: str, notice: str | None) -> Feed:
        key = f"-{rendering.hash_of(asked.query)[:8]}" if asked.query else ""
        return rendering.head(
            asked, title=title, notice=notice, base_url=self._base_url, uid_domain=self._uid_domain, key=key
        )


def _base(order: Order, *, now: datetime) -> Edition | None:
    """What may be patched: another selection is begun anew, and so is another day."""
    before = order.previous
    same = before is not None and before.asked.version == order.asked.version and before.season.has(now)
    return before if same else None


def _outcome(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Exception:
    try:
        return work(*args, **kwargs)
    except Exception as error:
        return error


def _is_untouched(base: Edition, found: Material) -> bool:
    """Whether whatever happened since concerns other feeds.

    The stored date must still be that of this edition: it may be an older one, and its content back again.
    """
    return (
        found.news is not None
        and not found.stored
        and found.gone.isdisjoint(base.full.rows)
        and rendering.title(base.asked, found.named) == base.title
        and found.state is not None
        and tag(found.state.digest, found.state.modified) == base.etag
    )


def _may_shorten(asked: Asked) -> bool:
    """Who asks for a detail gets it, whatever the size; news readers have no such limit."""
    return asked.options.detail is None and asked.suffix == "ics" and not asked.single


# FOLDED service/feedcache/shelves.py: Rendered events, kept across feeds: one that stands in ten feeds of a style is rendered once a revision.
# About 100 MB of rendered events; beyond it they are rendered again when next asked for.
MOST_RENDERED = 60_000
AT_A_TIME = 4

Shelf = dict[tuple[str, int], Rendered]


class Shelves:
    """A shelf a style and format. Used by the one thread of the press."""

    def __init__(self, store: Store, *, uid_domain: str) -> None:
        self._store, self._uid_domain = store, uid_domain
        self._shelves: dict[tuple[Style, str, str], Shelf] = {}
        self._count = 0

    def rendered(
        self, stored: Sequence[Stored], style: Style, asked: Asked, news: News | None
    ) -> dict[str, Rendered]:
        """These events by id. `news` has the documents and names of changed ones, already read."""
        shelf = self._shelf(style, asked)
        known = {one.id: shelf.get((one.uid, one.seq)) for one in stored}
        ready = news.documents if news else {}
        fresh = {
            one.id: ready.get(one.id) or document_of(one)
            for one in _politely(stored)
            if known[one.id] is None
        }
        around = news.around if news else self._around(list(fresh.values()), list(known.values()))
        rows: dict[str, Rendered] = {}
        for one in _politely(stored):
            kept = known[one.id]
            if kept is None or not kept.is_current(around):
                document = fresh.get(one.id) or ready.get(one.id) or document_of(one)
                uid = f"{one.uid}@{self._uid_domain}"
                kept = rendering.render(document, uid=uid, around=around, style=style, asked=asked)
                shelf[one.uid, one.seq] = kept
                self._count += 1
            rows[one.id] = kept
        return rows

    def _around(self, fresh: Sequence[Document], known: Sequence[Rendered | None]) -> Around:
        used: set[tuple[NounName, str]] = set()
        used.update(*map(names_used, fresh), *(one.used for one in known if one))
        if not used:
            return {}
        return self._store.read(lambda c: entity_names.named(c, sorted(used), uid_domain=self._uid_domain))

    def _shelf(self, style: Style, asked: Asked) -> Shelf:
        if self._count > MOST_RENDERED:
            self._shelves.clear()
            self._count = 0
        return self._shelves.setdefault((style, asked.suffix, asked.options.profile), {})


def _politely(stored: Sequence[Stored]) -> Iterator[Stored]:
    """A few at a time, letting other threads go first: else each of their steps waits 5 ms for its turn."""
    for number, one in enumerate(stored, start=1):
        if number % AT_A_TIME == 0:
            sleep(0)
        yield one
