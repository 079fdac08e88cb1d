"""The OpenAPI 3.1 document, made from what each handler promises (`service.api.operations`)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from inspect import getdoc
from typing import Any, Literal, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from service import errors
from service.api.operations import IDENTIFIER, Media, Operation, Parameter
from service.catalogue.view import View
from service.reminders.messages.standard import DisabledData, Reminder, TestData
from service.reminders.plan import Notice

# The classes were renamed after the contract had been published.
_PUBLISHED_NAMES = {"DateLabel": "Label", "LocalizedText": "Words"}
REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_READS = "Reads need no key. Writes and webhooks take `Authorization: Bearer dday_…`."
ETAG = {"description": "Strong entity tag of this answer.", "schema": {"type": "string"}}
HEADERS: Mapping[int, Mapping[str, Any]] = {
    201: {"Location": {"description": "Where it is.", "schema": {"type": "string"}}},
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    405: {"Allow": {"description": "The methods it takes.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    507: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
}


def document(
    routes: Iterable[BaseRoute], *, version: str, url: str, beside: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The whole document, with the paths `beside` those routed. Pages and static files are left out."""
    found = _published(routes)
    schemas = _Schemas(promised for _, _, _, promised in found)
    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler, promised in found:
        entry = _operation(path, method, promised, schemas=schemas)
        entry["description"] = getdoc(handler.fn) or promised.summary
        paths.setdefault(_PATH_PARAMETER.sub(r"{\1}", path), {})[method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dday",
            "version": version,
            "description": f"Events, deadlines and programs for Korean startups, with evidence. {_READS}",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(p.tag for _, _, _, p in found)],
        "paths": {**paths, **beside},
        "webhooks": webhooks(schemas.of),
        "components": {"schemas": schemas.components, "securitySchemes": {"key": _BEARER}},
    }


def _published(routes: Iterable[BaseRoute]) -> list[tuple[str, str, HTTPRouteHandler, Operation]]:
    """Path, method, handler and promise, in an order of our own: Litestar keeps handlers in a set."""
    found = (
        (route.path, method, handler, promised)
        for route in routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if (promised := handler.opt.get("operation")) is not None and promised.published
        for method in handler.http_methods
    )
    return sorted(found, key=lambda each: each[:2])


_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key `dday_…` with the scope named.",
}


class _Schemas:
    """The JSON Schemas of every type some operation takes or gives, and of messages."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        kinds: list[Any] = [errors.ProblemDetails, *KINDS.values()]
        for promised in operations:
            kinds += [k for k in (promised.body, *promised.answers.values()) if _has_schema(k)]
        unique = [kind for i, kind in enumerate(kinds) if kind not in kinds[:i]]
        found, components = _published_names(msgspec.json.schema_components(unique, ref_template=REF))
        self._known = list(zip(unique, found, strict=True))
        self.components = {name: _closed(schema) for name, schema in components.items()}

    def of(self, kind: Any) -> Mapping[str, Any]:
        return next(schema for known, schema in self._known if known == kind)


def _published_names(schemas: Any) -> Any:
    """Returns the schemas under the names that generated clients know."""
    encoded = msgspec.json.encode(schemas).decode()
    for ours, published in _PUBLISHED_NAMES.items():
        encoded = encoded.replace(f'{ours}"', f'{published}"')
    return msgspec.json.decode(encoded)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of an object that has no other fields, as all of ours."""
    return schema | {"additionalProperties": False} if "properties" in schema else schema


def _has_schema(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, Media)


def _operation(path: str, method: str, promised: Operation, *, schemas: _Schemas) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": _identifier(method, path),
        "summary": promised.summary,
        "tags": [promised.tag],
        "parameters": [
            *_path_parameters(path),
            *map(query, promised.parameters or ()),
            *_headers(promised, method),
        ],
        "responses": _responses(path, promised, method=method, schemas=schemas),
    }
    if promised.scope:
        entry["security"] = [{"key": []}]
        entry["x-scope"] = promised.scope
    if promised.more_with:
        # The empty object makes it optional.
        entry["security"] = [{}, {"key": []}]
        entry["x-more-with-scope"] = promised.more_with
    if promised.body is not None:
        content = {"application/json": {"schema": schemas.of(promised.body)}}
        size = f"At most {promised.body_limit // 1024} KiB."
        entry["requestBody"] = {
            "required": not (method == "POST" and _may_be_empty(promised.body)),
            "description": size,
            "content": content,
        }
    return entry


def _may_be_empty(kind: Any) -> bool:
    """A POST whose every field has a default can do without a body (`Call.optional_body_as`)."""
    try:
        msgspec.convert({}, kind)
    except msgspec.ValidationError:
        return False
    return True


def _identifier(method: str, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9_]+", _PATH_PARAMETER.sub(r"by_\1", path).removeprefix("/v1"))
    return "_".join([method.lower(), *words])


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "pattern": IDENTIFIER}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in _PATH_PARAMETER.findall(path)
    ]


def query(parameter: Parameter) -> dict[str, Any]:
    """A query parameter, as the document has it."""
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    found = {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}
    return found | ({"style": "form", "explode": True} if parameter.many else {})


_TAGS = {"type": "string"}
_HEADER_WORDS = {
    "If-None-Match": "Tags of the copies you have, or `*`.",
    "If-Match": "Write only if the stored version still has this ETag.",
    "Idempotency-Key": "Repeating the request with the same key has no further effect and the same answer.",
}


