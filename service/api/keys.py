"""API keys, for those who hold one with scope `admin`."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import Connection

from service.api import responses
from service.api.operations import PAGING_PARAMETERS, Scope, route
from service.api.request import Call
from service.api.responses import ApiResponse, Page
from service.catalogue.event import Line
from service.catalogue.validation import character_fault
from service.delivery.worker import log_switched_off
from service.errors import At, NotFound, Unprocessable
from service.store import api_keys
from service.store.api_keys import Key

TAG = "Keys"


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new key may do, and until when; without `expires_at` until it is revoked."""

    name: Line
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=4)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be known of a key. `id` is the part between the first two underscores."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKey(KeyView, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new key. `key` is shown here and never again."""

    key: str


@post(
    "/v1/keys",
    **route("Make a key", tag=TAG, scope="admin", body=NewKey, answers={201: CreatedKey}, once=True),
)
async def create(request: Call) -> Response[bytes]:
    """Make a key with these scopes. The answer is the only place that ever shows it."""
    wanted, now = await request.body_as(NewKey), request.now
    _check(wanted, now=now)

    def work(c: Connection) -> ApiResponse:
        key, plaintext = api_keys.create(
            c, wanted.name, scopes=wanted.scopes, now=now, expires_at=wanted.expires_at
        )
        created = CreatedKey(key=plaintext, **msgspec.structs.asdict(_view(key, now=now)))
        return responses.located(responses.value(created, status=201), f"/v1/keys/{key.id}")

    return await request.write(work)


@get(
    "/v1/keys",
    **route(
        "List keys",
        tag=TAG,
        scope="admin",
        parameters=PAGING_PARAMETERS,
        answers={200: Page[KeyView]},
        cached=True,
    ),
)
async def listed(request: Call) -> Response[bytes]:
    """Every key, also expired and revoked ones, oldest first, without the keys themselves."""
    every = await request.service.store.aread(api_keys.listed)
    limit, after = request.paging(int)
    start = after or 0
    views = (_view(key, now=request.now) for key in every[start : start + limit])
    following = start + limit if start + limit < len(every) else None
    return request.shown(responses.page(map(msgspec.json.encode, views), request.cursor(following)))


@get(
    "/v1/keys/{key_id:str}",
    **route("Show a key", tag=TAG, scope="admin", answers={200: KeyView}, cached=True),
)
async def show(request: Call, key_id: FromPath[str]) -> Response[bytes]:
    """One key, without the key itself."""
    every = await request.service.store.aread(api_keys.listed)
    found = next((key for key in every if key.id == key_id), None)
    if found is None:
        raise NotFound("key", key_id)
    return request.shown(responses.tagged(msgspec.json.encode(_view(found, now=request.now))))


@delete(
    "/v1/keys/{key_id:str}",
    **route("Revoke a key", tag=TAG, scope="admin", answers={204: None}),
)
async def revoke(request: Call, key_id: FromPath[str]) -> Response[bytes]:
    """Make a key invalid for good, from the next request on.

    The webhooks it made are switched off (`key_revoked`), and what waited for them is not sent. Feeds it
    saved stay: rotate or delete those.
    """
    now, metrics = request.now, request.service.metrics
    done = await request.service.store.awrite(lambda c: api_keys.revoke(c, key_id, now=now))
    metrics.superseded.inc(done.superseded)
    metrics.disabled.inc(len(done.webhooks))
    log_switched_off(done.webhooks)
    return responses.sent(responses.NO_CONTENT)


def _check(wanted: NewKey, *, now: datetime) -> None:
    faults = []
    if (detail := character_fault(wanted.name)) is not None:
        faults.append(At(detail=detail, pointer="/name"))
    if len(set(wanted.scopes)) < len(wanted.scopes):
        faults.append(At(detail="A scope is named twice.", pointer="/scopes"))
    if wanted.expires_at is not None and wanted.expires_at <= now:
        faults.append(At(detail="It must be in the future.", pointer="/expires_at"))
    if faults:
        raise Unprocessable(errors=faults)


def _view(key: Key, *, now: datetime) -> KeyView:
    expired = key.expires_at is not None and key.expires_at <= now
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=key.scopes,  # type: ignore[arg-type]
        state="revoked" if key.revoked_at else "expired" if expired else "active",
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


HANDLERS = (create, listed, show, revoke)
