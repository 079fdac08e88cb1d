"""Opaque texts that callers hold: list cursors and change tokens; and the encryption of stored responses."""

import base64
import hmac
import re
from hashlib import sha256
from os import urandom
from typing import NamedTuple, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.errors import At, BadParameters, TokenExpired

T = TypeVar("T")
_MAC = 16


class Cursors:
    """Cursors signed with the service's key and bound to the list they belong to."""

    def __init__(self, secret: bytes) -> None:
        self._key = _derived(secret, "cursors")

    def write(self, position: object, *, bound_to: str) -> str:
        payload = msgspec.msgpack.encode(position)
        return _base64(self._mac(payload, bound_to) + payload)

    def read(self, cursor: str, kind: type[T], *, bound_to: str) -> T:
        """Returns the position. Raises BadParameters for a text that is no cursor of this list."""
        raw = _decoded(cursor)
        mac, payload = raw[:_MAC], raw[_MAC:]
        try:
            # Only bytes we signed are worth decoding; an earlier version may have written another form.
            if hmac.compare_digest(mac, self._mac(payload, bound_to)):
                return msgspec.msgpack.decode(payload, type=kind)
        except msgspec.DecodeError:
            pass
        detail = "Not a cursor of this list with these filters. Take `next` of the page before."
        raise BadParameters(errors=[At(detail=detail, parameter="cursor")])

    def _mac(self, payload: bytes, bound_to: str) -> bytes:
        return hmac.digest(self._key, bound_to.encode() + b"\0" + payload, "sha256")[:_MAC]


class ResponseCipher:
    """Keeps responses that may hold a secret (a new key, a signing secret) unreadable in the database."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(_derived(secret, "answers"))

    def encrypt(self, body: bytes, *, owner: str) -> bytes:
        nonce = urandom(12)
        return nonce + self._cipher.encrypt(nonce, body, owner.encode())

    def decrypt(self, sealed: bytes, *, owner: str) -> bytes | None:
        """Returns None for what was encrypted with another key or for another owner."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], owner.encode())
        except InvalidTag:
            return None


class LogPlace(NamedTuple):
    """A place in the log of changes: the change at `seq` with this mark has been read, and all before it."""

    seq: int
    mark: int


def change_token(instance: str, place: LogPlace) -> str:
    """Returns the token for a place in the log of the database `instance`."""
    plain = f"{instance}.{place.seq}.{place.mark:x}"
    return _base64(f"{plain}.{_checksum(plain)}".encode())


def change_place(token: str, *, instance: str) -> LogPlace:
    """Returns the place a token stands for; TokenExpired: it is another database's or an older version's."""
    plain, _, checksum = _decoded(token).decode("latin-1").rpartition(".")
    found = re.fullmatch(r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,18})(?:\.([0-9a-f]{1,16}))?", plain)
    if found is None or _checksum(plain) != checksum:
        raise BadParameters(errors=[At(detail="Not a token of /v1/changes.", parameter="since")])
    if found[1] != instance:
        raise TokenExpired("The token is from another database.")
    if found[3] is None:
        raise TokenExpired("The token is from a version of Dday that could not tell a restored database.")
    return LogPlace(int(found[2]), int(found[3], 16))


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"dday {purpose}".encode(), "sha256")


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Returns b"" for what is not base64, and for a spelling that `_base64` would not have written."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    return raw if _base64(raw) == text else b""
