"""Where the log stands, on SQLite in some microseconds: every feed asks for it all day long.

One connection is kept for this one statement, past SQLAlchemy, whose part of so small a read is nearly all.
"""

import sqlite3
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

HEAD = "SELECT value FROM counter WHERE name = 'revision'"


class Watch:
    """Used from one thread, that of the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: PoolProxiedConnection | None = None

    def head(self) -> int | None:
        """The newest `seq`; None if that has to be asked in the usual way, which will say what is wrong."""
        try:
            self._held = self._held or self._engine.raw_connection()
            # All rows, as a statement that is not run to its end would hold the log's old pages.
            cursor = self._held.cursor()
            cursor.execute(HEAD)
            [(value,)] = cursor.fetchall()
        except (sqlite3.Error, DBAPIError):
            self.close()
            return None
        return int(value)

    def close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(sqlite3.Error, DBAPIError):
                held.close()
