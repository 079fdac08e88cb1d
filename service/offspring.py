"""Processes that a service starts of itself: how they are started, and that none outlives its parent."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
# The path is handed over, or a folder `service` where somebody happens to be would be taken for ours.
RUN = """import sys; sys.path[:] = sys.argv[3:]
from importlib import import_module; import_module(sys.argv[1]).main(sys.argv[2])"""
# At Ctrl-C the whole group gets one, and what is under way has to be finished first: the parent says when.
BLOCKED = (signal.SIGINT, signal.SIGTERM)


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


def die_with(parent: int) -> None:
    """A parent that is killed closes the line, too; this holds even for a child that does not listen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            end()


def end() -> None:
    """At once: nobody waits for an answer any more."""
    os._exit(0)
