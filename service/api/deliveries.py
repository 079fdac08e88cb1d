"""What was sent to a webhook, what waits, and how each attempt went."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta
from sqlalchemy import Connection

from service.api import answers, queries
from service.api.answers import Page
from service.api.call import Call
from service.api.operations import CURSOR_PARAMETER, LIMIT_PARAMETER, Parameter, operation
from service.catalogue.filters import LOST_PLUS, has_lost_plus
from service.errors import At, BadParameters
from service.reminders.answers import Outcome
from service.reminders.planned import Kind
from service.reminders.rules import Anchor
from service.store import deliveries, webhooks
from service.store.delivery_records import Attempt, Delivery, State, Why

TAG = "Webhooks"
Instant = Annotated[datetime, Meta(tz=True)]


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
    type: Kind
    anchor: Anchor | None
    before: str | None
    anchor_at: datetime | None
    due_at: datetime
    state: State
    reason: Why | None
    next_attempt_at: datetime | None
    replay: int
    created_at: datetime
    finished_at: datetime | None
    attempts: tuple[AttemptView, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list of deliveries goes on."""

    due_at: datetime
    id: str


def _listed_in(name: str, words: str, values: Sequence[str]) -> Parameter:
    return Parameter(name=name, description=words, schema={"type": "string", "enum": list(values)}, many=True)


PARAMETERS = (
    _listed_in("state", "Only these states.", get_args(State)),
    _listed_in("type", "Only these types.", get_args(Kind)),
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
    opt=operation(
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
        lambda: _chosen(request, "type", get_args(Kind)),
        lambda: _since(request),
        lambda: request.paging(Place),
    )

    def work(c: Connection) -> tuple[DeliveryView, ...]:
        webhooks.get(c, webhook_id, owner=owner(request))
        place = (after.due_at, after.id) if after else None
        found = deliveries.listed(
            c, webhook_id, states=states, types=types, since=since, limit=limit + 1, after=place
        )
        tried = deliveries.attempts(c, [each.id for each in found])
        return tuple(view(each, tried.get(each.id, ())) for each in found)

    found = await request.service.store.reading(work)
    last = found[limit - 1] if len(found) > limit else None
    following = request.cursor(Place(due_at=last.due_at, id=last.id) if last else None)
    return request.shown(answers.page(map(msgspec.json.encode, found[:limit]), following))


@get(
    "/v1/deliveries/{delivery_id:str}",
    opt=operation("Show a delivery", tag=TAG, scope="webhooks", answers={200: DeliveryView}, cached=True),
)
async def show(request: Call, delivery_id: FromPath[str]) -> Response[bytes]:
    """One delivery with every attempt."""
    found, attempts = await request.service.store.reading(
        lambda c: deliveries.get(c, delivery_id, owner=owner(request))
    )
    return request.shown(answers.tagged(msgspec.json.encode(view(found, attempts))))


def owner(request: Call) -> str | None:
    """Whose webhooks this key may see; None for the operator, who sees all."""
    return None if "admin" in request.key.scopes else request.key.id


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


HANDLERS = (listed, show)
