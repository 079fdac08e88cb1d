"""The layers around the handlers: what every response has, who may ask and how often, and which questions a
route knows."""

import asyncio
import re
from collections import OrderedDict
from math import ceil
from typing import Any, Self, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api import queries
from service.api.operations import IDENTIFIER, Operation
from service.api.problems import allowed
from service.bootstrap import Service
from service.errors import At, Forbidden, NoRoute, TooManyRequests, Unauthorized, Unprocessable
from service.store import api_keys
from service.store.api_keys import Key

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # hyper would name the server's software here.
    (b"server", b"dday"),
)
_NO_CONTENT_SOURCES = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_READABLE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Last-Modified, Retry-After, X-Dday-Ignored"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept, Content-Type"),
    (b"access-control-max-age", b"86400"),
)
_VARY = ((b"vary", b"Authorization"),)
_IDENTIFIER = re.compile(IDENTIFIER)
_CALLERS = 10_000


class HttpMiddleware:
    """Wraps the whole app: HEAD wherever GET, full OPTIONS, CORS on public reads, safe headers everywhere.

    It stands in front of Litestar's router because a 404 and a 405 are responses too.
    """

    def __init__(self, inner: ASGIApp, app: Litestar, *, https: bool) -> None:
        self._inner, self._app = inner, app
        self._always = (*_SAFE, (b"strict-transport-security", b"max-age=31536000")) if https else _SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
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

        await self._inner(scope, receive, finish)

    def _headers(self, scope: Scope, method: str, headers: list[tuple[bytes, bytes]]) -> Any:
        if not any(name == _NO_CONTENT_SOURCES[0] for name, _ in headers):
            headers.append(_NO_CONTENT_SOURCES)
        headers.extend(self._always)
        if method in ("GET", "HEAD") and _is_public(scope.get("route_handler")):
            headers.extend(_READABLE)
            headers.extend(_by_key(scope))
        elif method == "OPTIONS":
            headers = [*(pair for pair in headers if pair[0] != b"allow"), *self._options(scope)]
        return headers

    def _options(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Returns what may be asked of this address; Litestar knows the methods of one handler only."""
        template = scope.get("path_template")
        routes = (route for route in self._app.routes if route.path_format == template)
        handlers = [handler for route in routes for handler in getattr(route, "route_handlers", ())]
        if not handlers:
            return []
        methods = {method for handler in handlers for method in handler.http_methods}
        headers = [(b"allow", allowed(methods).encode())]
        readable = any("GET" in handler.http_methods and _is_public(handler) for handler in handlers)
        if readable and _header(scope, b"access-control-request-method") in ("GET", "HEAD"):
            headers += [*_READABLE, *_PREFLIGHT]
        return headers


class RateLimiter:
    """A token bucket a caller, in this process: `per_minute` requests, all at once if they like; 0: no limit.

    Only the latest 10,000 callers are remembered: a flood of addresses costs bounded memory.
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._callers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, *, now: float, cost: float = 1) -> int:
        """Counts one request; returns 0 if it may pass, else after how many seconds to try again."""
        if not self._capacity:
            return 0
        left = self._left(caller, now=now)
        passes = left >= 1
        self._keep(caller, left - cost if passes else left, now=now)
        return 0 if passes else max(1, ceil((1 - left) / self._per_second))

    def spend(self, caller: str, cost: float, *, now: float) -> None:
        """Counts what turned out to cost so many requests, be it more than is left."""
        if self._capacity:
            self._keep(caller, self._left(caller, now=now) - cost, now=now)

    def _left(self, caller: str, *, now: float) -> float:
        left, since = self._callers.get(caller, (self._capacity, now))
        return min(self._capacity, left + (now - since) * self._per_second)

    def _keep(self, caller: str, left: float, *, now: float) -> None:
        self._callers[caller] = (left, now)
        self._callers.move_to_end(caller)
        if len(self._callers) > _CALLERS:
            self._callers.popitem(last=False)


