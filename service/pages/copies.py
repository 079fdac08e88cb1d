"""Pages kept in memory: one that was made is good until the catalogue changes or the minute turns.

A first page takes some 30 ms to make, and everybody who looks at it in a minute may have the same bytes.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

import msgspec
from sqlalchemy import Connection

from service.catalogue.windows import TICK
from service.store import revisions

MOST = 500
MINUTE = timedelta(minutes=1)


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """`body` as of `seq` in the log, and in the stretch of time in which no phase turns."""

    body: bytes
    seq: int
    since: datetime


class Copies:
    """The pages asked for last, by address. Store threads share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Copy] = OrderedDict()
        self._lock = Lock()

    def get(self, c: Connection, path: str, make: Callable[[Connection], bytes], *, now: datetime) -> bytes:
        """The page at this address on the snapshot of `c`, made anew only if it may differ."""
        seq, since = revisions.head(c), turned(now)
        with self._lock:
            copy = self._kept.get(path)
        if copy is None or (copy.seq, copy.since) != (seq, since):
            copy = Copy(body=make(c), seq=seq, since=since)
            self._keep(path, copy)
        return copy.body

    def _keep(self, path: str, copy: Copy) -> None:
        with self._lock:
            self._kept[path] = copy
            self._kept.move_to_end(path)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)


def turned(now: datetime) -> datetime:
    """When a phase may have turned last: at a minute, or just after it, as a deadline "by 18:00" still holds
    at 18:00."""
    minute = now.replace(second=0, microsecond=0)
    return minute if now < minute + TICK else minute + TICK
