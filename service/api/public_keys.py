"""The public halves of `v1a`, for everybody who asks.

Whoever asks must not make us open every secret each time: an opened one is kept while its webhook does not
change, and what is said of all of them for a moment.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

import msgspec
from litestar import Response, get
from sqlalchemy import Connection

from service.api import answers, queries
from service.api.call import Call
from service.api.deliveries import TAG
from service.api.operations import Parameter, operation
from service.reminders import secrets
from service.reminders.signing import SigningKey
from service.reminders.subscribers import Subscribers
from service.store import secrets as sealed

KEPT = timedelta(seconds=5)
WEBHOOK_PARAMETER = Parameter(
    name="webhook",
    description="Only the keys of this webhook. Verify with these: with all, anybody's message is ours.",
    schema={"type": "string"},
)


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Ed25519 public key (RFC 8037); `kid` is its webhook and its thumbprint (RFC 7638)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str
    x: str


class KeySet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[PublicKey, ...]


class PublicKeys:
    """The keys that `v1a` signatures are made with now, those being replaced included."""

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        self._subscribers = Subscribers(masters)
        self._all: tuple[datetime, KeySet] | None = None

    def of(self, c: Connection, webhooks: Sequence[str], *, now: datetime) -> KeySet:
        """Of these webhooks; nothing is said of those that there are not."""
        found = self._subscribers.load(c, webhooks)
        keys = (
            public(key, webhook=name)
            for name, subscriber in sorted(found.items())
            for key in _asymmetric(subscriber.live(now))
        )
        return KeySet(keys=tuple(keys))

    def every(self, c: Connection, *, now: datetime) -> KeySet:
        """Of all webhooks, as they were at most some seconds ago."""
        if self._all is None or not self._all[0] <= now < self._all[0] + KEPT:
            self._all = now, self.of(c, sealed.webhooks_with(c, "v1a"), now=now)
        return self._all[1]


@get(
    "/.well-known/jwks.json",
    opt=operation(
        "Public signing keys",
        tag=TAG,
        parameters=(WEBHOOK_PARAMETER,),
        answers={200: KeySet},
        cached=True,
    ),
)
async def jwks(request: Call) -> Response[bytes]:
    """The public keys of the `v1a` signatures that are made now, those being replaced included.

    Ask for your own `webhook`. Without it these are the keys of all, a few seconds old: a signature by one of
    them says that a message is from here, not that it is for you.
    """
    keys: PublicKeys = request.app.state.public_keys
    webhook, now = queries.value(request.pairs, "webhook"), request.now

    def work(c: Connection) -> KeySet:
        return keys.every(c, now=now) if webhook is None else keys.of(c, [webhook], now=now)

    return request.shown(answers.tagged(msgspec.json.encode(await request.service.store.reading(work))))


def public(key: SigningKey, *, webhook: str) -> PublicKey:
    x = _base64url(secrets.public_bytes(key))
    # RFC 7638: the required members in lexicographic order, without spaces.
    thumbprint = sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return PublicKey(kid=f"{webhook}.{_base64url(thumbprint)}", x=x)


def _asymmetric(keys: Iterable[SigningKey]) -> Iterable[SigningKey]:
    return (key for key in keys if key.version == "v1a")


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


HANDLERS = (jwks,)
