"""Makes editions: reads what changed, renders what is new, joins the rest, and dates the result.

Several feeds are made in one run, with one look at the log and one write of their dates. Everything here runs
in the one thread of `service.feedcache.cache`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import ParamSpec, TypeVar

import msgspec

from feeds.entry import Feed
from service.feedcache import edition, heads, layers, material
from service.feedcache.asked import Asked
from service.feedcache.edition import BUDGET, Edition, Layer
from service.feedcache.material import Material, Wanted
from service.feedcache.reach import Season, season
from service.feedcache.shelves import Shelves
from service.store import feedstate
from service.store.engine import Store
from service.store.feedstate import Content, FeedState

P = ParamSpec("P")
T = TypeVar("T")


class Overtaken(Exception):
    """Another process has published a later state meanwhile; its date must not stand on this one."""


class Order(msgspec.Struct, frozen=True):
    """A feed to be made; from a `previous` edition only what changed since is read and rendered."""

    asked: Asked
    previous: Edition | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some orders, by address, as of `seq`; `commits` are those that dating them took."""

    made: Mapping[str, Edition | Exception]
    seq: int
    commits: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An edition that has no date yet."""

    asked: Asked
    found: Material
    title: str
    feed: Feed
    season: Season
    full: Layer
    short: Layer | None
    over_budget: bool
    digest: str

    @property
    def shown(self) -> Layer:
        return self.short or self.full

    @property
    def is_noted(self) -> bool:
        """Whether the stored date is already that of this content."""
        return self.found.state is not None and self.found.state.digest == self.digest

    @property
    def content(self) -> Content:
        pieces = () if self.found.state else self.shown.ordered
        newest = max((piece.updated for piece in pieces), default=None)
        return Content(feed=self.asked.path, digest=self.digest, seq=self.found.seq, newest=newest)


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
        bases = [
            order.previous if order.previous and order.previous.season.has(now) else None for order in orders
        ]
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

    def finish(self, drafts: Drafts, *, now: datetime) -> Run:
        """Editions of the drafts, with dates that are stored before anybody sees them."""
        contents = [
            one.content for one in drafts.made.values() if isinstance(one, Draft) and not one.is_noted
        ]
        states = self._store.write(lambda c: feedstate.note(c, contents, now=now)) if contents else {}
        made = {
            path: _outcome(_dated, one, states) if isinstance(one, Draft) else one
            for path, one in drafts.made.items()
        }
        return Run(made=made, seq=drafts.seq, commits=1 if contents else 0)

    def _read(self, wanted: Sequence[Wanted], *, now: datetime) -> tuple[int, Sequence[Material | Exception]]:
        return self._store.read(lambda c: material.read(c, wanted, uid_domain=self._uid_domain, now=now))

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
        shown = short or full
        over = shown.size > BUDGET and asked.suffix == "ics" and not asked.single
        title = heads.title(asked, found.named)
        notice = heads.notice(asked.lang, shortened=short is not None, over_budget=over)
        feed = self._head(asked, title, notice)
        return Draft(
            asked=asked,
            found=found,
            title=title,
            feed=feed,
            season=season(asked.filters, now=now),
            full=full,
            short=short,
            over_budget=over,
            digest=edition.digest_of(feed, shown, asked),
        )

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
        style = edition.style_of(asked, base_url=self._base_url, detail=detail)
        rows = self._shelves.rendered(found.stored, style, asked, found.news)
        return layers.made(rows, found, base, asked=asked, now=now)

    def _head(self, asked: Asked, title: str, notice: str | None) -> Feed:
        key = f"-{_hash(asked.query)[:8]}" if asked.query else ""
        return heads.head(
            asked, title=title, notice=notice, base_url=self._base_url, uid_domain=self._uid_domain, key=key
        )


def _dated(draft: Draft, noted: Mapping[str, FeedState]) -> Edition:
    state = noted.get(draft.asked.path) or draft.found.state
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
        body=edition.assemble(feed, draft.shown, draft.asked),
        etag=_tag(draft.digest, state.modified),
        modified=state.modified,
    )


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
        and heads.title(base.asked, found.named) == base.title
        and found.state is not None
        and _tag(found.state.digest, found.state.modified) == base.etag
    )


def _may_shorten(asked: Asked) -> bool:
    """Who asks for a detail gets it, whatever the size; news readers have no such limit."""
    return asked.options.detail is None and asked.suffix == "ics" and not asked.single


def _tag(digest: str, modified: int) -> str:
    return _hash(f"{digest} {modified}")


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
