"""What was sent to a webhook, what waits, and how each attempt went."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import Connection

from service.api import queries, responses
from service.api.operations import CURSOR_PARAMETER, LIMIT_PARAMETER, Parameter, route
from service.api.request import Call
from service.api.responses import ApiResponse, Page
from service.catalogue.filters import LOST_PLUS, has_lost_plus
from service.delivery.prepare import MADE_ANEW
from service.errors import At, BadParameters, Conflict, Unprocessable
from service.reminders.plan import MessageType
from service.reminders.retry import Outcome
from service.reminders.webhook import Anchor, Webhook
from service.store import deliveries, events, results, webhooks
from service.store.deliveries import Attempt, Delivery, State, Why

TAG = "Webhooks"
Instant = Annotated[datetime, Meta(tz=True)]
Again = Literal["dead", "expired", "succeeded"]


class AttemptView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One HTTP request. `excerpt` is the beginning of what came back, for a person to read."""

    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    status: int | None
    latency_ms: int | None
    excerpt: str | None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message. `id` is what its requests carry as `webhook-id`; `reason` is why it was not delivered."""

    id: str
    webhook: str
    event: str | None
    type: MessageType
    anchor: Anchor | None
    before: str | None
    at: str | None
    anchor_at: datetime | None
    due_at: datetime
    state: State
    reason: Why | None
    superseded_by: str | None
    next_attempt_at: datetime | None
    replay: int
    created_at: datetime
    finished_at: datetime | None
    attempts: tuple[AttemptView, ...]


class DeliveryPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The last delivery of a page, which a cursor carries."""

    due_at: datetime
    id: str


def _listed_in(name: str, words: str, values: Sequence[str]) -> Parameter:
    return Parameter(name=name, description=words, schema={"type": "string", "enum": list(values)}, many=True)


PARAMETERS = (
    _listed_in("state", "Only these states.", get_args(State)),
    _listed_in("type", "Only these types.", get_args(MessageType)),
    Parameter(
        name="since",
        description="Only what fell due from here on.",
        schema={"type": "string", "format": "date-time"},
    ),
    LIMIT_PARAMETER,
    CURSOR_PARAMETER,
)


