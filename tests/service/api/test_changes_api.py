"""`/v1/changes`: a reader that keeps its token misses nothing and reads nothing twice."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Connection

from service.api import changes, tokens
from service.api.changes import START
from service.api.tokens import LogPlace
from service.catalogue.event import Event, Text
from service.errors import TokenExpired
from service.store import events
from service.store.engine import Store
from tests.service.api.conftest import NOW

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


IDS, TAGS = st.sampled_from("ab"), st.sampled_from(["x", "y", None])
WRITE = st.tuples(st.just("write"), IDS, TAGS)
READ = st.tuples(st.just("read"), st.integers(0, 1))
# What happens between a backup and its restoration.
LOST = st.tuples(st.just("lose"), st.lists(st.one_of(WRITE, READ), min_size=1, max_size=6))
STEPS = st.one_of(WRITE, READ, LOST)


class Followers:
    """A SQLite file, a backup of it, and readers with a copy of the catalogue and a token each."""

    def __init__(self, file: Path) -> None:
        self._file, self._backup = file, file.with_suffix(".backup")
        self._copies: list[dict[str, Any]] = [{}, {}]
        self._tokens: list[str | None] = [None, None]
        self._store = Store.open(f"sqlite:///{file}")

    def copy(self, source: Path, target: Path) -> None:
        self._store.close()
        shutil.copy(source, target)
        self._store = Store.open(f"sqlite:///{self._file}")

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("write", name, tag):
                self._store.write(lambda c: self._write(c, name, tag))
            case ("read", number):
                self.read(number)
            case ("lose", lost):
                self.copy(self._file, self._backup)
                for each in lost:
                    self.do(each)
                self.copy(self._backup, self._file)

    @staticmethod
    def _write(c: Connection, name: str, tag: str | None) -> None:
        if tag is not None:
            event = Event(id=name, kind="forum", name=Text(ko=name), tags=(tag,))
            events.put(c, event, now=NOW, cause="test")
        elif events.get_many(c, [name]):
            events.delete(c, name, now=NOW, cause="test")

    def read(self, number: int) -> None:
        more = True
        while more:
            try:
                page = self._store.read(lambda c: self._page(c, self._tokens[number]))
            except TokenExpired:
                self._copies[number], self._tokens[number] = {}, None
                continue
            for item in page["items"]:
                self._copies[number][item["id"]] = item["event"]
            self._tokens[number], more = page["token"], page["more"]
        kept = {name: event for name, event in self._copies[number].items() if event is not None}
        stored = self._store.read(lambda c: events.get_many(c, ["a", "b"]))
        assert kept == {name: msgspec.json.decode(each.body(NOW)) for name, each in stored.items()}

    def _page(self, c: Connection, token: str | None) -> Any:
        instance = self._store.instance
        return msgspec.json.decode(
            changes._stretch(c, token, instance=instance, limit=2, now=NOW, full=False).body
        )

    def close(self) -> None:
        self._store.close()


@pytest.mark.campaign
@given(steps=st.lists(STEPS, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_follower_has_the_catalogue_as_it_is_whatever_was_restored(
    sqlite_template: Path, steps: list[tuple[Any, ...]]
) -> None:
    """All is written at one instant, so that two pasts are as alike as can be."""
    with TemporaryDirectory() as folder:
        followers = Followers(Path(shutil.copy(sqlite_template, f"{folder}/dday.db")))
        for step in (*steps, ("read", 0), ("read", 1)):
            followers.do(step)
        followers.close()
