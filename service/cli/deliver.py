"""`dday deliver`: plans and sends reminders until SIGTERM or Ctrl-C, for a `dday serve` or beside several."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import rich_click as click

from service import logs, server
from service.bootstrap import Service, open_service
from service.cli.console import announce, settings_flags
from service.clock import Reading, SteadyClock
from service.clock_sync import keeping
from service.delivery import supervisor
from service.delivery.schedule import delivering
from service.settings import Settings
from service.store.locks import SendingLock

WRITE_SECONDS = 1.0

log = logging.getLogger(__name__)


@click.command()
@settings_flags()
@click.option(
    "--metrics-file", type=click.Path(path_type=Path), help="Write the metrics there once a second."
)
@click.option("--parent", type=int, hidden=True, help="The `dday serve` that this process works for.")
@click.option(
    "--clock", hidden=True, help="The time its parent goes by: INSTANT@SECONDS since the machine started."
)
def deliver(settings: Settings, metrics_file: Path | None, parent: int | None, clock: str | None) -> None:
    """Plan and send reminders only, beside `dday serve --no-deliver` on the same PostgreSQL database."""
    logs.configure(settings.log)
    if parent is not None:
        supervisor.follow(parent)
    with _alone(settings, parent):
        # Started while the clock is in doubt, a child doubts it as its parent does.
        time = SteadyClock(_reading(clock)) if clock else None
        service = open_service(settings, clock=time, beside=parent is not None)
        try:
            server.run(_deliver(service, metrics_file=metrics_file, parent=parent))
        finally:
            service.close()


@contextmanager
def _alone(settings: Settings, parent: int | None) -> Iterator[None]:
    """On a SQLite file one process sends at a time; on PostgreSQL leases say who has what."""
    if parent is None or settings.sqlite_file is None:
        yield
        return
    lock = SendingLock(settings.sqlite_file)
    lock.take()
    try:
        yield
    finally:
        lock.release()


def _reading(text: str) -> Reading:
    said, _, seconds = text.partition("@")
    return Reading(said=datetime.fromisoformat(said), running=timedelta(seconds=float(seconds)))


async def _deliver(service: Service, *, metrics_file: Path | None, parent: int | None) -> None:
    stopped = asyncio.Event()
    server.stop_by_signal(stopped.set, program="The sender")
    watching = asyncio.create_task(supervisor.end_with(parent)) if parent is not None else None
    try:
        async with (
            keeping(service.store, service.clock, service.metrics),
            delivering(service, alone=parent is None),
        ):
            if parent is None:
                made_of = {"engine": service.store.dialect, "version": version("dday")}
                announce(log, "Dday delivers reminders (Ctrl-C stops it)", **made_of)
            await _report(service, metrics_file, stopped)
        if metrics_file is not None:
            _beat(service, metrics_file)
    finally:
        if watching is not None:
            watching.cancel()
        await service.egress.aclose()


def _beat(service: Service, metrics_file: Path) -> None:
    """Writes the metrics. Where the disk is full the file shows at least that this process is alive."""
    try:
        service.metrics.write(metrics_file)
    except OSError:
        with suppress(OSError):
            metrics_file.touch()


async def _report(service: Service, metrics_file: Path | None, stopped: asyncio.Event) -> None:
    """Writes the metrics once a second until stopped."""
    while not stopped.is_set():
        if metrics_file is not None:
            _beat(service, metrics_file)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), WRITE_SECONDS if metrics_file is not None else None)
