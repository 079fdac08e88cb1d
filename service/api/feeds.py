"""Serves feeds over HTTP, in front of everything else: most requests for them end here, before any routing.

`Feeds` wraps the app as `HttpMiddleware` does. Headers and tags are prepared once an address and content.
"""

import logging
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from litestar.types import ASGIApp, Receive, Send

from feeds.formats import FORMATS
from service.api.middleware import RatedCaller, RateLimiter, name_of_caller
from service.clock import Clock
from service.errors import MEDIA_TYPE, MethodNotAllowed, NotFound, Problem, Unavailable, document
from service.feedcache import conditional, request, saved
from service.feedcache.builder import FeedCopy
from service.feedcache.cache import FeedCache
from service.feedcache.conditional import http_date
from service.feedcache.request import FeedRequest
from service.feedcache.saved import Addresses
from service.feedcache.selection import OutOfDate

Headers = list[tuple[bytes, bytes]]

MOST_PREPARED = 5_000
TRIES = 3
FOLDER = "/feeds/"
METHODS = "GET, HEAD, OPTIONS"
ROBOTS = b"User-agent: *\nAllow: /\n"

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

_log = logging.getLogger(__name__)


class HeaderPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one kind of feed: of 200 and 304, of 200 alone, of a problem and of OPTIONS."""

    every: Headers
    ok: Headers
    problem: Headers
    options: Headers


class PreparedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The feed of an address, and the headers of its answers but for date, tag and length.

    `look` is the cache's look at the log after which a private address was found to lead here.
    """

    request: FeedRequest
    path: str
    etag: str
    tags: tuple[bytes, bytes]
    ok: Headers
    not_modified: Headers
    look: int


class Feeds:
    """Answers /feeds/… and /robots.txt, and hands everything else on to `inner`."""

    def __init__(
        self,
        inner: ASGIApp,
        cache: FeedCache,
        addresses: Addresses,
        *,
        clock: Clock,
        base_url: str,
        rates: RateLimiter,
    ) -> None:
        self._inner, self._cache, self._addresses, self._clock = inner, cache, addresses, clock
        self._rates = rates
        https = base_url.startswith("https:")
        links = f'<{base_url}/>; rel="alternate"; type="text/html", <{base_url}/v1/changes>; rel="related"'
        self._public = _public_policy((b"link", links.encode()), https=https)
        self._private = _private_policy((b"link", links.encode()), https=https)
        self._prepared: dict[tuple[str, bytes], PreparedAnswer] = {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path[: len(FOLDER)].lower() == FOLDER:
            if (path, scope["query_string"]) not in self._prepared:
                path = request.canonical_path(path)
        elif path != "/robots.txt":
            return await self._inner(scope, receive, send)
        try:
            status, headers, body = await self._answer(path, scope)
        except Problem as problem:
            status, headers, body = self._problem(problem, path)
        except Exception:
            _log.exception(
                "%s failed", path if self._policy(path) is self._public else request.PRIVATE_FOLDER
            )
            unavailable = Unavailable("This feed cannot be sent just now.")
            status, headers, body = self._problem(unavailable, path)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _answer(self, path: str, scope: Any) -> tuple[int, Headers, bytes]:
        method = scope["method"]
        if method == "OPTIONS":
            return 204, self._policy(path).options, b""
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, METHODS)
        if path == "/robots.txt":
            plain = (b"content-type", b"text/plain; charset=utf-8")
            return 200, [plain, *self._public.problem, _length(ROBOTS)], ROBOTS
        place, now = (path, scope["query_string"]), self._clock.now()
        prepared = self._prepared.get(place)
        copy = self._fresh(prepared, now=now) if prepared else None
        if prepared is None or copy is None:
            payer = RatedCaller(self._rates, name_of_caller(scope))
            prepared, copy = await self._look_up(place, prepared, payer)
        return await self._chosen(prepared, copy, conditional.parse(scope["headers"]), int(now.timestamp()))

    async def _chosen(
        self, prepared: PreparedAnswer, copy: FeedCopy, condition: conditional.Condition, now: int
    ) -> tuple[int, Headers, bytes]:
        # RFC 9110 8.8.2.1: Last-Modified is never after Date. An older one only makes a reader ask again.
        date = (b"last-modified", http_date(min(copy.modified, now)))
        tag = conditional.held_tag(condition, tags=prepared.tags, modified=copy.modified, now=now)
        if tag:
            return 304, [*prepared.not_modified, date, (b"etag", tag)], b""
        plain, gzipped = prepared.tags
        if not condition.gzip:
            return 200, [*prepared.ok, date, (b"etag", plain), _length(copy.body)], copy.body
        body = await self._cache.gzipped(copy)
        coding = (b"content-encoding", b"gzip")
        return 200, [*prepared.ok, date, (b"etag", gzipped), coding, _length(body)], body

    def _fresh(self, prepared: PreparedAnswer, *, now: datetime) -> FeedCopy | None:
        """Returns the copy that may be sent at once. A private address is looked up as often as the log."""
        if prepared.request.saved is not None and (
            prepared.look != self._cache.looks or prepared.request.has_ended(now)
        ):
            return None
        copy = self._cache.fresh(prepared.path, now=now)
        return copy if copy is not None and copy.etag == prepared.etag else None

    async def _look_up(
        self, place: tuple[str, bytes], known: PreparedAnswer | None, payer: RatedCaller
    ) -> tuple[PreparedAnswer, FeedCopy]:
        path, query = place
        if path.startswith(request.PRIVATE_FOLDER):
            feed, copy, look = await self._private_copy(path, query, payer)
        else:
            public = known.request if known else request.parse(path, query)
            if public is None:
                raise NotFound("feed", path.removeprefix("/feeds/")[:100])
            feed, copy, look = public, await self._cache.get(public, payer), 0
        if known is None or known.etag != copy.etag or known.request != feed or known.look != look:
            known = _prepared(feed, copy, self._policy(path), look=look)
            if len(self._prepared) >= MOST_PREPARED:
                self._prepared.clear()
            self._prepared[place] = known
        return known, copy

    async def _private_copy(
        self, path: str, query: bytes, payer: RatedCaller
    ) -> tuple[FeedRequest, FeedCopy, int]:
        """Looks the address up again when the saved feed is changed meanwhile."""
        token, suffix = self._addresses.parse(path)
        for _ in range(TRIES):
            # Counted before the address is looked up: what is committed after that must be noticed.
            look = await self._cache.look()
            feed = await self._addresses.look_up(token, suffix, query)
            try:
                return feed, await self._cache.get(feed, payer), look
            except OutOfDate:
                continue
        raise Unavailable("This feed is being changed just now.")

    def _policy(self, path: str) -> HeaderPolicy:
        return self._private if path.startswith(request.PRIVATE_FOLDER) else self._public

    def _problem(self, problem: Problem, path: str) -> tuple[int, Headers, bytes]:
        body = document(problem)
        own = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        media_type = (b"content-type", MEDIA_TYPE.encode())
        return problem.status, [media_type, *own, *self._policy(path).problem, _length(body)], body


