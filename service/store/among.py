"""`id IN (…)` for hundreds of ids at once: one parameter instead of hundreds, which costs a tenth."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Connection, Text, any_, bindparam, select
from sqlalchemy import func as functions

Condition = ColumnElement[bool]


def prepared(column: Any, build: Callable[[Condition], Any]) -> dict[str, Any]:
    """The statement for either engine, with `column` among the parameter `ids`."""
    entries = functions.json_each(bindparam("ids", type_=Text())).table_valued("value")
    return {
        "sqlite": build(column.in_(select(entries.c.value))),
        "postgresql": build(column == any_(bindparam("ids", type_=ARRAY(Text())))),
    }


def ids(c: Connection, values: Sequence[str]) -> Any:
    """The parameter as the engine takes it."""
    return list(values) if c.dialect.name == "postgresql" else msgspec.json.encode(values).decode()
