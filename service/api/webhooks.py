"""Webhooks.

Made, seen, changed, deleted. A key sees its own; another's are answered like ones there are not.
"""

from collections.abc import Iterable
from secrets import token_bytes, token_hex
from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from sqlalchemy import Connection

from service.api import json_body, responses
from service.api.deliveries import TAG
from service.api.event_edits import whole
from service.api.operations import PAGING_PARAMETERS, route
from service.api.request import Call, CreatedPosition
from service.api.responses import ApiResponse, Page, StoredVersion
from service.api.shapes import WebhookPatch
from service.bootstrap import Service
from service.egress.policy import DestinationNotAllowed
from service.errors import At, Conflict
from service.reminders import signing
from service.reminders import webhook as rules
from service.reminders.signing import Sealed, SigningKey
from service.reminders.webhook import NewWebhook, PatchWebhook, Webhook, WebhookView
from service.store import api_keys, webhooks
from service.store import webhook_secrets as kept

# The planner looks at every webhook; one key must not make work for all.
MOST = 1000


@post(
    "/v1/webhooks",
    **route(
        "Make a webhook",
        tag=TAG,
        scope="webhooks",
        body=NewWebhook,
        answers={201: WebhookView},
        problems=(DestinationNotAllowed, Conflict),
        once=True,
    ),
)
async def create(request: Call) -> Response[bytes]:
    """Make a webhook. The answer is the only place that ever shows its secret.

    Without `reminders` and `changes` nothing is sent but tests. What was already past at this moment follows
    `late`: `skip` (the default) or `send_now`.
    """
    wanted, service = await request.body_as(NewWebhook), request.service
    check_url(service, wanted.url)
    made = rules.created(wanted, webhook_id=f"whk_{token_hex(12)}", owner=request.key.id, now=request.now)

    def work(c: Connection) -> ApiResponse:
        api_keys.hold(c, request.key.id)
        if webhooks.count(c, made.owner) >= MOST:
            raise Conflict(f"This key has {MOST} webhooks, which is the most there can be.")
        fresh = tuple(signing.generate(version, randomness=token_bytes) for version in made.signing)
        webhooks.create(c, made, sealed=sealed(service, made.id, fresh), now=made.created_at)
        return responses.located(_shown(c, made, fresh, status=201), f"/v1/webhooks/{made.id}")

    return await request.write(work)


@get(
    "/v1/webhooks",
    **route(
        "List webhooks",
        tag=TAG,
        scope="webhooks",
        parameters=PAGING_PARAMETERS,
        answers={200: Page[WebhookView]},
        cached=True,
    ),
)
async def listed(request: Call) -> Response[bytes]:
    """The webhooks of this key, oldest first; with scope `admin` everybody's."""
    limit, after = request.paging(CreatedPosition)
    place = (after.created_at, after.id) if after else None

    def work(c: Connection) -> ApiResponse:
        rows = webhooks.listed(c, owner=request.owner, limit=limit + 1, after=place)
        return request.page(rows, rules.view, position=CreatedPosition.of)

    return await request.read(work)


@get(
    "/v1/webhooks/{webhook_id:str}",
    **route("Show a webhook", tag=TAG, scope="webhooks", answers={200: WebhookView}, cached=True),
)
async def show(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """One webhook, without its secret."""

    def work(c: Connection) -> ApiResponse:
        return _shown(c, webhooks.get(c, webhook_id, owner=request.owner))

    return await request.read(work)


@patch(
    "/v1/webhooks/{webhook_id:str}",
    **route(
        "Change a webhook",
        tag=TAG,
        scope="webhooks",
        body=WebhookPatch,
        answers={200: WebhookView},
        problems=(DestinationNotAllowed,),
        guarded=True,
    ),
)
async def change(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Change what is named; what is planned follows at once. `filter` merges, lists are replaced whole.

    `"state": "paused"` holds back, `"active"` resumes (and re-enables a disabled one): what came meanwhile
    follows `resume`, which is `skip` (the default) or `catch_up`. The first `v1a` makes its key, shown here.
    """
    patch, service = await request.json(), request.service
    wanted: Any = json_body.convert(patch, WebhookPatch)
    if isinstance(wanted.url, str):
        check_url(service, wanted.url)

    def work(c: Connection) -> ApiResponse:
        api_keys.hold(c, request.key.id)
        current = webhooks.get(c, webhook_id, owner=request.owner, locked=True)
        request.precondition.check((_shown(c, current).headers["etag"],))
        news = json_body.convert(whole(patch, current, ("filter",)), PatchWebhook)
        after = rules.patched(current, news, now=request.now)
        if after is current:
            return _shown(c, current)
        fresh = _missing_keys(c, after)
        kept.add(c, webhook_id, sealed(service, webhook_id, fresh), now=request.now)
        anew = rules.begins_anew(current, after)
        webhooks.replace(c, after, anew=anew, well=_is_another_try(current, after))
        return _shown(c, after, fresh)

    return await request.write(work)


@delete(
    "/v1/webhooks/{webhook_id:str}",
    **route("Delete a webhook", tag=TAG, scope="webhooks", answers={204: None}, guarded=True),
)
async def remove(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Delete it with its secrets. What it still waited for is not sent."""

    def work(c: Connection) -> int:
        current = webhooks.get(c, webhook_id, owner=request.owner, locked=True)
        request.precondition.check((_shown(c, current).headers["etag"],))
        return webhooks.remove(c, webhook_id, owner=request.owner, now=request.now)

    superseded = await request.service.store.awrite(work)
    request.service.metrics.superseded.inc(superseded)
    return responses.sent(responses.NO_CONTENT)


def check_url(service: Service, url: str) -> None:
    """Refuse what the guard at the door would refuse, as far as can be told without asking DNS."""
    try:
        service.egress.check(url)
    except DestinationNotAllowed as refused:
        refused.errors = (At(detail="The destination is not allowed.", pointer="/url"),)
        raise


def sealed(service: Service, webhook_id: str, keys: Iterable[SigningKey]) -> tuple[Sealed, ...]:
    return tuple(
        signing.seal(key, webhook_id=webhook_id, master=service.secret, randomness=token_bytes)
        for key in keys
    )


def with_secrets(view: WebhookView, fresh: Iterable[SigningKey]) -> WebhookView:
    """The one time a webhook is shown with its new secret, or with the public key of its new pair."""
    for key in fresh:
        if key.version == "v1":
            view = msgspec.structs.replace(view, secret=signing.spelt(key))
        else:
            view = msgspec.structs.replace(view, public_key=signing.public_key(key))
    return view


def _is_another_try(before: Webhook, after: Webhook) -> bool:
    """Resumed, or sent elsewhere: only then do earlier failures say nothing of what is to come."""
    return before.state != "active" == after.state or before.url != after.url


def _missing_keys(c: Connection, after: Webhook) -> tuple[SigningKey, ...]:
    there = {secret.sealed.version for secret in kept.of(c, [after.id])}
    missing = (version for version in after.signing if version not in there)
    return tuple(signing.generate(version, randomness=token_bytes) for version in missing)


def _shown(
    c: Connection, webhook: Webhook, fresh: Iterable[SigningKey] = (), *, status: int = 200
) -> ApiResponse:
    view = rules.view(webhook)
    version = StoredVersion(revision=webhooks.versions(c, [webhook.id])[webhook.id])
    body = msgspec.json.encode(with_secrets(view, fresh))
    return responses.item(body, version, status=status, read_as=msgspec.json.encode(view))


HANDLERS = (create, listed, show, change, remove)
