"""Slips of the pen that would otherwise pass unnoticed, and bodies that have nothing to say."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from tests.service.api.conftest import new_key

Client = TestClient[Litestar]
TALK = {"kind": "forum", "name": {"ko": "포럼"}, "start": "2026-04-01"}


def places(answer: Any) -> list[str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return [error.get("pointer") for error in answer.json()["errors"]]


@pytest.mark.parametrize("identifier", ["%EC%84%9C", "abc%0A", "ABC", "-a-", "a b"])
def test_an_event_cannot_be_put_under_an_id_that_is_no_slug(
    client: Client, curator: dict[str, str], identifier: str
) -> None:
    answer = client.put(f"/v1/events/{identifier}", json=TALK, headers=curator)
    assert (answer.status_code, places(answer)) == (422, ["/id"])


def test_a_misspelt_field_is_noticed_even_when_it_is_to_be_removed(
    client: Client, curator: dict[str, str]
) -> None:
    client.put("/v1/events/talk", json=TALK, headers=curator)
    answer = client.patch("/v1/events/talk", json={"sumary": None}, headers=curator)
    assert (answer.status_code, places(answer)) == (422, ["/sumary"])


def test_no_dates_held_until_a_revision_still_to_come(client: Client, curator: dict[str, str]) -> None:
    client.put("/v1/events/talk", json=TALK, headers=curator)
    for until, status in ((2, 422), (1, 200)):
        history = [{"start": "2026-03", "end": None, "until_revision": until}]
        answer = client.patch("/v1/events/talk", json={"previous_dates": history}, headers=curator)
        assert answer.status_code == status, answer.text
        if status == 422:
            assert places(answer) == ["/previous_dates/0/until_revision"]


@pytest.mark.parametrize("room", ["series", "programs", "organizations"])
@pytest.mark.parametrize("name", ["calendar", "events", "deadlines"])
def test_the_names_of_the_feeds_of_everything_are_taken(
    client: Client, curator: dict[str, str], room: str, name: str
) -> None:
    answer = client.put(f"/v1/{room}/{name}", json={"name": {"ko": "달력"}}, headers=curator)
    assert (answer.status_code, places(answer)) == (422, ["/id"])


def test_a_request_with_nothing_to_say_needs_no_body(client: Client) -> None:
    key = new_key(client, "webhooks")
    wanted = {
        "url": "https://example.org/hook",
        "name": "ours",
        "reminders": [{"anchor": "start", "before": "P1D"}],
    }
    made = client.post("/v1/webhooks", json=wanted, headers=key).json()
    assert client.post(f"/v1/webhooks/{made['id']}/rotate-secret", headers=key).status_code == 200
