"""Sending again what is finished: one delivery, or all of a stretch of time."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import Connection

from service.api import answers
from service.api.answers import Answer
from service.api.call import Call
from service.api.deliveries import TAG, DeliveryView, Instant, owner, view
from service.api.operations import operation
from service.errors import At, Conflict, Unprocessable
from service.reminders.prepare import MADE_ANEW, is_told
from service.reminders.rules import Webhook
from service.store import deliveries, events, redelivery, webhooks
from service.store.delivery_records import Delivery

Again = Literal["dead", "expired", "succeeded"]


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to send again: those that fell due in [since, until), in these states."""

    since: Instant
    until: Instant | None = None
    states: Annotated[tuple[Again, ...], Meta(min_length=1, max_length=3)] = ("dead", "expired")


class Requeued(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many will be sent again."""

    redelivered: int


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@post(
    "/v1/deliveries/{delivery_id:str}/redeliver",
    opt=operation(
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
    await request.read_if_sent(Nothing)

    def work(c: Connection) -> Answer:
        found, _ = deliveries.get(c, delivery_id, owner=owner(request))
        _refuse_unless_active(webhooks.get(c, found.webhook, owner=owner(request)))
        _refuse_untold(c, found)
        redelivery.one(c, delivery_id, owner=owner(request), now=request.now)
        return answers.value(view(*deliveries.get(c, delivery_id, owner=owner(request))), status=202)

    return await request.write(work)


@post(
    "/v1/webhooks/{webhook_id:str}/redeliver",
    opt=operation(
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
    span, now = await request.read_if_sent(Span), request.now
    if span.until is not None and span.until < span.since:
        raise Unprocessable(errors=[At(detail="It must not be before `since`.", pointer="/until")])

    def work(c: Connection) -> Answer:
        _refuse_unless_active(webhooks.get(c, webhook_id, owner=owner(request)))
        until = span.until or now + timedelta(seconds=1)
        within = {"since": span.since, "until": until}
        count = redelivery.many(c, webhook_id, **within, states=span.states, now=now)
        return answers.value(Requeued(redelivered=count), status=202)

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
    if not is_told(events.get_many(c, [found.event]).get(found.event)):
        raise Conflict(
            f"Nothing would be sent: no message was made of this delivery, and the event {found.event} is "
            "deleted or not public any more."
        )


HANDLERS = (redeliver, redeliver_many)