@get(
    "/v1/webhooks/{webhook_id:str}/deliveries",
    **route(
        "List deliveries",
        tag=TAG,
        scope="webhooks",
        parameters=PARAMETERS,
        answers={200: Page[DeliveryView]},
        cached=True,
    ),
)
async def listed(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Everything sent or to be sent to this webhook, newest first, with every attempt."""
    states, types, since, (limit, after) = queries.together(
        lambda: _chosen(request, "state", get_args(State)),
        lambda: _chosen(request, "type", get_args(MessageType)),
        lambda: _since(request),
        lambda: request.paging(DeliveryPosition),
    )

    place = (after.due_at, after.id) if after else None

    def work(c: Connection) -> ApiResponse:
        webhooks.get(c, webhook_id, owner=request.owner)
        rows = deliveries.listed(
            c, webhook_id, states=states, types=types, since=since, limit=limit + 1, after=place
        )
        attempts = deliveries.attempts(c, [row.id for row in rows])
        return request.page(
            rows,
            lambda row: view(row, attempts.get(row.id, ())),
            position=lambda row: DeliveryPosition(due_at=row.due_at, id=row.id),
        )

    return await request.read(work)


@get(
    "/v1/deliveries/{delivery_id:str}",
    **route("Show a delivery", tag=TAG, scope="webhooks", answers={200: DeliveryView}, cached=True),
)
async def show(request: Call, delivery_id: FromPath[str]) -> Response[bytes]:
    """One delivery with every attempt."""
    found, attempts = await request.service.store.aread(
        lambda c: deliveries.get(c, delivery_id, owner=request.owner)
    )
    return request.shown(responses.tagged(msgspec.json.encode(view(found, attempts))))


def _chosen(request: Call, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    values = tuple(text for key, text in request.pairs if key == name)
    if not set(values) <= set(allowed):
        fault = At(detail=f"It must be one of {', '.join(allowed)}.", parameter=name)
        raise BadParameters(errors=[fault])
    return values


def _since(request: Call) -> datetime | None:
    text = queries.value(request.pairs, "since")
    try:
        return None if text is None else msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        wanted = "It must be an instant, such as 2026-01-31T00:00:00Z"
        fault = At(detail=f"{LOST_PLUS if has_lost_plus(text or '') else wanted}.", parameter="since")
        raise BadParameters(errors=[fault]) from None


def view(delivery: Delivery, attempts: Sequence[Attempt]) -> DeliveryView:
    """A delivery as its owner sees it."""
    shown: dict[str, Any] = {
        name: getattr(delivery, name) for name in DeliveryView.__struct_fields__ if hasattr(delivery, name)
    }
    return DeliveryView(
        **shown | {"event": delivery.event or None},
        next_attempt_at=delivery.next_at if delivery.state == "pending" else None,
        attempts=tuple(_attempt(each) for each in attempts),
    )


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(**{name: getattr(attempt, name) for name in AttemptView.__struct_fields__})


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to send again: those that fell due in [since, until), in these states."""

    since: Instant
    until: Instant | None = None
    states: Annotated[tuple[Again, ...], Meta(min_length=1, max_length=3)] = ("dead", "expired")


class Requeued(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many will be sent again, and how many seconds that takes at least, where the webhook has a rate."""

    redelivered: int
    seconds: int | msgspec.UnsetType = msgspec.UNSET


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@post(
    "/v1/deliveries/{delivery_id:str}/redeliver",
    **route(
        "Send a delivery again",
        tag=TAG,
        scope="webhooks",
        body=Nothing,
        answers={202: DeliveryView},
        problems=(Conflict,),
        once=True,
    ),
)
async def redeliver(request: Call, delivery_id: FromPath[str]) -> Response[bytes]:
    """Send it once more, with the same id and body and the header `webhook-replay`. It must be finished.

    It is a 409 while its webhook is paused or disabled, as nothing would be sent; also where no message was
    made of it then, and its event is gone or internal by now.
    """
    await request.optional_body_as(Nothing)

    def work(c: Connection) -> ApiResponse:
        found, _ = deliveries.get(c, delivery_id, owner=request.owner)
        _refuse_unless_active(webhooks.get(c, found.webhook, owner=request.owner))
        _refuse_untold(c, found)
        results.redeliver(c, delivery_id, owner=request.owner, now=request.now)
        return responses.value(view(*deliveries.get(c, delivery_id, owner=request.owner)), status=202)

    return await request.write(work)


@post(
    "/v1/webhooks/{webhook_id:str}/redeliver",
    **route(
        "Send many deliveries again",
        tag=TAG,
        scope="webhooks",
        body=Span,
        answers={202: Requeued},
        problems=(Conflict,),
        once=True,
    ),
)
async def redeliver_many(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Send again what fell due in a stretch of time: after an outage of the receiver, say.

    The webhook must be active: to one that is paused or disabled nothing is sent, and it is a 409. What can
    no longer be told, as its event is gone or internal by now, becomes `superseded`.
    """
    span, now = await request.optional_body_as(Span), request.now
    if span.until is not None and span.until < span.since:
        raise Unprocessable(errors=[At(detail="It must not be before `since`.", pointer="/until")])

    def work(c: Connection) -> ApiResponse:
        webhook = webhooks.get(c, webhook_id, owner=request.owner)
        _refuse_unless_active(webhook)
        until = span.until or now + timedelta(seconds=1)
        within = {"since": span.since, "until": until}
        count = results.redeliver_many(c, webhook_id, **within, states=span.states, now=now)
        seconds = int(webhook.pace.takes(count).total_seconds()) if webhook.pace else msgspec.UNSET
        return responses.value(Requeued(redelivered=count, seconds=seconds), status=202)

    return await request.write(work)


def _refuse_unless_active(webhook: Webhook) -> None:
    """A redelivery is of use for a day: waiting for somebody to resume, it would be lost without a word."""
    if webhook.state != "active":
        raise Conflict(
            f"Nothing would be sent: the webhook {webhook.id} is {webhook.state}. Set it active first, with "
            f'{{"state": "active"}} in a PATCH of /v1/webhooks/{webhook.id}, then ask again.'
        )


def _refuse_untold(c: Connection, found: Delivery) -> None:
    """Without bytes to repeat, a message would be made of the event as it is now."""
    if found.type not in MADE_ANEW or deliveries.has_body(c, found.id):
        return
    if not events.get_many(c, [found.event]):
        raise Conflict(
            f"Nothing would be sent: no message was made of this delivery, and the event {found.event} is "
            "deleted or not public any more."
        )


HANDLERS = (
    listed,
    show,
    redeliver,
    redeliver_many,
)
