"""Editions that have no date yet, and how they get one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from feeds.entry import Feed
from service.feedcache import edition, material
from service.feedcache.asked import Asked
from service.feedcache.edition import Edition, Layer
from service.feedcache.material import Material, OutOfDate
from service.feedcache.reach import Season
from service.store import feed_state, locks
from service.store.feed_state import Content, FeedState


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
    out = material.out_of_date(c, [draft.asked for draft in drafts], now=now)
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
        body=edition.assemble(feed, draft.shown, draft.asked),
        etag=tag(draft.digest, state.modified),
        modified=state.modified,
    )


def tag(digest: str, modified: int) -> str:
    """The ETag, without its quotes: the content and its date."""
    return edition.hash_of(f"{digest} {modified}")
