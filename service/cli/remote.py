"""The client of a running Dday: `dday webhooks`, `dday feeds` and `dday listen` use its public API.

A SQLite file belongs to the service that runs on it, so these commands ask the service. They go where the
operator points (DDAY_URL), never where a subscriber does, and use the standard library because loading httpx
takes longer than the rest of such a command. Deliveries leave by `service.egress.client` only.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from functools import wraps
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import certifi
import msgspec
import rich_click as click

from service.cli.console import CommandFailed, Misused, as_json_flag
from service.settings import Settings, remote_from_environment

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 30
UNREACHABLE = (OSError, HTTPException, ValueError)
url_option = click.option(
    "--url",
    metavar="URL",
    help=f"The service to ask. [default: DDAY_URL, or this machine's port {Settings().port}]",
)


class ProblemFault(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a problem document's `errors`."""

    detail: str = ""
    pointer: str | None = None
    parameter: str | None = None


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a problem document that a person needs."""

    title: str = ""
    detail: str = ""
    errors: tuple[ProblemFault, ...] = ()

    def __str__(self) -> str:
        faults = (f"{fault.pointer or fault.parameter}: {fault.detail}" for fault in self.errors)
        return " ".join([self.detail or self.title, *faults])


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list, its items not decoded yet."""

    items: tuple[msgspec.Raw, ...]
    next: str | None = None


class Api:
    """Calls with the operator's key. Every refusal becomes the sentence the service gave."""

    def __init__(self, url: str | None = None) -> None:
        remote = remote_from_environment(url)
        if not remote.api_key:
            raise Misused(
                "DDAY_API_KEY is not set. `dday keys create NAME --scope webhooks` makes a key (or --scope "
                "feeds); then export DDAY_API_KEY=dday_…"
            )
        self.url, self._key = remote.url, remote.api_key

    def call(
        self, method: str, path: str, *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> bytes:
        """Returns the body of the answer. Raises CommandFailed unless its status is 2xx."""
        given = {name: value for name, value in (params or {}).items() if value not in (None, ())}
        url = self.url + path + (f"?{urlencode(given, doseq=True)}" if given else "")
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        try:
            connection, target = connect(url, timeout=SECONDS)
            try:
                content = None if body is None else msgspec.json.encode(body)
                connection.request(method, target, content, headers)
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
        except UNREACHABLE as error:
            raise CommandFailed(
                f"No Dday answers at {self.url} ({error}). Is `dday serve` running?"
            ) from None
        if not 200 <= response.status < 300:
            raise CommandFailed(_refusal(url, response.status, answer))
        return answer

    def get(self, path: str, into: type[T], **params: Any) -> T:
        return msgspec.json.decode(self.call("GET", path, params=params), type=into)

    def every(self, path: str, into: type[T], **params: Any) -> list[T]:
        """Returns the items of all pages of a list."""
        items: list[T] = []
        cursor: str | None = None
        while True:
            page = self.get(path, ListPage, **params, limit=200, cursor=cursor)
            items += (msgspec.json.decode(item, type=into) for item in page.items)
            cursor = page.next
            if cursor is None:
                return items


def connect(url: str, *, timeout: float) -> tuple[HTTPConnection, str]:
    """Returns a connection to the host of an http or https URL, not dialled yet, and the request target.

    Raises ValueError or HTTPException for a host or port that cannot be.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=timeout), target
    trusted = ssl.create_default_context(cafile=certifi.where())
    return HTTPSConnection(host, parts.port, timeout=timeout, context=trusted), target


def path_of(route: str, id: str, operation: str = "") -> str:
    """Returns where the API has the thing with this id.

    Ids are of letters, digits, _ and -. Others are refused, not escaped: many a server and proxy decodes
    `..%2Fkeys` before it looks for the route, and that is another route.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", id):
        raise Misused(f"{id!r} is no id. An id has letters, digits, _ and - only, such as whk_1f6c….")
    return f"{route}/{id}{operation}"


def on_service(command: Callable[Concatenate[Api, bool, P], None]) -> Callable[P, None]:
    """Gives a command `--url` and `--json`, and passes it the service and whether a machine reads."""

    @wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        url: Any = kwargs.pop("url")
        as_json: Any = kwargs.pop("as_json")
        command(Api(url), bool(as_json), *args, **kwargs)

    return url_option(as_json_flag(called))


def _refusal(url: str, status: int, answer: bytes) -> str:
    try:
        return str(msgspec.json.decode(answer, type=ProblemBody))
    except msgspec.DecodeError:
        return f"{url} answered {status}, which is not Dday's way to refuse."
