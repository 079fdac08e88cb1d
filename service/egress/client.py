"""The only door outward: one guarded HTTP request per attempt, bounded in time and in bytes.

Three gates stand before a packet leaves: the URL is read strictly (`service.egress.urls`), every
address its name resolves to must be admitted, and the socket is only made for an admitted address, seen
exactly as it will be dialled (both in `service.egress.resolver`). All of them fail closed.
"""

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache, partial
from typing import Any, cast
from urllib.parse import urljoin

import aiohttp
import certifi
import httpx
import msgspec
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import LineTooLong
from httpx_aiohttp import AiohttpTransport

from service.egress.policy import DestinationNotAllowed, Policy
from service.egress.resolver import Gate, LookUp, LookUps, Refused, Resolver, Unknown, system_look_up
from service.egress.urls import Destination, check
from service.reminders.retry import Answer, Outcome, excerpt, of_status

BODY_LIMIT = 64 * 1024
CONNECT_SECONDS = 5.0
# Shorter than the idle limit of common servers (5 s and more), so that a kept connection is rarely dead.
IDLE_SECONDS = 4.0
EXTENSIONS = {"timeout": {"connect": CONNECT_SECONDS}}
# A calendar moves from http to https and to its provider's storage, not further.
MOST_REDIRECTS = 3
HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "Dday/1 (webhook reminders)"}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: the bytes that were signed, and the headers that say so."""

    url: str
    headers: dict[str, str]
    body: bytes


class NotFetched(Exception):
    """Nothing that can be read is at an address; the message is a sentence."""


class Egress:
    """Sends requests and says how each one ended; never raises for what a receiver does."""

    def __init__(
        self,
        policy: Policy,
        *,
        deadline: float,
        tls: ssl.SSLContext | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self.policy = policy
        self._look_ups = LookUps(look_up or system_look_up)
        self.deadline = deadline
        self._tls = tls or bundled_roots()
        self._known = lru_cache(maxsize=4096)(self.check)
        # Transports without a client above them: nothing there follows, retries, remembers or asks the
        # environment, and a request costs a third less.
        self._transports: dict[str, httpx.AsyncBaseTransport] = {}

    def check(self, url: str) -> Destination:
        """Refuse a URL when it is entered, as far as that can be told without DNS."""
        return check(url, policy=self.policy)

    async def post(self, request: Request) -> Answer:
        """Exactly one HTTP request. The deadline covers DNS, connecting, TLS, headers and body together."""
        started = time.monotonic()
        seen = Received()
        try:
            destination = self._known(request.url)
            async with asyncio.timeout(self.deadline):
                await self._exchange(destination, request, seen)
        except Exception as error:
            seen.error = error
        return seen.answer(milliseconds=round((time.monotonic() - started) * 1000))

    async def fetch(self, url: str, *, most: int) -> bytes:
        """What a GET of an address returns, of at most so many bytes; raises NotFetched.

        The deadline covers redirects too, each of which is judged as if it had been given.
        """
        try:
            async with asyncio.timeout(self.deadline):
                for _ in range(MOST_REDIRECTS + 1):
                    found = await self._get(self._known(url), most)
                    if isinstance(found, bytes):
                        return found
                    url = urljoin(url, found)
        except NotFetched:
            raise
        except Exception as error:
            raise NotFetched(SAID.get(_blame(error), "It does not answer as a web server does.")) from None
        raise NotFetched(f"It redirects more than {MOST_REDIRECTS} times.")

    async def _get(self, destination: Destination, most: int) -> bytes | str:
        """The body, or where it is said to be."""
        transport = self._open(destination.scheme)
        headers = {**HEADERS, "accept": "text/calendar, */*;q=0.5", "user-agent": "Dday/1 (calendar import)"}
        message = httpx.Request("GET", _url(destination.url), headers=headers, extensions=EXTENSIONS)
        response = await transport.handle_async_request(message)
        stream = cast(httpx.AsyncByteStream, response.stream)
        try:
            status, location = response.status_code, response.headers.get("location")
            if status in (301, 302, 303, 307, 308) and location:
                return str(location)
            if status != 200:
                raise NotFetched(f"It answers {status}.")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise NotFetched("It is compressed, which was not asked for.")
            body = bytearray()
            async for chunk in stream:
                body += chunk
                if len(body) > most:
                    raise NotFetched(f"It has more than {most // 1024 // 1024} MiB.")
            return bytes(body)
        finally:
            await stream.aclose()

    async def _exchange(self, destination: Destination, request: Request, seen: "Received") -> None:
        transport = self._open(destination.scheme)
        response = await transport.handle_async_request(_message(destination, request))
        stream = cast(httpx.AsyncByteStream, response.stream)
        try:
            seen.status = response.status_code
            seen.headers = response.headers
            # The stream itself, which httpx's readers only wrap.
            async for chunk in stream:
                seen.body += chunk[: BODY_LIMIT - len(seen.body)]
                if len(seen.body) >= BODY_LIMIT:
                    break
        finally:
            await stream.aclose()

    def _open(self, scheme: str) -> httpx.AsyncBaseTransport:
        # aiohttp's connector belongs to the running loop, so it is made on the first request.
        if scheme not in self._transports:
            self._transports[scheme] = self._transport(scheme)
        return self._transports[scheme]

    def _transport(self, scheme: str) -> httpx.AsyncBaseTransport:
        gate = Gate(self.policy, scheme=scheme)
        connector = HeadFirstConnector(
            ssl=self._tls,
            resolver=Resolver(gate, self._look_ups),
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
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


class HeadFirst(ResponseHandler):
    """Parses the head of an answer before what came with it, so that a status counts however packets fall.

    The parser takes a packet as a whole: a fault behind the head would lose the status in the same packet.
    """

    # What has come of a head that is not whole yet; None once it is.
    _head: bytes | None = None

    def set_response_params(self, **params: Any) -> None:
        self._head = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._head is None or self._parser is None:
            super().data_received(data)
            return
        known, begin = self._head + data, 0
        # Informational heads (1xx) stand before the one that counts.
        while (end := known.find(b"\r\n\r\n", begin)) >= 0 and known[begin + 9 : begin + 10] == b"1":
            begin = end + 4
        split = len(data) if end < 0 else end + 4 - len(self._head)
        self._head = known[begin:] if end < 0 else None
        super().data_received(data[:split])
        if split < len(data):
            super().data_received(data[split:])


class HeadFirstConnector(aiohttp.TCPConnector):
    """Makes connections that parse heads first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast(Any, partial(HeadFirst, loop=self._loop))


