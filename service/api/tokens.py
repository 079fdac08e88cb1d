"""Opaque things handed out and taken back: list cursors, change tokens, sealed answers."""

import base64
import binascii
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
        self._key = derived(secret, "cursors")

    def write(self, position: object, *, bound_to: str) -> str:
        payload = msgspec.msgpack.encode(position)
        return _text(self._mac(payload, bound_to) + payload)

    def read(self, cursor: str, kind: type[T], *, bound_to: str) -> T:
        raw = _bytes(cursor)
        mac, payload = raw[:_MAC], raw[_MAC:]
        # Decoding comes second: only bytes we signed are worth reading.
        if not hmac.compare_digest(mac, self._mac(payload, bound_to)):
            detail = "Not a cursor of this list with these filters. Take `next` of the page before."
            raise BadParameters(errors=[At(detail=detail, parameter="cursor")])
        return msgspec.msgpack.decode(payload, type=kind)

    def _mac(self, payload: bytes, bound_to: str) -> bytes:
        return hmac.digest(self._key, bound_to.encode() + b"\0" + payload, "sha256")[:_MAC]


class Box:
    """Keeps answers that may hold a secret (a new key, a signing secret) unreadable in the database."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(derived(secret, "answers"))

    def seal(self, answer: bytes, *, owner: str) -> bytes:
        nonce = urandom(12)
        return nonce + self._cipher.encrypt(nonce, answer, owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> bytes | None:
        """None if it was sealed with another key."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], owner.encode())
        except InvalidTag:
            return None


def change_token(instance: str, seq: int) -> str:
    """Where a reader of `/v1/changes` is in the log of one database."""
    plain = f"{instance}.{seq}"
    return _text(f"{plain}.{_check(plain)}".encode())


def change_seq(token: str, *, instance: str, head: int) -> int:
    """The seq a token stands for. Another database's token, or one ahead of us, is 410: start over."""
    found = re.fullmatch(
        r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,18})\.([0-9a-f]{8})", _bytes(token).decode("latin-1")
    )
    if found is None or _check(f"{found[1]}.{found[2]}") != found[3]:
        raise BadParameters(errors=[At(detail="Not a token of /v1/changes.", parameter="since")])
    if found[1] != instance:
        raise TokenExpired("The token is from another database.")
    if int(found[2]) > head:
        raise TokenExpired("The token is ahead of this database, which was perhaps restored from a backup.")
    return int(found[2])


def derived(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"dday {purpose}".encode(), "sha256")


def _check(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """b"" for what is not base64, and for a spelling that we would not have written ourselves."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""
    return raw if _text(raw) == text else b""
