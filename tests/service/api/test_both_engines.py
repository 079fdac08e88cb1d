"""The API's promises that lean on the database, on PostgreSQL as on SQLite."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient, TestClient

from service.clock import SimulatedClock
from service.delivery import planner
from service.settings import Settings
from service.store import webhooks
from tests.service.api.conftest import ADMIN, NOW, bearer, settings_in
from tests.service.api.test_deliveries_api import a_dead_delivery
from tests.support import postgres
from tests.support.app import create_app

Client = TestClient[Litestar]
FORUM = {"kind": "forum", "name": {"ko": "서울 포럼"}, "start": "2026-04-01", "tags": ["ai"]}
KEY = bearer(ADMIN)


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> Settings:
    if request.param == "sqlite":
        return settings_in(tmp_path, migrated)
    url = request.getfixturevalue("pg_url")
    return settings_in(tmp_path, migrated, database_url=url, secret_key="ab" * 32)


@pytest.fixture
def served(stored: Settings) -> Iterator[Client]:
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        yield client


def test_an_event_lives_and_is_followed(served: Client) -> None:
    created = served.put("/v1/events/a", json=FORUM, headers=KEY)
    assert served.get("/v1/events/a").content == created.content
    patched = served.patch("/v1/events/a", json={"start": "2026-04-03"}, headers=KEY)
    stale = {**KEY, "if-match": created.headers["etag"]}
    assert (patched.json()["revision"], served.delete("/v1/events/a", headers=stale).status_code) == (2, 412)
    assert [
        item["id"] for item in served.get("/v1/events?q=서울&tag=ai&from=2026-04-03").json()["items"]
    ] == ["a"]
    assert served.delete("/v1/events/a", headers=KEY).status_code == 204
    changes = served.get("/v1/changes").json()
    assert [(c["op"], c["revision"]) for c in changes["items"]] == [("put", 1), ("put", 2), ("delete", 3)]
    assert served.get("/readyz").status_code == 200


class Backups:
    """Copies of a database that nobody has open, and the database brought back to such a copy."""

    def __init__(self, settings: Settings, server: postgres.Server | None, folder: Path) -> None:
        self._url, self._server, self._folder = settings.database_url, server, folder
        self._name = self._url.removeprefix("sqlite:///") if server is None else urlsplit(self._url).path[1:]

    def take(self) -> None:
        self._copy(self._name, self._kept)

    def restore(self) -> None:
        self._copy(self._kept, self._name)

    @property
    def _kept(self) -> str:
        return f"{self._name}_backup"

    def _copy(self, source: str, target: str) -> None:
        if self._server is None:
            assert not Path(f"{source}-wal").exists()
            shutil.copy(source, target)
            return
        self._server.run(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        self._server.run(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY FILE_COPY")

    def drop(self) -> None:
        if self._server is not None:
            self._server.run(f"DROP DATABASE IF EXISTS {self._kept}")


@pytest.fixture
def backups(request: pytest.FixtureRequest, stored: Settings, tmp_path: Path) -> Iterator[Backups]:
    on_sqlite = stored.database_url.startswith("sqlite")
    made = Backups(stored, None if on_sqlite else request.getfixturevalue("pg_server"), tmp_path)
    yield made
    made.drop()


def put(client: Client, name: str, **fields: Any) -> str:
    """The tag of an event that is written."""
    answer = client.put(f"/v1/events/{name}", json={**FORUM, **fields}, headers=KEY)
    assert answer.is_success, answer.text
    return str(answer.headers["etag"])


def token(client: Client) -> str:
    return str(client.get("/v1/changes").json()["token"])


def test_a_token_from_after_a_backup_is_expired_for_good(stored: Settings, backups: Backups) -> None:
    """However far the restored log has grown, and though it came to the same change of the same event."""
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        nothing = token(client)
        put(client, "a")
        kept = token(client)
    backups.take()
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        lost = [client.get(f"/v1/changes?since={kept}").json()["token"] for _ in (put(client, "b"),)]
        put(client, "a", tags=["moved"])
        lost += [token(client)]
    backups.restore()
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        for name, fields in (("c", {}), ("a", {"tags": ["moved"]}), ("d", {}), ("e", {})):
            refused = [client.get(f"/v1/changes?since={each}") for each in lost]
            assert [(each.status_code, each.json()["type"]) for each in refused] == [
                (410, "/problems/token-expired")
            ] * 2
            put(client, name, **fields)
        # Who had read no further than the backup goes has missed nothing.
        for since, ids in ((kept, ["c", "a", "d", "e"]), (nothing, ["a", "c", "a", "d", "e"])):
            changes = client.get(f"/v1/changes?since={since}").json()
            assert [each["id"] for each in changes["items"]] == ids
        assert client.get(f"/v1/changes?since={changes['token']}").json()["items"] == []


def test_a_tag_from_after_a_backup_lets_no_write_through(stored: Settings, backups: Backups) -> None:
    """The restored event has come to the same revision and seq, with other content."""
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        first = put(client, "a")
    backups.take()
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        lost = put(client, "a", start="2026-04-02")
    backups.restore()
    with TestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
        assert client.get("/v1/events/a").headers["etag"] == first
        now = put(client, "a", start="2026-04-03")
        assert now.split(".")[:2] == lost.split(".")[:2]
        for method in ("PUT", "PATCH", "DELETE"):
            body = None if method == "DELETE" else FORUM
            refused = client.request(method, "/v1/events/a", json=body, headers={**KEY, "if-match": lost})
            assert (refused.status_code, refused.json()["type"]) == (412, "/problems/precondition-failed")
        assert client.delete("/v1/events/a", headers={**KEY, "if-match": now}).status_code == 204


def test_a_part_is_off_with_its_whole_everywhere_until_its_own_status_is_written(served: Client) -> None:
    talk = {**FORUM, "name": {"ko": "세션"}, "part_of": "whole"}
    served.put("/v1/events/whole", json=FORUM, headers=KEY)
    before = served.put("/v1/events/part", json=talk, headers=KEY)
    served.patch("/v1/events/whole", json={"status": "cancelled"}, headers=KEY)

    def phases() -> list[tuple[str, str]]:
        listed = [(each["id"], each["phase"]) for each in served.get("/v1/events").json()["items"]]
        assert listed == [(key, served.get(f"/v1/events/{key}").json()["phase"]) for key, _ in listed]
        return sorted(listed)

    shown = served.get("/v1/events/part")
    assert (shown.json()["phase"], shown.json()["status"]) == ("cancelled", "scheduled")
    # Its tag is another, though nothing of it was written.
    assert (shown.json()["revision"], shown.headers["etag"] == before.headers["etag"]) == (1, False)
    home = served.get("/", headers={"accept": "text/html"}).text
    assert (home.count('class="badge'), home.count("취소")) == (2, 2), home
    assert "취소된 일정입니다." in served.get("/events/part", headers={"accept": "text/html"}).text
    # What was read can be written back, and says nothing anew about the status.
    for body in (shown.json(), talk, {**talk, "status": "scheduled"}):
        assert served.put("/v1/events/part", json=body, headers=KEY).json()["revision"] == 1
    # A new part is off too, unless its own status comes with it, or is written later.
    served.put("/v1/events/new", json=talk, headers=KEY)
    served.put("/v1/events/own", json={**talk, "status": "scheduled"}, headers=KEY)
    assert phases() == [
        ("new", "cancelled"),
        ("own", "upcoming"),
        ("part", "cancelled"),
        ("whole", "cancelled"),
    ]
    kept = served.patch("/v1/events/part", json={"status": "scheduled"}, headers=KEY).json()
    assert (kept["revision"], kept["phase"]) == (2, "upcoming")
    [*_, last] = served.get("/v1/events/part/revisions").json()["items"]
    assert last["changes"] == [{"field": "status", "before": "cancelled", "after": "scheduled"}]


def test_a_batch_that_fails_leaves_nothing(served: Client) -> None:
    steps = [{"put": {**FORUM, "id": f"e{n}"}} for n in range(50)] + [
        {"put": {**FORUM, "id": "x", "series": "no"}}
    ]
    assert served.post("/v1/events/batch", json=steps, headers=KEY).status_code == 422
    assert served.get("/v1/events").json()["items"] == []
    assert served.post("/v1/events/batch", json=steps[:-1], headers=KEY).status_code == 200
    first = served.get("/v1/events?limit=30").json()
    rest = served.get(f"/v1/events?limit=30&cursor={first['next']}").json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (30, 20, None)


def test_text_a_database_might_refuse_is_refused_before(served: Client) -> None:
    for text in ("a\u0000b", "\ud800", "\ufffe"):
        body = json.dumps({"kind": "forum", "name": {"ko": text}})
        answer = served.put(
            "/v1/events/a", content=body.encode(), headers={**KEY, "content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/name/ko")
    for path in ("/v1/events/%00", "/v1/events?q=%00", "/v1/series/a%00", "/v1/changes?since=%00"):
        assert served.get(path).status_code in (400, 404)


def test_a_pair_at_one_time_has_one_effect_and_survives_a_restart(stored: Settings) -> None:
    once = {**KEY, "idempotency-key": "pair"}

    async def pair() -> list[Any]:
        async with AsyncTestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
            answers = await asyncio.gather(
                *(client.post("/v1/events", json=FORUM, headers=once) for _ in range(6))
            )
            assert len((await client.get("/v1/events")).json()["items"]) == 1
            return [(answer.status_code, answer.content) for answer in answers]

    answers = asyncio.run(pair()) + asyncio.run(pair())
    assert {status for status, _ in answers} == {201}
    assert len({content for _, content in answers}) == 1


def test_writers_at_one_time_lose_no_change(stored: Settings) -> None:
    async def write() -> list[Any]:
        async with AsyncTestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
            await client.put("/v1/events/a", json=FORUM, headers=KEY)
            patches = ({"external_ids": {f"k{n}": "x"}} for n in range(12))
            answers = await asyncio.gather(
                *(client.patch("/v1/events/a", json=patch, headers=KEY) for patch in patches)
            )
            assert {answer.status_code for answer in answers} == {200}
            return sorted((await client.get("/v1/events/a")).json()["external_ids"])

    assert asyncio.run(write()) == sorted(f"k{n}" for n in range(12))


@pytest.mark.parametrize("state", ["paused", "disabled"])
def test_nothing_is_sent_again_to_a_webhook_before_it_is_active(served: Client, state: str) -> None:
    store = served.app.state.service.store
    found, mine = a_dead_delivery(store, now=NOW)
    one, many = f"/v1/deliveries/{found}/redeliver", "/v1/webhooks/whk_1/redeliver"
    span = {"since": "2026-03-01T00:00:00Z"}
    stopped = msgspec.structs.replace(
        store.read(lambda c: webhooks.get(c, "whk_1", owner=None)), state=state, disabled_reason=None
    )
    store.write(lambda c: webhooks.replace(c, stopped))
    for path, body in ((one, {}), (many, span)):
        refused = served.post(path, headers=mine, json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
        assert f"the webhook whk_1 is {state}. Set it active first" in refused.json()["detail"]
    assert served.get(f"/v1/deliveries/{found}", headers=mine).json()["state"] == "dead"
    active = served.patch("/v1/webhooks/whk_1", headers=mine, json={"state": "active"})
    assert active.status_code == 200
    assert served.post(many, headers=mine, json=span | {"until": "2026-03-02T00:00:00Z"}).json() == {
        "redelivered": 1
    }
    planner.run_once(store, now=NOW)
    assert served.get(f"/v1/deliveries/{found}", headers=mine).json()["state"] == "pending"


def test_a_patch_merges_the_selection_and_null_takes_a_filter_away(served: Client) -> None:
    hook = {"url": "https://example.org/", "name": "x", "filter": {"tag": "ai", "city": "서울"}}
    feed = {"name": {"ko": "우리"}, "filter": hook["filter"], "options": {"past": "P30D", "detail": "min"}}
    for route, body in (("/v1/webhooks", hook), ("/v1/saved-feeds", feed)):
        path = f"{route}/{served.post(route, json=body, headers=KEY).json()['id']}"

        def patched(patch: Any, path: str = path) -> Any:
            return served.patch(path, json=patch, headers=KEY)

        both = patched({"filter": {"kind": ["forum"]}}).json()["filter"]
        assert both == {"tag": "ai", "city": "서울", "kind": ["forum"]}
        assert patched({"filter": {"tag": None, "city": None}}).json()["filter"] == {"kind": ["forum"]}
        unknown = patched({"filter": {"tga": None}})
        assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/filter/tga")
        assert patched({"filter": None}).json()["filter"] == {}
    assert patched({"options": {"past": None}}).json()["options"] == {"detail": "min"}
    assert patched({"name": {"en": "Ours"}}).json()["name"] == {"ko": "우리", "en": "Ours"}


def test_a_test_is_sent_once_for_its_key_however_many_ask_at_one_time(stored: Settings) -> None:
    once = {**KEY, "idempotency-key": "once"}

    async def race() -> None:
        async with AsyncTestClient(create_app(stored, clock=SimulatedClock(NOW))) as client:
            # Nothing may be sent there, which is found out without a packet.
            body = {"url": "https://127.0.0.1.example.invalid/", "name": "x"}
            path = f"/v1/webhooks/{(await client.post('/v1/webhooks', json=body, headers=KEY)).json()['id']}"
            posts = (client.post(f"{path}/test", json={}, headers=once) for _ in range(6))
            answers = await asyncio.gather(*posts)
            assert {answer.status_code for answer in answers} <= {200, 409}
            said = {answer.content for answer in answers if answer.status_code == 200}
            said.add((await client.post(f"{path}/test", json={}, headers=once)).content)
            listed = (await client.get(f"{path}/deliveries", headers=KEY)).json()["items"]
            assert (len(said), len(listed), len(listed[0]["attempts"])) == (1, 1, 1)

    asyncio.run(race())


def test_a_revoked_key_leaves_no_webhook_active(served: Client) -> None:
    store = served.app.state.service.store
    found, mine = a_dead_delivery(store, now=NOW)
    again = served.post(f"/v1/deliveries/{found}/redeliver", headers=mine, json={})
    assert again.json()["state"] == "pending"
    key = mine["authorization"].split("_")[1]
    assert served.delete(f"/v1/keys/{key}", headers=KEY).status_code == 204
    shown = served.get("/v1/webhooks/whk_1", headers=KEY).json()
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "key_revoked")
    taken_back = served.get(f"/v1/deliveries/{found}", headers=KEY).json()
    assert (taken_back["state"], taken_back["reason"]) == ("superseded", "withdrawn")
