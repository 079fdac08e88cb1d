"""The headers of feeds: for everybody, and for private addresses, which are secrets themselves."""

from typing import Any
from urllib.parse import quote

import msgspec

from feeds.formats import FORMATS
from service.feedcache import saved
from service.feedcache.asked import Asked
from service.feedcache.edition import Edition
from service.feedcache.validators import http_date

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


def public(*, https: bool) -> Manner:
    safe = [*_SAFE, *_secure(https)]
    return Manner(
        open=_READABLE,
        safe=safe,
        refused=[*_READABLE, *safe],
        options=[*_READABLE, *safe, *_ALLOW, *_PREFLIGHT],
        keep=b"public, max-age=900, stale-if-error=86400",
    )


def private(*, https: bool) -> Manner:
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
