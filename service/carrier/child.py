"""One child process, as its parent sees it."""

import asyncio
import logging
import os
import socket
import subprocess
import time

import msgspec

from service import offspring
from service.carrier.word import Receipt, Terms
from service.egress.client import Egress, Request
from service.line import Line
from service.reminders.retry import Answer
from service.settings import foreign_environment

log = logging.getLogger(__name__)
START_SECONDS = 30.0
# A child that has not answered so long after the deadline it keeps itself does not work any more. Less than
# the part of a lease that a send must leave over (`service.delivery.limits`).
GRACE_SECONDS = 3.0
WATCH_SECONDS = 0.5
# Nobody knows whether it arrived.
UNKNOWN = Answer(outcome="abandoned")


class ChildLost(Exception):
    """It ended before it was ready."""


class UnderWay(msgspec.Struct, frozen=True):
    """A request that the child has, since when."""

    answer: asyncio.Future[Answer]
    since: float


class Child:
    """Started, spoken with, and certainly dead before what it had under way is given up."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, patience: float) -> None:
        self._process, self._patience = process, patience
        self._line = Line(list[Receipt], heard=self._heard, lost=self._lost)
        self._under_way: dict[int, UnderWay] = {}
        self._number = 0
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._burying: asyncio.Task[None] | None = None
        self.at_work = False
        self.pid = process.pid

    @classmethod
    async def start(cls, egress: Egress) -> "Child":
        """Start one that posts as this egress would; it is ready when this returns."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = _spawned(theirs, egress)
        child = cls(process, patience=egress.deadline + GRACE_SECONDS)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: child._line, sock=ours)
            async with asyncio.timeout(START_SECONDS):
                await child._ready.wait()
        except BaseException:
            child.kill()
            await asyncio.to_thread(process.wait)
            raise
        if not child.at_work:
            raise ChildLost(f"exit code {await child.ended()}")
        child._watch()
        return child

    async def post(self, request: Request) -> Answer:
        """One request by the child. If that dies or hangs, nobody knows."""
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._under_way[number] = UnderWay(answer, time.monotonic())
        self._line.say((number, request))
        try:
            found: Answer = await answer
            return found
        finally:
            self._under_way.pop(number, None)

    async def ended(self) -> int:
        """Wait until it is dead and all that it had under way is given up; its exit code."""
        await self._ended.wait()
        return self._process.returncode

    def close(self) -> None:
        """It ends when it sees this; what it has under way is cut off."""
        self._line.close()

    def kill(self) -> None:
        self._process.kill()

    def _heard(self, receipts: list[Receipt]) -> None:
        if not self._ready.is_set():
            self.at_work = True
            self._ready.set()
        for number, answer in receipts:
            found = self._under_way.get(number)
            if found is not None and not found.answer.done():
                found.answer.set_result(answer)

    def _lost(self) -> None:
        self.at_work = False
        self._ready.set()
        self._burying = asyncio.get_running_loop().create_task(self.bury())

    async def bury(self) -> None:
        """Killed if it is not dead yet: what is tried again must not be sent by this one after all."""
        await asyncio.to_thread(_dead, self._process)
        for each in self._under_way.values():
            if not each.answer.done():
                each.answer.set_result(UNKNOWN)
        self._ended.set()

    def _watch(self) -> None:
        """The oldest request says whether it still works."""
        if not self.at_work:
            return
        oldest = next(iter(self._under_way.values()), None)
        if oldest is not None and time.monotonic() - oldest.since > self._patience:
            log.error("the sending process does not answer; it is killed")
            self.kill()
            return
        asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)


def _dead(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(1)
    except (subprocess.TimeoutExpired, OSError):
        # OSError: to wait a while is to sleep, which a faked clock may refuse. What ends it does not sleep.
        process.kill()
        process.wait()


def _spawned(theirs: socket.socket, egress: Egress) -> "subprocess.Popen[bytes]":
    terms = Terms(
        socket=theirs.fileno(),
        parent=os.getpid(),
        allow=tuple(map(str, egress.policy.allow)),
        deadline=egress.deadline,
        log=logging.getLevelName(logging.getLogger("service").getEffectiveLevel()),
    )
    told = msgspec.json.encode(terms).decode()
    return offspring.start("service.carrier.program", told, hearing=theirs, env=foreign_environment())
