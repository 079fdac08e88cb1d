"""Conventions that hold on every address: HEAD, OPTIONS, CORS, safe headers, rates, health."""

from collections.abc import Callable
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from tests.service.api.conftest import ADMIN, NOW, bearer, settings_in
from tests.support.app import create_app

Client = TestClient[Litestar]
READS = [
    "/v1/events",
    "/v1/changes",
    "/v1/series",
    "/v1/programs",
    "/v1/organizations",
    "/v1/sources",
    "/v1/keys",
    "/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/docs",
    "/docs/style.css",
    "/problems/not-found",
]


@pytest.mark.parametrize("path", [*READS, "/v1/events/none", "/nowhere"])
def test_head_answers_like_get_without_a_body(shared: Client, path: str) -> None:
    get, head = (shared.request(method, path, headers=bearer(ADMIN)) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers == get.headers


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/events", "GET, HEAD, POST, OPTIONS"),
        ("/v1/events/any", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/v1/events/batch", "POST, OPTIONS"),
        ("/v1/series/any", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/v1/keys", "GET, HEAD, POST, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_a_405_list_every_method(shared: Client, path: str, allow: str) -> None:
    options = shared.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")
    refused = shared.request("FOO", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allow)


def test_a_page_of_another_origin_may_read_and_not_write(shared: Client) -> None:
    origin = {"origin": "https://example.org"}
    read = shared.get("/v1/events", headers=origin)
    assert read.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in read.headers
    assert shared.get("/nowhere", headers=origin).headers["access-control-allow-origin"] == "*"
    for answer in (
        shared.post("/v1/events", headers=origin),
        shared.put("/v1/events/a", headers=origin),
        shared.get("/v1/keys", headers={**origin, **bearer(ADMIN)}),
    ):
        assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_allows_conditional_reads_and_no_write(shared: Client) -> None:
    def preflight(path: str, method: str) -> str | None:
        asked = {"origin": "https://example.org", "access-control-request-method": method}
        found: str | None = shared.options(path, headers=asked).headers.get("access-control-allow-methods")
        return found

    assert preflight("/v1/events/a", "GET") == "GET, HEAD"
    assert preflight("/v1/events/a", "PUT") is None
    assert preflight("/v1/keys", "GET") is None


@pytest.mark.parametrize("path", [*READS, "/nowhere", "/v1/events/none", "/v1/events?x=1"])
def test_every_answer_carries_the_safe_headers(shared: Client, path: str) -> None:
    headers = shared.get(path, headers=bearer(ADMIN)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["server"] == "dday"
    assert "strict-transport-security" not in headers


def test_behind_https_the_browser_is_told_to_stay_there(tmp_path: Path, migrated: Path) -> None:
    settings = settings_in(tmp_path, migrated, public_url="https://dday.example")
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        assert client.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path, migrated: Path) -> None:
    settings = settings_in(tmp_path, migrated, rate_limit=3)
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        answers = [client.get("/v1/events") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].headers["content-type"] == "application/problem+json"
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        spoofed = client.get("/v1/events", headers={"x-forwarded-for": "9.9.9.9"})
        assert spoofed.status_code == 429
        # Another caller has an allowance of its own, and the operator's probes never run out.
        assert client.get("/v1/keys", headers=bearer(ADMIN)).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_key_is_shown_once_and_kept_as_a_hash(
    client: Client, make_key: Callable[..., dict[str, str]]
) -> None:
    key = make_key("catalogue")["authorization"].removeprefix("Bearer ")
    listed = client.get("/v1/keys", headers=bearer(ADMIN))
    assert key not in listed.text and key[14:] not in listed.text
    url = client.app.state.service.settings.database_url.removeprefix("sqlite:///")
    stored = b"".join(file.read_bytes() for file in Path(url).parent.iterdir())
    assert key.encode() not in stored and key[14:].encode() not in stored
    assert ADMIN.encode() not in stored


def test_a_key_can_be_listed_shown_and_revoked(
    client: Client, make_key: Callable[..., dict[str, str]]
) -> None:
    key = make_key("webhooks")
    key_id = key["authorization"][12:20]
    shown = client.get(f"/v1/keys/{key_id}", headers=bearer(ADMIN)).json()
    assert (shown["scopes"], shown["state"], shown["name"]) == (["webhooks"], "active", "test")
    assert client.delete(f"/v1/keys/{key_id}", headers=bearer(ADMIN)).status_code == 204
    assert client.get(f"/v1/keys/{key_id}", headers=bearer(ADMIN)).json()["state"] == "revoked"
    assert client.delete("/v1/keys/nobody", headers=bearer(ADMIN)).status_code == 404
    page = client.get("/v1/keys?limit=1", headers=bearer(ADMIN)).json()
    rest = client.get(f"/v1/keys?cursor={page['next']}", headers=bearer(ADMIN)).json()
    assert {entry["id"] for entry in page["items"] + rest["items"]} == {"admin000", key_id}


def test_the_admin_key_of_the_settings_survives_a_restart_but_not_its_revocation(
    tmp_path: Path, migrated: Path
) -> None:
    settings = settings_in(tmp_path, migrated)
    for expected in (200, 200):
        with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
            assert client.get("/v1/keys", headers=bearer(ADMIN)).status_code == expected
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        client.delete("/v1/keys/admin000", headers=bearer(ADMIN))
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        assert client.get("/v1/keys", headers=bearer(ADMIN)).status_code == 401
