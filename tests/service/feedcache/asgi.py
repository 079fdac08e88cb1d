"""The service's front with a door behind it that writes what a test gives it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from service.api.feeds import Feeds
from service.api.middleware import RatedCaller, RateLimiter
from service.catalogue.validation import Invalid
from service.errors import Problem
from service.store.engine import Store

UNLIMITED = RateLimiter(0)
SOMEBODY = RatedCaller(UNLIMITED, "somebody")


class Door:
    """Everything behind the feeds: does the work of the scope in one transaction, and answers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self.store.write(scope["work"])
            status = 200
        except (Problem, Invalid):
            status = 409
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def get(
    feeds: Feeds, place: tuple[str, bytes], headers: dict[str, str] | None = None, client: str = "10.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    asked = {"method": "GET", "path": place[0], "query_string": place[1], "headers": raw}
    return await _call(feeds, {**asked, "client": (client, 4711)})


async def write(feeds: Feeds, work: Callable[[Connection], object]) -> int:
    status, _, _ = await _call(feeds, {"method": "PUT", "path": "/v1/events/x", "work": work})
    return status


async def _call(feeds: Feeds, scope: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await feeds({"type": "http", **scope}, None, send)  # type: ignore[arg-type]
    given = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], given, sent[1]["body"]
