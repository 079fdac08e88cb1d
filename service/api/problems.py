"""The one place where what was raised becomes a response: problem+json for callers, a page for people."""

import logging
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from service import errors
from service.api.operations import Media, route
from service.catalogue.validation import Invalid
from service.errors import Problem

log = logging.getLogger(__name__)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def of_problem(_: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    body = errors.document(problem)
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=errors.MEDIA_TYPE)


def of_invalid(request: Request[Any, Any, Any], invalid: Invalid) -> Response[bytes]:
    """Answers faults in a body; a query with faults is refused as it is read (`service.api.queries`)."""
    return of_problem(request, errors.Unprocessable(errors=invalid.faults))


def of_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answers Litestar's own refusals in our words: its details may quote internals."""
    problem: Problem
    if error.status_code == 404:
        problem = errors.NoRoute("No page and no resource of this service has this address.")
    elif error.status_code == 405:
        problem = errors.MethodNotAllowed(
            request.method, allowed((error.headers or {}).get("allow", "").split(","))
        )
    elif error.status_code == 413:
        problem = errors.TooLarge()
    elif error.status_code < 500:
        problem = errors.BadRequest()
    else:
        return of_failure(request, error)
    return of_problem(request, problem)


def of_failure(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answers what nobody foresaw: the log gets the stack, the caller does not."""
    log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return of_problem(request, Problem())


def allowed(methods: Iterable[str]) -> str:
    """Returns the Allow header: HEAD goes wherever GET goes."""
    taken = {method.strip() for method in methods}
    taken |= {"HEAD"} if "GET" in taken else set()
    return ", ".join(method for method in _METHODS if method in taken)


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
    **route("Explain a problem", tag="About", answers={200: Media(type="text/html")}),
)
async def explain(name: FromPath[str]) -> Response[str]:
    """What a problem's `type` points to: what it means and what to do, for a person."""
    kind = errors.catalogue().get(name)
    if kind is None:
        raise errors.NotFound("problem", name)
    page = _PAGE.format(title=escape(kind.title), status=kind.status, name=name, advice=escape(kind.advice))
    return Response(page, media_type="text/html")
