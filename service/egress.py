"""The only door outward: one guarded HTTP request per attempt, bounded in time and in bytes.

Three gates stand before a packet leaves: the URL is read strictly (`service.destinations`), every
address its name resolves to must be admitted (`Resolver`), and the socket is only made for an admitted
address (`Gate.socket`, which sees exactly what will be dialled). All of them fail closed.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
import certifi
import httpx
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import LineTooLong
from httpx_aiohttp import AiohttpTransport

from service.addresses import DestinationNotAllowed, Policy
from service.destinations import Destination, check
from service.reminders.answers import Answer, Outcome, excerpt, of_status

BODY_LIMIT = 64 * 1024
RECEIVE_BUFFER = 16 * 1024
CONNECT_SECONDS = 5.0
DNS_SECONDS = 3.0
# Abandoned look-ups hold their thread until the system resolver gives up, so there are many; they are
# made only when needed. One name holds one thread at most, see `Resolver`.
DNS_THREADS = 64
# Shorter than the idle limit of common servers (5 s and more), so that a kept connection is rarely dead.
IDLE_SECONDS = 4.0
HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "Dday/1 (webhook reminders)"}
LookUp = Callable[[str, int], list[str]]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: the bytes that were signed, and the headers that say so."""

    url: str
    headers: dict[str, str]
    body: bytes


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
        # What one turn of the event loop can be given to parse: a flood shares the loop with everyone.
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


class Egress:
    """Sends requests and says how each one ended; never raises for what a receiver does."""

    def __init__(
        self,
        policy: Policy,
        *,
        deadline: float = 15.0,
        tls: ssl.SSLContext | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self.policy = policy
        self._look_up = look_up or system_look_up
        self.deadline = deadline
        # One context for all: building one costs 25 ms. The bundled roots, not SSL_CERT_FILE's.
        self._tls = tls or ssl.create_default_context(cafile=certifi.where())
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")
        self._client: httpx.AsyncClient | None = None

    def check(self, url: str) -> Destination:
        """Refuse a URL when it is entered, as far as that can be told without DNS."""
        return check(url, policy=self.policy)

    async def post(self, request: Request) -> Answer:
        """Exactly one HTTP request. The deadline covers DNS, connecting, TLS, headers and body together."""
        started = time.monotonic()
        seen = Seen()
        try:
            destination = self.check(request.url)
            async with asyncio.timeout(self.deadline):
                await self._exchange(destination, request, seen)
        except Exception as error:
            seen.error = error
        return seen.answer(milliseconds=round((time.monotonic() - started) * 1000))

    async def _exchange(self, destination: Destination, request: Request, seen: "Seen") -> None:
        client = self._client or self._open()
        async with client.stream(
            "POST", destination.url, content=request.body, headers=request.headers
        ) as response:
            seen.status = response.status_code
            seen.headers = response.headers
            async for chunk in response.aiter_raw():
                seen.body += chunk[: BODY_LIMIT - len(seen.body)]
                if len(seen.body) >= BODY_LIMIT:
                    break

    def _open(self) -> httpx.AsyncClient:
        # aiohttp's connector belongs to the running loop, so it is made on the first request.
        self._client = httpx.AsyncClient(
            mounts={f"{scheme}://": self._transport(scheme) for scheme in ("https", "http")},
            transport=httpx.AsyncBaseTransport(),
            trust_env=False,
            follow_redirects=False,
            headers=HEADERS,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        )
        return self._client

    def _transport(self, scheme: str) -> httpx.AsyncBaseTransport:
        gate = Gate(self.policy, scheme=scheme)
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=Resolver(gate, self._look_up, self._threads),
            use_dns_cache=False,
            socket_factory=gate.socket,
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        return AiohttpTransport(verify=self._tls, trust_env=False, retries=0, client=session)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        self._threads.shutdown(wait=False, cancel_futures=True)


class Seen:
    """What came back so far: a receiver may fail after its status, and the status still counts."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: httpx.Headers | None = None
        self.body = b""
        self.error: Exception | None = None

    def answer(self, *, milliseconds: int) -> Answer:
        return Answer(
            outcome=of_status(self.status) if self.status else _blame(self.error),
            status=self.status,
            retry_after=self.headers.get("retry-after") if self.headers else None,
            milliseconds=milliseconds,
            bytes=len(self.body),
            excerpt=excerpt(self.body),
        )


def _blame(error: Exception | None) -> Outcome:
    """What went wrong before any status came, from the chain of causes."""
    links = list(_causes(error))
    for kinds, outcome in BLAME:
        if any(isinstance(link, kinds) for link in links):
            return outcome
    return "protocol"


BLAME: tuple[tuple[tuple[type[BaseException], ...], Outcome], ...] = (
    ((Refused, DestinationNotAllowed), "not_allowed"),
    ((Unknown,), "dns"),
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientConnectorSSLError), "tls"),
    ((TimeoutError,), "timeout"),
    ((LineTooLong,), "too_large"),
    ((aiohttp.ClientConnectorError,), "connect"),
)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=name, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
