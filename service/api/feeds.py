"""Feeds over HTTP, in front of everything else: most requests for them end here, before any routing.

Ready bytes, ETag first (notes/performance.md section 8). `Feeds` wraps the app as `Door` does.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from litestar.types import ASGIApp, Receive, Send

from feeds.formats import FORMATS
from service.clock import Clock
from service.errors import MEDIA_TYPE, MethodNotAllowed, NotFound, Problem, Unavailable, document
from service.feedcache import request, saved
from service.feedcache.ahead import Ahead
from service.feedcache.cache import FeedCache
from service.feedcache.conditional import condition, http_date, is_held
from service.feedcache.rendering import Edition
from service.feedcache.request import Asked
from service.feedcache.saved import Addresses
from service.feedcache.selection import OutOfDate

SAFE = ("GET", "HEAD", "OPTIONS")
BAD_REQUEST = 400
MOST_HOT = 5_000
TRIES = 3
ROBOTS = b"User-agent: *\nAllow: /\n"
_log = logging.getLogger("dday.feeds")


# FOLDED service/api/feed_headers.py: The headers of feeds: for everybody, and for private addresses, which are secrets themselves.
Headers = list[tuple[bytes, bytes]]

METHODS = "GET, HEAD, OPTIONS"
_SAFE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"server", b"dday"),
]
_READABLE: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Last-Modified, Retry-After, X-Dday-Ignored, X-Dday-Notice"),
]
_ALLOW: Headers = [(b"allow", METHODS.encode()), (b"content-length", b"0")]
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Accept, Content-Type"),
    (b"access-control-max-age", b"86400"),
]


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of feed is sent: `open` on every answer, a 304 too; `safe` on all others; `refused` on
    problems; `options` to OPTIONS; `keep` says who may keep a copy and how long."""

    open: Headers
    safe: Headers
    refused: Headers
    options: Headers
    keep: bytes


def _public_manner(*, https: bool) -> Manner:
    safe = [*_SAFE, *_secure(https)]
    return Manner(
        open=_READABLE,
        safe=safe,
        refused=[*_READABLE, *safe],
        options=[*_READABLE, *safe, *_ALLOW, *_PREFLIGHT],
        keep=b"public, max-age=900, stale-if-error=86400",
    )


def _private_manner(*, https: bool) -> Manner:
    """No page of another origin reads it, no cache on the way keeps it, no search engine lists it."""
    safe = [*_SAFE, *_secure(https), (b"x-robots-tag", b"noindex, nofollow")]
    return Manner(
        open=[],
        safe=safe,
        refused=[(b"cache-control", b"no-store"), *safe],
        options=[*safe, *_ALLOW],
        keep=b"private, max-age=900",
    )


def whole(asked: Asked, edition: Edition, manner: Manner, *, links: tuple[bytes, bytes]) -> Headers:
    """The headers of a 200 but for those of its coding."""
    return [
        (b"content-type", FORMATS[asked.suffix].media_type.encode()),
        *held(asked, edition, manner),
        (b"content-disposition", _disposition(asked)),
        (b"content-language", asked.lang.encode()),
        links,
        *manner.safe,
    ]


def held(asked: Asked, edition: Edition, manner: Manner) -> Headers:
    """What RFC 9110 15.4.5 wants on a 304; everything else is known from the 200."""
    return [
        (b"last-modified", http_date(edition.modified)),
        (b"cache-control", manner.keep),
        (b"vary", b"Accept-Encoding"),
        *manner.open,
        *_notes(asked, edition),
    ]


def length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(body)).encode())


def start(status: int, headers: Headers) -> Any:
    return {"type": "http.response.start", "status": status, "headers": headers}


def dated(start: Any, seconds: int) -> Any:
    """RFC 9110 8.8.2.1: Last-Modified is never after Date. An older one only makes a reader ask again."""
    date = http_date(seconds)
    return {**start, "headers": [(n, date if n == b"last-modified" else v) for n, v in start["headers"]]}


def _secure(https: bool) -> Headers:
    return [(b"strict-transport-security", b"max-age=31536000")] if https else []


def _disposition(asked: Asked) -> bytes:
    name = saved.file_name(asked.saved.name) if asked.saved else asked.name
    if name.isascii():
        return f'inline; filename="{name}.{asked.suffix}"'.encode()
    # RFC 8187: the plain name is for those who read no other.
    plain = f'inline; filename="{saved.UNNAMED}.{asked.suffix}"'
    return f"{plain}; filename*=UTF-8''{quote(name)}.{asked.suffix}".encode()


def _notes(asked: Asked, edition: Edition) -> Headers:
    """What a person who wonders about this feed should see."""
    notes: Headers = []
    if asked.ignored:
        notes.append((b"x-dday-ignored", ", ".join(asked.ignored).encode()))
    if edition.over_budget:
        notes.append((b"x-dday-notice", b"larger-than-google-reads"))
    elif edition.short is not None:
        notes.append((b"x-dday-notice", b"shortened"))
    return notes


class Hot(msgspec.Struct, frozen=True, kw_only=True):
    """An edition with the start of every answer that can be given from it, so that none is put together.

    `look` is the cache's look at the store after which a private address was found to lead here.
    """

    asked: Asked
    path: str
    edition: Edition
    tags: tuple[bytes, bytes]
    whole: Any
    held: Mapping[bytes, Any]
    packed: Any = None
    packed_body: bytes = b""
    look: int = 0


