"""Idempotency-Key: one effect and one answer, across restarts and races."""

import asyncio
from pathlib import Path

from litestar import Litestar
from litestar.testing import AsyncTestClient, TestClient

from service.clock import SimulatedClock
from service.settings import Settings
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key
from tests.support.app import create_app

Client = TestClient[Litestar]
FORUM = {"kind": "forum", "name": {"ko": "포럼"}, "start": "2026-04-01"}
ONCE = {"idempotency-key": "attempt-1", **bearer(ADMIN)}


def test_a_repeated_request_has_one_effect_and_the_same_answer(client: Client) -> None:
    first, again = (client.post("/v1/events", json=FORUM, headers=ONCE) for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again.headers["location"], again.headers["etag"]) == (
        first.headers["location"],
        first.headers["etag"],
    )
    assert len(client.get("/v1/events").json()["items"]) == 1


def test_a_key_with_another_request_is_a_409(client: Client) -> None:
    client.post("/v1/events", json=FORUM, headers=ONCE)
    other_body = client.post("/v1/events", json={**FORUM, "kind": "summit"}, headers=ONCE)
    other_cause = client.post("/v1/events?cause=x", json=FORUM, headers=ONCE)
    other_path = client.post("/v1/events/batch", json=[{"put": {**FORUM, "id": "a"}}], headers=ONCE)
    for refused in (other_body, other_cause, other_path):
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/idempotency-key-reused")


def test_the_keys_of_two_callers_do_not_meet(client: Client) -> None:
    mine = client.post("/v1/events", json=FORUM, headers=ONCE)
    theirs = client.post("/v1/events", json=FORUM, headers={**ONCE, **new_key(client, "catalogue")})
    assert mine.json()["id"] != theirs.json()["id"]


def test_a_refused_request_may_be_corrected_under_its_key(client: Client) -> None:
    refused = client.post("/v1/events", json={**FORUM, "series": "nothing"}, headers=ONCE)
    corrected = client.post("/v1/events", json=FORUM, headers=ONCE)
    assert (refused.status_code, corrected.status_code) == (422, 201)


def test_the_answer_is_the_same_after_a_restart_and_its_secret_is_not_in_the_file(settings: Settings) -> None:
    wanted = {"name": "import", "scopes": ["catalogue"]}
    answers = []
    for _ in range(2):
        with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
            answers.append(client.post("/v1/keys", json=wanted, headers=ONCE))
            folder = Path(settings.database_url.removeprefix("sqlite:///")).parent
            stored = b"".join(file.read_bytes() for file in folder.iterdir())
            assert answers[0].json()["key"][14:].encode() not in stored
    assert (answers[0].status_code, answers[0].content) == (201, answers[1].content)


def test_of_requests_at_one_time_one_takes_effect(settings: Settings) -> None:
    async def race() -> list[bytes]:
        async with AsyncTestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
            posts = (client.post("/v1/events", json=FORUM, headers=ONCE) for _ in range(8))
            answers = await asyncio.gather(*posts)
            assert {answer.status_code for answer in answers} == {201}
            assert len((await client.get("/v1/events")).json()["items"]) == 1
            return [answer.content for answer in answers]

    assert len(set(asyncio.run(race()))) == 1
