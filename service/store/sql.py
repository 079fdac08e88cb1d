"""SQL that several modules of the store write alike."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import Executable

_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": postgresql.psycopg.dialect()}  # type: ignore[no-untyped-call]


def among(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """`column IN (…)` of the values bound to `name`: a list, which may not be empty on a hot path."""
    condition: ColumnElement[bool] = column.in_(bindparam(name, expanding=True))
    return condition


def many(c: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Runs a statement for each of these rows; returns how many rows of the table it touched.

    Every row names every parameter. SQLAlchemy would work out each row anew, a tenth of what sending costs.
    """
    if not rows:
        return 0
    sql, fixed = _compiled(statement, c.dialect.name)
    return c.exec_driver_sql(sql, [{**fixed, **row} for row in rows]).rowcount


@lru_cache(maxsize=64)
def _compiled(statement: Any, dialect: str) -> tuple[str, dict[str, Any]]:
    """The text, and the parameters that are the same for all rows."""
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    return str(compiled), dict(compiled.params)
