"""The client of a running Dday: `dday webhooks`, `dday feeds` and `dday listen` use its public API.

A SQLite file belongs to the service that runs on it, so these commands ask the service. This goes where the
operator points (DDAY_URL), never where a subscriber does; deliveries leave by `service.egress.client` only.
"""

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx
import msgspec
import rich_click as click

from service.cli.console import Misused, Refused
from service.settings import remote_from_environment

P = ParamSpec("P")
T = TypeVar("T")


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a problem document that a person needs."""

    title: str = ""
    detail: str = ""
    errors: tuple["TroubleAt", ...] = ()

    def __str__(self) -> str:
        return " ".join(
            [self.detail or self.title, *(f"{e.pointer or e.parameter}: {e.detail}" for e in self.errors)]
        )


class TroubleAt(msgspec.Struct, frozen=True, kw_only=True):
    detail: str = ""
    pointer: str | None = None
    parameter: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[msgspec.Raw, ...]
    next: str | None = None


class Api:
    """Calls with the operator's key. Every refusal becomes the sentence the service gave."""

    def __init__(self, url: str | None = None, *, need_key: bool = True) -> None:
        remote = remote_from_environment(url)
        if need_key and not remote.api_key:
            raise Misused(
                "DDAY_API_KEY is not set. `dday keys create NAME --scope webhooks` makes a key (or --scope "
                "feeds); then export DDAY_API_KEY=dday_…"
            )
        self.url = remote.url
        headers = {"authorization": f"Bearer {remote.api_key}"} if remote.api_key else {}
        self._client = httpx.Client(base_url=remote.url, headers=headers, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(
        self, method: str, path: str, *, body: object = None, params: Mapping[str, Any] | None = None
    ) -> bytes:
        try:
            response = self._client.request(
                method,
                path,
                params={name: value for name, value in (params or {}).items() if value not in (None, ())},
                content=msgspec.json.encode(body) if body is not None else None,
                headers={"content-type": "application/json"} if body is not None else {},
            )
        except httpx.TransportError as error:
            raise Refused(f"No Dday answers at {self.url} ({error}). Is `dday serve` running?") from None
        if response.is_error:
            raise Refused(_said(response))
        return response.content

    def get(self, path: str, into: type[T], **params: Any) -> T:
        return msgspec.json.decode(self.call("GET", path, params=params), type=into)

    def every(self, path: str, into: type[T], **params: Any) -> list[T]:
        """All pages of a list."""
        found: list[T] = []
        cursor: str | None = None
        while True:
            page = self.get(path, Page, **params, limit=200, cursor=cursor)
            found += (msgspec.json.decode(item, type=into) for item in page.items)
            cursor = page.next
            if cursor is None:
                return found


def path_of(route: str, id: str, operation: str = "") -> str:
    """Where the API has the thing with this id.

    Ids are of letters, digits, _ and -. Others are refused, not escaped: many a server and proxy decodes
    `..%2Fkeys` before it looks for the route, and that is another route.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", id):
        raise Misused(f"{id!r} is no id. An id has letters, digits, _ and - only, such as whk_1f6c….")
    return f"{route}/{id}{operation}"


def on_service(command: Callable[Concatenate[Api, bool, P], None]) -> Callable[P, None]:
    """Give a command `--url` and `--json`, and hand it the service and whether a machine reads."""

    @wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        url: Any = kwargs.pop("url")
        as_json: Any = kwargs.pop("as_json")
        with Api(url) as api:
            command(api, bool(as_json), *args, **kwargs)

    with_json = click.option("--json", "as_json", is_flag=True, help="For a machine.")(called)
    help = "The service to ask. [default: DDAY_URL, or this machine's port 8000]"
    return click.option("--url", metavar="URL", help=help)(with_json)


def _said(response: httpx.Response) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=Trouble))
    except msgspec.DecodeError:
        return f"{response.request.url} answered {response.status_code}, which is not Dday's way to refuse."
