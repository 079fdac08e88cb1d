"""Events without a date in the preview: all that the webhook asks for, or a word that there are more."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.catalogue.event import Event, Text
from service.store import events
from tests.service.api.conftest import NOW, new_key

Client = TestClient[Litestar]
CLOSES = [{"anchor": "closes", "before": "P7D"}]


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


def fill(client: Client, prefix: str, count: int, **fields: Any) -> None:
    """So many events of which nobody can say when."""
    written = [
        Event(id=f"{prefix}-{n:04}", name=Text(ko=prefix), **({"kind": "conference"} | fields))
        for n in range(count)
    ]
    client.app.state.service.store.write(lambda c: events.put_many(c, written, now=NOW, cause="test"))


def preview(client: Client, key: dict[str, str], **fields: Any) -> dict[str, Any]:
    body = {"url": "https://hooks.example.org/", "name": "t", "reminders": CLOSES} | fields
    made = client.post("/v1/webhooks", json=body, headers=key).json()
    found: dict[str, Any] = client.get(f"/v1/webhooks/{made['id']}/upcoming", headers=key).json()
    return found


def named(found: dict[str, Any]) -> set[str]:
    return {each["event"] for each in found["not_planned"]}


@pytest.mark.parametrize("others", [{"tags": ("other",)}, {"kind": "application_window"}])
def test_newer_events_that_are_not_asked_for_hide_none_that_are(
    client: Client, key: dict[str, str], others: Any
) -> None:
    fill(client, "mine", 3, kind="application_window", tags=("ai",))
    fill(client, "other", 250, **others)
    found = preview(client, key, filter={"tag": "ai"})
    assert (named(found), found["truncated"]) == ({"mine-0000", "mine-0001", "mine-0002"}, False)


def test_events_that_no_rule_is_about_hide_none_that_one_is(client: Client, key: dict[str, str]) -> None:
    fill(client, "mine", 2, kind="application_window")
    fill(client, "other", 1200)
    found = preview(client, key)
    assert (named(found), found["truncated"]) == ({"mine-0000", "mine-0001"}, False)
    assert named(preview(client, key, reminders=[])) == set()


@pytest.mark.parametrize(("count", "truncated"), [(1000, False), (1001, True)])
def test_more_than_are_shown_are_said_to_be_more(
    client: Client, key: dict[str, str], count: int, truncated: bool
) -> None:
    fill(client, "mine", count, kind="application_window")
    found = preview(client, key)
    assert (len(found["not_planned"]), found["truncated"]) == (1000, truncated)
