"""`dday demo`: a season of reminders in a minute, for somebody who has just arrived."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
import rich_click as click

from service import logs, server
from service.app import build
from service.catalogue.event import Event
from service.catalogue.filters import FilterBody
from service.catalogue.view import event_of
from service.cli.arguments import COUNTDOWN, day
from service.cli.console import err, out
from service.cli.receiver import Receiver
from service.cli.replay import Tally
from service.cli.simulation import Season, replaying, season, subscribe
from service.settings import Settings
from service.store import events

START, END = day("2025-08-01"), day("2026-01-02")
# A curator learns of another date, as happens to every second call for applications.
MOVED, MOVED_ON, NEW_DAY = "comeup-2025", day("2025-11-20"), "2025-12-11"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    show_default=f"{Settings().port}, or a free one",
    help="Where it serves.",
)
@click.option(
    "--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="How long it takes."
)
@click.option("--stay", is_flag=True, help="Go on serving afterwards, until Ctrl-C.")
def demo(port: int | None, seconds: int, stay: bool) -> None:
    """Live through 2025-08-01 to 2026-01-02 in a minute: serve, remind, receive, verify, show.

    Everything is real but the clock. Your database is not touched.
    """
    logs.configure("warning")
    port = port or server.free_port("127.0.0.1", wanted=Settings().port)
    server.refuse_taken_port("127.0.0.1", port)
    tally, secret = Tally(as_json=False), list[str]()
    with (
        season(START, port=port) as simulated,
        Receiver(tally.take, secret=lambda: secret[0], simulated=True) as receiver,
    ):
        secret.append(subscribe(simulated.service, receiver.url, reminders=COUNTDOWN, filter=FilterBody()))
        server.run(_live(simulated, receiver, seconds=seconds, stay=stay))
    tally.verdict()


async def _live(simulated: Season, receiver: Receiver, *, seconds: int, stay: bool) -> None:
    enough, ready = asyncio.Event(), asyncio.Event()
    settings = simulated.service.settings
    serving = asyncio.create_task(
        server.serve(
            build(simulated.service), host=settings.host, port=settings.port, ready=ready.set, enough=enough
        )
    )
    travelling = asyncio.create_task(_travel(simulated, receiver, ready, seconds=seconds))
    first, _ = await asyncio.wait({serving, travelling}, return_when=asyncio.FIRST_COMPLETED)
    arrived = travelling in first
    if arrived and (not stay or travelling.exception()):
        enough.set()
    await serving
    travelling.cancel()
    if arrived:
        travelling.result()


async def _travel(simulated: Season, receiver: Receiver, ready: asyncio.Event, *, seconds: int) -> None:
    await ready.wait()
    url = simulated.service.settings.base_url
    err.print(f"It is August 2025 at {url}, for instance {url}/v1/events?from=2025-09-01", markup=False)
    async with replaying(simulated) as travel:
        async for instant in _paced(travel.until(END), seconds=seconds):
            receiver.check()
            if instant >= MOVED_ON:
                await _move(simulated, instant)


async def _paced(instants: AsyncIterator[datetime], *, seconds: int) -> AsyncIterator[datetime]:
    """Yields the instants, spread over so many seconds of real time."""
    began = time.monotonic()
    async for instant in instants:
        share = (instant - START) / (END - START)
        await asyncio.sleep(max(0.0, began + share * seconds - time.monotonic()))
        yield instant


async def _move(simulated: Season, now: datetime) -> None:
    """Move one event by a day, once."""
    stored = await simulated.service.store.aread(lambda c: events.get(c, MOVED))
    event: Event = event_of(stored.document)
    if event.start == NEW_DAY:
        return
    out.print(f"[dim]A curator moves {MOVED} from {event.start} to {NEW_DAY}.[/]")
    moved = msgspec.structs.replace(event, start=NEW_DAY)
    await simulated.service.store.awrite(lambda c: events.put(c, moved, now=now, cause="demo"))
