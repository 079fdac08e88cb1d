"""Signing secrets: how they are made, written for people, and sealed for the store.

Sealed with AES-256-GCM under a key that is kept outside the database. The webhook's id and the version are
authenticated with it, so a sealed secret moved to another webhook's row does not open.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from service.reminders.signing import SigningKey

SECRET_BYTES = 32
NONCE_BYTES = 12
PREFIXES = {"v1": "whsec_", "v1a": "whsk_"}

Version = Literal["v1", "v1a"]
Randomness = Callable[[int], bytes]


class Unsealable(Exception):
    """A sealed secret does not open: another key, another webhook, or damage. Says nothing of its content."""


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret as the store keeps it."""

    version: Version
    key_id: str
    nonce: bytes
    ciphertext: bytes


def generate(version: Version, *, randomness: Randomness) -> SigningKey:
    return SigningKey(version=version, key=randomness(SECRET_BYTES))


def spelt(key: SigningKey) -> str:
    """`whsec_…` or `whsk_…`, as Standard Webhooks libraries read it."""
    return PREFIXES[key.version] + b64encode(key.key).decode()


def read(text: str) -> SigningKey:
    """The inverse of `spelt`."""
    version: Version = "v1a" if text.startswith(PREFIXES["v1a"]) else "v1"
    return SigningKey(version=version, key=b64decode(text.removeprefix(PREFIXES[version]), validate=True))


def public_bytes(key: SigningKey) -> bytes:
    """The Ed25519 public key of a `v1a` secret."""
    private = Ed25519PrivateKey.from_private_bytes(key.key)
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_key(key: SigningKey) -> str:
    """`whpk_…`, which a receiver may hold in the open."""
    return "whpk_" + b64encode(public_bytes(key)).decode()


def key_id(master: bytes) -> str:
    """The name of a sealing key: enough to find it among several, nothing to guess it by."""
    return sha256(b"dday sealing key\0" + master).hexdigest()[:16]


def seal(key: SigningKey, *, webhook_id: str, master: bytes, randomness: Randomness) -> Sealed:
    nonce = randomness(NONCE_BYTES)
    ciphertext = AESGCM(master).encrypt(nonce, key.key, _bound_to(webhook_id, key.version))
    return Sealed(version=key.version, key_id=key_id(master), nonce=nonce, ciphertext=ciphertext)


def unseal(sealed: Sealed, *, webhook_id: str, masters: Mapping[str, bytes]) -> SigningKey:
    """Open with whichever of our sealing keys made it; several are live while the key is being changed."""
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
