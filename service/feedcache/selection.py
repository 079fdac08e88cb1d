"""What the store knows about some feeds, read on one snapshot: all of each, or what changed since an edition.

Feeds that are made together share what they need to know: the log is read once for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from service.catalogue import filters
from service.catalogue.entries import Around, NounName, names_used
from service.catalogue.event import Text
from service.catalogue.filters import EventFilter
from service.catalogue.validation import FEED_NAMES
from service.catalogue.view import Document
from service.errors import NotFound
from service.feedcache.rendering import document_of
from service.feedcache.request import Asked, limited, narrowed
from service.store import entity_names, events, feed_state, saved_feeds
from service.store.entity_names import Group
from service.store.feed_state import FeedState
from service.store.stored_event import Stored

PAGE = 2000


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What was touched since some edition: those of it that still exist, read once, and the names in them."""

    touched: frozenset[str]
    stored: Mapping[str, Stored]
    documents: Mapping[str, Document]
    around: Around


class OutOfDate(Exception):
    """The saved feed asked for has changed or gone since its address was looked up in this `version`."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is out of date")
        self.version = version


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """`stored` are the events to show; with `news` those of them that changed, and `gone` went."""

    seq: int
    named: Text | None
    filters: EventFilter | None
    state: FeedState | None
    stored: tuple[Stored, ...]
    gone: frozenset[str] = frozenset()
    news: News | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A feed to be read: all of it, or what changed `since` a seq."""

    asked: Asked
    since: int | None


def read(
    c: Connection, wanted: Sequence[Wanted], *, uid_domain: str, now: datetime
) -> tuple[int, Sequence[Material | Exception]]:
    """Where the log stands, and what was found for each; a feed that cannot be does not fail the others."""
    snapshot = _Snapshot(c, wanted, uid_domain=uid_domain, now=now)
    return snapshot.seq, [snapshot.read(one) for one in wanted]


def out_of_date(c: Connection, asked: Iterable[Asked], *, now: datetime) -> dict[str, OutOfDate]:
    """Those that are not what is stored, by their paths: what is dated is what is kept."""
    saved = {one.path: (one, one.saved.id) for one in asked if one.saved is not None}
    versions = saved_feeds.versions(c, {feed for _, feed in saved.values()}) if saved else {}
    return {
        path: OutOfDate(one.version)
        for path, (one, feed) in saved.items()
        if versions.get(feed) != one.version or one.is_over(now)
    }


class _Snapshot:
    """What the feeds of one reading have in common."""

    def __init__(self, c: Connection, wanted: Sequence[Wanted], *, uid_domain: str, now: datetime) -> None:
        self._c, self._uid_domain, self._now = c, uid_domain, now
        self._ends = feed_state.ends(c)
        self._out = out_of_date(c, [one.asked for one in wanted], now=now)
        self._states = feed_state.get_many(c, [one.asked.path for one in wanted])
        groups = {one.asked.name for one in wanted if not one.asked.single} - set(FEED_NAMES)
        self._groups = entity_names.called(c, sorted(groups)) if groups else {}
        self._news = {
            since: self._since(since) for since in {one.since for one in wanted} if since is not None
        }

    @property
    def seq(self) -> int:
        return self._ends[0]

    def read(self, wanted: Wanted) -> Material | Exception:
        if (out := self._out.get(wanted.asked.path)) is not None:
            return out
        try:
            return self._one(wanted.asked) if wanted.asked.single else self._many(wanted)
        except NotFound as missing:
            return missing

    def _since(self, since: int) -> News | None:
        touched = feed_state.touched(self._c, since, ends=self._ends)
        if touched is None:
            return None
        stored = events.get_many(self._c, sorted(touched))
        documents = {name: document_of(one) for name, one in stored.items()}
        used: set[tuple[NounName, str]] = set()
        used.update(*map(names_used, documents.values()))
        around = entity_names.named(self._c, sorted(used), uid_domain=self._uid_domain)
        return News(touched=touched, stored=stored, documents=documents, around=around)

    def _many(self, wanted: Wanted) -> Material:
        asked = wanted.asked
        kind, named = self._named(asked)
        chosen = narrowed(asked, kind)
        ranged = limited(chosen, asked, now=self._now) if chosen else None
        told = self._news[wanted.since] if wanted.since is not None else None
        if ranged is None:
            found: tuple[Stored, ...] = ()
        elif told is not None:
            found = _matching(told, ranged, now=self._now)
        else:
            found = _all(self._c, ranged, now=self._now)
        return Material(
            seq=self.seq,
            named=named,
            filters=ranged,
            state=self._states.get(asked.path),
            stored=found,
            gone=told.touched - {one.id for one in found} if told else frozenset(),
            news=told,
        )

    def _one(self, asked: Asked) -> Material:
        """A single event is read whole: that is no more than a look at what changed."""
        stored = events.get(self._c, asked.name)
        if stored.event.visibility != "public":
            raise NotFound("event", stored.id)
        state = self._states.get(asked.path)
        return Material(
            seq=self.seq, named=stored.event.name, filters=asked.filters, state=state, stored=(stored,)
        )

    def _named(self, asked: Asked) -> tuple[Group | None, Text | None]:
        if asked.name in FEED_NAMES:
            return None, None
        if asked.name not in self._groups:
            raise NotFound("feed", asked.name)
        return self._groups[asked.name]


def _matching(told: News, ranged: EventFilter, *, now: datetime) -> tuple[Stored, ...]:
    return tuple(
        one for name, one in told.stored.items() if _matches(one, told.documents[name], ranged, now=now)
    )


def _matches(stored: Stored, document: Document, ranged: EventFilter, *, now: datetime) -> bool:
    return filters.matches(
        document,
        ranged,
        steps=stored.steps,
        disputed=document.disputed,
        updated_at=document.updated_at,
        now=now,
    )


def _all(c: Connection, ranged: EventFilter, *, now: datetime) -> tuple[Stored, ...]:
    found: list[Stored] = []
    page = events.listed(c, ranged, now=now, limit=PAGE)
    found += page.items
    while page.next is not None:
        page = events.listed(c, ranged, now=now, limit=PAGE, after=page.next)
        found += page.items
    return tuple(found)
