"""Editions in memory in the order in which they were last read, with their gzip copies, within bounds."""

from collections import OrderedDict
from collections.abc import Iterator

from service.feedcache.edition import Edition

MOST_BYTES = 256 * 1024 * 1024
MOST_FEEDS = 2_000


class Kept:
    """Used from the event loop only."""

    def __init__(self) -> None:
        self._editions: OrderedDict[str, Edition] = OrderedDict()
        self._packed: dict[str, tuple[str, bytes]] = {}
        self._bytes = 0

    def get(self, path: str) -> Edition | None:
        return self._editions.get(path)

    def was_read(self, path: str) -> None:
        if path in self._editions:
            self._editions.move_to_end(path)

    def latest(self) -> Iterator[Edition]:
        """The one read last comes first."""
        return reversed(self._editions.values())

    def put(self, edition: Edition) -> None:
        """In the place of the one before, which says nothing about who reads it."""
        path = edition.asked.path
        before = self._editions.get(path)
        self._bytes += len(edition.body) - (len(before.body) if before else 0)
        self._editions[path] = edition
        while len(self._editions) > 1 and (self._bytes > MOST_BYTES or len(self._editions) > MOST_FEEDS):
            self.forget(next(iter(self._editions)))

    def forget(self, path: str) -> None:
        gone = self._editions.pop(path, None)
        self._packed.pop(path, None)
        self._bytes -= len(gone.body) if gone else 0

    def packed(self, edition: Edition) -> bytes | None:
        """Its gzip copy."""
        etag, ready = self._packed.get(edition.asked.path, ("", b""))
        return ready if etag == edition.etag else None

    def was_packed(self, path: str) -> bool:
        """Whether somebody has wanted gzip: an outdated copy says so as well."""
        return path in self._packed

    def pack(self, edition: Edition, ready: bytes) -> None:
        if edition.asked.path in self._editions:
            self._packed[edition.asked.path] = (edition.etag, ready)
