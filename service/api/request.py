"""The request as handlers see it: its instant, key, query, body and page, and its Idempotency-Key."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar, get_args

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import InternalServerException
from sqlalchemy import Connection

from service.api import json_body, queries, responses
from service.api.event_edits import Edit
from service.api.operations import LIMIT_PARAMETER, Operation
from service.api.queries import Pairs
from service.api.responses import ApiResponse, Precondition
from service.api.tokens import Cursors, ResponseCipher
from service.bootstrap import Service
from service.catalogue.event import Language, Visibility
from service.catalogue.validation import is_blank
from service.errors import (
    At,
    BadParameters,
    Conflict,
    Forbidden,
    KeyInUse,
    Malformed,
    TooSlow,
    Unauthorized,
)
from service.store import idempotency
from service.store.api_keys import Key
from service.store.engine import Work
from service.store.idempotency import Unanswered

R = TypeVar("R")
T = TypeVar("T")

LANGUAGES: tuple[Language, ...] = get_args(Language)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class CreatedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The last row of a page in order of creation, which a cursor carries."""

    created_at: datetime
    id: str

    @classmethod
    def of(cls, row: Any) -> "CreatedPosition":
        return cls(created_at=row.created_at, id=row.id)


class IdempotentPost(msgspec.Struct, frozen=True, kw_only=True):
    """A POST and its repetitions, with one effect and one response. `fingerprint` tells it from others."""

    owner: str
    key: str
    fingerprint: bytes
    now: datetime
    cipher: ResponseCipher

    def begin(self, c: Connection) -> ApiResponse | Unanswered | None:
        """Claims the key in this transaction, or returns what came of the request that claimed it before."""
        before = idempotency.begin(c, self.owner, self.key, self.fingerprint, now=self.now)
        if before is None or isinstance(before, Unanswered):
            return before
        body = self.cipher.decrypt(before.body, owner=self.owner)
        if body is None:
            raise Conflict("The answer to this Idempotency-Key was sealed with a secret key that is gone.")
        return ApiResponse(status=before.status, body=body, headers=dict(before.headers))

    def note(self, c: Connection, note: str) -> None:
        """Stores what was begun in this transaction and will be answered in a later one."""
        idempotency.note(c, self.owner, self.key, note)

    def finish(self, c: Connection, response: ApiResponse) -> None:
        """Stores the response, encrypted: some show a secret once."""
        headers = tuple(response.headers.items())
        body = self.cipher.encrypt(response.body, owner=self.owner)
        idempotency.finish(c, self.owner, self.key, status=response.status, headers=headers, body=body)

    def once(self, work: Work[ApiResponse]) -> Work[ApiResponse]:
        """Returns `work` with its response stored in the same transaction."""

        def unit(c: Connection) -> ApiResponse:
            before = self.begin(c)
            if isinstance(before, Unanswered):
                raise KeyInUse
            if before is not None:
                return before
            response = work(c)
            self.finish(c, response)
            return response

        return unit


