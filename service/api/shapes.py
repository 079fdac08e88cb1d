"""Bodies as the contract publishes them. They differ from the nouns in what may be left out: the id of a PUT
is in its path, a POST makes one, derived fields may come along unchanged, a patch may leave out anything.

`service.api.openapi` reads these; bodies are decoded as the nouns themselves, patches of webhooks and saved
feeds after they were held to their shape, in which null takes away what stands within an object.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import FieldInfo

from service.api.event_edits import DERIVED
from service.api.responses import Page
from service.catalogue.event import Event, Line, Organization, Program, Series, Source, Text
from service.catalogue.filters import FilterBody
from service.catalogue.saved_feed import FeedOptions, PatchSavedFeed
from service.catalogue.view import View
from service.reminders.webhook import PatchWebhook
from service.store.entities import NounKind

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


def _within(name: str, noun: type[msgspec.Struct]) -> Any:
    """A patch of an object within a body: any field may be left out, and null takes it away."""
    fields: Fields = [
        (each.name, each.type | None | UnsetType, UNSET) for each in msgspec.structs.fields(noun)
    ]
    renamed = {each.name: each.encode_name for each in msgspec.structs.fields(noun)}
    about = {"__doc__": f"Merged into what is there (RFC 7396): null takes away. {noun.__doc__}"}
    return msgspec.defstruct(
        name, fields, namespace=about, rename=renamed, kw_only=True, forbid_unknown_fields=True
    )


def _merging(title: str, patch: type[msgspec.Struct], /, **objects: Any) -> type:
    """`patch` with these fields as `objects` that merge."""
    fields: Fields = [
        (each.name, objects.get(each.name, each.type) | UnsetType, UNSET)
        for each in msgspec.structs.fields(patch)
    ]
    about = {"__doc__": patch.__doc__}
    return msgspec.defstruct(title, fields, namespace=about, kw_only=True, forbid_unknown_fields=True)


FilterPatch = _within("FilterPatch", FilterBody)
WebhookPatch = _merging("WebhookPatch", PatchWebhook, filter=FilterPatch | None)
SavedFeedPatch = _merging(
    "SavedFeedPatch",
    PatchSavedFeed,
    name=_within("TextPatch", Text) | Line,
    filter=FilterPatch | None,
    options=_within("OptionsPatch", FeedOptions) | None,
)
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
