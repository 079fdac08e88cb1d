"""Quick reads on SQLite, done where they are asked for instead of in a thread.

A page costs less than handing it over: two threads that run Python take turns at the interpreter, and every
row gives it away (docs/decisions/0012-quick-reads-on-the-loop.md). What turns out long is broken off after a
bounded number of SQLite's steps, for the caller to do in a thread.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

STRIDE = 5_000
# Most pages of 100,000 events take 1,000 to 15,000 steps; 50,000 are a few milliseconds for others to wait.
STRIDES = 10


class TooLong(Exception):
    """It was broken off, or met an error that the usual way will judge."""


def quick(c: Connection, work: Callable[[Connection], T]) -> T:
    """Do `work`, which only reads, within the bound; TooLong if that is not enough."""
    connection: Any = c.connection.driver_connection
    left = STRIDES

    def spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(spent, STRIDE)
    try:
        return work(c)
    except DBAPIError as error:
        raise TooLong from error
    finally:
        connection.set_progress_handler(None, 0)
