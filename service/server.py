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
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from service import connections
from service.settings import SettingsError

# Any ASGI application; which framework made it is the app's business.
Application = Callable[[Any, Any, Any], Awaitable[None]]

log = logging.getLogger(__name__)
BACKLOG = 4096
# For the head of a request, from the connection or the last response on.
HEAD_SECONDS = 30
HTTP1 = HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1000)
# A peer that takes nothing, and answers pings, keeps the responses of all its streams in our memory.
HTTP2 = HTTP2Settings(
    initial_connection_window_size=256 * 1024,
    initial_stream_window_size=64 * 1024,
    keep_alive_interval=HEAD_SECONDS * 1000,
    max_concurrent_streams=16,
    max_headers_size=64 * 1024,
    max_send_buffer_size=64 * 1024,
)
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
    app: Application,
    *,
    host: str,
    port: int,
    ready: Callable[[], None],
    enough: asyncio.Event | None = None,
    http2: bool = False,
) -> None:
    """Answer until SIGTERM, SIGINT or `enough`, then finish what is under way; then the app's lifespan ends.

    `ready` is called once requests are answered. Without `http2` all is HTTP/1.
    """
    refuse_taken_port(host, port)
    server = Server(
        target=_announcing(app, ready),
        address=_address(host),
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.auto if http2 else HTTPModes.http1,
        http1_settings=HTTP1,
        http2_settings=HTTP2,
        websockets=False,
        backlog=BACKLOG,
        backpressure=connections.most(),
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    stop_by_signal(server.stop)
    tasks = [asyncio.create_task(_stop_after(enough, server))] if enough else []
    if http2:
        tasks.append(asyncio.create_task(_close_silent(port)))
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()
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


async def _close_silent(port: int) -> None:
    # With HTTP/1 alone Granian does so itself.
    while True:
        await asyncio.sleep(HEAD_SECONDS / 10)
        await asyncio.to_thread(connections.close_silent, port, after=HEAD_SECONDS)


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
