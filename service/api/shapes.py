"""Bodies as the contract publishes them. They differ from the nouns in what may be left out: the id of a PUT
is in its path, a POST makes one, derived fields may come along unchanged, a patch may leave out anything.

`service.api.openapi` reads these; bodies are decoded as the nouns themselves, patches of webhooks and saved
feeds after they were held to their shape, in which null takes away what stands within an object.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import FieldInfo

from service.api.event_edits import DerivedFields

Fields = list[tuple[str, Any] | tuple[str, Any, Any]]
_OPTIONAL = ("id", *DerivedFields.__struct_fields__)


def _body(name: str, noun: type[msgspec.Struct], *, without: tuple[str, ...] = ()) -> type:
    """Returns `noun` with its id and its derived fields optional, as they may come along."""
    fields = [field for field in msgspec.structs.fields(noun) if field.name not in without]
    shape: Fields = [
        (field.name, field.type | UnsetType, UNSET) if field.name in _OPTIONAL else _unchanged(field)
        for field in fields
    ]
    return _struct(name, shape, doc=_with_derived(noun))


def _unchanged(field: FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.required:
        return (field.name, field.type)
    if field.default is not msgspec.NODEFAULT:
        return (field.name, field.type, field.default)
    return (field.name, field.type, msgspec.field(default_factory=field.default_factory))


def _patch(name: str, noun: type[msgspec.Struct], *, doc: str, **objects: Any) -> Any:
    """Returns `noun` with every field optional and, but for the `objects` that merge, replaced or taken away."""
    kinds = {field.name: field.type | None for field in msgspec.structs.fields(noun)}
    renamed = {field.name: field.encode_name for field in msgspec.structs.fields(noun)}
    shape: Fields = [(field, kind | UnsetType, UNSET) for field, kind in (kinds | objects).items()]
    return _struct(name, shape, doc=doc, rename=renamed)


def _within(name: str, noun: type[msgspec.Struct]) -> Any:
    return _patch(name, noun, doc=f"Merged into what is there (RFC 7396): null takes away. {noun.__doc__}")


def _struct(name: str, shape: Fields, *, doc: str, **options: Any) -> Any:
    return msgspec.defstruct(
        name, shape, namespace={"__doc__": doc}, kw_only=True, forbid_unknown_fields=True, **options
    )


def _with_derived(noun: type[msgspec.Struct]) -> str:
    return f"{noun.__doc__} Derived fields are ignored if they are as the service sent them, else refused."
