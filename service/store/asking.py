"""Statements of our own, given to the driver as they are.

To compile a `text()` and work out its columns costs as much as to read the page it asks for.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

Params = dict[str, int | str]


def answers(c: Connection, statement: str, params: Params) -> Sequence[Any]:
    """Its rows. Values stand as `:name` in the statement, on both engines."""
    own = statement if c.dialect.name == "sqlite" else _for_psycopg(statement)
    return c.exec_driver_sql(own, params).all()


@lru_cache(maxsize=1000)
def _for_psycopg(statement: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", statement)
