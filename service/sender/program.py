"""What the sending process runs: the planner and the sender of its service, beside it on the same store.

It ends when its parent says so, with what is under way finished, and at once when its parent dies.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import msgspec

from service import logs, offspring, server, settings
from service.bootstrap import Service, open_service
from service.clock import Reading, SteadyClock
from service.clock_sync import keeping
from service.delivery.schedule import delivering
from service.line import Line
from service.sender.word import News, Stop, Terms
from service.store.locks import SendingLock

NEWS_SECONDS = 1.0


def main(told: str) -> None:
    """Plan and send until told to stop."""
    terms = msgspec.json.decode(told, type=Terms)
    offspring.settle(terms.parent)
    read = settings.from_environment()
    logs.configure(read.log)
    with _alone(read):
        service = open_service(read, clock=_clock(terms), carried=True, beside=True)
        try:
            server.run(_work(service, terms))
        finally:
            service.close()


def _clock(terms: Terms) -> SteadyClock:
    return SteadyClock(Reading(said=terms.now, running=timedelta(seconds=terms.running)))


@contextmanager
def _alone(read: settings.Settings) -> Iterator[None]:
    """On a SQLite file. On PostgreSQL leases say who has what."""
    if read.sqlite_file is None:
        yield
        return
    lock = SendingLock(read.sqlite_file)
    lock.take()
    try:
        yield
    finally:
        lock.release()


async def _work(service: Service, terms: Terms) -> None:
    stop = asyncio.Event()
    line = Line(list[Stop], heard=lambda _: stop.set(), lost=offspring.end)
    pair = socket.socket(fileno=terms.socket)
    await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=pair)
    try:
        async with keeping(service.store, service.clock, service.metrics), delivering(service, alone=False):
            while not stop.is_set():
                line.say(News(samples=service.metrics.samples()))
                await _either(stop, seconds=NEWS_SECONDS)
        line.say(News(samples=service.metrics.samples()))
    finally:
        await service.egress.aclose()


async def _either(event: asyncio.Event, *, seconds: float) -> None:
    """Until it happens, or so long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
