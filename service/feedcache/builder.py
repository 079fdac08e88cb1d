"""Builds copies of feeds: reads and renders what changed since the previous copy, and joins and dates all."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import cast

import msgspec
from sqlalchemy import Connection

from service.clock import Clock
from service.feedcache import rendering, selection
from service.feedcache.rendering import BUDGET, FragmentCache, RenderedEntry, in_order
from service.feedcache.request import FeedRequest
from service.feedcache.selection import Selection, Validity, today_begins
from service.store import feed_state, locks
from service.store.engine import Store
from service.store.feed_state import Content, FeedState

# Some 30 ms of rendering.
EVENTS_A_STEP = 50


class FeedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A feed as of `seq` of the revision log: `body` with its strong `etag` and its date, ready to send.

    `modified` is in seconds since 1970. `full` are all entries of the selection in their order; `short` are
    the same without descriptions, where those are left out. `entries` are the ones it shows: `without_past`
    says that some that are past are not among them, `over_budget` that they are more than Google reads.
    """

    request: FeedRequest
    title: str
    seq: int
    validity: Validity
    full: Sequence[RenderedEntry]
    short: Sequence[RenderedEntry] | None
    entries: Sequence[RenderedEntry]
    over_budget: bool
    body: bytes
    etag: str
    modified: int

    @property
    def without_past(self) -> bool:
        return len(self.entries) < len(self.full)

    def answers(self, request: FeedRequest) -> bool:
        """Whether it shows the selection asked for, be it an older state of it."""
        return self.request.version == request.version


Steps = Generator[None, None, FeedCopy]


class FeedBuilder:
    """Builds feeds, in turns, and keeps what it has rendered. Not thread-safe: one thread uses it."""

    def __init__(self, store: Store, *, clock: Clock, base_url: str, uid_domain: str) -> None:
        self._store, self._clock = store, clock
        self._base_url, self._uid_domain = base_url, uid_domain
        self._fragments = FragmentCache()

    def build(self, request: FeedRequest, previous: FeedCopy | None) -> FeedCopy:
        """Returns what `steps` comes to, without a pause."""
        steps = self.steps(request, previous)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return cast(FeedCopy, done.value)

    def steps(self, request: FeedRequest, previous: FeedCopy | None) -> Steps:
        """Builds the feed as it is now; of a `previous` copy only what was touched since is read anew.

        Pauses every now and then, so that another feed may have its turn. Raises NotFound for a feed that
        cannot be, OutOfDate for a saved one that is another by now.
        """
        now = self._clock.now()
        if previous and not (previous.answers(request) and previous.validity.covers(now)):
            previous = None
        since = previous.seq if previous else None
        selected = self._store.read(
            lambda c: selection.read(c, request, since=since, uid_domain=self._uid_domain, now=now)
        )
        base = previous if selected.touched is not None else None
        full = yield from self._entries(request, selected, base.full if base else (), now=now)
        shown, short = self._fitting(request, full, now=now), None
        if rendering.size(shown) > BUDGET and _may_be_shortened(request):
            if base and base.short is None:
                # It has just outgrown the budget, so all of it is rendered without descriptions.
                return (yield from self.steps(request, None))
            kept = base.short if base and base.short else ()
            short = yield from self._entries(request, selected, kept, now=now, shortened=True)
            shown = self._fitting(request, short, now=now)
        copy = self._joined(request, selected, previous, full, short, shown, now=now)
        # Another process may have dated a later state meanwhile; its date must not stand on this one.
        return copy or (yield from self.steps(request, previous))

    def _entries(
        self,
        request: FeedRequest,
        selected: Selection,
        kept: Sequence[RenderedEntry],
        *,
        now: datetime,
        shortened: bool = False,
    ) -> Generator[None, None, list[RenderedEntry]]:
        """Returns the entries in order: those kept of events that were not touched, and the new ones."""
        style = rendering.style_of(request, base_url=self._base_url, shortened=shortened)
        today, touched = today_begins(now), selected.touched or ()
        entries = [entry for entry in kept if entry.event_id not in touched]
        rendered = self._fragments.render(selected.events, selected.names, request, style)
        for number, event in enumerate(rendered, start=1):
            if number % EVENTS_A_STEP == 0:
                yield
            if request.single or event.leaves_at is None or event.leaves_at > today:
                entries += [entry for entry in event.entries if selected.shows(entry.extent)]
        return in_order(entries)

    def _fitting(
        self, request: FeedRequest, entries: Sequence[RenderedEntry], *, now: datetime
    ) -> Sequence[RenderedEntry]:
        if not _may_shrink(request):
            return entries
        return rendering.without_past(entries, before=today_begins(now))

    def _joined(
        self,
        request: FeedRequest,
        selected: Selection,
        previous: FeedCopy | None,
        full: Sequence[RenderedEntry],
        short: Sequence[RenderedEntry] | None,
        entries: Sequence[RenderedEntry],
        *,
        now: datetime,
    ) -> FeedCopy | None:
        """Returns the copy with its date; None if the stored date is that of a later state."""
        shown = entries
        if notice := rendering.moved_notice(request, uid_domain=self._uid_domain):
            shown = in_order([*shown, notice])
        over_budget = rendering.size(shown) > BUDGET and request.suffix == "ics" and not request.single
        title = rendering.title(request, selected.name)
        head = rendering.head(
            request,
            title,
            shortened=short is not None,
            without_past=len(entries) < len(full),
            over_budget=over_budget,
            base_url=self._base_url,
            uid_domain=self._uid_domain,
        )
        digest = rendering.digest(head, shown, request.suffix)
        state = self._state(request, selected, digest, shown)
        if state.digest != digest:
            return None
        etag = rendering.etag(digest, state.modified)
        same = previous is not None and previous.etag == etag
        return FeedCopy(
            request=request,
            title=title,
            seq=selected.seq,
            validity=selection.validity(request.filters, now=now),
            full=full,
            short=short,
            entries=entries,
            over_budget=over_budget,
            body=previous.body
            if previous and same
            else rendering.assemble(head, shown, request.suffix, modified=state.modified),
            etag=etag,
            modified=state.modified,
        )

    def _state(
        self, request: FeedRequest, selected: Selection, digest: str, shown: Sequence[RenderedEntry]
    ) -> FeedState:
        """Returns the stored date of this content, and stores one first if the content is new."""
        if selected.state is not None and selected.state.digest == digest:
            return selected.state
        content = Content(
            feed=request.path,
            digest=digest,
            seq=selected.seq,
            newest=max((entry.updated for entry in shown), default=None),
            instead_of=request.path_before_move,
        )
        # Read again: earlier copies have gone out while this one was rendered, with that time on them.
        now = self._clock.now()

        def work(c: Connection) -> FeedState:
            # In the writers' turn, so that no later selection can have been dated before this one.
            locks.catalogue(c)
            selection.refuse_out_of_date(c, request, now=now)
            return feed_state.note(c, content, now=now)

        return self._store.write(work)


def _may_shrink(request: FeedRequest) -> bool:
    """Whether what is past may go: not if every detail was asked for, nor for news readers."""
    return request.options.detail != "full" and request.suffix == "ics" and not request.single


def _may_be_shortened(request: FeedRequest) -> bool:
    """Whether descriptions may go besides, if they are there."""
    return request.options.detail is None and _may_shrink(request)