class RatedCaller:
    """Who has feeds built (`service.feedcache.cache.Payer`): a millisecond of CPU counts as a request."""

    def __init__(self, rates: RateLimiter, caller: str) -> None:
        self._rates, self.caller = rates, caller

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """The caller of a request that has passed `AccessMiddleware`."""
        return cls(scope["litestar_app"].state.rates, name_of_caller(scope, scope.get("auth")))

    def wait(self) -> int:
        return self._rates.wait(self.caller, now=asyncio.get_running_loop().time(), cost=0)

    def spend(self, seconds: float) -> None:
        self._rates.spend(self.caller, seconds * 1000, now=asyncio.get_running_loop().time())


def name_of_caller(scope: Scope, key: Key | None = None) -> str:
    """By whom requests are counted: by the key, or the address of those who have none."""
    client = scope.get("client")
    return f"key {key.id}" if key else f"address {client[0] if client else 'unknown'}"


class AccessMiddleware:
    """Holds a request to the `Operation` of its handler: path, key, rate, scope and parameters.

    A stack of guards would cost 17 µs each (notes/performance.md 2), a middleware 5.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation: Operation | None = scope["route_handler"].opt.get("operation")
        if operation is not None:
            _check_path(scope["path_params"], method=str(scope.get("method")))
            key = await _key(scope) if operation.scope or operation.more_with else None
            if operation.limited:
                _count(scope, key)
            if operation.scope:
                _authorize(key, operation.scope)
            pairs = queries.pairs_of(scope["query_string"]) if operation.parameters is not None else ()
            if pairs:
                queries.check(pairs, single=operation.single, many=operation.many)
            scope["auth"] = key
            scope["state"]["pairs"] = pairs
        await self._app(scope, receive, send)


def _is_public(handler: Any) -> bool:
    """Whether a page of another origin may read the response; no handler is a 404, which it may as well."""
    operation: Operation | None = handler.opt.get("operation") if handler else None
    return operation is None or operation.scope is None


def _by_key(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """Returns the headers that keep a cache on the way from giving to others what a key was shown."""
    operation: Operation | None = (
        scope["route_handler"].opt.get("operation") if "route_handler" in scope else None
    )
    if operation is None or operation.more_with is None:
        return ()
    return _VARY if scope.get("auth") is None else (*_VARY, (b"cache-control", b"private"))


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _key(scope: Scope) -> Key | None:
    scheme, _, token = _header(scope, b"authorization").strip().partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token.strip()) <= 200:
        return None
    service: Service = scope["litestar_app"].state.service
    now = service.clock.now()
    return await service.store.aread(lambda c: api_keys.find(c, token.strip(), now=now))


def _count(scope: Scope, key: Key | None) -> None:
    """Counts wrong keys against the address, so that guessing is slow whatever key is tried."""
    rates: RateLimiter = scope["litestar_app"].state.rates
    if wait := rates.wait(name_of_caller(scope, key), now=asyncio.get_running_loop().time()):
        raise TooManyRequests(wait)


def _authorize(key: Key | None, needed: str) -> None:
    """Refuses missing, unknown, expired and revoked keys with one response: it tells a guesser nothing."""
    if key is None:
        raise Unauthorized
    if needed not in key.scopes and "admin" not in key.scopes:
        raise Forbidden(f"The key has no scope {needed!r}.")


def _check_path(parameters: dict[str, Any], *, method: str) -> None:
    """Refuses characters that no identifier of ours has; PostgreSQL would fail on a NUL alone."""
    if all(_IDENTIFIER.fullmatch(str(value)) for value in parameters.values()):
        return
    if method in ("PUT", "PATCH"):
        fault = "An id has lower-case letters, digits and single hyphens between them."
        raise Unprocessable(errors=[At(detail=fault, pointer="/id")])
    raise NoRoute("No id has such characters.")
