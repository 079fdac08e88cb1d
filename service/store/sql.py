"""SQL that several modules of the store write alike, and instants as it keeps them: whole ms since 1970."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import Executable

# Values of one IN (…): SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
AT_ONCE = 1000
_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": postgresql.psycopg.dialect()}  # type: ignore[no-untyped-call]


def among(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """Returns `column IN (…)` for the list bound to `name`; `rows_among` reads by it."""
    condition: ColumnElement[bool] = column.in_(bindparam(name, expanding=True))
    return condition


def rows_among(
    c: Connection, statement: Executable, ids: Iterable[Any], **parameters: Any
) -> Iterator[Row[Any]]:
    """Yields the rows of a statement that has `among` for these ids, also for none or very many."""
    values = list(ids)
    for first in range(0, len(values), AT_ONCE):
        yield from c.execute(statement, {"ids": values[first : first + AT_ONCE], **parameters}).all()


def many(c: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Runs a statement for each of these rows, if any; returns how many rows of the table it touched.

    Every row names every parameter. SQLAlchemy would work out each row anew, a tenth of what sending costs.
    """
    if not rows:
        return 0
    sql, fixed = _compiled(statement, c.dialect.name)
    return c.exec_driver_sql(sql, [{**fixed, **row} for row in rows]).rowcount


@lru_cache(maxsize=64)
def _compiled(statement: Any, dialect: str) -> tuple[str, dict[str, Any]]:
    """Returns the text, and the parameters that are the same for all rows."""
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    return str(compiled), dict(compiled.params)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# Before and after every instant an event may name (years 1 and 9999).
FIRST = -(10**15)
LAST = 10**15


def millis(instant: datetime) -> int:
    # Not timestamp() * 1000: a float loses the last digits far from 1970.
    return (instant - EPOCH) // MILLISECOND


def millis_or(instant: datetime | None, otherwise: int) -> int:
    return otherwise if instant is None else millis(instant)


def instant(value: int) -> datetime:
    return EPOCH + value * MILLISECOND
