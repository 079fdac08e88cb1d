"""The gates before a packet: each address a name resolves to is judged, and again the one that is dialled."""

import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from service.addresses import Policy
from service.lookups import LookUps

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
