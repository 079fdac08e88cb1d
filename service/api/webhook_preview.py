"""Before it matters: what a webhook will get, and a message sent to it now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from service.api import queries, responses
from service.api.deliveries import TAG, AttemptView
from service.api.operations import Parameter, route
from service.api.request import Call
from service.api.responses import ApiResponse
from service.catalogue.event import Slug
from service.delivery import send_now
from service.delivery.prepare import Outbound
from service.errors import At, KeyInUse, Unprocessable
from service.reminders import due_times
from service.reminders import preview as sample
from service.reminders.messages import formats
from service.reminders.plan import Candidate, Planned
from service.reminders.preview import MOST_ROWS, Upcoming, relevant_filter, upcoming
from service.reminders.webhook import Webhook
from service.store import deliveries, event_history, events, webhooks

MOST_DAYS = 400
DAYS_PARAMETER = Parameter(
    name="days",
    description="How many days ahead.",
    schema={"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": 30},
)


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send: nothing named is a `webhook.test`, an event a sample of its reminder."""

    event: Slug | None = None


class Tried(AttemptView, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it went, under which delivery id."""

    delivery: str


@get(
    "/v1/webhooks/{webhook_id:str}/upcoming",
    **route(
        "Preview a webhook",
        tag=TAG,
        scope="webhooks",
        parameters=(DAYS_PARAMETER,),
        answers={200: Upcoming},
        cached=True,
    ),
)
async def preview(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """The reminders to come, by the planner itself: what, when, under which id; and what not, and why.

    `not_planned` names what a rule asks for near these days and will not be sent: only a month is known, the
    event is cancelled, the filter does not take it, it was already past, …
    """
    days = queries.whole(request.pairs, DAYS_PARAMETER)
    now = request.now
    until = now + timedelta(days=days)

    def work(c: Connection) -> Upcoming:
        webhook = webhooks.get(c, webhook_id, owner=request.owner)
        return upcoming(_around(c, webhook, now, until), webhook, now=now, until=until)

    found = await request.service.store.aread(work)
    return request.shown(responses.tagged(msgspec.json.encode(found)))


@post(
    "/v1/webhooks/{webhook_id:str}/test",
    **route(
        "Try a webhook",
        tag=TAG,
        scope="webhooks",
        body=Trial,
        answers={200: Tried},
        problems=(KeyInUse,),
        once=True,
    ),
)
async def test(request: Call, webhook_id: FromPath[str]) -> Response[bytes]:
    """Send a test message now, once, and answer with the attempt. It is listed among the deliveries.

    It is a message like any other: a 410 switches the webhook off.
    """
    wanted, service = await request.optional_body_as(Trial), request.service
    begun = await service.store.awrite(lambda c: _begun(c, request, webhook_id, wanted))
    if isinstance(begun, ApiResponse):
        return responses.sent(begun)
    delivery = begun.claimed.planned.id
    answer = await send_now.send(
        service.store,
        service.egress,
        begun,
        clock=service.clock,
        metrics=service.metrics,
        then=lambda c: _answered(c, request, delivery),
    )
    return responses.sent(answer)


def _begun(c: Connection, request: Call, webhook_id: str, wanted: Trial) -> Outbound | ApiResponse:
    """The message, about to be sent; or what became of it, where this is a repetition."""
    post_once, service = request.idempotent_post, request.service
    before = post_once.begin(c) if post_once else None
    if isinstance(before, ApiResponse):
        return before
    if before is not None:
        return _answered(c, request, before.note)
    planned, body = _trial(c, request, webhook_id, wanted)
    if post_once:
        post_once.note(c, planned.id)
    return send_now.place(c, planned, body, now=request.now, masters=service.masters)


def _trial(c: Connection, request: Call, webhook_id: str, wanted: Trial) -> tuple[Planned, bytes]:
    now, nonce = request.now, token_hex(8)
    webhook = webhooks.get(c, webhook_id, owner=request.owner)
    if wanted.event is None:
        planned = sample.unplanned_message(webhook, "webhook.test", nonce=nonce, now=now)
        return planned, formats.test(webhook, now=now)
    stored = events.get(c, wanted.event)
    chosen = sample.sample_reminder(webhook, event_history.candidate(stored), nonce=nonce, now=now)
    if chosen is None:
        detail = "There is no reminder of it: no day of it is known."
        raise Unprocessable(errors=[At(detail=detail, pointer="/event")])
    page = request.service.page(stored.id, webhook.lang)
    body = formats.reminder(chosen, webhook, event=stored.body(now), page=page, now=now, sample=True)
    return chosen, body


def _answered(c: Connection, request: Call, delivery_id: str) -> ApiResponse:
    """Returns how the attempt went, and stores it for repetitions; one may answer for a dead request."""
    first, *_ = deliveries.attempts(c, [delivery_id])[delivery_id]
    if first.finished_at is None:
        raise KeyInUse
    shown = {name: getattr(first, name) for name in AttemptView.__struct_fields__}
    answer = responses.value(Tried(delivery=delivery_id, **shown))
    if post_once := request.idempotent_post:
        post_once.finish(c, answer)
    return answer


def _around(c: Connection, webhook: Webhook, now: datetime, until: datetime) -> Sequence[Candidate]:
    """The events these days are about: their moments lie up to the longest offset later, or nobody knows."""
    ahead = max((rule.offset.longest for rule in webhook.reminders), default=timedelta(0))
    after, before = now - due_times.SLACK, until + ahead + due_times.SLACK
    found = {
        stored.id: stored
        for anchor in ("start", "end")
        for stored in events.anchored(c, anchor, after=after, until=before)
    }
    asked = relevant_filter(webhook)
    # One more than is shown, for that tells that there are more.
    dateless = events.undated(c, asked, now=now, limit=MOST_ROWS + 1) if asked else ()
    found |= {stored.id: stored for stored in dateless}
    return [event_history.candidate(stored) for stored in found.values()]


HANDLERS = (preview, test)