@cache
def bundled_roots() -> ssl.SSLContext:
    """Made once a process, because it costs 25 ms. The bundled roots, not SSL_CERT_FILE's."""
    return ssl.create_default_context(cafile=certifi.where())


class Received:
    """The part of an answer received so far: a receiver may fail after its status, which still counts."""

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
            excerpt=excerpt(self.body) if self.status else _certificate_fault(self.error),
        )


def _message(destination: Destination, request: Request) -> httpx.Request:
    # As a stream, because httpx looks at the headers a dozen times to prepare `content`; aiohttp adds the
    # host and the length itself.
    message = httpx.Request(
        "POST",
        _url(destination.url),
        headers={**HEADERS, **request.headers},
        stream=httpx.ByteStream(request.body),
        extensions=EXTENSIONS,
    )
    message.read()
    # Said once, or httpx tries out encodings for every header that aiohttp asks for.
    message.headers.encoding = "ascii"
    return message


@lru_cache(maxsize=4096)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


def _blame(error: Exception | None) -> Outcome:
    """Returns the outcome of a failure before any status, found in the chain of causes."""
    links = list(_causes(error))
    for kinds, outcome in BLAME:
        if any(isinstance(link, kinds) for link in links):
            return outcome
    return "protocol"


def _certificate_fault(error: Exception | None) -> str:
    """Says what is wrong with a certificate, as OpenSSL judged it; empty where none was refused."""
    for link in _causes(error):
        # aiohttp's own error is one of these too, without the code.
        if isinstance(link, ssl.SSLCertVerificationError) and hasattr(link, "verify_code"):
            known = CERTIFICATE_FAULTS.get(link.verify_code)
            return known or f"The certificate is refused: {link.verify_message}."
    return ""


NO_ISSUER = "No authority that we know has issued the certificate, or the server sends its chain in part."
# The codes of X509_V_ERR_*.
CERTIFICATE_FAULTS = {
    9: "The certificate is not valid yet.",
    10: "The certificate has expired.",
    **dict.fromkeys((2, 18, 19, 20, 21), NO_ISSUER),
    **dict.fromkeys((62, 64), "The certificate is for another name."),
}


BLAME: tuple[tuple[tuple[type[BaseException], ...], Outcome], ...] = (
    ((Refused, DestinationNotAllowed), "not_allowed"),
    ((Unknown,), "dns"),
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientConnectorSSLError), "tls"),
    ((TimeoutError,), "timeout"),
    ((LineTooLong,), "too_large"),
    ((aiohttp.ClientConnectorError,), "connect"),
)


# What a failure before the end of an answer is to a person who gave an address.
SAID: Mapping[Outcome, str] = {
    "not_allowed": "It is not an https address (port 443 or 8443) of a public host.",
    "dns": "Its name cannot be looked up.",
    "tls": "It has no certificate that can be trusted.",
    "timeout": "It takes too long to answer.",
    "connect": "It cannot be reached.",
}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
