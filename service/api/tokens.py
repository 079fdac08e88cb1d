"""Opaque texts that callers hold: list cursors and change tokens; and the encryption of stored responses."""

import base64
import hmac
import re
from hashlib import sha256
from os import urandom
from typing import TypeVar

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


def change_token(instance: str, seq: int) -> str:
    """Returns the token for the place `seq` in the log of the database `instance`."""
    plain = f"{instance}.{seq}"
    return _base64(f"{plain}.{_checksum(plain)}".encode())


def change_seq(token: str, *, instance: str, head: int) -> int:
    """Returns the place a token stands for. Raises TokenExpired: another database's, or beyond `head`."""
    found = re.fullmatch(
        r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,18})\.([0-9a-f]{8})", _decoded(token).decode("latin-1")
    )
    if found is None or _checksum(f"{found[1]}.{found[2]}") != found[3]:
        raise BadParameters(errors=[At(detail="Not a token of /v1/changes.", parameter="since")])
    if found[1] != instance:
        raise TokenExpired("The token is from another database.")
    if int(found[2]) > head:
        raise TokenExpired("The token is ahead of this database, which was perhaps restored from a backup.")
    return int(found[2])


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