def _prepared(feed: FeedRequest, copy: FeedCopy, policy: HeaderPolicy, *, look: int) -> PreparedAnswer:
    every = [*policy.every, *_notices(feed, copy)]
    return PreparedAnswer(
        request=feed,
        path=feed.path,
        etag=copy.etag,
        tags=(f'"{copy.etag}"'.encode(), f'"{copy.etag}.gz"'.encode()),
        ok=[
            (b"content-type", FORMATS[feed.suffix].media_type.encode()),
            *every,
            (b"content-disposition", _disposition(feed)),
            (b"content-language", feed.lang.encode()),
            *policy.ok,
        ],
        # RFC 9110 15.4.5; everything else is known from the 200.
        not_modified=every,
        look=look,
    )


def _public_policy(links: tuple[bytes, bytes], *, https: bool) -> HeaderPolicy:
    safe = [*_SAFE, *_secure(https)]
    return HeaderPolicy(
        every=[
            (b"cache-control", b"public, max-age=900, stale-if-error=86400"),
            (b"vary", b"Accept-Encoding"),
            *_READABLE,
        ],
        ok=[links, *safe],
        problem=[*_READABLE, *safe],
        options=[*_READABLE, *safe, *_ALLOW, *_PREFLIGHT],
    )


def _private_policy(links: tuple[bytes, bytes], *, https: bool) -> HeaderPolicy:
    """No page of another origin reads it, no cache on the way keeps it, no search engine lists it."""
    safe = [*_SAFE, *_secure(https), (b"x-robots-tag", b"noindex, nofollow")]
    return HeaderPolicy(
        every=[(b"cache-control", b"private, max-age=900"), (b"vary", b"Accept-Encoding")],
        ok=[links, *safe],
        problem=[(b"cache-control", b"no-store"), *safe],
        options=[*safe, *_ALLOW],
    )


def _secure(https: bool) -> Headers:
    return [(b"strict-transport-security", b"max-age=31536000")] if https else []


def _disposition(feed: FeedRequest) -> bytes:
    name = saved.file_name(feed.saved.name) if feed.saved else feed.name
    if name.isascii():
        return f'inline; filename="{name}.{feed.suffix}"'.encode()
    # RFC 8187: the plain name is for those who read no other.
    plain = f'inline; filename="{saved.UNNAMED}.{feed.suffix}"'
    return f"{plain}; filename*=UTF-8''{quote(name)}.{feed.suffix}".encode()


def _notices(feed: FeedRequest, copy: FeedCopy) -> Headers:
    """Returns the headers that tell a person what was ignored."""
    notices: Headers = []
    if feed.ignored:
        notices.append((b"x-dday-ignored", ", ".join(feed.ignored).encode()))
    if copy.over_budget:
        notices.append((b"x-dday-notice", b"larger-than-google-reads"))
    elif smaller := [
        word
        for word, so in ((b"without-past", copy.without_past), (b"shortened", copy.short is not None))
        if so
    ]:
        notices.append((b"x-dday-notice", b", ".join(smaller)))
    return notices


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(body)).encode())