def _headers(promised: Operation, method: str) -> list[dict[str, Any]]:
    names = ["If-None-Match"] if promised.cached or (promised.guarded and method == "PUT") else []
    names += ["If-Match"] if promised.guarded else []
    found = [
        {"name": name, "in": "header", "description": _HEADER_WORDS[name], "schema": _TAGS} for name in names
    ]
    if promised.once:
        name, schema = "Idempotency-Key", {"type": "string", "pattern": "^[!-~]{1,255}$"}
        found.append({"name": name, "in": "header", "description": _HEADER_WORDS[name], "schema": schema})
    return found


def _responses(path: str, promised: Operation, *, method: str, schemas: _Schemas) -> dict[str, Any]:
    found = {
        str(status): _answer(status, kind, promised, schemas=schemas)
        for status, kind in promised.answers.items()
    }
    if promised.cached:
        found["304"] = {"description": "You have this already.", "headers": {"ETag": ETAG}}
    by_status: dict[int, list[type[errors.Problem]]] = {}
    for each in _problems(path, promised, method=method):
        by_status.setdefault(each.status, []).append(each)
    for status, kinds in sorted(by_status.items()):
        found[str(status)] = problem(status, kinds)
    return found


def _answer(status: int, kind: Any, promised: Operation, *, schemas: _Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _STATUS.get(status, "Done.")}
    headers = dict(HEADERS.get(status, {}))
    if promised.cached or (promised.guarded and kind is not None):
        headers["ETag"] = ETAG
    if headers:
        answer["headers"] = headers
    if isinstance(kind, Media):
        answer["content"] = {kind.type: {"schema": kind.schema}}
    elif kind is not None:
        answer["content"] = {"application/json": {"schema": schemas.of(kind)}}
    return answer


_STATUS = {200: "Here it is.", 201: "Created.", 202: "Accepted.", 204: "Done; there is nothing to say."}


def _problems(path: str, promised: Operation, *, method: str) -> list[type[errors.Problem]]:
    """Every error that follows from what the operation is, and those its handler adds."""
    found: list[type[errors.Problem]] = [
        errors.BadParameters,
        errors.BadRequest,
        errors.Problem,
        errors.Unavailable,
    ]
    found += [errors.TooManyRequests] if promised.limited else []
    found += [errors.NotFound] if "{" in path else []
    found += [errors.Unauthorized, errors.Forbidden] if promised.scope or promised.more_with else []
    found += [errors.StorageFull] if method not in ("GET", "HEAD") else []
    if promised.body is not None:
        found += [
            errors.Malformed,
            errors.TooSlow,
            errors.TooLarge,
            errors.UnsupportedMediaType,
            errors.Unprocessable,
        ]
    found += [errors.PreconditionFailed] if promised.guarded else []
    found += [errors.AlreadyExists] if promised.guarded and method == "PUT" else []
    found += [errors.KeyReused] if promised.once else []
    return list(dict.fromkeys((*found, *promised.problems)))


def problem(status: int, kinds: Sequence[type[errors.Problem]]) -> dict[str, Any]:
    """The answer of this status, which each of these brings about."""
    lines = [f"`/problems/{kind.name}`: {kind.title}." for kind in kinds]
    schema = {"$ref": REF.format(name=errors.ProblemDetails.__name__)}
    answer: dict[str, Any] = {
        "description": " ".join(lines),
        "content": {errors.MEDIA_TYPE: {"schema": schema}},
    }
    if status in HEADERS:
        answer["headers"] = HEADERS[status]
    return answer


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`timestamp`: when it was due, or when what it tells of happened."""

    timestamp: datetime


class ReminderOf(msgspec.Struct, frozen=True, kw_only=True):
    """The event as it was known when the message was made, and which of your rules it is for."""

    event: View
    reminder: Reminder
    webhook: str
    revision: int


class NoticeOf(msgspec.Struct, frozen=True, kw_only=True):
    """The event after the change, null where nothing is left; the fields that changed, and as they were."""

    event: View | None
    changed: tuple[str, ...]
    previous: dict[str, Any]
    webhook: str
    revision: int


class ReminderMessage(Message, frozen=True, kw_only=True):
    """A day that matters comes near."""

    type: Literal["event.reminder"]
    data: ReminderOf


class NoticeMessage(Message, frozen=True, kw_only=True):
    """An event that your filter takes, or took, has changed."""

    type: Notice
    data: NoticeOf


class TestMessage(Message, frozen=True, kw_only=True):
    """A test that was asked for."""

    type: Literal["webhook.test"]
    data: TestData


class DisabledMessage(Message, frozen=True, kw_only=True):
    """Another webhook of yours was switched off."""

    type: Literal["webhook.disabled"]
    data: DisabledData


KINDS: Mapping[str, type[Message]] = {
    "event.reminder": ReminderMessage,
    **dict.fromkeys(get_args(Notice), NoticeMessage),
    "webhook.test": TestMessage,
    "webhook.disabled": DisabledMessage,
}
_HEADERS = {
    "webhook-id": "The same for every attempt: keep those you have handled for two days.",
    "webhook-timestamp": "Seconds since 1970, of this attempt.",
    "webhook-signature": "`v1,…`, and more after blanks (Standard Webhooks).",
}


def webhooks(schema: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """One entry for each type of message."""
    return {name: {"post": _entry(name, kind, schema(kind))} for name, kind in KINDS.items()}


def _entry(name: str, kind: type[Message], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": f"receive_{name.replace('.', '_')}",
        "summary": getdoc(kind),
        "tags": ["Webhooks"],
        "parameters": [_header(each, said) for each, said in _HEADERS.items()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Not wanted any more: the webhook is switched off."},
            "default": {"description": "It is tried again, as long as it is of use."},
        },
    }


def _header(name: str, said: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
