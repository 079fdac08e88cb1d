"""The one place where what was raised becomes an answer: problem+json for callers, a page for people."""

import logging
from collections.abc import Callable
from html import escape
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from service.api.operations import Media, operation
from service.catalogue.validation import Invalid
from service.errors import (
    MEDIA_TYPE,
    BadRequest,
    MethodNotAllowed,
    NoRoute,
    NotFound,
    Problem,
    TooLarge,
    Unprocessable,
    catalogue,
    document,
)

log = logging.getLogger(__name__)
_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def answer(problem: Problem) -> Response[bytes]:
    return Response(
        document(problem),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def of_problem(_: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    return answer(problem)


def of_invalid(_: Request[Any, Any, Any], invalid: Invalid) -> Response[bytes]:
    """The catalogue's rules speak of values; those of a query are refused where it is read (`filtering`)."""
    return answer(Unprocessable(errors=invalid.faults))


def of_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals, in our words: its details may quote internals."""
    if error.status_code == 404:
        return answer(NoRoute("No page and no resource of this service has this address."))
    if error.status_code == 405:
        return answer(MethodNotAllowed(request.method, allowed((error.headers or {}).get("allow", ""))))
    if error.status_code == 413:
        return answer(TooLarge())
    if error.status_code < 500:
        return answer(BadRequest())
    return of_failure(request, error)


def of_failure(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Whatever nobody foresaw: the log gets the stack, the caller does not."""
    log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return answer(Problem())


def allowed(methods: str) -> str:
    """The Allow header: HEAD goes wherever GET goes."""
    found = {method.strip() for method in methods.split(",")}
    found |= {"HEAD"} if "GET" in found else set()
    return ", ".join(method for method in _ORDER if method in found)


HANDLERS: dict[int | type[Exception], Callable[..., Response[Any]]] = {
    Problem: of_problem,
    Invalid: of_invalid,
    HTTPException: of_framework,
    Exception: of_failure,
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · Dday</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/style.css"></head>
<body><main><p><a href="/docs">Dday API</a> · problem</p><h1>{title}</h1>
<p><strong>Status {status}</strong>, type <code>/problems/{name}</code></p>
<p>{advice}</p></main></body></html>
"""


@get(
    "/problems/{name:str}",
    opt=operation("Explain a problem", tag="About", answers={200: Media(type="text/html")}),
)
async def explain(name: FromPath[str]) -> Response[str]:
    """What a problem's `type` points to: what it means and what to do, for a person."""
    kind = catalogue().get(name)
    if kind is None:
        raise NotFound("problem", name)
    page = _PAGE.format(title=escape(kind.title), status=kind.status, name=name, advice=escape(kind.advice))
    return Response(page, media_type="text/html")
