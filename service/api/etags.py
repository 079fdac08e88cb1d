"""Entity tags (RFC 9110 section 8.8.3 and 13): made, compared, and asked for before a write.

A tag is `"<revision>.<seq>.<hash of the bytes>"` for one thing and `"<hash>"` for a list. Reads compare the
whole tag. Writes compare revision and seq, the part that says which version was read: a phase that moved
on with the clock, or another language of its labels, is no reason to refuse a write.
"""

import re
from hashlib import sha256

import msgspec

from service.errors import AlreadyExists, PreconditionFailed

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of a thing is stored."""

    revision: int
    seq: int


def of_bytes(body: bytes) -> str:
    return f'"{sha256(body).hexdigest()[:32]}"'


def of_version(version: Version, body: bytes) -> str:
    return f'"{version.revision}.{version.seq}.{sha256(body).hexdigest()[:24]}"'


def none_match(header: str | None, etag: str) -> bool:
    """True if the copy the caller has is this one (weak comparison, as If-None-Match asks)."""
    if header is None:
        return False
    return header.strip() == "*" or etag.strip('"') in (tag for _, tag in _TAG.findall(header))


class Precondition(msgspec.Struct, frozen=True, kw_only=True):
    """If-Match and If-None-Match of a write."""

    match: str | None = None
    none_match: str | None = None

    def check(self, current: Version | None) -> None:
        """Raise PreconditionFailed unless `current` (None: there is nothing) is what the caller means."""
        if self.match is not None and not _names(self.match, current, weak=False):
            found = "another version than the stored one" if current else "a version, and nothing is stored"
            raise PreconditionFailed(f"If-Match names {found}.")
        if self.none_match is not None and _names(self.none_match, current, weak=True):
            if self.none_match.strip() == "*":
                raise AlreadyExists("If-None-Match: * asks for something new, and this exists already.")
            raise PreconditionFailed("If-None-Match excludes the version that is stored.")


def _names(header: str, current: Version | None, *, weak: bool) -> bool:
    if current is None:
        return False
    if header.strip() == "*":
        return True
    version = f"{current.revision}.{current.seq}."
    return any(tag.startswith(version) and (weak or not marked) for marked, tag in _TAG.findall(header))
