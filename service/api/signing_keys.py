"""Signing secrets, changed without a gap. The public halves of `v1a` are in `public_keys`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from service.api import answers
from service.api.answers import Answer
from service.api.call import Call
from service.api.deliveries import TAG, owner
from service.api.operations import operation
from service.api.webhooks import sealed
from service.errors import At, Conflict, Unprocessable
from service.reminders import offsets, secrets
from service.reminders.signing import SigningKey
from service.store import secrets as kept
from service.store import webhooks
from service.store.secrets import Secret

LONGEST_OVERLAP = timedelta(days=7)
# Each signs, so each makes the header longer; receivers take 8 KiB of one.
MOST = 10


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
    status_code=200,
    opt=operation(
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
    overlap, now = _overlap(await request.read_if_sent(Rotation)), request.now

    def work(c: Connection) -> Answer:
        webhook = webhooks.get(c, webhook_id, owner=owner(request), locked=True)
        if overlap:
            _refuse_an_eleventh(kept.of(c, [webhook_id]), now=now)
        fresh = tuple(secrets.generate(version, randomness=token_bytes) for version in webhook.signing)
        kept.rotate(c, webhook_id, sealed(request.service, webhook_id, fresh), overlap=overlap, now=now)
        return answers.value(_rotated(fresh, previous_until=now + overlap))

    return await request.write(work)


def _refuse_an_eleventh(there: Sequence[Secret], *, now: datetime) -> None:
    ends = [each.expires_at for each in there if each.sealed.version == "v1"]
    living = sorted(end for end in ends if end is not None and end > now)
    if len(living) + 1 >= MOST:
        raise Conflict(
            f"Already {MOST} secrets sign for this webhook. One of them ends at {living[0].isoformat()}; "
            'all end at once with {"overlap": "PT0S"}.'
        )


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


HANDLERS = (rotate,)
