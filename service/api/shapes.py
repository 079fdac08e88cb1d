"""Bodies as the contract publishes them. They differ from the nouns in what may be left out: the id of a PUT
is in its path, a POST makes one, derived fields may come along unchanged, a patch may leave out anything.

Only `service.api.openapi` reads these; bodies are decoded as the nouns themselves.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import FieldInfo

from service.api.echo import DERIVED
from service.catalogue.event import Event, Organization, Program, Series, Source
from service.catalogue.view import View

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
SeriesBody = _body("SeriesBody", Series)
ProgramBody = _body("ProgramBody", Program)
OrganizationBody = _body("OrganizationBody", Organization)
SourceBody = _body("SourceBody", Source)