class Feeds:
    """Answers /feeds/… and /robots.txt, and hands everything else on."""

    def __init__(
        self,
        inner: ASGIApp,
        cache: FeedCache,
        ahead: Ahead,
        addresses: Addresses,
        *,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._inner, self._cache, self._ahead = inner, cache, ahead
        self._addresses, self._clock = addresses, clock
        https = base_url.startswith("https:")
        self._public, self._private = _public_manner(https=https), _private_manner(https=https)
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
            if hot is None or scope["method"] != "GET" or not self._is_ready(hot, now=now):
                return await self._answer(place, scope, send, now=now)
            self._cache.was_read(hot.path)
            await self._give(hot, place, scope, send, now=now)
        except Problem as problem:
            await self._refuse(problem, scope, send)
        except Exception:
            _log.exception("%s failed", path if self._manner(path) is self._public else saved.FOLDER)
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

    def _is_ready(self, hot: Hot, *, now: datetime) -> bool:
        """Whether it may be sent at once. A private address is looked up as often as the log is."""
        leads = hot.asked.saved is None or (hot.look == self._cache.looks and not hot.asked.is_over(now))
        return leads and self._cache.fresh(hot.edition, now=now)

    def _manner(self, path: str) -> Manner:
        return self._private if path.startswith(saved.FOLDER) else self._public

    async def _answer(self, place: tuple[str, bytes], scope: Any, send: Send, *, now: datetime) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            return await _send(send, 204, self._manner(place[0]).options, b"")
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, METHODS)
        if place[0] == "/robots.txt":
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._public.refused, length(ROBOTS)]
            return await _send(send, 200, headers, ROBOTS if method == "GET" else b"")
        await self._give(await self._warm(place, self._hot.get(place)), place, scope, send, now=now)

    async def _give(
        self, hot: Hot, place: tuple[str, bytes], scope: Any, send: Send, *, now: datetime
    ) -> None:
        wanted = condition(scope["headers"])
        seconds, modified = int(now.timestamp()), hot.edition.modified
        head, body = hot.whole, hot.edition.body
        if tag := is_held(wanted, tags=hot.tags, modified=modified, now=seconds):
            head, body = hot.held[tag], b""
        elif wanted.gzip:
            if hot.packed is None:
                hot = await self._pack(hot, place)
            if hot.packed is not None:
                head, body = hot.packed, hot.packed_body
        if modified > seconds:
            head = dated(head, seconds)
        await send(head)
        body = body if scope["method"] == "GET" else b""
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _warm(self, place: tuple[str, bytes], hot: Hot | None) -> Hot:
        if place[0].startswith(saved.FOLDER):
            found, edition, look = await self._private_now(*place)
        else:
            found, edition, look = await self._public_now(*place, hot)
        if hot is not None and hot.edition.etag == edition.etag and hot.asked == found:
            made = msgspec.structs.replace(hot, edition=edition, look=look)
        else:
            made = self._made(found, edition, self._manner(place[0]), look=look)
        if len(self._hot) >= MOST_HOT:
            self._hot.clear()
        self._hot[place] = made
        return made

    async def _public_now(self, path: str, query: bytes, hot: Hot | None) -> tuple[Asked, Edition, int]:
        found = hot.asked if hot else request.read(path, query)
        if found is None:
            raise NotFound("feed", path.removeprefix("/feeds/")[:100])
        return found, await self._cache.get(found), 0

    async def _private_now(self, path: str, query: bytes) -> tuple[Asked, Edition, int]:
        """A saved feed that is changed meanwhile is looked up again."""
        key = self._addresses.read(path)
        for _ in range(TRIES):
            # Counted before the address is looked up: what is committed after that must be noticed.
            look = await self._cache.look()
            found = await self._addresses.asked(key, query)
            try:
                return found, await self._cache.get(found), look
            except OutOfDate:
                continue
        raise Unavailable("This feed is being changed just now.")

    async def _pack(self, hot: Hot, place: tuple[str, bytes]) -> Hot:
        body = await self._cache.packed(hot.edition)
        if body is None:
            return hot
        kept = [pair for pair in hot.whole["headers"] if pair[0] not in (b"etag", b"content-length")]
        headers = [*kept, (b"etag", hot.tags[1]), (b"content-encoding", b"gzip"), length(body)]
        packed = msgspec.structs.replace(hot, packed=start(200, headers), packed_body=body)
        current = self._hot.get(place)
        if current is not None and current.edition.etag == hot.edition.etag:
            self._hot[place] = packed
        return packed

    def _made(self, found: Asked, edition: Edition, manner: Manner, *, look: int) -> Hot:
        tags = (f'"{edition.etag}"'.encode(), f'"{edition.etag}.gz"'.encode())
        common = held(found, edition, manner)
        complete = whole(found, edition, manner, links=self._links)
        complete += [(b"etag", tags[0]), length(edition.body)]
        return Hot(
            asked=found,
            path=found.path,
            edition=edition,
            tags=tags,
            whole=start(200, complete),
            held={tag: start(304, [*common, (b"etag", tag)]) for tag in tags},
            look=look,
        )

    async def _refuse(self, problem: Problem, scope: Any, send: Send) -> None:
        body = document(problem)
        named = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        manner = self._manner(scope["path"])
        headers = [(b"content-type", MEDIA_TYPE.encode()), *named, *manner.refused, length(body)]
        await _send(send, problem.status, headers, b"" if scope["method"] == "HEAD" else body)


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send(start(status, headers))
    await send({"type": "http.response.body", "body": body, "more_body": False})
