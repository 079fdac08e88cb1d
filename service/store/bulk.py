"""One statement for many rows, without SQLAlchemy looking at each: that costs more than SQLite's own work.

A statement is written once, over the columns of a list of rows. SQLite runs it row by row, PostgreSQL once
over arrays: a row at a time costs it a message each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Connection, CursorResult, Row, Table, Text, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": postgresql.psycopg.dialect()}  # type: ignore[no-untyped-call]
_POSITIONAL = sqlite.dialect(paramstyle="qmark")


class Bulk:
    """`build` makes the statement from the columns of the rows, which come in the order of `columns`."""

    def __init__(self, build: Callable[[Any], Any], **columns: TypeEngine[Any]) -> None:
        self._build, self._columns = build, columns

    def write(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for all; returns how many rows of the table it touched."""
        if not rows:
            return 0
        if c.dialect.name == "postgresql":
            return c.exec_driver_sql(*self._arrays(rows)).rowcount
        sql, fixed, pick = self._each
        return c.exec_driver_sql(sql, [pick((*row, *fixed)) for row in rows]).rowcount

    def returning(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> Sequence[Row[Any]]:
        """The same for a statement that answers; on SQLite for values that JSON knows."""
        if not rows:
            return ()
        if c.dialect.name == "postgresql":
            return c.exec_driver_sql(*self._arrays(rows)).all()
        sql, fixed = _compiled(self._table, "sqlite")
        return c.exec_driver_sql(sql, {**fixed, "rows": msgspec.json.encode(rows).decode()}).all()

    def _arrays(self, rows: Sequence[tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
        sql, fixed = _compiled(self._unnested, "postgresql")
        return sql, {**fixed, **dict(zip(self._columns, map(list, zip(*rows, strict=True)), strict=True))}

    @cached_property
    def _each(self) -> tuple[str, tuple[Any, ...], Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
        """The text, the values that are the same for all, and which goes to which place."""
        given = SimpleNamespace(**{name: bindparam(name, type_=kind) for name, kind in self._columns.items()})
        compiled = self._build(given).compile(dialect=_POSITIONAL)
        fixed = {name: value for name, value in compiled.params.items() if name not in self._columns}
        names = [*self._columns, *fixed]
        return str(compiled), tuple(fixed.values()), itemgetter(*map(names.index, compiled.positiontup))

    @cached_property
    def _table(self) -> Any:
        entries = func.json_each(bindparam("rows", type_=Text())).table_valued("value", name="entry")
        return self._build(
            SimpleNamespace(
                **{
                    name: func.json_extract(entries.c.value, f"$[{n}]", type_=kind)
                    for n, (name, kind) in enumerate(self._columns.items())
                }
            )
        )

    @cached_property
    def _unnested(self) -> Any:
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in self._columns.items()]
        shape = [column(name, kind) for name, kind in self._columns.items()]
        return self._build(func.unnest(*arrays).table_valued(*shape, name="entry").render_derived().c)


def inserting(table: Table, names: Iterable[str]) -> Callable[[Any], Any]:
    """For a `Bulk`: add the rows that are not there yet."""
    chosen = list(names)
    return lambda row: (
        sqlite.insert(table).values({name: getattr(row, name) for name in chosen}).on_conflict_do_nothing()
        if isinstance(row, SimpleNamespace)
        else postgresql.insert(table).from_select(chosen, select(*row)).on_conflict_do_nothing()
    )


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
