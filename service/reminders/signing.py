"""Signs messages as Standard Webhooks 1.0 has it, and makes, spells and seals the signing secrets.

`v1` (HMAC-SHA256) signs always, `v1a` (Ed25519) beside it on request. A receiver accepts a message when any
one signature fits, so while a secret is being rotated both the old and the new one sign.

Secrets are sealed for the store with AES-256-GCM under a key that is kept outside the database. The webhook's
id and the version are authenticated with them, so a sealed secret moved to another webhook's row does not
open.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct


class SigningKey(Struct, frozen=True, kw_only=True):
    """A signing secret, opened. Its repr hides the bytes, so that they are never logged."""

    version: Literal["v1", "v1a"]
    key: bytes

    def __repr__(self) -> str:
        return f"SigningKey(version={self.version!r})"


def headers(
    delivery_id: str, body: bytes, *, keys: Iterable[SigningKey], now: datetime, replay: int = 0
) -> dict[str, str]:
    """Returns the headers of an attempt made `now`; `replay` counts redeliveries. A retry is signed anew."""
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
        # Not hmac.digest, which releases the interpreter lock for every message, however short.
        return hmac.new(key.key, signed, sha256).digest()
    return Ed25519PrivateKey.from_private_bytes(key.key).sign(signed)


SECRET_BYTES = 32
NONCE_BYTES = 12
PREFIXES = {"v1": "whsec_", "v1a": "whsk_"}

Version = Literal["v1", "v1a"]
Randomness = Callable[[int], bytes]


class Unsealable(Exception):
    """A sealed secret does not open: another key, another webhook, or damage."""


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret as the store keeps it; `key_id` names the key that opens it."""

    version: Version
    key_id: str
    nonce: bytes
    ciphertext: bytes


def generate(version: Version, *, randomness: Randomness) -> SigningKey:
    """Returns a new secret made from `randomness(count)`, such as `secrets.token_bytes`."""
    return SigningKey(version=version, key=randomness(SECRET_BYTES))


def spelt(key: SigningKey) -> str:
    """Returns a secret as Standard Webhooks libraries read it: `whsec_…` or `whsk_…`."""
    return PREFIXES[key.version] + b64encode(key.key).decode()


def read(text: str) -> SigningKey:
    """Reads what `spelt` returned."""
    version: Version = "v1a" if text.startswith(PREFIXES["v1a"]) else "v1"
    return SigningKey(version=version, key=b64decode(text.removeprefix(PREFIXES[version]), validate=True))


def public_bytes(key: SigningKey) -> bytes:
    """Returns the raw Ed25519 public key of a `v1a` secret."""
    private = Ed25519PrivateKey.from_private_bytes(key.key)
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_key(key: SigningKey) -> str:
    """Returns the public key of a `v1a` secret as `whpk_…`, which a receiver may hold in the open."""
    return "whpk_" + b64encode(public_bytes(key)).decode()


def key_id(master: bytes) -> str:
    """Returns a name for a sealing key that tells it from others and does not help to guess it."""
    return sha256(b"dday sealing key\0" + master).hexdigest()[:16]


def seal(key: SigningKey, *, webhook_id: str, master: bytes, randomness: Randomness) -> Sealed:
    """Encrypts a secret of this webhook under the sealing key `master` (32 bytes)."""
    nonce = randomness(NONCE_BYTES)
    ciphertext = AESGCM(master).encrypt(nonce, key.key, _bound_to(webhook_id, key.version))
    return Sealed(version=key.version, key_id=key_id(master), nonce=nonce, ciphertext=ciphertext)


def unseal(sealed: Sealed, *, webhook_id: str, masters: Mapping[str, bytes]) -> SigningKey:
    """Decrypts a secret with the sealing key that made it, of several in use; raises Unsealable."""
    master = masters.get(sealed.key_id)
    if master is None:
        raise Unsealable("no sealing key of this name is configured")
    try:
        opened = AESGCM(master).decrypt(
            sealed.nonce, sealed.ciphertext, _bound_to(webhook_id, sealed.version)
        )
    except InvalidTag:
        raise Unsealable("the sealed secret does not belong here or is damaged") from None
    return SigningKey(version=sealed.version, key=opened)


def _bound_to(webhook_id: str, version: Version) -> bytes:
    return f"dday:{webhook_id}:{version}".encode()
