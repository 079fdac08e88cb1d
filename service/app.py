"""The composition root of the HTTP service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware

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
from service.clock import Clock
from service.clock_sync import keeping
from service.delivery.schedule import delivering
from service.delivery.supervisor import supervised
from service.feedcache.cache import FeedCache
from service.feedcache.saved import Addresses
from service.pages import answers as page_answers
from service.pages import routes as pages
from service.pages.answers import Copies
from service.settings import Settings

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


def create_app(settings: Settings, *, clock: Clock) -> Litestar:
    """The app over a store of its own, which it closes when it stops."""
    return build(open_service(settings, clock=clock))


def build(service: Service) -> Litestar:
    """The app over a service that is open already."""
    settings, clock = service.settings, service.clock
    base_url = settings.base_url
    feeds = FeedCache(service.store, clock=clock, base_url=base_url, uid_domain=settings.uid_domain)
    rates = RateLimiter(settings.rate_limit)
    app = Litestar(
        route_handlers=list(HANDLERS),
        request_class=Call,
        middleware=[DefineMiddleware(AccessMiddleware, service=service, rates=rates)],
        exception_handlers={**problems.HANDLERS, NotFoundException: page_answers.no_such_address},
        lifespan=[_running],
        state=_state(service, feeds),
        # Our own document says more than the generated one (service.api.openapi).
        openapi_config=None,
        # Failures are logged once, by service.api.problems; the process configures logging.
        logging_config=None,
        request_max_body_size=BATCH_LIMIT,
    )
    inner = HttpMiddleware(app.asgi_handler, app, https=base_url.startswith("https:"))
    addresses = Addresses(service.store, clock=clock)
    app.asgi_handler = Feeds(inner, feeds, addresses, clock=clock, base_url=base_url)
    return app


def _state(service: Service, feeds: FeedCache) -> State:
    """What handlers find beside their request."""
    return State(
        {
            "service": service,
            "cursors": Cursors(service.secret),
            "cipher": ResponseCipher(service.secret),
            "feeds": feeds,
            "public_keys": PublicKeys(service.masters),
            "pages": Copies(),
        }
    )


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    """Reminders go out while the app answers; what is under way ends before the store closes."""
    service: Service = app.state.service
    try:
        async with (
            keeping(service.store, service.clock, service.metrics),
            _sending(service),
        ):
            yield
    finally:
        await service.egress.aclose()
        app.state.feeds.close()
        service.close()


def _sending(service: Service) -> AbstractAsyncContextManager[object]:
    if not service.settings.deliver:
        return nullcontext()
    return supervised(service) if service.apart else delivering(service)
