"""What each route promises, declared beside its handler: one value that the middleware enforces (scope, known
parameters, body size) and `service.api.openapi` publishes."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.api.json_body import LIMIT
from service.errors import Problem

Scope = Literal["catalogue", "webhooks", "feeds", "admin"]

# What may stand for an id in a path: slugs, `whk_…`, `dlv_…`.
IDENTIFIER = r"^[A-Za-z0-9._~-]{1,200}$"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter. `many` may be repeated, meaning any of."""

    name: str
    description: str
    schema: Mapping[str, Any]
    many: bool = False


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a response that is not JSON of ours."""

    type: str
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path. `answers` maps a status to the type of its body, None for no body.

    `more_with` is the scope of a key with which the answer holds more. `parameters=None` takes any query.
    `cached` answers carry an ETag and honour If-None-Match, `guarded` writes honour If-Match, `once` honours
    Idempotency-Key, `limited` counts against the caller's rate, `published` operations are in the document.
    `single` and `many` are the names of the parameters.
    """

    summary: str
    tag: str
    answers: Mapping[int, Any]
    scope: Scope | None = None
    more_with: Scope | None = None
    parameters: tuple[Parameter, ...] | None = ()
    body: Any = None
    body_limit: int = LIMIT
    problems: tuple[type[Problem], ...] = ()
    cached: bool = False
    guarded: bool = False
    once: bool = False
    limited: bool = True
    published: bool = True
    single: frozenset[str] = frozenset()
    many: frozenset[str] = frozenset()


def operation(summary: str, **promises: Any) -> dict[str, Any]:
    """Returns the `opt` of a route: `@get("/", opt=operation("A page", tag="Pages", answers={…}))`."""
    parameters: tuple[Parameter, ...] = promises.get("parameters") or ()
    single = frozenset(p.name for p in parameters if not p.many)
    many = frozenset(p.name for p in parameters if p.many)
    return {"operation": Operation(summary=summary, single=single, many=many, **promises)}


def route(summary: str, **promises: Any) -> dict[str, Any]:
    """Returns the options of a route: `@get("/v1/feeds", **route("List feeds", tag="Feeds", answers={…}))`.

    The status is the response's own: Litestar takes no response beside the 204 it assumes for DELETE.
    """
    return {"opt": operation(summary, **promises), "status_code": 200}


LIMIT_PARAMETER = Parameter(
    name="limit",
    description="How many items at most.",
    schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
)
CURSOR_PARAMETER = Parameter(
    name="cursor",
    description="`next` of the page before. It is bound to the filters and the sort order it came with.",
    schema={"type": "string", "maxLength": 2000},
)
PAGING_PARAMETERS = (LIMIT_PARAMETER, CURSOR_PARAMETER)
LANG_PARAMETER = Parameter(
    name="lang",
    description="Keep only the labels in this language.",
    schema={"type": "string", "enum": ["ko", "en"]},
)
CAUSE_PARAMETER = Parameter(
    name="cause",
    description="Why, in a few words; the revision keeps it.",
    schema={"type": "string", "minLength": 1, "maxLength": 200},
)