class Call(Request[None, Key, State]):
    """`app.state` carries the service; the middleware has left the checked query and the key in the scope."""

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    @property
    def now(self) -> datetime:
        """The instant of this request, one for all that it does."""
        state = self.scope["state"]
        if "now" not in state:
            state["now"] = self.service.clock.now()
        now: datetime = state["now"]
        return now

    @property
    def pairs(self) -> Pairs:
        pairs: Pairs = self.scope["state"]["pairs"]
        return pairs

    @property
    def key(self) -> Key:
        """The API key; only operations that have a scope have one."""
        key: Key = self.scope["auth"]
        return key

    @property
    def curates(self) -> bool:
        """Whether the caller may see events that are not public, and the names of such events."""
        key: Key | None = self.scope["auth"]
        return key is not None and not {"catalogue", "admin"}.isdisjoint(key.scopes)

    def allowed(self, visibility: tuple[Visibility, ...]) -> tuple[Visibility, ...]:
        """Returns the visibilities asked for, by default all that the caller may see; raises for others."""
        if self.curates:
            return visibility or queries.VISIBILITIES
        if not {"public"}.issuperset(visibility):
            raise (
                Unauthorized if self.scope["auth"] is None else Forbidden("The key has no scope 'catalogue'.")
            )
        return ("public",)

    @property
    def owner(self) -> str | None:
        """The owner whose webhooks and saved feeds this key may see; None for the operator, who sees all."""
        return None if "admin" in self.key.scopes else self.key.id

    @property
    def limit(self) -> int:
        return queries.whole(self.pairs, LIMIT_PARAMETER)

    @property
    def lang(self) -> Language | None:
        lang = queries.value(self.pairs, "lang")
        return None if lang is None else queries.choice(lang, LANGUAGES, name="lang", words="ko or en")

    @property
    def cause(self) -> str:
        """Why something is written, as its revision will say."""
        cause = queries.value(self.pairs, "cause")
        if cause is None:
            return f"api key {self.key.id}"
        if not 1 <= len(cause) <= 200 or is_blank(cause):
            detail = "It must have 1 to 200 characters, and some that can be seen."
            raise BadParameters(errors=[At(detail=detail, parameter="cause")])
        return cause

    @property
    def precondition(self) -> Precondition:
        return Precondition(match=self._lines("if-match"), none_match=self._lines("if-none-match"))

    def _lines(self, name: str) -> str | None:
        """A header that is a list; each of its lines may hold a part."""
        return ", ".join(self.headers.getall(name, [])) or None

    def edit(self, identifier: str, derived: Mapping[str, Any] | None = None) -> Edit:
        """Returns the change to one thing that this request asks for."""
        return Edit(
            id=identifier,
            derived=derived or {},
            now=self.now,
            cause=self.cause,
            precondition=self.precondition,
        )

    def paging(self, kind: type[T]) -> tuple[int, T | None]:
        """Returns `limit`, and the position that `cursor` stands for. Faults of both are raised together."""
        limit, after = queries.together(lambda: self.limit, lambda: self._after(kind))
        return limit, after

    def _after(self, kind: type[T]) -> T | None:
        cursor = queries.value(self.pairs, "cursor")
        return None if cursor is None else self._cursors.read(cursor, kind, bound_to=self._list)

    def cursor(self, position: object | None) -> str | None:
        """Returns the cursor for the page after this position; None where there is no such page."""
        return None if position is None else self._cursors.write(position, bound_to=self._list)

    def page(
        self, rows: Sequence[R], show: Callable[[R], object], *, position: Callable[[R], object]
    ) -> ApiResponse:
        """Returns the page of rows read with one more than `limit`, which says that another page follows."""
        shown = rows[: self.limit]
        following = position(shown[-1]) if len(rows) > len(shown) else None
        return responses.page((msgspec.json.encode(show(row)) for row in shown), self.cursor(following))

    @property
    def _cursors(self) -> Cursors:
        cursors: Cursors = self.app.state.cursors
        return cursors

    @property
    def _list(self) -> str:
        """Identifies the list: its path, filters and order, however they were written."""
        chosen = sorted(pair for pair in self.pairs if pair[0] not in ("cursor", "limit", "lang"))
        return msgspec.json.encode((self.scope["path"], chosen)).decode()

    async def json(self) -> Any:
        """Returns the body as a JSON value, read strictly (`service.api.json_body`)."""
        raw = await self._received()
        self.scope["state"]["body"] = raw
        if len(raw) <= json_body.SMALL:
            return json_body.parse(raw)
        # Megabytes of brackets take long to walk; others are answered meanwhile.
        return await asyncio.to_thread(json_body.parse, raw)

    async def body_as(self, kind: type[T]) -> T:
        return json_body.convert(await self.json(), kind)

    async def optional_body_as(self, kind: type[T]) -> T:
        """Returns the body as `kind`; no body at all is an empty object."""
        headers = self.headers
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            return json_body.convert({}, kind)
        return await self.body_as(kind)

    async def _received(self) -> bytes:
        json_body.check_content_type(self.headers.get("content-type"))
        operation: Operation = self.route_handler.opt["operation"]
        announced = self.headers.get("content-length", "")[:19]
        json_body.check_length(int(announced) if announced.isdecimal() else 0, operation.body_limit)
        received = bytearray()
        try:
            async with asyncio.timeout(json_body.SECONDS):
                async for chunk in self.stream():
                    received += chunk
                    json_body.check_length(len(received), operation.body_limit)
        except TimeoutError:
            raise TooSlow from None
        except InternalServerException:
            raise Malformed("The body breaks off, or its chunks are not framed as HTTP asks.") from None
        return bytes(received)

    def shown(self, response: ApiResponse) -> Response[bytes]:
        """Returns the response to a read: 304 if the caller has it already."""
        return responses.sent(response, held=self._lines("if-none-match"))

    async def read(self, work: Work[ApiResponse]) -> Response[bytes]:
        """Answers with what `work` reads in one snapshot."""
        return self.shown(await self.service.store.aread(work))

    async def write(self, work: Work[ApiResponse]) -> Response[bytes]:
        """Does `work` in one transaction; with an Idempotency-Key, once for all its repetitions."""
        post = self.idempotent_post
        return responses.sent(await self.service.store.awrite(post.once(work) if post else work))

    @property
    def idempotent_post(self) -> IdempotentPost | None:
        """This request and its repetitions; None without an Idempotency-Key. Read the body first."""
        key = self.headers.get("idempotency-key")
        if key is None or self.method != "POST":
            return None
        if not _KEY.fullmatch(key):
            fault = At(detail="It must be 1 to 255 visible ASCII characters.", parameter="Idempotency-Key")
            raise BadParameters(errors=[fault])
        scope = self.scope
        target = f"{self.method} {scope['path']}?".encode() + scope["query_string"]
        return IdempotentPost(
            owner=self.key.id,
            key=key,
            fingerprint=sha256(target + b"\n" + scope["state"].get("body", b"")).digest(),
            now=self.now,
            cipher=self.app.state.cipher,
        )
