"""Granian, embedded: one process, one event loop that answers requests and ticks.

Granian's usual master-and-worker pair is not used. Killing the master would orphan a worker that holds the
database's lock, and there would be two processes to watch where one is promised.
"""

import asyncio
import errno
import gc
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from service.settings import SettingsError

# Any ASGI application; which framework made it is the app's business.
Application = Callable[[Any, Any, Any], Awaitable[None]]

log = logging.getLogger(__name__)
BACKLOG = 1024
# sqlite3 gives the interpreter away with every row, and a thread that is planning or recording would keep it
# for Python's 5 ms each time, which a page of fifty events could meet fifty times.
SWITCH_SECONDS = 0.0001
STOPPED_BY = (signal.SIGTERM, signal.SIGINT)


def run(main: Awaitable[None]) -> None:
    """Run a coroutine to its end on uvloop."""

    async def whole() -> None:
        await main

    sys.setswitchinterval(SWITCH_SECONDS)
    settle()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


async def serve(
    app: Application, *, host: str, port: int, ready: Callable[[], None], enough: asyncio.Event | None = None
) -> None:
    """Answer until SIGTERM, SIGINT or `enough`, then finish what is under way; then the app's lifespan ends.

    `ready` is called once requests are answered.
    """
    refuse_taken_port(host, port)
    server = Server(
        target=_announcing(app, ready),
        address=_address(host),
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.auto,
        websockets=False,
        backlog=BACKLOG,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    stop_by_signal(server.stop)
    watch = asyncio.create_task(_stop_after(enough, server)) if enough else None
    try:
        await server.serve()
    finally:
        if watch:
            watch.cancel()
        for number in STOPPED_BY:
            loop.remove_signal_handler(number)


def stop_by_signal(stop: Callable[[], None], *, program: str = "Dday") -> None:
    """Lets SIGTERM and Ctrl-C call `stop`; the log says which it was, as what follows may take a while."""

    def told(number: signal.Signals) -> None:
        log.info("%s is stopping", program, extra={"signal": number.name})
        stop()

    for number in STOPPED_BY:
        asyncio.get_running_loop().add_signal_handler(number, told, number)


async def _stop_after(enough: asyncio.Event, server: Server) -> None:
    await enough.wait()
    server.stop()  # type: ignore[no-untyped-call]


def refuse_taken_port(host: str, port: int) -> None:
    """Granian shares its port (SO_REUSEPORT), so two services could take turns on one without noticing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            raise SettingsError(f"DDAY_HOST must be an address of this machine. It is {host!r}.") from None
        except PermissionError:
            raise SettingsError(f"DDAY_PORT {port} needs privileges this process does not have.") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SettingsError(f"DDAY_PORT {port} on {host} is in use by another process.") from None
            raise SettingsError(f"DDAY_HOST {host!r} cannot be listened on: {error.strerror}.") from None


def free_port(host: str, *, wanted: int) -> int:
    """The port that is wanted, or another one while a service has it."""
    try:
        refuse_taken_port(host, wanted)
    except SettingsError:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
            return port
    return wanted


def _address(host: str) -> str:
    # Granian parses addresses only; a name must be resolved for it.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return str(socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)[0][4][0])


def _announcing(app: Application, ready: Callable[[], None]) -> Any:
    """The app, telling when its lifespan has started: Granian says nothing in the embedded form."""

    def telling(send: Any) -> Any:
        async def sent(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_later(0.05, ready)

        return sent

    def announced(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return app(scope, receive, telling(send) if scope["type"] == "lifespan" else send)

    return announced


# Objects more than were freed since the last look. Python's 700 are a few pages of events, and all but a few
# of those go by themselves.
EACH = 10_000


def settle() -> None:
    """Keep what is there now out of every later collection.

    A service holds some 140,000 objects that never go (modules, routes, statements). To walk through them
    held up everybody who asked for up to 0.1 s, again and again while reminders were sent.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(EACH, *gc.get_threshold()[1:])
