"""Statements of our own, given to the driver as they are.

To compile a `text()` and work out its columns costs as much as to read the page it asks for.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

# An execution option of a reader: False where each statement may see what is committed when it starts, which
# saves the two statements around it.
SNAPSHOT = "snapshot"
Params = dict[str, int | str]


def answers(c: Connection, statement: str, params: Params) -> Sequence[Any]:
    """Its rows. Values stand as `:name` in the statement, on both engines."""
    own = statement if c.dialect.name == "sqlite" else _for_psycopg(statement)
    if not c.get_execution_options().get(SNAPSHOT, True):
        try:
            # Where there is no transaction to keep, SQLAlchemy has nothing to add but a fifth of the time.
            rows: Sequence[Any] = c.connection.cursor().execute(own, params).fetchall()
            return rows
        except c.dialect.loaded_dbapi.Error:
            pass  # it fails again below, where SQLAlchemy says what that means for the connection
    return c.exec_driver_sql(own, params).all()


@lru_cache(maxsize=1000)
def _for_psycopg(statement: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", statement)
