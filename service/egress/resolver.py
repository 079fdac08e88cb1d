"""The gates before a packet: each address a name resolves to is judged, and again the one that is dialled."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from service.egress.policy import Policy

# What one turn of the event loop can be given to parse: a flood shares the loop with everyone.
RECEIVE_BUFFER = 16 * 1024


class Refused(OSError):
    """A gate said no. An OSError, because that is what aiohttp carries through its connector."""


class Gate:
    """The connector's last gate: makes sockets for admitted addresses only."""

    def __init__(self, policy: Policy, *, scheme: str) -> None:
        self.policy = policy
        self.scheme = scheme

    def admits(self, host: str, port: int) -> bool:
        return self.policy.admits_text(host, scheme=self.scheme, port=port)

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, port, *_) = info
        if not self.admits(host, port):
            raise Refused
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return made


# The system's resolver cannot be stopped, and a name whose servers do not answer keeps it for 10 s and
# more. So each look-up has its own thread, and nobody waits for it longer than DNS_SECONDS.
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
        """The number of look-ups that run, those included that nobody waits for any more."""
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


class Resolver(AbstractResolver):
    """Refuses a name if any answer is refused, and one that does not exist: they must look alike."""

    def __init__(self, gate: Gate, look_ups: LookUps) -> None:
        self._gate, self._look_ups = gate, look_ups

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            found = await self._look_ups.answers(host, port)
        except socket.gaierror:
            raise Refused from None
        if not found or not all(self._gate.admits(address, port) for address in found):
            raise Refused
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """Look-ups that nobody waits for end by themselves."""


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=name, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
