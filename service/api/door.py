"""The outermost layer: HEAD wherever GET, complete OPTIONS, CORS on public reads, safe headers everywhere.

It sits in front of Litestar's router because a 404 and a 405 are answers too.
"""

from typing import Any, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.access import header
from service.api.operations import Operation
from service.api.problems import allowed

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # hyper would name the server's software here.
    (b"server", b"dday"),
)
_CLOSED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_READABLE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Last-Modified, Retry-After, X-Dday-Ignored"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept, Content-Type"),
    (b"access-control-max-age", b"86400"),
)


class Door:
    """Wraps the app's ASGI handler."""

    def __init__(self, inner: ASGIApp, app: Litestar, *, https: bool) -> None:
        self.inner = inner
        self.app = app
        self.always = (*_SAFE, (b"strict-transport-security", b"max-age=31536000")) if https else _SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.inner(scope, receive, send)
            return
        method = str(scope.get("method"))
        if method == "HEAD":
            scope = cast(Scope, {**scope, "method": "GET"})

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._headers(scope, method, list(message.get("headers", [])))
            elif message["type"] == "http.response.body" and method == "HEAD":
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self.inner(scope, receive, finish)

    def _headers(self, scope: Scope, method: str, headers: list[tuple[bytes, bytes]]) -> Any:
        if not any(name == _CLOSED[0] for name, _ in headers):
            headers.append(_CLOSED)
        headers.extend(self.always)
        if method in ("GET", "HEAD") and _is_public(scope.get("route_handler")):
            headers.extend(_READABLE)
        elif method == "OPTIONS":
            headers = [*(pair for pair in headers if pair[0] != b"allow"), *self._options(scope)]
        return headers

    def _options(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """What may be asked of this address. Litestar knows only the methods of one of its handlers."""
        template = scope.get("path_template")
        routes = (route for route in self.app.routes if route.path_format == template)
        handlers = [handler for route in routes for handler in getattr(route, "route_handlers", ())]
        if not handlers:
            return []
        methods = {method for handler in handlers for method in handler.http_methods}
        found = [(b"allow", allowed(",".join(methods)).encode())]
        readable = any("GET" in handler.http_methods and _is_public(handler) for handler in handlers)
        if readable and header(scope, b"access-control-request-method") in ("GET", "HEAD"):
            found += [*_READABLE, *_PREFLIGHT]
        return found


def _is_public(handler: Any) -> bool:
    """No handler at all is a 404, which a page of another origin may as well read."""
    promised: Operation | None = handler.opt.get("operation") if handler else None
    return promised is None or promised.scope is None
