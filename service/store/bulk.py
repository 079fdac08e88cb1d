"""One statement for many rows, without SQLAlchemy looking at each: that costs more than SQLite's own work.

A statement is written once, over the columns of a list of rows. SQLite runs it row by row; PostgreSQL, which
that costs a message each, runs it once over all of them as JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    CursorResult,
    LargeBinary,
    Row,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
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
            return self._together(c, rows).rowcount
        sql, fixed, pick = self._each
        return c.exec_driver_sql(sql, [pick((*row, *fixed)) for row in rows]).rowcount

    def returning(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> Sequence[Row[Any]]:
        """The same for a statement that answers; on SQLite not for bytes, which its JSON does not know."""
        return self._together(c, rows).all() if rows else ()

    def _together(self, c: Connection, rows: Sequence[tuple[Any, ...]]) -> CursorResult[Any]:
        # Bytes become base64 here.
        return once(c, self._table[c.dialect.name], {"rows": msgspec.json.encode(rows).decode()})

    @cached_property
    def _each(self) -> tuple[str, tuple[Any, ...], Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
        """The text, the values that are the same for all, and which goes to which place."""
        given = SimpleNamespace(**{name: bindparam(name, type_=kind) for name, kind in self._columns.items()})
        compiled = self._build(given).compile(dialect=_POSITIONAL)
        fixed = {name: value for name, value in compiled.params.items() if name not in self._columns}
        names = [*self._columns, *fixed]
        return str(compiled), tuple(fixed.values()), itemgetter(*map(names.index, compiled.positiontup))

    @cached_property
    def _table(self) -> dict[str, Any]:
        """The statement over the rows as one JSON text, for either engine."""
        return {dialect: self._build(SimpleNamespace(**self._unpacked(dialect))) for dialect in _DIALECTS}

    def _unpacked(self, dialect: str) -> dict[str, Any]:
        text = bindparam("rows", type_=Text())
        take = (
            func.jsonb_array_elements(cast(text, JSONB)) if dialect == "postgresql" else func.json_each(text)
        )
        value = take.table_valued("value", name="entry").c.value
        unpack = _from_jsonb if dialect == "postgresql" else _from_json
        return {name: unpack(value, n, kind) for n, (name, kind) in enumerate(self._columns.items())}


def _from_json(value: Any, n: int, kind: TypeEngine[Any]) -> Any:
    return func.json_extract(value, literal_column(f"'$[{n}]'"), type_=kind)


def _from_jsonb(value: Any, n: int, kind: TypeEngine[Any]) -> Any:
    said = value.op("->>")(literal_column(str(n)))
    return func.decode(said, "base64") if isinstance(kind, LargeBinary) else cast(said, kind)


def inserting(
    table: Table, names: Sequence[str], *, where: Callable[[Any], Any] | None = None
) -> Callable[[Any], Any]:
    """For a `Bulk`: add the rows that are not there yet, of those that fit."""

    def build(row: Any) -> Any:
        values = [getattr(row, name) for name in names]
        bound = all(isinstance(value, BindParameter) for value in values)
        insert = sqlite.insert if bound else postgresql.insert
        new = select(*values) if where is None else select(*values).where(where(row))
        return insert(table).from_select(names, new).on_conflict_do_nothing()

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
