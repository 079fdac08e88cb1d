"""Names to addresses, by the system's resolver, which nobody can tell to stop.

A name whose servers do not answer keeps a look-up for as long as the system resolver tries, 10 s and more.
So nothing waits for another name's thread: each look-up has its own, and loses its asker after DNS_SECONDS.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

DNS_SECONDS = 3.0
# 32 requests at a time to names that are dead and always new have 107 look-ups under way where the resolver
# tries for 10 s, and reach this where it tries for 48 s. One costs 24 KiB and an open file, of mostly 1024.
MOST = 512
# What says nothing about the name.
NOT_NOW = (socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM)
LookUp = Callable[[str, int], list[str]]


class Unknown(OSError):
    """DNS gave no answer in time. A name that does not exist is `socket.gaierror`."""


class LookUps:
    """A look-up is shared by all who ask for the same name and port, and never waited for by others."""

    def __init__(self, look_up: LookUp, *, seconds: float = DNS_SECONDS, most: int = MOST) -> None:
        self._look_up, self._seconds, self._most = look_up, seconds, most
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    @property
    def under_way(self) -> int:
        """Those that nobody waits for any more included."""
        return len(self._asking)

    async def answers(self, host: str, port: int) -> list[str]:
        """Every address of a name."""
        asking = self._asking.get((host, port)) or self._ask(host, port)
        try:
            return await asyncio.wait_for(asyncio.shield(asking), self._seconds)
        except TimeoutError:
            raise Unknown from None
        except socket.gaierror as error:
            if error.errno in NOT_NOW:
                raise Unknown from None
            raise

    def _ask(self, host: str, port: int) -> asyncio.Future[list[str]]:
        if len(self._asking) >= self._most:
            raise Unknown
        answer: Future[list[str]] = Future()
        # A daemon, because the end of the process must not wait for it.
        thread = Thread(target=self._answer, args=(answer, host, port), name="dns", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            raise Unknown from None
        asking = self._asking[host, port] = asyncio.wrap_future(answer)
        # An error that nobody waited for is looked at, or asyncio complains.
        asking.add_done_callback(lambda done: self._asking.pop((host, port)) and done.exception())
        return asking

    def _answer(self, answer: Future[list[str]], host: str, port: int) -> None:
        try:
            answer.set_result(self._look_up(host, port))
        except BaseException as error:
            # Whatever it is, whoever asked must hear of it.
            answer.set_exception(error)


def system_look_up(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver (hosts file, search list and all)."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))
