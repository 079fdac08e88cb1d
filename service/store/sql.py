"""SQL that several modules of the store write alike."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam


def among(column: Any, name: str = "ids") -> ColumnElement[bool]:
    """`column IN (…)` of the values bound to `name`: a list, which may not be empty on a hot path."""
    condition: ColumnElement[bool] = column.in_(bindparam(name, expanding=True))
    return condition
