"""Makes editions: reads what changed, renders what is new, joins the rest, and dates the result.

Several feeds are made in one run, with one look at the log and one write of their dates. Everything here runs
in the one thread of `service.feedcache.cache`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar

import msgspec

from feeds.entry import Feed
from feeds.formats import FORMATS
from service.feedcache import drafts, edition, heads, layers, material, moved
from service.feedcache.asked import Asked
from service.feedcache.drafts import Draft, tag
from service.feedcache.edition import BUDGET, Edition, Layer
from service.feedcache.material import Material, Wanted
from service.feedcache.reach import season
from service.feedcache.shelves import Shelves
from service.store.engine import Store

P = ParamSpec("P")
T = TypeVar("T")


class Order(msgspec.Struct, frozen=True):
    """A feed to be made; from a `previous` edition only what changed since is read and rendered."""

    asked: Asked
    previous: Edition | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of some orders, by address, as of `seq`; `commits` are those that dating them took."""

    made: Mapping[str, Edition | Exception]
    seq: int
    commits: int


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
        noted = self._store.write(lambda c: drafts.note(c, undated, now=now)) if undated else {}
        made = {
            path: _outcome(drafts.dated, one, noted.get(path)) if isinstance(one, Draft) else one
            for path, one in batch.made.items()
        }
        return Run(made=made, seq=batch.seq, commits=1 if undated else 0)

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
        shown = self._told(short or full, asked)
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
            shown=shown,
            over_budget=over,
            digest=edition.digest_of(feed, shown, asked),
        )

    def _told(self, layer: Layer, asked: Asked) -> Layer:
        """The layer with what the readers of this address must know."""
        if asked.saved is None:
            return layer
        entry = moved.notice(asked.saved, asked.lang, uid_domain=self._uid_domain)
        fragment = FORMATS[asked.suffix].render(entry, profile=asked.options.profile) if entry else None
        return layers.with_piece(layer, edition.piece_of(entry, fragment)) if entry and fragment else layer

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
        key = f"-{edition.hash_of(asked.query)[:8]}" if asked.query else ""
        return heads.head(
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
        and heads.title(base.asked, found.named) == base.title
        and found.state is not None
        and tag(found.state.digest, found.state.modified) == base.etag
    )


def _may_shorten(asked: Asked) -> bool:
    """Who asks for a detail gets it, whatever the size; news readers have no such limit."""
    return asked.options.detail is None and asked.suffix == "ics" and not asked.single
