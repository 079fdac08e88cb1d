"""The composition root of the HTTP service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import NotFoundException

from service.api import (
    batch,
    changes,
    deliveries,
    entities,
    events,
    feed_list,
    health,
    keys,
    problems,
    saved_feeds,
    signing_keys,
    webhook_preview,
    webhooks,
)
from service.api.feeds import Feeds
from service.api.json_body import BATCH_LIMIT
from service.api.middleware import AccessMiddleware, HttpMiddleware, RateLimiter
from service.api.request import Call
from service.api.signing_keys import PublicKeys
from service.api.tokens import Cursors, ResponseCipher
from service.bootstrap import Service as Service
from service.bootstrap import open_service as open_service
from service.clock_sync import keeping
from service.delivery.readiness import Readiness
from service.delivery.schedule import SECOND, Tick, delivering, ticking
from service.delivery.supervisor import Supervisor, supervised
from service.feedcache.cache import FeedCache
from service.feedcache.saved import Addresses
from service.pages import answers as page_answers
from service.pages import routes as pages
from service.pages.answers import Copies

HANDLERS: Sequence[Any] = (
    *events.HANDLERS,
    *batch.HANDLERS,
    *changes.HANDLERS,
    *entities.HANDLERS,
    *feed_list.HANDLERS,
    *saved_feeds.HANDLERS,
    *keys.HANDLERS,
    *health.HANDLERS,
    *webhooks.HANDLERS,
    *signing_keys.HANDLERS,
    *webhook_preview.HANDLERS,
    *deliveries.HANDLERS,
    *pages.HANDLERS,
    problems.explain,
)


def build(service: Service) -> Litestar:
    """Returns the app over a service, which it closes when it stops."""
    app = routed()
    attach(app, service)
    return app


def routed() -> Litestar:
    """Returns the app without a service: it knows its routes and can answer nothing yet."""
    return Litestar(
        route_handlers=list(HANDLERS),
        request_class=Call,
        middleware=[AccessMiddleware],
        exception_handlers={**problems.HANDLERS, NotFoundException: page_answers.no_such_address},
        lifespan=[_running],
        # Our own document says more than the generated one (service.api.openapi).
        openapi_config=None,
        # Failures are logged once, by service.api.problems; the process configures logging.
        logging_config=None,
        request_max_body_size=BATCH_LIMIT,
    )


def attach(app: Litestar, service: Service) -> None:
    """Gives the app its service, and what handlers find in its state."""
    settings, store, clock = service.settings, service.store, service.clock
    base_url = settings.base_url
    rates = RateLimiter(settings.rate_limit)
    feeds = FeedCache(store, clock=clock, base_url=base_url, uid_domain=settings.uid_domain)
    app.state = State(
        {
            "service": service,
            "readiness": Readiness(service),
            "rates": rates,
            "cursors": Cursors(service.secret),
            "cipher": ResponseCipher(service.secret),
            "feeds": feeds,
            "public_keys": PublicKeys(service.masters),
            "pages": Copies(),
        }
    )
    inner = HttpMiddleware(app.asgi_handler, app, https=base_url.startswith("https:"))
    addresses = Addresses(store, clock=clock)
    app.asgi_handler = Feeds(inner, feeds, addresses, clock=clock, base_url=base_url, rates=rates)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    """Reminders go out while the app answers; what is under way ends before the store closes."""
    service: Service = app.state.service
    try:
        async with (
            keeping(service.store, service.clock, service.metrics),
            _sending(service) as sender,
        ):
            app.state.readiness = Readiness(
                service, sender=sender if isinstance(sender, Supervisor) else None
            )
            look = Tick(name="ready", every=5 * SECOND, run=app.state.readiness.look, safe_in_doubt=True)
            async with ticking((look,), clock=service.clock):
                yield
    finally:
        await service.egress.aclose()
        app.state.feeds.close()
        service.close()


def _sending(service: Service) -> AbstractAsyncContextManager[object]:
    if not service.settings.deliver:
        return nullcontext()
    return supervised(service) if service.apart else delivering(service)
