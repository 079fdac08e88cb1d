"""Signatures of Standard Webhooks 1.0: `v1` (HMAC-SHA256) always, `v1a` (Ed25519) beside it on request.

A receiver takes a message when any one signature of the list fits, so while a secret is being rotated both
the old and the new one sign.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct


class SigningKey(Struct, frozen=True, kw_only=True):
    """One live secret, opened. It is never logged: its repr hides the bytes."""

    version: Literal["v1", "v1a"]
    key: bytes

    def __repr__(self) -> str:
        return f"SigningKey(version={self.version!r})"


def headers(
    delivery_id: str, body: bytes, *, keys: Iterable[SigningKey], now: datetime, replay: int = 0
) -> dict[str, str]:
    """The headers of one attempt. The timestamp is the attempt's, so a retry is signed anew."""
    timestamp = int(now.timestamp())
    signed = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
    ordered = sorted(keys, key=lambda key: key.version)  # v1 first, for verifiers that read no further
    signatures = " ".join(f"{key.version},{b64encode(_sign(key, signed)).decode()}" for key in ordered)
    made = {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
        "content-type": "application/json",
    }
    return made | {"webhook-replay": str(replay)} if replay else made


def _sign(key: SigningKey, signed: bytes) -> bytes:
    if key.version == "v1":
        # Not hmac.digest, which lets go of the interpreter for every message, however short.
        return hmac.new(key.key, signed, sha256).digest()
    return Ed25519PrivateKey.from_private_bytes(key.key).sign(signed)
