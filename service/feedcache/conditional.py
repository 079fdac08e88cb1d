"""Parses the conditional and negotiated headers of a feed request: which copy a reader holds, whether gzip.

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
    """The headers that decide between 200 and 304, and about the coding."""

    none_match: bytes | None
    modified_since: bytes | None
    gzip: bool


def parse(headers: Iterable[tuple[bytes, bytes]]) -> Condition:
    """Reads ASGI headers, whose names are in lower case."""
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
    return Condition(none_match, since, bool(accept) and _wants_gzip(accept, agent))


def held_tag(condition: Condition, *, tags: tuple[bytes, bytes], modified: int, now: int) -> bytes | None:
    """Returns the tag under which the reader holds the current content, for a 304; None if it may not.

    `tags` are those of the plain and the gzip coding; both stand for the same content. A date in the future
    says nothing about what its sender holds, unless it is exactly the Last-Modified that was given out.
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
def http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


@lru_cache(maxsize=512)
def _wants_gzip(accept: bytes, agent: bytes) -> bool:
    """Whether gzip is asked for by name. Microsoft's importers ask for it and then fail on it."""
    if b"microsoft" in agent.lower():
        return False
    quality: dict[bytes, bytes] = dict(_CODING.findall(accept.lower()))
    return b"gzip" in quality and float(quality[b"gzip"] or b"1") > 0


def _matching(header: bytes, tags: tuple[bytes, bytes]) -> bytes | None:
    if header in tags:
        return header
    if header.strip() == b"*":
        return tags[0]
    listed = _TAG.findall(header)
    return next((tag for tag in tags if tag in listed), None)


@lru_cache(maxsize=512)
def _seconds(text: bytes) -> int | None:
    """Returns an HTTP date in seconds since 1970; None for a bad one, which is ignored (RFC 9110 13.1.3)."""
    try:
        moment = parsedate_to_datetime(text.decode("ascii"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
