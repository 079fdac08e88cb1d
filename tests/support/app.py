"""The web application over a store of its own. To build one takes 0.1 s, so stopped ones serve again."""

from litestar import Litestar

from service.app import attach, routed
from service.bootstrap import open_service
from service.clock import Clock
from service.settings import Settings

_stopped: list[Litestar] = []


def create_app(settings: Settings, *, clock: Clock) -> Litestar:
    """Returns an app that is about to start; it closes its store when it stops."""
    service = open_service(settings, clock=clock)
    app = _stopped.pop() if _stopped else _new()
    attach(app, service)
    return app


def _new() -> Litestar:
    app = routed()
    plain = app.asgi_handler

    def stopped() -> None:
        app.asgi_handler = plain
        _stopped.append(app)

    app.on_shutdown.append(stopped)
    return app
