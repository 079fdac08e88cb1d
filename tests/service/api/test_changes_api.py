"""`/v1/changes`: a reader that keeps its token misses nothing and reads nothing twice."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.api import tokens
from service.api.changes import START
from service.api.tokens import LogPlace

Client = TestClient[Litestar]
Headers = dict[str, str]
FORUM = {"kind": "forum", "name": {"ko": "포럼"}, "start": "2026-04-01"}


def read(client: Client, since: str | None = None, limit: int = 50) -> dict[str, Any]:
    query = f"?limit={limit}" + (f"&since={since}" if since else "")
    answer = client.get(f"/v1/changes{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_reader_sees_every_change_once_in_order(client: Client, curator: Headers) -> None:
    for name in ("a", "b", "c"):
        client.put(f"/v1/events/{name}", json=FORUM, headers=curator)
    client.put("/v1/events/a", json={**FORUM, "start": "2026-04-02"}, headers=curator)
    client.delete("/v1/events/b", headers=curator)
    token, seen = None, []
    while True:
        stretch = read(client, token, limit=2)
        seen += stretch["items"]
        token = stretch["token"]
        if not stretch["more"]:
            break
    assert [(c["id"], c["op"], c["revision"]) for c in seen] == [
        ("a", "put", 1),
        ("b", "put", 1),
        ("c", "put", 1),
        ("a", "put", 2),
        ("b", "delete", 2),
    ]
    assert (seen[3]["changed"], seen[4]["event"]) == (["start", "previous_dates"], None)
    assert [seen[0]["event"]["start"], seen[3]["event"]["start"]] == ["2026-04-01", "2026-04-02"]
    assert seen[3]["event"] == client.get("/v1/events/a").json()
    assert read(client, token)["items"] == []


def test_a_token_stays_good_while_only_other_nouns_change(client: Client, curator: Headers) -> None:
    before = read(client)["token"]
    client.put("/v1/series/s", json={"name": {"ko": "시리즈"}}, headers=curator)
    after = read(client, before)
    assert (after["items"], after["token"] != before) == ([], True)


def test_a_foreign_token_is_expired_and_garbage_is_not_a_token(client: Client) -> None:
    instance = client.app.state.service.store.instance
    ahead, another = LogPlace(10**6, 1), LogPlace(0, 1)
    for place, database in ((START, "elsewhere"), (ahead, instance), (another, instance)):
        expired = tokens.change_token(database, place)
        answer = client.get(f"/v1/changes?since={expired}")
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/token-expired")
    for garbage in ("x", "", read(client)["token"][:-2], "a" * 300):
        answer = client.get(f"/v1/changes?since={garbage}")
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "since")


def test_a_batch_is_all_or_nothing(client: Client, curator: Headers) -> None:
    steps = [
        {"put": {**FORUM, "id": "main"}},
        {"put": {**FORUM, "id": "part", "part_of": "main"}},
        {"put": {**FORUM, "id": "gone"}},
    ]
    done = client.post("/v1/events/batch", json=steps, headers=curator)
    assert [(item["id"], item["outcome"]) for item in done.json()["items"]] == [
        ("main", "created"),
        ("part", "created"),
        ("gone", "created"),
    ]
    steps = [{"put": {**FORUM, "id": "main", "tags": ["x"]}}, {"put": steps[1]["put"]}, {"delete": "gone"}]
    done = client.post("/v1/events/batch", json=steps, headers=curator)
    assert [item["outcome"] for item in done.json()["items"]] == ["changed", "unchanged", "deleted"]
    token = read(client)["token"]
    refused = client.post(
        "/v1/events/batch", json=[{"put": {**FORUM, "id": "n"}}, {"delete": "main"}], headers=curator
    )
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert read(client, token)["items"] == []


def test_a_thousand_events_go_in_one_batch(client: Client, curator: Headers) -> None:
    steps = [{"put": {**FORUM, "id": f"e{n}", "summary": {"ko": "가" * 300}}} for n in range(1000)]
    done = client.post("/v1/events/batch", json=steps, headers=curator)
    assert (done.status_code, len(done.json()["items"])) == (200, 1000)
    assert client.get("/v1/events?limit=200").json()["next"] is not None


@pytest.mark.parametrize(
    ("room", "noun"),
    [
        ("series", {"name": {"ko": "서울콘"}}),
        ("programs", {"name": {"ko": "챌린지"}, "kind": "challenge"}),
        ("organizations", {"name": {"ko": "중기부"}, "kind": "government"}),
        ("sources", {"title": "보도자료", "kind": "press_release"}),
    ],
)
def test_a_noun_lives_like_an_event(
    client: Client, curator: Headers, room: str, noun: dict[str, Any]
) -> None:
    path = f"/v1/{room}/first"
    created = client.put(path, json=noun, headers=curator)
    assert (created.status_code, created.headers["location"], created.json()["revision"]) == (201, path, 1)
    shown = client.get(path)
    assert (shown.content, shown.headers["etag"]) == (created.content, created.headers["etag"])
    assert client.put(path, json=shown.json(), headers=curator).json()["revision"] == 1
    changed = client.put(path, json={**noun, "url": "https://example.org"}, headers=curator)
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    stale = client.put(path, json=noun, headers={**curator, "if-match": shown.headers["etag"]})
    assert stale.status_code == 412
    assert client.put(path, json={**noun, "revision": 9}, headers=curator).status_code == 422
    assert client.get(path, headers={"if-none-match": changed.headers["etag"]}).status_code == 304
    client.put(f"/v1/{room}/second", json=noun, headers=curator)
    page = client.get(f"/v1/{room}?limit=1").json()
    rest = client.get(f"/v1/{room}?cursor={page['next']}").json()
    assert [item["id"] for item in page["items"] + rest["items"]] == ["first", "second"]
    assert client.delete(path, headers=curator).status_code == 204
    assert client.get(path).status_code == 404


def test_what_events_name_cannot_be_deleted(client: Client, curator: Headers) -> None:
    client.put("/v1/series/seoulcon", json={"name": {"ko": "서울콘"}}, headers=curator)
    client.put("/v1/events/a", json={**FORUM, "series": "seoulcon"}, headers=curator)
    refused = client.delete("/v1/series/seoulcon", headers=curator)
    assert (refused.status_code, "'a'" in refused.json()["detail"]) == (409, True)
