"""Everything that can go wrong for a caller, as RFC 9457 problems, and the one place that renders them.

Raise where the fact is known (`raise NotFound("event", event_id)`); `service.api.problems` answers with it.
`name` is the stable slug of `/problems/<name>`; `advice` is what that page tells a person.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

import msgspec

MEDIA_TYPE = "application/problem+json"


class Located(Protocol):
    """One fault and where it is: a JSON pointer into the body, or a query parameter's or header's name."""

    @property
    def pointer(self) -> str | None: ...
    @property
    def parameter(self) -> str | None: ...
    @property
    def detail(self) -> str: ...


class At(msgspec.Struct, frozen=True, kw_only=True):
    """A fault found at the door, before the catalogue's rules see the value."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class OperatorError(Exception):
    """A failure that ends a command: its message is one sentence for the operator."""

    exit_code: ClassVar[int] = 1


class Problem(Exception):
    """The root; raised itself it is the 500 that tells nothing."""

    name: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    status: ClassVar[int] = 500
    advice: ClassVar[str] = (
        "It is recorded in the server's log. Try again; writes with an Idempotency-Key are safe."
    )

    def __init__(
        self, detail: str = "", *, errors: Iterable[Located] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class Malformed(Problem):
    name, title, status = "malformed-body", "The body is not readable JSON", 400
    advice = "Send one JSON value in UTF-8, nested at most 1,000 deep."


class BadRequest(Problem):
    name, title, status = "bad-request", "The request cannot be understood", 400
    advice = "The detail says which part of the request is at fault."


class BadParameters(Problem):
    name, title, status = "invalid-parameters", "A query parameter or header is wrong", 400
    advice = "Every fault names its parameter. Unknown ones are refused so that a misspelt filter is noticed."


class Unauthorized(Problem):
    name, title, status = "unauthorized", "A valid key is needed", 401
    advice = "Send `Authorization: Bearer dday_…` with a key that exists, has not expired and is not revoked."

    def __init__(self, detail: str = "This needs a valid API key.") -> None:
        super().__init__(detail, headers={"www-authenticate": 'Bearer realm="dday"'})


class Forbidden(Problem):
    name, title, status = "forbidden", "The key does not allow this", 403
    advice = "Ask the operator for a key with the scope the detail names."


class NotFound(Problem):
    """`NotFound("event", "seoulcon-2025")`."""

    name, title, status = "not-found", "There is nothing here", 404
    advice = "Check the address. Another key's webhooks are answered the same way as ones that do not exist."

    def __init__(self, noun: str, identifier: str) -> None:
        super().__init__(f"There is no {noun} {identifier!r}.")


class NoSuchFeed(Problem):
    """One answer for every private address there never was: it says nothing about what was asked for."""

    name, title, status = "no-such-feed", "There is no such feed", 404
    advice = "Check that the address is whole, or ask whoever gave it to you."


class NoRoute(Problem):
    name, title, status = "no-such-address", "There is no such address", 404
    advice = "The addresses of this service are listed at /docs."


class MethodNotAllowed(Problem):
    name, title, status = "method-not-allowed", "This address does not take that method", 405
    advice = "The Allow header lists the methods it takes."

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not possible here; possible are {allow}.", headers={"allow": allow})


class TooSlow(Problem):
    name, title, status = "too-slow", "The body did not arrive in time", 408
    advice = "A body is to arrive within 30 seconds."


class Conflict(Problem):
    name, title, status = "conflict", "This contradicts what is stored", 409
    advice = "The detail names what stands in the way."


class KeyReused(Conflict):
    name, title = "idempotency-key-reused", "This Idempotency-Key came with another request before"
    advice = "Use a new key for a new request; repeat a key only with the identical request."


class KeyInUse(Conflict):
    name, title = "idempotency-key-in-use", "The first request with this Idempotency-Key is not answered yet"
    advice = "Repeat it with the same key after the seconds in Retry-After."

    def __init__(self) -> None:
        super().__init__("It is still being worked on.", headers={"retry-after": "1"})


class Gone(Problem):
    name, title, status = "gone", "This is no longer here", 410
    advice = "It existed and was removed for good."


class TokenExpired(Gone):
    name, title = "token-expired", "This token cannot be continued from"
    advice = "Start `/v1/changes` again without `since`; the token is from another or an older database."


class PreconditionFailed(Problem):
    name, title, status = "precondition-failed", "It has changed since you read it", 412
    advice = "Read it again, look at what changed, and repeat with the new ETag in If-Match."


class AlreadyExists(PreconditionFailed):
    name, title = "already-exists", "It exists already"
    advice = "`If-None-Match: *` writes only what is new. To change what is there, send If-Match instead."


class TooLarge(Problem):
    name, title, status = "too-large", "The body is too large", 413
    advice = "Bodies may have 256 KiB, a batch 4 MiB. Split it."


class UnsupportedMediaType(Problem):
    name, title, status = "unsupported-media-type", "The body must be application/json", 415
    advice = "Send `Content-Type: application/json`."


class Unprocessable(Problem):
    name, title, status = "invalid-body", "The body breaks a rule", 422
    advice = "Every fault comes with a JSON pointer to the value and a sentence that says what is allowed."


class TooManyRequests(Problem):
    name, title, status = "too-many-requests", "Too many requests", 429
    advice = "Wait as many seconds as Retry-After says."

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s.", headers={"retry-after": str(retry_after)})


class Unavailable(Problem):
    name, title, status = "unavailable", "The service cannot answer now", 503
    advice = "Try again after the seconds in Retry-After."

    def __init__(self, detail: str = "The store cannot be reached.", *, retry_after: int = 5) -> None:
        super().__init__(detail, headers={"retry-after": str(retry_after)})


class StorageFull(Problem):
    name, title, status = "storage-full", "The disk of the store is full", 507
    advice = "Nothing was written. Reads go on; writes work again as soon as the operator makes room."

    def __init__(self, detail: str = "The change was not written: the store's disk is full.") -> None:
        super().__init__(detail, headers={"retry-after": "60"})


class ProblemPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a problem's `errors`."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, as sent."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[ProblemPlace, ...] = ()


def document(problem: Problem) -> bytes:
    """The body of the answer, never with a stack."""
    places = tuple(
        ProblemPlace(pointer=fault.pointer, parameter=fault.parameter, detail=fault.detail)
        for fault in problem.errors
    )
    return msgspec.json.encode(
        ProblemDetails(
            type=f"/problems/{problem.name}",
            title=problem.title,
            status=problem.status,
            detail=problem.detail,
            errors=places,
        )
    )


def catalogue() -> dict[str, type[Problem]]:
    """Every kind of problem there is, by name."""
    found: dict[str, type[Problem]] = {}
    pending: list[type[Problem]] = [Problem]
    while pending:
        kind = pending.pop(0)
        found[kind.name] = kind
        pending.extend(kind.__subclasses__())
    return found
