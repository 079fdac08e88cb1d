"""Whether the process lives, whether it can do its work, and what it offers."""

import asyncio
from datetime import timedelta
from importlib.metadata import version
from typing import Any, Literal

import msgspec
from litestar import Litestar, Response, get

from service import connections
from service.api import docs, feed_operations, openapi, responses
from service.api.operations import Media, route
from service.api.request import Call
from service.delivery.readiness import PATIENCE_SECONDS
from service.errors import Unavailable
from service.metrics import CONTENT_TYPE

TAG = "About"
HTML = Media(type="text/html")


class Health(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It can do its work, and what of it has to wait for now."""

    status: Literal["ok", "degraded"] = "ok"
    reasons: tuple[str, ...] = ()


@get("/healthz", **route("Is it alive", tag=TAG, answers={200: Health}, limited=False))
async def alive() -> Response[bytes]:
    """200 as long as the process can answer at all."""
    return responses.sent(responses.value(Health()))


@get("/readyz", **route("Is it ready", tag=TAG, answers={200: Ready}, limited=False))
async def ready(request: Call) -> Response[bytes]:
    """200 when reminders go out. 503 while those to receivers that answer are more than 30 s behind, nobody
    sends, or the store does not answer within 3 s, takes no writes or is not the one that was opened.

    `degraded` while the clock has jumped and is not believed yet: all is answered, nothing new is sent.
    """
    try:
        reasons = await request.app.state.readiness.reasons()
    except TimeoutError:
        raise Unavailable(f"The store has not answered for {PATIENCE_SECONDS} s.") from None
    if reasons:
        raise Unavailable(" ".join(reasons))
    return responses.sent(responses.value(_ready(request.service.clock.jump)))


def _ready(jump: timedelta | None) -> Ready:
    if jump is None:
        return Ready()
    said = f"The clock has jumped by {jump.total_seconds():.0f} s; nothing new is sent until that is certain."
    return Ready(status="degraded", reasons=(said,))


@get(
    "/v1/openapi.json",
    **route(
        "This contract",
        tag=TAG,
        answers={200: Media(type="application/json", schema={"type": "object"})},
        cached=True,
    ),
)
async def contract(request: Call) -> Response[bytes]:
    """The OpenAPI 3.1 document of this service."""
    return request.shown(responses.tagged(_contract(request.app).json))


@get("/docs", **route("This contract, to read", tag=TAG, answers={200: HTML}))
async def reading(request: Call) -> Response[str]:
    """The same as a page, without script and without anything from elsewhere."""
    page = _contract(request.app).page
    return Response(page, media_type="text/html", headers={"content-security-policy": docs.CSP})


@get("/docs/style.css", **route("Style of the pages", tag=TAG, answers={200: Media(type="text/css")}))
async def style() -> Response[str]:
    """The style sheet of `/docs` and `/problems`."""
    return Response(docs.STYLE, media_type="text/css", headers={"cache-control": "max-age=3600"})


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The contract as machines and as people read it."""

    json: bytes
    page: str


def _contract(app: Litestar) -> Contract:
    """Made once: the routes do not change while the app runs."""
    if "contract" not in app.state:
        described = document(app)
        app.state.contract = Contract(json=msgspec.json.encode(described), page=docs.page(described))
    made: Contract = app.state.contract
    return made


def document(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of this app."""
    url = app.state.service.settings.base_url
    return openapi.document(app.routes, version=version("dday"), url=url, beside=feed_operations.paths())


@get("/metrics", **route("Metrics", tag="About", answers={200: Media(type="text/plain")}, limited=False))
async def metrics(request: Call) -> Response[bytes]:
    """Counters and gauges for Prometheus: queue, lag, attempts by outcome. No names, no secrets."""
    service = request.service
    found, silent = await asyncio.to_thread(connections.counted, service.settings.port)
    service.metrics.connections.set(found)
    service.metrics.silent.set(silent)
    return Response(service.metrics.shown(), headers={"content-type": CONTENT_TYPE})


HANDLERS = (
    alive,
    ready,
    contract,
    reading,
    style,
    metrics,
)
