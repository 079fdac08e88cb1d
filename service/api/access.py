"""The one middleware: who asks, how often, and whether the question is one the operation knows."""

import asyncio
import re
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from service.api import queries
from service.api.operations import IDENTIFIER, Operation
from service.api.rates import Rates
from service.errors import At, Forbidden, NoRoute, TooManyRequests, Unauthorized, Unprocessable
from service.parts import Service
from service.store import keys
from service.store.keys import Key

_IDENTIFIER = re.compile(IDENTIFIER)


class Access:
    """Reads what the handler's `Operation` promises and holds the request to it.

    A stack of guards would cost 17 µs each (notes/performance.md 2), a middleware 5.
    """

    def __init__(self, app: ASGIApp, service: Service, rates: Rates) -> None:
        self.app = app
        self.service = service
        self.rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        promised: Operation | None = scope["route_handler"].opt.get("operation")
        if promised is not None:
            _check_path(scope["path_params"], method=str(scope.get("method")))
            key = await self._key(scope) if promised.scope else None
            if promised.limited:
                self._count(scope, key)
            if promised.scope:
                _authorize(key, promised.scope)
            pairs = queries.pairs_of(scope["query_string"]) if promised.parameters is not None else ()
            if pairs:
                queries.check(pairs, single=promised.single, many=promised.many)
            scope["auth"] = key
            scope["state"]["pairs"] = pairs
        await self.app(scope, receive, send)

    async def _key(self, scope: Scope) -> Key | None:
        scheme, _, token = header(scope, b"authorization").strip().partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(token.strip()) <= 200:
            return None
        now = self.service.clock.now()
        return await self.service.store.glancing(lambda c: keys.find(c, token.strip(), now=now))

    def _count(self, scope: Scope, key: Key | None) -> None:
        """Wrong keys count against the address, so that guessing is slow whatever key is tried."""
        client = scope.get("client")
        caller = f"key {key.id}" if key else f"address {client[0] if client else 'unknown'}"
        if wait := self.rates.wait(caller, now=asyncio.get_running_loop().time()):
            raise TooManyRequests(wait)


def header(scope: Scope, name: bytes) -> str:
    """The header's value, "" if it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _authorize(key: Key | None, needed: str) -> None:
    """One answer for missing, unknown, expired and revoked: it tells a guesser nothing."""
    if key is None:
        raise Unauthorized
    if needed not in key.scopes and "admin" not in key.scopes:
        raise Forbidden(f"The key has no scope {needed!r}.")


def _check_path(parameters: dict[str, Any], *, method: str) -> None:
    """No identifier of ours has other characters; PostgreSQL would fail on a NUL alone."""
    if all(_IDENTIFIER.fullmatch(str(value)) for value in parameters.values()):
        return
    if method in ("PUT", "PATCH"):
        fault = "An id has lower-case letters, digits and single hyphens between them."
        raise Unprocessable(errors=[At(detail=fault, pointer="/id")])
    raise NoRoute("No id has such characters.")
