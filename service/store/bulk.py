"""One statement for many rows, run in one go, without SQLAlchemy looking at each row.

A statement is written once, over the columns of a list of rows, and takes all of them at once: on SQLite as a
table of VALUES, on PostgreSQL as one JSON text. Row by row sqlite3 gives the interpreter away with each, and
beside a busy thread waits for it each time; psycopg sends a message each.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    CursorResult,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": postgresql.psycopg.dialect()}  # type: ignore[no-untyped-call]
_POSITIONAL = sqlite.dialect(paramstyle="qmark")
# SQLite reads a statement anew for each number of rows: so there are few such numbers.
SIZES = (1, 2, 4, *range(8, 65, 8))
BATCH = "batch"


class Bulk:
    """`build` makes the statement from the columns of the rows, which come in the order of `columns`.

    It must not matter to it whether a row comes once or twice: see `_full`.
    """

    def __init__(self, build: Callable[[Any], Any], **columns: TypeEngine[Any]) -> None:
        self._build, self._columns = build, columns

    def write(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for all; returns how many rows of the table it touched."""
        if not rows:
            return 0
        if c.dialect.name == "postgresql":
            # Bytes become base64 here.
            return once(c, self._as_json, {"rows": msgspec.json.encode(rows).decode()}).rowcount
        return sum(self._write_values(c, some) for some in _full(rows))

    def _write_values(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        (head, tail), before, after = self._as_values
        places = f"({', '.join('?' * len(self._columns))})"
        sql = f"{head}FROM (VALUES {', '.join([places] * len(rows))}) AS {BATCH}{tail}"
        return c.exec_driver_sql(sql, (*before, *chain.from_iterable(rows), *after)).rowcount

    @cached_property
    def _as_values(self) -> tuple[list[str], tuple[Any, ...], tuple[Any, ...]]:
        """The text around the rows, and the values before and after them that are the same for all.

        Not as a CTE: how many rows a statement touched, sqlite3 says only if that begins with its verb.
        """
        names = {name: column(f"column{n}", kind) for n, (name, kind) in enumerate(self._columns.items(), 1)}
        rows = table(BATCH, *names.values())
        given = SimpleNamespace(**{name: rows.c[each.name] for name, each in names.items()})
        compiled = self._build(given).compile(dialect=_POSITIONAL)
        fixed = tuple(compiled.params[name] for name in compiled.positiontup)
        parts = str(compiled).split(f"FROM {BATCH}")
        count = parts[0].count("?")
        return parts, fixed[:count], fixed[count:]

    @cached_property
    def _as_json(self) -> Any:
        entries = func.jsonb_array_elements(cast(bindparam("rows", type_=Text()), JSONB))
        value = entries.table_valued("value", name="entry").c.value
        columns = {name: _from_jsonb(value, n, kind) for n, (name, kind) in enumerate(self._columns.items())}
        return self._build(SimpleNamespace(**columns))


def _full(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """In parts of one of the SIZES, the last row repeated until a part is full."""
    for start in range(0, len(rows), SIZES[-1]):
        part = rows[start : start + SIZES[-1]]
        lacking = SIZES[bisect_left(SIZES, len(part))] - len(part)
        yield [*part, *[part[-1]] * lacking]


def _from_jsonb(value: Any, n: int, kind: TypeEngine[Any]) -> Any:
    said = value.op("->>")(literal_column(str(n)))
    return func.decode(said, "base64") if isinstance(kind, LargeBinary) else cast(said, kind)


def inserting(
    into: Table, names: Sequence[str], *, where: Callable[[Any], Any] = lambda _: true()
) -> Callable[[Any], Any]:
    """For a `Bulk`: add the rows that are not there yet, of those that fit."""

    def build(row: Any) -> Any:
        # Without a WHERE, SQLite would take the ON of ON CONFLICT for that of a join.
        new = select(*(getattr(row, name) for name in names)).where(where(row))
        # Either dialect's INSERT is written like this.
        return postgresql.insert(into).from_select(names, new).on_conflict_do_nothing()

    return build


def many(c: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run it row by row; returns how many rows of the table it touched. Rows name every parameter."""
    if not rows:
        return 0
    sql, fixed = _compiled(statement, c.dialect.name)
    return c.exec_driver_sql(sql, [{**fixed, **row} for row in rows]).rowcount


def once(c: Connection, statement: Executable, parameters: Mapping[str, Any]) -> CursorResult[Any]:
    """Run it once. SQLAlchemy looks at it only the first time."""
    sql, fixed = _compiled(statement, c.dialect.name)
    return c.exec_driver_sql(sql, {**fixed, **parameters})


@lru_cache(maxsize=256)
def _compiled(statement: Any, dialect: str) -> tuple[str, dict[str, Any]]:
    """The text, and the parameters that are the same for all."""
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    wanted = set(compiled.params)
    given = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), {**dict.fromkeys(wanted), **given}
