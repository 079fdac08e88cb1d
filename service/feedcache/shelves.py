"""Rendered events, kept across feeds: one that stands in ten feeds of a style is rendered once a revision."""

from collections.abc import Iterator, Sequence
from time import sleep

from service.catalogue.entries import Around, NounName, Style, names_used
from service.catalogue.view import Document
from service.feedcache import edition
from service.feedcache.asked import Asked
from service.feedcache.edition import Rendered, document_of
from service.feedcache.material import News
from service.store import entity_names
from service.store.engine import Store
from service.store.stored_event import Stored

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
                kept = edition.render(document, uid=uid, around=around, style=style, asked=asked)
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
