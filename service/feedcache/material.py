"""What the store knows about one feed, read on one snapshot: all of it, or what changed since an edition."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from service.catalogue import filters
from service.catalogue.event import Text
from service.catalogue.filters import EventFilter
from service.catalogue.rules import FEED_NAMES
from service.errors import NotFound
from service.feedcache.asked import Asked, narrowed
from service.feedcache.edition import document_of
from service.feedcache.reach import limited
from service.store import events, feedstate, names, references, revisions, savedfeeds
from service.store.feedstate import FeedState
from service.store.records import Stored
from service.store.references import Noun

ALL_NOUNS: tuple[Noun, ...] = ("event", "series", "program", "organization", "source")
PAGE = 2000
# Beyond so many changes reading everything is as quick.
MOST_CHANGES = 500


class OutOfDate(Exception):
    """The saved feed asked for has changed or gone since its address was looked up."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """`stored` are the events to show; with `changes_only` those that changed, and `gone` went."""

    seq: int
    named: Text | None
    filters: EventFilter | None
    state: FeedState | None
    stored: tuple[Stored, ...]
    gone: frozenset[str] = frozenset()
    changes_only: bool = False


def read(c: Connection, asked: Asked, *, since: int | None, now: datetime) -> Material:
    """All of a feed, or what changed `since` a seq. NotFound for a name that names nothing."""
    check_version(c, asked)
    kind, named = _named(c, asked)
    seq, chosen = revisions.head(c), narrowed(asked, kind)
    ranged = limited(chosen, asked, now=now) if chosen else None
    touched = _touched(c, since) if since is not None else None
    if asked.single:
        found: tuple[Stored, ...] = (_public(events.get(c, asked.name)),)
        touched = None
    elif ranged is None:
        found = ()
    elif touched is not None:
        found = _matching(events.get_many(c, sorted(touched)).values(), ranged, now=now)
    else:
        found = _all(c, ranged, now=now)
    return Material(
        seq=seq,
        named=named,
        filters=ranged,
        state=feedstate.get(c, asked.path),
        stored=found,
        gone=frozenset(touched or ()) - {one.id for one in found},
        changes_only=touched is not None,
    )


def check_version(c: Connection, asked: Asked) -> None:
    """OutOfDate unless the selection asked for is the stored one: what is dated is what is kept."""
    if asked.saved is not None and savedfeeds.version(c, asked.saved.id) != asked.version:
        raise OutOfDate


def _named(c: Connection, asked: Asked) -> tuple[str | None, Text | None]:
    if asked.single:
        return None, events.get(c, asked.name).event.name
    if asked.name in FEED_NAMES:
        return None, None
    group = names.group(c, asked.name)
    if group is None:
        raise NotFound("feed", asked.name)
    return group


def _public(stored: Stored) -> Stored:
    if stored.event.visibility != "public":
        raise NotFound("event", stored.id)
    return stored


def _touched(c: Connection, since: int) -> set[str] | None:
    """The events whose entries may have changed, by themselves or by a name in them; None for too many."""
    if revisions.floor(c) > since:
        return None
    changes = revisions.since(c, since, MOST_CHANGES + 1, nouns=ALL_NOUNS)
    if len(changes) > MOST_CHANGES:
        return None
    touched = {change.id for change in changes if change.noun == "event"}
    for noun, identifier in {(change.noun, change.id) for change in changes}:
        touched.update(name for by, name in references.named_by(c, noun, identifier) if by == "event")
    return touched if len(touched) <= MOST_CHANGES else None


def _matching(stored: Iterable[Stored], ranged: EventFilter, *, now: datetime) -> tuple[Stored, ...]:
    return tuple(one for one in stored if _matches(one, ranged, now=now))


def _matches(stored: Stored, ranged: EventFilter, *, now: datetime) -> bool:
    document = document_of(stored)
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
