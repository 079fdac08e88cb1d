"""Keeps one `dday deliver` running as a child of `dday serve`, so that requests never wait for the sender.

The child is the command that an operator may also run: its settings come in its environment, SIGTERM ends it
once its requests in flight have ended, and once a second it writes its metrics to a file, which also shows
that it is alive.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from service import settings
from service.bootstrap import Service
from service.clock import running
from service.delivery.readiness import sender_trouble
from service.delivery.schedule import SECOND, Tick, housekeeping, plan, ticking
from service.errors import Problem
from service.logs import Recurring
from service.store import webhooks

# A child that has not written its file for so long does not work any more.
SILENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
# Longer than a worker waits for its requests in flight.
END_SECONDS = 40.0
# The next child is started after this pause, doubled for every one that did not live for a minute. It stays
# below two seconds, unless so many in a row have died within a second.
FIRST_PAUSE, SHORT_PAUSE, LONGEST_PAUSE, LIVED_SECONDS = 0.25, 2.0, 30.0, 60.0
AT_ONCE_SECONDS, AT_ONCE = 1.0, 5
# A child that has worked for so long makes the deaths before it forgotten.
STEADY_SECONDS = 10.0
# Whoever asks is answered before the next reminder leaves, where the two want the same core.
NICENESS = 5
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


class Supervisor:
    """Starts the child when it is expected, replaces one that dies or hangs, and ends it with the service."""

    def __init__(
        self,
        service: Service,
        *,
        look_seconds: float = LOOK_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._service = service
        self._look_seconds, self._silence_seconds = look_seconds, silence_seconds
        self._folder = TemporaryDirectory(prefix="dday-deliver-")
        self._file = Path(self._folder.name) / "metrics.prom"
        self._keeping: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._stopping = False
        self._endings = Recurring(log)
        # In seconds of the monotonic clock: since when no child works, and since when one does.
        self._absent_since: float | None = None
        self._silent = 0.0
        self._deaths, self._how = 0, ""

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def expected(self) -> bool:
        """Whether there should be a child."""
        return self._keeping is not None

    @property
    def at_work(self) -> bool:
        """Whether the child plans and sends: its first file says so."""
        return self._process is not None and self._file.exists()

    @property
    def trouble(self) -> str | None:
        """Says why nobody sends, if that is so."""
        absent = None if self._absent_since is None else time.monotonic() - self._absent_since
        return sender_trouble(absent=absent, silent=self._silent, deaths=self._deaths, how=self._how)

    def expect(self) -> None:
        """Starts a child, and another whenever one ends."""
        if self._keeping is None:
            self._absent_since = time.monotonic()
            self._keeping = asyncio.create_task(self._keep(), name="supervisor")

    async def aclose(self) -> None:
        """Lets the child finish what is in flight; kills it if that takes too long."""
        self._stopping = True
        if self._keeping is not None:
            if self._process is None:
                self._keeping.cancel()
            else:
                self._signal(signal.SIGTERM)
            done, _ = await asyncio.wait({self._keeping}, timeout=END_SECONDS)
            if not done:
                log.error("the delivering process does not end; it is killed")
                self._signal(signal.SIGKILL)
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        self._folder.cleanup()

    async def _keep(self) -> None:
        lives: list[float] = []
        while not self._stopping:
            began = time.monotonic()
            self._how = await self._live()
            if self._stopping:
                return
            self._absent_since = self._absent_since or time.monotonic()
            self._silent, self._deaths = 0.0, self._deaths + 1
            lives = [*lives[-20:], time.monotonic() - began]
            pause = pause_after(lives)
            self._service.metrics.lost.inc()
            words = "the delivering process ended (%s); another is started in %.2f s"
            self._endings.tell(words, self._how, pause)
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """The whole life of one child; returns how it ended."""
        store = self._service.store
        try:
            # A child would open whatever is at the address of the database now.
            await store.aread(store.verify)
            process = self._process = await self._started()
        except Problem as problem:
            return problem.detail
        except OSError as error:
            return str(error)
        watching = asyncio.create_task(self._watch(), name="watch the delivering process")
        try:
            return f"exit code {await process.wait()}"
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            raise
        finally:
            watching.cancel()
            self._process = None
            self._service.metrics.keep_child()
            self._file.unlink(missing_ok=True)

    async def _started(self) -> Process:
        service = self._service
        self._file.unlink(missing_ok=True)
        service.metrics.child = self._file
        # A session of its own: Ctrl-C at a terminal reaches the service alone, which then ends the child.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "service", "deliver"),
            *("--parent", str(os.getpid()), "--metrics-file", str(self._file)),
            *("--clock", f"{service.clock.now().isoformat()}@{running()}"),
            stdin=DEVNULL,
            env=settings.environment(service.settings),
            start_new_session=True,
        )

    async def _watch(self) -> None:
        """Kills a child that has not written its file for long, as one that was stopped or hangs has not."""
        age, seen, worked = 0.0, 0.0, 0.0
        while age < self._silence_seconds:
            await asyncio.sleep(self._look_seconds)
            written = self._file.stat().st_mtime if self._file.exists() else 0.0
            # Counted in looks, as a machine that slept has not looked either.
            age = 0.0 if written != seen else age + self._look_seconds
            seen, self._silent = written, age if written else 0.0
            if written:
                self._absent_since, worked = None, worked + self._look_seconds
            if worked >= STEADY_SECONDS:
                self._deaths = 0
        log.error("the delivering process has not been heard of for long; it is killed")
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def pause_after(lives: Sequence[float]) -> float:
    """Returns the seconds until the next child, after children that lived for so long, the last one last."""
    short = len(list(takewhile(lambda life: life <= LIVED_SECONDS, reversed(lives))))
    at_once = len(list(takewhile(lambda life: life < AT_ONCE_SECONDS, reversed(lives))))
    if at_once >= AT_ONCE:
        return float(min(SHORT_PAUSE * 2 ** (at_once - AT_ONCE + 1), LONGEST_PAUSE))
    return float(min(FIRST_PAUSE * 2 ** max(0, short - 1), SHORT_PAUSE))


@asynccontextmanager
async def supervised(service: Service) -> AsyncIterator[Supervisor]:
    """Plans and sends while this is open, by a child that is started as soon as anybody has a webhook."""
    supervisor = Supervisor(service)

    async def stand_in() -> None:
        """Plans as long as no child does: without webhooks that is to note the time."""
        if supervisor.at_work:
            return
        if not supervisor.expected and await service.store.aread(webhooks.are_there):
            supervisor.expect()
        await plan(service)

    # A child believes the time it is given, so while a start is in doubt there is none: `stand_in` waits too.
    if service.clock.jump is None and await service.store.aread(webhooks.are_there):
        supervisor.expect()
    ticks = (Tick(name="plan until a child does", every=SECOND, run=stand_in),)
    try:
        async with ticking((*ticks, *housekeeping(service)), clock=service.clock):
            yield supervisor
    finally:
        await supervisor.aclose()


def follow(parent: int) -> None:
    """Makes this process end with its parent, even one that is killed, and let whoever asks go first."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    os.nice(max(0, NICENESS - os.nice(0)))


async def end_with(parent: int) -> None:
    """Ends this process when its parent is gone, where the system does not see to that (macOS)."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(LOOK_SECONDS)
    os._exit(0)
