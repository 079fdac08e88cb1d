"""Processes that a service starts of itself: how one begins, that there is one again, that none is left."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

PR_SET_PDEATHSIG = 1
# The path is handed over, or a folder `service` where somebody happens to be would be taken for ours.
RUN = """import sys; sys.path[:] = sys.argv[3:]
from importlib import import_module; import_module(sys.argv[1]).main(sys.argv[2])"""
# At Ctrl-C the whole group gets one, and what is under way has to be finished first: the parent says when.
BLOCKED = (signal.SIGINT, signal.SIGTERM)
# Whoever asks is answered before the next reminder leaves, where the two want the same core.
NICENESS = 5
# The next one is started after this long, doubled with every one that did not live for a minute.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
LIVED_SECONDS = 60.0


def start(
    module: str, told: str, *, hearing: socket.socket, env: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Run `main(told)` of this module in a process of its own, which inherits the socket and nothing else."""
    # Blocked signals stay blocked in what is started, so that not even its first instant is open to Ctrl-C.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", RUN, module, told, *sys.path],
            pass_fds=(hearing.fileno(),),
            stdin=subprocess.DEVNULL,
            env=dict(env),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def one_after_the_other(
    live: Callable[[], Awaitable[str | None]], *, lost: Callable[[str, float], None]
) -> None:
    """Run the whole life of one, then of the next, until one ends as it should, or this is cancelled.

    `live` says how a life ended, None if as it should; `lost` is told that, and the seconds until the next.
    """
    pause, began = FIRST_PAUSE, time.monotonic()
    while (how := await live()) is not None:
        if time.monotonic() - began > LIVED_SECONDS:
            pause = FIRST_PAUSE
        lost(how, pause)
        await asyncio.sleep(pause)
        pause, began = min(2 * pause, LONGEST_PAUSE), time.monotonic()


def settle(parent: int) -> None:
    """What each does first: die with its parent, and let others go first, whatever that one let."""
    die_with(parent)
    os.nice(max(0, NICENESS - os.nice(0)))


def die_with(parent: int) -> None:
    """A parent that is killed closes the line, too; this holds even for a child that does not listen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            end()


def end() -> None:
    """At once: nobody waits for an answer any more."""
    os._exit(0)
