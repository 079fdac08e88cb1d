"""Events over HTTP, from making one to finding its history."""

from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
Headers = dict[str, str]

FORUM = {
    "kind": "forum",
    "name": {"ko": "지속가능 포럼", "en": "Sustainability Forum"},
    "start": "2026-04-01",
    "end": "2026-04-02",
    "tags": ["ai"],
}


def put(client: Client, curator: Headers, event_id: str = "forum-2026", **change: Any) -> Any:
    return client.put(f"/v1/events/{event_id}", json={**FORUM, **change}, headers=curator)


def test_a_put_creates_and_a_get_shows_what_was_created(client: Client, curator: Headers) -> None:
    created = put(client, curator)
    assert (created.status_code, created.headers["location"]) == (201, "/v1/events/forum-2026")
    shown = client.get("/v1/events/forum-2026")
    assert (shown.status_code, shown.content) == (200, created.content)
    assert shown.headers["etag"] == created.headers["etag"]
