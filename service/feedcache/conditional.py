"""Which copy a reader has, and how it wants the next one: the conditional and negotiated headers of a feed.

RFC 9110 13.2.2: If-None-Match decides alone where it is given; If-Modified-Since only without it.
"""

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

import msgspec

_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_CODING = re.compile(rb"([a-z0-9*-]+)(?:\s*;\s*q\s*=\s*([01](?:\.\d{0,3})?))?")


class Condition(msgspec.Struct, frozen=True):
    """The headers of a request that decide about a feed."""

    none_match: bytes | None
    modified_since: bytes | None
    gzip: bool


def condition(headers: Iterable[tuple[bytes, bytes]]) -> Condition:
    """Read from ASGI headers, whose names are in lower case."""
    none_match = since = None
    accept, agent = b"", b""
    for name, value in headers:
        if name == b"if-none-match":
            none_match = value if none_match is None else none_match + b"," + value
        elif name == b"if-modified-since":
            since = value
        elif name == b"accept-encoding":
            accept = value if not accept else accept + b"," + value
        elif name == b"user-agent":
            agent = value
    return Condition(none_match, since, bool(accept) and wants_gzip(accept, agent))


def is_held(condition: Condition, *, tags: tuple[bytes, bytes], modified: int, now: int) -> bytes | None:
    """The tag under which the reader has the current content, so that a 304 tells the truth; else None.

    `tags` are those of the codings; both stand for the same content. A date in the future says nothing about
    what its sender has, unless it is exactly the one we gave out.
    """
    if condition.none_match is not None:
        return _matching(condition.none_match, tags)
    if condition.modified_since is None:
        return None
    since = _seconds(condition.modified_since)
    if since is not None and (since == modified or modified <= since <= now):
        return tags[1] if condition.gzip else tags[0]
    return None


@lru_cache(maxsize=512)
def wants_gzip(accept: bytes, agent: bytes = b"") -> bool:
    """Whether gzip is asked for by name. Microsoft's importers ask for it and then fail on it."""
    if b"microsoft" in agent.lower():
        return False
    found: dict[bytes, bytes] = dict(_CODING.findall(accept.lower()))
    return b"gzip" in found and float(found[b"gzip"] or b"1") > 0


@lru_cache(maxsize=512)
def http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


def _matching(header: bytes, tags: tuple[bytes, bytes]) -> bytes | None:
    if header in tags:
        return header
    if header.strip() == b"*":
        return tags[0]
    held = _TAG.findall(header)
    return next((tag for tag in tags if tag in held), None)


@lru_cache(maxsize=512)
def _seconds(text: bytes) -> int | None:
    """An HTTP date as seconds; a bad one is as good as none (RFC 9110 13.1.3)."""
    try:
        moment = parsedate_to_datetime(text.decode("ascii"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
