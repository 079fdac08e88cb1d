"""Saved feeds over HTTP: made, seen, changed, given another address, deleted."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Connection

from service.catalogue.event import Event, Text
from service.clock import SimulatedClock
from service.store import events, saved_feeds
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key, settings_in
from tests.service.api.feeds.world import SUMMIT, fetch, put
from tests.support.app import create_app

Client = TestClient[Litestar]
ROUTE = "/v1/saved-feeds"
BODY: dict[str, Any] = {
    "name": {"ko": "우리 팀", "en": "Our team"},
    "filter": {"kind": ["application_window", "summit"], "tag": "investment"},
    "options": {"alarms": ["P7D", "PT2H"], "cancelled": "mark", "placeholders": True, "past": "P30D"},
}
TOKEN = re.compile(r"/feeds/p/([a-z0-9]{8})_[A-Za-z0-9_-]{43}/")


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "feeds")


@pytest.fixture
def feed(client: Client, key: dict[str, str]) -> dict[str, Any]:
    return made(client, key)


@pytest.fixture(scope="session")
def shared_key(shared: Client) -> dict[str, str]:
    """For requests that are refused and so leave nothing behind."""
    return new_key(shared, "feeds")


def made(client: Client, key: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = client.post(ROUTE, json=BODY | fields, headers=key)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def path_of(url: str) -> str:
    """Where a feed is on the test's own service."""
    return url.removeprefix("http://127.0.0.1:8000")


