"""Bodies as the contract publishes them. They differ from the nouns in what may be left out: the id of a PUT
is in its path, a POST makes one, derived fields may come along unchanged, a patch may leave out anything.

`service.api.openapi` reads these; bodies are decoded as the nouns themselves, patches of webhooks and saved
feeds after they were held to their shape, in which null takes away what stands within an object.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import FieldInfo

from service.api.event_edits import DerivedFields, StoredFields
from service.api.responses import Page
from service.catalogue.event import Event, Line, Organization, Program, Series, Source, Text
from service.catalogue.filters import FilterBody
from service.catalogue.saved_feed import FeedOptions, PatchSavedFeed
from service.catalogue.view import View
from service.reminders.webhook import PatchWebhook
from service.store.entities import NounKind

Fields = list[tuple[str, Any] | tuple[str, Any, Any]]
_OPTIONAL = ("id", *DerivedFields.__struct_fields__)
_DERIVED = "Derived fields are ignored if they are as the service sent them, else refused."


def page_of(view: Any) -> Any:
    """Returns `Page[view]` of a type made here, which a type checker cannot name."""
    return Page[view]


def _body(name: str, noun: type[msgspec.Struct], *, without: tuple[str, ...] = ()) -> Any:
    """Returns `noun` with its id and its derived fields optional, as they may come along."""
    fields = [field for field in msgspec.structs.fields(noun) if field.name not in without]
    shape: Fields = [
        (field.name, field.type | UnsetType, UNSET) if field.name in _OPTIONAL else _unchanged(field)
        for field in fields
    ]
    return _struct(name, shape, doc=f"{noun.__doc__} {_DERIVED}")


def _patch(title: str, noun: type[msgspec.Struct], /, *, doc: str, **objects: Any) -> Any:
    """Returns `noun` with every field optional; the `objects` merge, any other field is replaced."""
    fields = msgspec.structs.fields(noun)
    shape: Fields = [(field.name, objects.get(field.name, field.type) | UnsetType, UNSET) for field in fields]
    return _struct(title, shape, doc=doc, rename={field.name: field.encode_name for field in fields})


def _removable(name: str, noun: type[msgspec.Struct], *, doc: str) -> Any:
    """Returns a patch of `noun` in which null takes any field away (RFC 7396)."""
    kinds = {field.name: field.type | None for field in msgspec.structs.fields(noun)}
    return _patch(name, noun, doc=doc, **kinds)


def _within(name: str, noun: type[msgspec.Struct]) -> Any:
    return _removable(
        name, noun, doc=f"Merged into what is there (RFC 7396): null takes away. {noun.__doc__}"
    )


def _view(name: str, noun: type[msgspec.Struct]) -> Any:
    """Returns what the service sends for a series, program, organization or source."""
    stored: Fields = [(name, _set_type(kind)) for name, kind in StoredFields.__annotations__.items()]
    about = {"__doc__": noun.__doc__}
    return msgspec.defstruct(name, stored, bases=(noun,), namespace=about, kw_only=True, frozen=True)


def _set_type(kind: Any) -> Any:
    """Returns the type of an optional field where it is always set."""
    return next(member for member in kind.__args__ if member is not UnsetType)


def _unchanged(field: FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.required:
        return (field.name, field.type)
    if field.default is not msgspec.NODEFAULT:
        return (field.name, field.type, field.default)
    return (field.name, field.type, msgspec.field(default_factory=field.default_factory))


def _struct(name: str, shape: Fields, *, doc: str | None, **options: Any) -> Any:
    about = {"__doc__": doc}
    return msgspec.defstruct(
        name, shape, namespace=about, kw_only=True, forbid_unknown_fields=True, **options
    )


FilterPatch = _within("FilterPatch", FilterBody)
WebhookPatch = _patch("WebhookPatch", PatchWebhook, doc=PatchWebhook.__doc__ or "", filter=FilterPatch | None)
SavedFeedPatch = _patch(
    "SavedFeedPatch",
    PatchSavedFeed,
    doc=PatchSavedFeed.__doc__ or "",
    name=_within("TextPatch", Text) | Line,
    filter=FilterPatch | None,
    options=_within("OptionsPatch", FeedOptions) | None,
)
EventBody = _body("EventBody", View)
NewEvent = _body("NewEvent", Event, without=("id",))
EventPatch = _removable("EventPatch", View, doc=f"{View.__doc__} {_DERIVED}")
VIEWS: Mapping[NounKind, Any] = {
    "series": _view("SeriesView", Series),
    "program": _view("ProgramView", Program),
    "organization": _view("OrganizationView", Organization),
    "source": _view("SourceView", Source),
}
BODIES: Mapping[NounKind, Any] = {
    kind: _body(view.__name__.replace("View", "Body"), view) for kind, view in VIEWS.items()
}
