"""Feeds over HTTP, in front of everything else: most requests for them end here, before any routing.

Ready bytes, ETag first (notes/performance.md section 8). `Feeds` wraps the app as `Door` does.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive, Send

from feeds.formats import FORMATS
from service.clock import Clock
from service.errors import MEDIA_TYPE, MethodNotAllowed, NotFound, Problem, Unavailable, document
from service.feedcache import asked
from service.feedcache.ahead import Ahead
from service.feedcache.asked import Asked
from service.feedcache.cache import FeedCache
from service.feedcache.edition import Edition
from service.feedcache.validators import condition, http_date, is_held

Headers = list[tuple[bytes, bytes]]

METHODS = "GET, HEAD, OPTIONS"
SAFE = ("GET", "HEAD", "OPTIONS")
BAD_REQUEST = 400
MOST_HOT = 5_000
ROBOTS = b"User-agent: *\nAllow: /\n"
_ALWAYS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Last-Modified, Retry-After, X-Dday-Ignored, X-Dday-Notice"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"server", b"dday"),
]
_PREFLIGHT: Headers = [
    (b"allow", METHODS.encode()),
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept, Content-Type"),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]
_log = logging.getLogger("dday.feeds")


class Hot(msgspec.Struct, frozen=True, kw_only=True):
    """An edition with the start of every answer that can be given from it, so that none is put together."""

    asked: Asked
    path: str
    edition: Edition
    tags: tuple[bytes, bytes]
    whole: Any
    held: Mapping[bytes, Any]
    packed: Any = None
    packed_body: bytes = b""


class Feeds:
    """Answers /feeds/… and /robots.txt, and hands everything else on."""

    def __init__(
        self, inner: ASGIApp, cache: FeedCache, ahead: Ahead, *, clock: Clock, base_url: str
    ) -> None:
        self._inner, self._cache, self._ahead, self._clock = inner, cache, ahead, clock
        secure = (
            [(b"strict-transport-security", b"max-age=31536000")] if base_url.startswith("https:") else []
        )
        self._always: Headers = [*_ALWAYS, *secure]
        links = f'<{base_url}/>; rel="alternate"; type="text/html", <{base_url}/v1/changes>; rel="related"'
        self._links = (b"link", links.encode())
        self._hot: dict[tuple[str, bytes], Hot] = {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith("/feeds/") and path != "/robots.txt":
            return await self._hand_on(scope, receive, send)
        try:
            place = (path, scope["query_string"])
            hot, now = self._hot.get(place), self._clock.now()
            if hot is None or scope["method"] != "GET" or not self._cache.fresh(hot.edition, now=now):
                return await self._answer(place, scope, send, now=now)
            self._cache.was_read(hot.path)
            await self._give(hot, place, scope, send, now=now)
        except Problem as problem:
            await self._refuse(problem, scope, send)
        except Exception:
            _log.exception("%s failed", path)
            await self._refuse(Unavailable("This feed cannot be sent just now."), scope, send)

    async def _hand_on(self, scope: Any, receive: Receive, send: Send) -> None:
        """What a write has changed is ready to be read when the write is answered."""
        if scope.get("method", "GET") in SAFE:
            return await self._inner(scope, receive, send)

        async def publish_first(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] < BAD_REQUEST:
                await self._ahead.before_answer()
            await send(message)

        await self._inner(scope, receive, publish_first)
        self._ahead.after_answer()

    async def _answer(self, place: tuple[str, bytes], scope: Any, send: Send, *, now: datetime) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            return await _send(send, 204, [*self._always, *_PREFLIGHT], b"")
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, METHODS)
        if place[0] == "/robots.txt":
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._always, _length(ROBOTS)]
            return await _send(send, 200, headers, ROBOTS if method == "GET" else b"")
        await self._give(await self._warm(place, self._hot.get(place)), place, scope, send, now=now)

    async def _give(
        self, hot: Hot, place: tuple[str, bytes], scope: Any, send: Send, *, now: datetime
    ) -> None:
        wanted = condition(scope["headers"])
        seconds, modified = int(now.timestamp()), hot.edition.modified
        start, body = hot.whole, hot.edition.body
        if tag := is_held(wanted, tags=hot.tags, modified=modified, now=seconds):
            start, body = hot.held[tag], b""
        elif wanted.gzip:
            if hot.packed is None:
                hot = await self._pack(hot, place)
            if hot.packed is not None:
                start, body = hot.packed, hot.packed_body
        if modified > seconds:
            start = _dated(start, seconds)
        await send(start)
        body = body if scope["method"] == "GET" else b""
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _warm(self, place: tuple[str, bytes], hot: Hot | None) -> Hot:
        found = hot.asked if hot else asked.read(*place)
        if found is None:
            raise NotFound("feed", place[0].removeprefix("/feeds/")[:100])
        edition = await self._cache.get(found)
        if hot is not None and hot.edition.etag == edition.etag:
            made = msgspec.structs.replace(hot, edition=edition)
        else:
            made = self._made(found, edition)
        if len(self._hot) >= MOST_HOT:
            self._hot.clear()
        self._hot[place] = made
        return made

    async def _pack(self, hot: Hot, place: tuple[str, bytes]) -> Hot:
        body = await self._cache.packed(hot.edition)
        if body is None:
            return hot
        kept = [pair for pair in hot.whole["headers"] if pair[0] not in (b"etag", b"content-length")]
        headers = [*kept, (b"etag", hot.tags[1]), (b"content-encoding", b"gzip"), _length(body)]
        packed = msgspec.structs.replace(hot, packed=_start(200, headers), packed_body=body)
        current = self._hot.get(place)
        if current is not None and current.edition.etag == hot.edition.etag:
            self._hot[place] = packed
        return packed

    def _made(self, found: Asked, edition: Edition) -> Hot:
        tags = (f'"{edition.etag}"'.encode(), f'"{edition.etag}.gz"'.encode())
        # What RFC 9110 15.4.5 wants on a 304; everything else is known from the 200.
        common: Headers = [
            (b"last-modified", http_date(edition.modified)),
            (b"cache-control", b"public, max-age=900, stale-if-error=86400"),
            (b"vary", b"Accept-Encoding"),
            *self._always[:2],
            *_notes(found, edition),
        ]
        whole = [
            (b"content-type", FORMATS[found.suffix].media_type.encode()),
            *common,
            (b"content-disposition", f'inline; filename="{found.name}.{found.suffix}"'.encode()),
            (b"content-language", found.lang.encode()),
            self._links,
            *self._always[2:],
            (b"etag", tags[0]),
            _length(edition.body),
        ]
        held = {tag: _start(304, [*common, (b"etag", tag)]) for tag in tags}
        return Hot(
            asked=found, path=found.path, edition=edition, tags=tags, whole=_start(200, whole), held=held
        )

    async def _refuse(self, problem: Problem, scope: Any, send: Send) -> None:
        body = document(problem)
        named = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        headers = [(b"content-type", MEDIA_TYPE.encode()), *named, *self._always, _length(body)]
        await _send(send, problem.status, headers, b"" if scope["method"] == "HEAD" else body)


def _notes(found: Asked, edition: Edition) -> Headers:
    """What a person who wonders about this feed should see."""
    notes: Headers = []
    if found.ignored:
        notes.append((b"x-dday-ignored", ", ".join(found.ignored).encode()))
    if edition.over_budget:
        notes.append((b"x-dday-notice", b"larger-than-google-reads"))
    elif edition.short is not None:
        notes.append((b"x-dday-notice", b"shortened"))
    return notes


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(body)).encode())


def _start(status: int, headers: Headers) -> Any:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _dated(start: Any, seconds: int) -> Any:
    """RFC 9110 8.8.2.1: Last-Modified is never after Date. An older one only makes a reader ask again."""
    date = http_date(seconds)
    return {**start, "headers": [(n, date if n == b"last-modified" else v) for n, v in start["headers"]]}


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body, "more_body": False})
