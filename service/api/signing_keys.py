"""Signing secrets: changed without a gap, and the public halves of `v1a` for everybody."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes
from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service.api import answers
from service.api.answers import Answer
from service.api.call import Call
from service.api.deliveries import TAG, owner
from service.api.operations import operation
from service.api.webhooks import sealed
from service.errors import At, Unprocessable
from service.reminders import offsets, secrets
from service.reminders.secrets import Unsealable
from service.reminders.signing import SigningKey
from service.store import secrets as kept
from service.store import webhooks
from service.store.secrets import Secret

LONGEST_OVERLAP = timedelta(days=7)


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old secret signs beside the new one: up to seven days, `PT0S` to end it at once."""

    overlap: Annotated[str, Meta(max_length=40)] = "PT24H"


class Rotated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new secret, shown only here, and until when the old one signs too."""

    secret: str
    public_key: str | UnsetType = UNSET
    previous_until: datetime


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Ed25519 public key (RFC 8037); `kid` is its thumbprint (RFC 7638)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str
    x: str


class KeySet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[PublicKey, ...]


@post(
    "/v1/webhooks/{webhook_id:str}/rotate-secret",
    status_code=200,
    opt=operation(
        "Change a webhook's secret",
        tag=TAG,
        scope="webhooks",
        body=Rotation,
        answers={200: Rotated},
        once=True,
    ),
)
async def rotate(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Make a new secret (and a new key pair where `v1a` signs).

    Both old and new sign until the overlap is over.
    """
    overlap, now = _overlap(await request.read_if_sent(Rotation)), request.now

    def work(c: Connection) -> Answer:
        webhook = webhooks.get(c, webhook_id, owner=owner(request), locked=True)
        fresh = tuple(secrets.generate(version, randomness=token_bytes) for version in webhook.signing)
        kept.rotate(c, webhook_id, sealed(request.service, webhook_id, fresh), overlap=overlap, now=now)
        return answers.value(_rotated(fresh, previous_until=now + overlap))

    return await request.write(work)


@get(
    "/.well-known/jwks.json",
    opt=operation("Public signing keys", tag=TAG, answers={200: KeySet}, cached=True),
)
async def jwks(request: Call) -> Response[bytes]:
    """The public keys of all `v1a` signatures that are made now, those being replaced included."""
    masters, now = request.service.masters, request.now

    def work(c: Connection) -> tuple[PublicKey, ...]:
        live = (s for s in kept.every(c) if s.expires_at is None or now < s.expires_at)
        pairs = (_opened(s, masters) for s in live if s.sealed.version == "v1a")
        return tuple(sorted((_public(key) for key in pairs if key), key=lambda key: key.kid))

    keys = await request.service.store.reading(work)
    return request.shown(answers.tagged(msgspec.json.encode(KeySet(keys=keys))))


def _opened(secret: Secret, masters: Mapping[str, bytes]) -> SigningKey | None:
    """What does not open signs nothing either."""
    try:
        return secrets.unseal(secret.sealed, webhook_id=secret.webhook_id, masters=masters)
    except Unsealable:
        return None


def _overlap(wanted: Rotation) -> timedelta:
    try:
        overlap = offsets.parse(wanted.overlap).longest
    except offsets.OffsetError as error:
        raise Unprocessable(errors=[At(detail=str(error), pointer="/overlap")]) from None
    if overlap > LONGEST_OVERLAP:
        raise Unprocessable(errors=[At(detail="It is at most seven days, P7D.", pointer="/overlap")])
    return overlap


def _rotated(fresh: Sequence[SigningKey], *, previous_until: datetime) -> Rotated:
    by_version = {key.version: key for key in fresh}
    pair = by_version.get("v1a")
    return Rotated(
        secret=secrets.spelt(by_version["v1"]),
        public_key=UNSET if pair is None else secrets.public_key(pair),
        previous_until=previous_until,
    )


def _public(key: SigningKey) -> PublicKey:
    x = _base64url(secrets.public_bytes(key))
    # RFC 7638: the required members in lexicographic order, without spaces.
    thumbprint = sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return PublicKey(kid=_base64url(thumbprint), x=x)


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


HANDLERS = (rotate, jwks)
