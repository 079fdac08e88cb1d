"""Keeps a sending process: starts it, hears from it, replaces one that dies, and ends it with the service."""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess

import msgspec

from service import offspring, settings
from service.clock import Clock, running
from service.line import Line
from service.metrics import Metrics
from service.sender.word import News, Terms

log = logging.getLogger(__name__)
# Without a word for so many looks it does not work any more.
LOOK_SECONDS, SILENT_LOOKS = 1.0, 60
# Longer than its sender takes to finish what is under way.
END_SECONDS = 40.0


class Keeper:
    """Of one process at a time."""

    def __init__(
        self,
        told: settings.Settings,
        metrics: Metrics,
        *,
        clock: Clock,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._settings, self._metrics, self._clock = told, metrics, clock
        self._look_seconds = look_seconds
        self._tending: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line[News] | None = None
        self._silent = 0
        self._stopping = False
        # Whether the process has said that it plans and sends.
        self.at_work = False

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    @property
    def expected(self) -> bool:
        return self._tending is not None

    def expect(self) -> None:
        """Start it, if that has not been done."""
        if self._tending is None:
            tending = offspring.one_after_the_other(self._live, lost=self._lost)
            self._tending = asyncio.get_running_loop().create_task(tending, name="keeper")

    async def aclose(self) -> None:
        """Let it finish what is under way."""
        self._stopping = True
        if self._tending is None:
            return
        if self._line is None:
            self._tending.cancel()
        else:
            self._line.say("stop")
        done, _ = await asyncio.wait({self._tending}, timeout=END_SECONDS)
        if not done and self._process is not None:
            log.error("the sending process does not end; it is killed")
            self._process.kill()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tending

    def _lost(self, how: str, pause: float) -> None:
        self._metrics.lost.inc()
        log.error("the sending process ended (%s); another is started in %.2f s", how, pause)

    async def _live(self) -> str | None:
        """The whole life of one; how it ended, None if it was told to."""
        ours, theirs = socket.socketpair()
        self._silent = 0
        try:
            with theirs:
                process = self._process = self._started(theirs)
        except OSError as error:
            ours.close()
            return str(error)
        ended = asyncio.get_running_loop().run_in_executor(None, process.wait)
        line = Line(list[News], heard=self._heard, lost=lambda: None)
        watching = asyncio.create_task(self._watch(process), name="watch")
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours)
            self._line = line
            code = await asyncio.shield(ended)
            return None if self._stopping else f"exit code {code}"
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            watching.cancel()
            line.close()
            self._line, self._process, self.at_work = None, None, False
            self._metrics.bury()

    def _started(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        terms = Terms(socket=theirs.fileno(), parent=os.getpid(), now=self._clock.now(), running=running())
        told, env = msgspec.json.encode(terms).decode(), settings.environment(self._settings)
        return offspring.start("service.sender.program", told, hearing=theirs, env=env)

    def _heard(self, news: list[News]) -> None:
        self.at_work, self._silent = True, 0
        for each in news:
            self._metrics.hear(each.samples)

    async def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        while self._silent < SILENT_LOOKS:
            await asyncio.sleep(self._look_seconds)
            self._silent += 1
        log.error("the sending process has not been heard of for long; it is killed")
        process.kill()
