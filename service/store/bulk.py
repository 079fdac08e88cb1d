"""One statement for many rows, without SQLAlchemy looking at each: that costs more than SQLite's own work."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import Executable

_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": postgresql.psycopg.dialect()}  # type: ignore[no-untyped-call]


def many(c: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run it for every row; returns how many rows of the table it touched. Rows name every parameter."""
    if not rows:
        return 0
    sql, fixed = _compiled(statement, c.dialect.name)
    return c.exec_driver_sql(sql, [{**fixed, **row} for row in rows]).rowcount


@lru_cache(maxsize=256)
def _compiled(statement: Any, dialect: str) -> tuple[str, dict[str, Any]]:
    """The text, and the parameters that are the same for all."""
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    wanted = set(compiled.params)
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), {**dict.fromkeys(wanted), **given}
