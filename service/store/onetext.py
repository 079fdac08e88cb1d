"""The rows of an answer as one JSON text: a thousand rows ask for the interpreter once, not as often."""

from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class array(FunctionElement[Any]):
    """Values of a row, which may be arrays themselves. Not bytes: JSON does not know them."""

    inherit_cache = True


class arrays(FunctionElement[Any]):
    """One array a row, in any order."""

    inherit_cache = True


def rows(*values: Any) -> ColumnElement[str]:
    """An array of arrays, one for each row; `[]` where there is none."""
    return func.coalesce(cast(arrays(array(*values)), Text), "[]")


_NAMES = {
    array: {"sqlite": "json_array", "postgresql": "json_build_array"},
    arrays: {"sqlite": "json_group_array", "postgresql": "json_agg"},
}


@compiles(array)
@compiles(arrays)
def _written(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    name = _NAMES[type(element)][compiler.dialect.name]
    return f"{name}({compiler.process(element.clauses, **options)})"