def pointers(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


def test_a_saved_feed_is_made_and_its_address_shown_once(client: Client, key: dict[str, str]) -> None:
    answer = client.post(ROUTE, json=BODY, headers=key)
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{ROUTE}/{made['id']}")
    urls, ways = made.pop("urls"), made.pop("subscribe")
    found = TOKEN.search(urls["ics"])
    assert found is not None
    folder = f"http://127.0.0.1:8000{found[0]}"
    assert urls == {suffix: f"{folder}our-team.{suffix}" for suffix in ("ics", "json", "atom")}
    assert [way["feed"].partition("?")[0] for way in ways] == [urls["ics"]] * len(ways)
    assert made == {
        "id": made["id"],
        **BODY,
        "lang": "ko",
        "addresses": [
            {"id": found[1], "created_at": "2026-03-01T03:00:00Z", "replaced_at": None, "ends_at": None}
        ],
        "created_at": "2026-03-01T03:00:00Z",
        "updated_at": "2026-03-01T03:00:00Z",
    }
    shown = client.get(f"{ROUTE}/{made['id']}", headers=key)
    assert shown.json() == made
    assert client.get(ROUTE, headers=key).json() == {"items": [made], "next": None}
    held = client.get(f"{ROUTE}/{made['id']}", headers=key | {"if-none-match": shown.headers["etag"]})
    assert held.status_code == 304


def test_a_plain_name_is_one_in_the_feeds_language(client: Client, key: dict[str, str]) -> None:
    korean, english = made(client, key, name="우리 팀 #1"), made(client, key, name="Our team", lang="en")
    assert (korean["name"], english["name"]) == ({"ko": "우리 팀 #1"}, {"en": "Our team"})
    assert korean["urls"]["ics"].endswith("/calendar.ics")
    assert english["urls"]["ics"].endswith("/our-team.ics")


def test_a_repeated_request_makes_one_feed_and_shows_the_same_address(
    client: Client, key: dict[str, str]
) -> None:
    headers = key | {"idempotency-key": "once"}
    first, second = (client.post(ROUTE, json=BODY, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(client.get(ROUTE, headers=key).json()["items"]) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": 5}, "/name"),
        ({"name": {}}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": {"ko": "a\nb"}}, "/name/ko"),
        ({"name": {"en": "x" * 201}}, "/name/en"),
        ({"name": {"fr": "x"}}, "/name/fr"),
        ({"lang": "fr"}, "/lang"),
        ({"colour": "blue"}, "/colour"),
        ({"filter": {"kind": "concert"}}, "/filter/kind"),
        ({"filter": {"from": "yesterday"}}, "/filter/from"),
        ({"filter": {"tag": ["ai", "No Slug"]}}, "/filter/tag/1"),
        ({"filter": {"windows": "bar"}}, "/filter/windows"),
        ({"options": {"windows": "sideways"}}, "/options/windows"),
        ({"options": {"alarms": ["P1D", "soon"]}}, "/options/alarms/1"),
        ({"options": {"alarms": ["P91D"]}}, "/options/alarms/0"),
        ({"options": {"alarms": ["P1D"] * 6}}, "/options/alarms"),
        ({"options": {"alarms": "P1D"}}, "/options/alarms"),
        ({"options": {"placeholders": "1"}}, "/options/placeholders"),
        ({"options": {"past": "forever"}}, "/options/past"),
        ({"options": {"ahead": "P50Y"}}, "/options/ahead"),
        ({"options": {"tag": "ai"}}, "/options/tag"),
    ],
)
def test_what_a_feed_cannot_be_is_refused_with_its_place(
    shared: Client, shared_key: dict[str, str], fields: dict[str, Any], pointer: str
) -> None:
    assert pointers(shared.post(ROUTE, json=BODY | fields, headers=shared_key)) == [pointer]


def test_every_broken_rule_is_told_at_once(shared: Client, shared_key: dict[str, str]) -> None:
    body = {"name": {"ko": "a\tb"}, "filter": {"q": "?"}, "options": {"past": "P1H", "alarms": ["P1M"]}}
    found = pointers(shared.post(ROUTE, json=body, headers=shared_key))
    assert sorted(found) == ["/filter/q", "/name/ko", "/options/alarms/0", "/options/past"]


def test_the_operator_sees_all_and_another_key_nothing(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    path, other = f"{ROUTE}/{feed['id']}", new_key(client, "feeds")
    missing = client.get(f"{ROUTE}/fed_0", headers=key).json()
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"lang": "en"}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate", {}),
        ("GET", f"{path}/contents", None),
    ):
        answer = client.request(method, where, json=body, headers=other)
        assert answer.status_code == 404
        assert answer.json() == missing | {"detail": missing["detail"].replace("fed_0", feed["id"])}
    assert client.get(ROUTE, headers=other).json()["items"] == []
    assert [each["id"] for each in client.get(ROUTE, headers=bearer(ADMIN)).json()["items"]] == [feed["id"]]
    assert client.get(path, headers=bearer(ADMIN)).status_code == 200
    assert client.get(path, headers=key).json()["lang"] == "ko"


def test_a_feed_is_changed_in_part(client: Client, key: dict[str, str], feed: dict[str, Any]) -> None:
    path = f"{ROUTE}/{feed['id']}"
    before = client.get(path, headers=key)
    wanted = {"name": "새 이름", "filter": {"tag": "ai", "kind": None}}
    after = client.patch(path, json=wanted, headers=key)
    assert after.json() == before.json() | {"name": {"ko": "새 이름"}, "filter": {"tag": "ai"}}
    assert after.headers["etag"] != before.headers["etag"]
    again = client.patch(path, json=wanted, headers=key)
    assert again.headers["etag"] == after.headers["etag"]
    assert pointers(client.patch(path, json={"options": {"past": "x0"}}, headers=key)) == ["/options/past"]
    assert pointers(client.patch(path, json={"name": "a\nb"}, headers=key)) == ["/name"]


def test_a_write_can_insist_on_the_version_it_has_seen(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    path = f"{ROUTE}/{feed['id']}"
    seen = client.get(path, headers=key).headers["etag"]
    assert client.patch(path, json={"lang": "en"}, headers=key | {"if-match": seen}).status_code == 200
    for answer in (
        client.patch(path, json={"lang": "ko"}, headers=key | {"if-match": seen}),
        client.delete(path, headers=key | {"if-match": seen}),
    ):
        assert answer.status_code == 412
    other = f'{client.get(path, headers=key).headers["etag"][:-2]}x"'
    assert client.delete(path, headers=key | {"if-match": other}).status_code == 412
    made = client.post(ROUTE, json={"name": {"ko": "우리"}, "filter": {}}, headers=key)
    shown = f"{ROUTE}/{made.json()['id']}"
    # What is shown only once does not count: the tag is that of the next GET.
    assert client.get(shown, headers=key).headers["etag"] == made.headers["etag"]
    changed = client.patch(shown, json={"lang": "en"}, headers=key | {"if-match": made.headers["etag"]})
    assert (changed.status_code, client.get(shown, headers=key).headers["etag"]) == (
        200,
        changed.headers["etag"],
    )


def test_feeds_are_listed_by_pages(client: Client, key: dict[str, str]) -> None:
    ids = [made(client, key)["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{ROUTE}?limit=2{cursor}", headers=key).json()
        found += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert (sorted(found), len(found)) == (sorted(ids), 5)
    assert client.get(f"{ROUTE}?cursor=forged", headers=key).status_code == 400


def test_one_key_cannot_make_work_without_end(client: Client, key: dict[str, str]) -> None:
    feed = made(client, key)
    store = client.app.state.service.store
    kept = store.read(lambda c: saved_feeds.get(c, feed["id"], owner=None)).feed

    def fill(c: Connection) -> None:
        for number in range(999):
            saved_feeds.create(c, msgspec.structs.replace(kept, id=f"fed_{number}"))

    store.write(fill)
    assert client.post(ROUTE, json=BODY, headers=key).status_code == 409
    assert client.post(ROUTE, json=BODY, headers=new_key(client, "feeds")).status_code == 201


def test_the_owner_sees_what_subscribers_see(
    client: Client, key: dict[str, str], curator: dict[str, str], feed: dict[str, Any]
) -> None:
    put(client, curator, SUMMIT)
    contents = client.get(f"{ROUTE}/{feed['id']}/contents", headers=key)
    assert contents.headers["content-type"] == "application/feed+json"
    assert contents.content == fetch(client, path_of(feed["urls"]["json"])).content
    assert [item["title"] for item in contents.json()["items"]] == ["글로벌 벤처투자 서밋"]
    tag = contents.headers["etag"]
    held = client.get(f"{ROUTE}/{feed['id']}/contents", headers=key | {"if-none-match": tag})
    assert (held.status_code, held.content) == (304, b"")
    client.patch(f"{ROUTE}/{feed['id']}", json={"filter": {"tag": "ai"}}, headers=key)
    assert client.get(f"{ROUTE}/{feed['id']}/contents", headers=key).json()["items"] == []


@pytest.mark.parametrize("overlap", ["P181D", "P500D", "soon", "P3M", "-P1D", ""])
def test_an_overlap_is_a_duration_of_at_most_180_days(
    client: Client, key: dict[str, str], feed: dict[str, Any], overlap: str
) -> None:
    path = f"{ROUTE}/{feed['id']}/rotate"
    assert pointers(client.post(path, json={"overlap": overlap}, headers=key)) == ["/overlap"]
    assert len(client.get(f"{ROUTE}/{feed['id']}", headers=key).json()["addresses"]) == 1


def test_a_feed_shows_which_addresses_lead_to_it(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    path = f"{ROUTE}/{feed['id']}"
    moved = client.post(f"{path}/rotate", json={"overlap": "P2D"}, headers=key).json()
    assert moved["previous_until"] == "2026-03-03T03:00:00Z"
    new, old = TOKEN.search(moved["urls"]["ics"]), TOKEN.search(feed["urls"]["ics"])
    assert new is not None and old is not None
    found = {each["id"]: each["ends_at"] for each in client.get(path, headers=key).json()["addresses"]}
    assert found == {old[1]: "2026-03-03T03:00:00Z", new[1]: None}
    at_once = client.post(f"{path}/rotate", json={"overlap": "PT0S"}, headers=key).json()
    assert at_once["previous_until"] == "2026-03-01T03:00:00Z"
    [left] = client.get(path, headers=key).json()["addresses"]
    assert at_once["urls"]["ics"].split("/")[5].startswith(left["id"])


def test_ten_addresses_lead_to_one_feed_at_most(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    path = f"{ROUTE}/{feed['id']}/rotate"
    answers = [client.post(path, json={}, headers=key).status_code for _ in range(10)]
    assert answers == [200] * 9 + [409]
    assert client.post(path, json={"overlap": "PT0S"}, headers=key).status_code == 200


def test_a_repeated_rotation_makes_one_address(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    headers = key | {"idempotency-key": "rotate"}
    path = f"{ROUTE}/{feed['id']}"
    first, second = (client.post(f"{path}/rotate", json={}, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(client.get(path, headers=key).json()["addresses"]) == 2


def test_a_deleted_feed_is_gone(client: Client, key: dict[str, str], feed: dict[str, Any]) -> None:
    path = f"{ROUTE}/{feed['id']}"
    assert client.delete(path, headers=key).status_code == 204
    assert [client.request(m, path, headers=key).status_code for m in ("GET", "DELETE")] == [404, 404]
    assert fetch(client, path_of(feed["urls"]["ics"])).status_code == 410


def test_google_is_not_offered_a_selection_that_it_would_not_show(
    client: Client, key: dict[str, str], feed: dict[str, Any]
) -> None:
    """130 events with names of 3,200 letters are too much, even without descriptions."""
    event = Event(id="x", kind="forum", name=Text(ko="긴 이름 " * 800), start=f"{NOW.date()}", tags=("long",))
    many = [msgspec.structs.replace(event, id=f"x-{number}") for number in range(130)]
    client.app.state.service.store.write(lambda c: events.put_many(c, many, now=NOW, cause="test"))
    small, large = made(client, key, filter={"tag": ["ai"]}), made(client, key, filter={"tag": ["long"]})
    moved = client.post(f"{ROUTE}/{large['id']}/rotate", json={}, headers=key).json()
    offered = ["google" in [way["client"] for way in shown["subscribe"]] for shown in (small, large, moved)]
    assert offered == [True, False, False]


def test_the_public_feeds_are_listed_without_the_saved_ones(client: Client, feed: dict[str, Any]) -> None:
    listed = client.get("/v1/feeds")
    assert {item["name"] for item in listed.json()["items"]} == {"calendar", "events", "deadlines"}
    assert feed["id"] not in listed.text and client.post("/v1/feeds", json=BODY).status_code == 405


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> Iterator[Client]:
    more = {}
    if request.param == "postgresql":
        more = {"database_url": request.getfixturevalue("pg_url"), "secret_key": "ab" * 32}
    settings = settings_in(tmp_path, migrated, **more)
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        yield client


def test_a_feed_lives_on_either_engine(served: Client) -> None:
    key = new_key(served, "feeds")
    put(served, bearer(ADMIN), SUMMIT)
    feed = made(served, key, filter={"q": "벤처투자"})
    path, address = f"{ROUTE}/{feed['id']}", path_of(feed["urls"]["ics"])
    assert fetch(served, address).text.count("BEGIN:VEVENT") == 1
    assert served.patch(path, json={"filter": {"tag": "ai"}}, headers=key).status_code == 200
    assert fetch(served, address).text.count("BEGIN:VEVENT") == 0
    moved = path_of(served.post(f"{path}/rotate", json={}, headers=key).json()["urls"]["ics"])
    assert (fetch(served, address).text.count("BEGIN:VEVENT"), fetch(served, moved).status_code) == (1, 200)
    assert served.delete(path, headers=key).status_code == 204
    assert {fetch(served, each).status_code for each in (address, moved)} == {410}
