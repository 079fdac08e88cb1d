"""Signing secrets: rotated without a gap; and the public keys of `v1a`, for everybody."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes
from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service.api import json_body, queries, responses
from service.api.deliveries import TAG
from service.api.operations import Parameter, route
from service.api.request import Call
from service.api.responses import ApiResponse
from service.api.webhooks import sealed
from service.delivery.prepare import Subscribers
from service.errors import Conflict
from service.reminders import signing
from service.reminders.signing import SigningKey
from service.store import webhook_secrets as kept
from service.store import webhooks
from service.store.webhook_secrets import Secret

LONGEST_OVERLAP = timedelta(days=7)
# Each signs, so each makes the header longer; receivers take 8 KiB of one.
MOST = 10
# How long the list of all public keys is answered from memory: opening every secret takes long.
KEPT = timedelta(seconds=5)


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old secret signs beside the new one: up to seven days, `PT0S` to end it at once."""

    overlap: Annotated[str, Meta(max_length=40)] = "PT24H"


class Rotated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new secret, shown only here, and until when the old one signs too."""

    secret: str
    public_key: str | UnsetType = UNSET
    previous_until: datetime


@post(
    "/v1/webhooks/{webhook_id:str}/rotate-secret",
    **route(
        "Change a webhook's secret",
        tag=TAG,
        scope="webhooks",
        body=Rotation,
        answers={200: Rotated},
        problems=(Conflict,),
        once=True,
    ),
)
async def rotate(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Make a new secret (and a new key pair where `v1a` signs).

    Both old and new sign until the overlap is over. Where ten sign already it is a 409: wait until one has
    ended, or end all of them with the overlap `PT0S`.
    """
    wanted, now = await request.optional_body_as(Rotation), request.now
    overlap = json_body.overlap(
        wanted.overlap, longest=LONGEST_OVERLAP, too_long="It is at most seven days, P7D."
    )

    def work(c: Connection) -> ApiResponse:
        webhook = webhooks.get(c, webhook_id, owner=request.owner, locked=True)
        if overlap:
            _refuse_an_eleventh(kept.of(c, [webhook_id]), now=now)
        fresh = tuple(signing.generate(version, randomness=token_bytes) for version in webhook.signing)
        kept.rotate(c, webhook_id, sealed(request.service, webhook_id, fresh), overlap=overlap, now=now)
        return responses.value(_rotated(fresh, previous_until=now + overlap))

    return await request.write(work)


def _refuse_an_eleventh(there: Sequence[Secret], *, now: datetime) -> None:
    ends = [each.expires_at for each in there if each.sealed.version == "v1"]
    living = sorted(end for end in ends if end is not None and end > now)
    if len(living) + 1 >= MOST:
        raise Conflict(
            f"Already {MOST} secrets sign for this webhook. One of them ends at {living[0].isoformat()}; "
            'all end at once with {"overlap": "PT0S"}.'
        )


def _rotated(fresh: Sequence[SigningKey], *, previous_until: datetime) -> Rotated:
    by_version = {key.version: key for key in fresh}
    pair = by_version.get("v1a")
    return Rotated(
        secret=signing.spelt(by_version["v1"]),
        public_key=UNSET if pair is None else signing.public_key(pair),
        previous_until=previous_until,
    )


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
            self._all = now, self.of(c, kept.webhooks_with(c, "v1a"), now=now)
        return self._all[1]


@get(
    "/.well-known/jwks.json",
    **route(
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

    return request.shown(responses.tagged(msgspec.json.encode(await request.service.store.aread(work))))


def public(key: SigningKey, *, webhook: str) -> PublicKey:
    x = _base64url(signing.public_bytes(key))
    # RFC 7638: the required members in lexicographic order, without spaces.
    thumbprint = sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return PublicKey(kid=f"{webhook}.{_base64url(thumbprint)}", x=x)


def _asymmetric(keys: Iterable[SigningKey]) -> Iterable[SigningKey]:
    return (key for key in keys if key.version == "v1a")


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


HANDLERS = (
    rotate,
    jwks,
)
