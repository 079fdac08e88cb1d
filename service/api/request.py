"""A request in this service's words: what handlers may ask of it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import InternalServerException

from service.api import json_body, queries, responses
from service.api.etags import Precondition
from service.api.event_edits import Edit
from service.api.idempotency import Repeats, checked
from service.api.operations import Operation
from service.api.queries import Pairs
from service.api.responses import Answer
from service.api.tokens import Cursors
from service.bootstrap import Service
from service.catalogue.event import Language
from service.errors import At, BadParameters, Malformed, TooSlow
from service.store.api_keys import Key
from service.store.engine import Work

T = TypeVar("T")


class Call(Request[None, Key, State]):
    """`app.state` carries the service; the middleware has left the checked query and the key."""

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    @property
    def now(self) -> datetime:
        """The instant of this request, one for all that it does."""
        kept: dict[str, Any] = self.scope["state"]
        if "now" not in kept:
            kept["now"] = self.service.clock.now()
        now: datetime = kept["now"]
        return now

    @property
    def pairs(self) -> Pairs:
        pairs: Pairs = self.scope["state"]["pairs"]
        return pairs

    @property
    def key(self) -> Key:
        """The key of an operation that has a scope."""
        key: Key = self.scope["auth"]
        return key

    @property
    def limit(self) -> int:
        return queries.whole(self.pairs, "limit", default=50, most=200)

    @property
    def lang(self) -> Language | None:
        match queries.value(self.pairs, "lang"):
            case None:
                return None
            case "ko":
                return "ko"
            case "en":
                return "en"
        raise BadParameters(errors=[At(detail="It must be ko or en.", parameter="lang")])

    @property
    def cause(self) -> str:
        """Why something is written, as its revision will say."""
        cause = queries.value(self.pairs, "cause")
        if cause is None:
            return f"api key {self.key.id}"
        if not 1 <= len(cause) <= 200:
            raise BadParameters(errors=[At(detail="It must have 1 to 200 characters.", parameter="cause")])
        return cause

    def _after(self, kind: type[T]) -> T | None:
        """The position that the cursor of this request stands for."""
        cursor = queries.value(self.pairs, "cursor")
        if cursor is None:
            return None
        cursors: Cursors = self.app.state.cursors
        return cursors.read(cursor, kind, bound_to=self._list)

    def paging(self, kind: type[T]) -> tuple[int, T | None]:
        """`limit`, and the place that `cursor` stands for; what is wrong with either is told together."""
        limit, after = queries.together(lambda: self.limit, lambda: self._after(kind))
        return limit, after

    def cursor(self, position: object | None) -> str | None:
        """The cursor for the page after this one."""
        if position is None:
            return None
        cursors: Cursors = self.app.state.cursors
        return cursors.write(position, bound_to=self._list)

    @property
    def _list(self) -> str:
        """Which list this is: its path, filters and order, however they were written."""
        chosen = sorted(pair for pair in self.pairs if pair[0] not in ("cursor", "limit", "lang"))
        return msgspec.json.encode((self.scope["path"], chosen)).decode()

    def edit(self, identifier: str, derived: Mapping[str, Any] | None = None) -> Edit:
        """The change to one thing that this request asks for."""
        headers = self.headers
        asked = Precondition(match=headers.get("if-match"), none_match=headers.get("if-none-match"))
        return Edit(id=identifier, derived=derived or {}, now=self.now, cause=self.cause, precondition=asked)

    async def json(self) -> Any:
        """The body, read strictly, before it is anything."""
        raw = await self._raw()
        if len(raw) <= json_body.SMALL:
            return json_body.parse(raw)
        # Megabytes of brackets take long to walk; others are answered meanwhile.
        return await asyncio.to_thread(json_body.parse, raw)

    async def read(self, kind: type[T]) -> T:
        """The body as `kind`."""
        return json_body.convert(await self.json(), kind)

    async def read_if_sent(self, kind: type[T]) -> T:
        """The body as `kind`; no body at all is an empty object."""
        headers = self.headers
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            return json_body.convert({}, kind)
        return await self.read(kind)

    async def _raw(self) -> bytes:
        json_body.check_content_type(self.headers.get("content-type"))
        promised: Operation = self.route_handler.opt["operation"]
        announced = self.headers.get("content-length", "")
        json_body.check_length(int(announced[:19]) if announced[:19].isdecimal() else 0, promised.body_limit)
        try:
            async with asyncio.timeout(json_body.SECONDS):
                body = await self._received(promised.body_limit)
        except TimeoutError:
            raise TooSlow from None
        except InternalServerException:
            raise Malformed("The body breaks off, or its chunks are not framed as HTTP asks.") from None
        self.scope["state"]["body"] = body
        return body

    async def _received(self, limit: int) -> bytes:
        received = bytearray()
        async for chunk in self.stream():
            received += chunk
            json_body.check_length(len(received), limit)
        return bytes(received)

    def shown(self, answer: Answer) -> Response[bytes]:
        """A read's answer: 304 if the caller has it already."""
        return responses.sent(answer, held=self.headers.get("if-none-match"))

    async def write(self, work: Work[Answer]) -> Response[bytes]:
        """Do `work` in one transaction; a POST with an Idempotency-Key once for all its repetitions."""
        repeats = self.repeats
        return responses.sent(await self.service.store.awrite(repeats.once(work) if repeats else work))

    @property
    def repeats(self) -> Repeats | None:
        """What makes this request and its repetitions one; None for a request that is not to be repeated.

        The body has been read.
        """
        key = self.headers.get("idempotency-key")
        if key is None or self.method != "POST":
            return None
        return Repeats(
            owner=self.key.id,
            key=checked(key),
            fingerprint=self._fingerprint,
            now=self.now,
            box=self.app.state.box,
        )

    @property
    def _fingerprint(self) -> bytes:
        """What makes two requests the same one."""
        scope = self.scope
        target = f"{self.method} {scope['path']}?".encode() + scope["query_string"]
        return sha256(target + b"\n" + scope["state"].get("body", b"")).digest()
