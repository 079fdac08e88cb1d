"""Bodies as the contract publishes them. They differ from the nouns in what may be left out: the id of a PUT
is in its path, a POST makes one, derived fields may come along unchanged, a patch may leave out anything.

Only `service.api.openapi` reads these; bodies are decoded as the nouns themselves.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import FieldInfo

from service.api.answers import Page
from service.api.echo import DERIVED
from service.catalogue.event import Event, Organization, Program, Series, Source
from service.catalogue.view import View
from service.store.nouns import NounKind

Fields = list[tuple[str, Any] | tuple[str, Any, Any]]
_ABOUT = " Derived fields are ignored if they are as the service sent them, else refused."


def _body(
    name: str, noun: type[msgspec.Struct], *, without: tuple[str, ...] = (), optional: bool = False
) -> type:
    """`noun` with its id (and, `optional`, everything) optional; a patch may set anything to null."""
    fields: Fields = []
    for field in msgspec.structs.fields(noun):
        if field.name in without:
            continue
        loose = optional or field.name in ("id", *DERIVED)
        if loose:
            kind = field.type | None if optional else field.type
            fields.append((field.name, kind | UnsetType, UNSET))
        else:
            fields.append(_as_is(field))
    return msgspec.defstruct(
        name, fields, namespace={"__doc__": _doc(noun)}, kw_only=True, forbid_unknown_fields=True
    )


def _as_is(field: FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.required:
        return (field.name, field.type)
    if field.default is not msgspec.NODEFAULT:
        return (field.name, field.type, field.default)
    return (field.name, field.type, msgspec.field(default_factory=field.default_factory))


def _doc(noun: type[msgspec.Struct]) -> str:
    return (noun.__doc__ or "") + _ABOUT


EventBody = _body("EventBody", View)
NewEvent = _body("NewEvent", Event, without=("id",))
EventPatch = _body("EventPatch", View, optional=True)


_KEPT: Fields = [
    ("revision", Annotated[int, Meta(ge=1)]),
    ("seq", Annotated[int, Meta(ge=1)]),
    ("created_at", datetime),
    ("updated_at", datetime),
]


def _view(name: str, noun: type[msgspec.Struct]) -> type:
    """What the service sends for a small noun."""
    return msgspec.defstruct(
        name, _KEPT, bases=(noun,), namespace={"__doc__": noun.__doc__}, kw_only=True, frozen=True
    )


VIEWS: Mapping[NounKind, Any] = {
    "series": _view("SeriesView", Series),
    "program": _view("ProgramView", Program),
    "organization": _view("OrganizationView", Organization),
    "source": _view("SourceView", Source),
}
BODIES: Mapping[NounKind, Any] = {
    "series": _body("SeriesBody", VIEWS["series"]),
    "program": _body("ProgramBody", VIEWS["program"]),
    "organization": _body("OrganizationBody", VIEWS["organization"]),
    "source": _body("SourceBody", VIEWS["source"]),
}


def page_of(view: Any) -> Any:
    """`Page[view]` of a type that is made here and so is nothing a type checker could name."""
    return Page[view]
