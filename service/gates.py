"""The gates before a packet: each address a name resolves to is judged, and again the one that is dialled."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from service.addresses import Policy

DNS_SECONDS = 3.0
# What one turn of the event loop can be given to parse: a flood shares the loop with everyone.
RECEIVE_BUFFER = 16 * 1024
LookUp = Callable[[str, int], list[str]]


class Refused(OSError):
    """A gate said no. An OSError, because that is what aiohttp carries through its connector."""


class Unknown(OSError):
    """DNS gave no answer in time. A name that does not exist is `Refused`: the two must look alike."""


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


class Resolver(AbstractResolver):
    """Resolves a name once at a time, in threads of its own, and refuses it if any answer is refused."""

    def __init__(self, gate: Gate, look_up: LookUp, threads: ThreadPoolExecutor) -> None:
        self._gate = gate
        self._look_up = look_up
        self._threads = threads
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._answers(host, port)
        if not found or not all(self._gate.admits(address, port) for address in found):
            raise Refused
        return [_result(host, address, port) for address in found]

    async def _answers(self, host: str, port: int) -> list[str]:
        asking = self._asking.get((host, port))
        if asking is None:
            loop = asyncio.get_running_loop()
            asking = loop.run_in_executor(self._threads, partial(self._look_up, host, port))
            self._asking[host, port] = asking
            asking.add_done_callback(lambda done: self._asking.pop((host, port), None) and done.exception())
        try:
            return await asyncio.wait_for(asyncio.shield(asking), DNS_SECONDS)
        except TimeoutError:
            raise Unknown from None
        except socket.gaierror as error:
            raise (Unknown if error.errno == socket.EAI_AGAIN else Refused) from None

    async def close(self) -> None:
        """The threads belong to the Egress."""


def system_look_up(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver (hosts file, search list and all)."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=name, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
