"""The Webhooks section of docs/api.md over HTTP, deliveries excepted."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Connection

from service.clock import SimulatedClock
from service.delivery import planner
from service.store import webhooks
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key

Client = TestClient[Litestar]
URL = "https://hooks.example.org/dday"
BODY: dict[str, Any] = {
    "url": URL,
    "name": "우리 팀",
    "filter": {"kind": ["application_window"], "tag": "ai"},
    "reminders": [{"anchor": "closes", "before": "P1W"}, {"anchor": "opens", "before": "PT0S"}],
    "changes": ["rescheduled"],
}
EVENT = {
    "id": "call-2026",
    "kind": "application_window",
    "name": {"ko": "2026 모집"},
    "start": "2026-03-05",
    "end": "2026-03-27T18:00",
    "tags": ["ai"],
}


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


@pytest.fixture
def hook(client: Client, key: dict[str, str]) -> dict[str, Any]:
    return made(client, key)


@pytest.fixture(scope="session")
def shared_key(shared: Client) -> dict[str, str]:
    """For requests that are refused and so leave nothing behind."""
    return new_key(shared, "webhooks")


def made(client: Client, key: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", json=BODY | fields, headers=key)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pointers(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


def test_a_webhook_is_made_and_its_secret_shown_once(client: Client, key: dict[str, str]) -> None:
    answer = client.post("/v1/webhooks", json=BODY, headers=key)
    made = answer.json()
    path = f"/v1/webhooks/{made['id']}"
    assert (answer.status_code, answer.headers["location"]) == (201, path)
    assert made.pop("secret").startswith("whsec_")
    assert made == {
        "id": made["id"],
        "url": URL,
        "name": "우리 팀",
        "format": "standard",
        "lang": "ko",
        "filter": {"kind": ["application_window"], "tag": "ai"},
        "reminders": [{"anchor": "closes", "before": "P7D"}, {"anchor": "opens", "before": "PT0S"}],
        "changes": ["rescheduled"],
        "timezone": "Asia/Seoul",
        "remind_at": "09:00",
        "signing": ["v1"],
        "late": "skip",
        "resume": "skip",
        "rate": None,
        "state": "active",
        "disabled_reason": None,
        "created_at": "2026-03-01T03:00:00Z",
        "updated_at": "2026-03-01T03:00:00Z",
    }
    shown = client.get(path, headers=key)
    assert shown.json() == made
    assert client.get("/v1/webhooks", headers=key).json() == {"items": [made], "next": None}
    assert shown.headers["etag"] == client.get(path, headers=key).headers["etag"]
    assert client.get(path, headers=key | {"if-none-match": shown.headers["etag"]}).status_code == 304


def test_a_repeated_request_makes_one_webhook_and_shows_the_same_secret(
    client: Client, key: dict[str, str]
) -> None:
    headers = key | {"idempotency-key": "once"}
    first, second = (client.post("/v1/webhooks", json=BODY, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(client.get("/v1/webhooks", headers=key).json()["items"]) == 1


def test_no_secret_is_kept_in_the_open(client: Client, hook: dict[str, Any]) -> None:
    url = client.app.state.service.settings.database_url.removeprefix("sqlite:///")
    # The file of the sealing key lies beside the database, not in it.
    files = (file for file in Path(url).parent.iterdir() if file.suffix != ".key")
    stored = b"".join(file.read_bytes() for file in files)
    secret = hook["secret"].removeprefix("whsec_")
    assert secret.encode() not in stored and msgspec.json.decode(f'"{secret}"', type=bytes) not in stored


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://2130706433/",
        "https://hooks.example.org:22/",
        "https://user@hooks.example.org/",
        "ftp://hooks.example.org/",
        "javascript:1",
    ],
)
def test_where_nothing_may_be_sent_no_webhook_is_made(
    shared: Client, shared_key: dict[str, str], url: str
) -> None:
    answer = shared.post("/v1/webhooks", json=BODY | {"url": url}, headers=shared_key)
    assert pointers(answer) == ["/url"]
    assert answer.json()["type"] == "/problems/destination_not_allowed"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": 5}, "/name"),
        ({"colour": "blue"}, "/colour"),
        ({"reminders": [{"anchor": "closes", "before": "P1M"}]}, "/reminders/0/before"),
        ({"reminders": [{"anchor": "begin", "before": "P1D"}]}, "/reminders/0/anchor"),
        ({"filter": {"kind": "concert"}}, "/filter/kind"),
        ({"filter": {"from": "yesterday"}}, "/filter/from"),
        ({"filter": {"colour": "blue"}}, "/filter/colour"),
        ({"timezone": "Asia/Pyongyan"}, "/timezone"),
        ({"remind_at": "25:00"}, "/remind_at"),
        ({"changes": ["moved"]}, "/changes/0"),
        ({"signing": ["v3"]}, "/signing/0"),
        ({"format": "email"}, "/format"),
        ({"name": "a\u0007"}, "/name"),
    ],
)
def test_a_wrong_field_is_named(
    shared: Client, shared_key: dict[str, str], fields: Any, pointer: str
) -> None:
    assert pointers(shared.post("/v1/webhooks", json=BODY | fields, headers=shared_key)) == [pointer]


def test_anothers_webhook_is_answered_like_none(client: Client, hook: dict[str, Any]) -> None:
    other, path = new_key(client, "webhooks"), f"/v1/webhooks/{hook['id']}"
    calls: list[Callable[[str], Any]] = [
        lambda p: client.get(p, headers=other),
        lambda p: client.patch(p, json={"name": "mine"}, headers=other),
        lambda p: client.delete(p, headers=other),
        lambda p: client.get(f"{p}/upcoming", headers=other),
        lambda p: client.post(f"{p}/test", json={}, headers=other),
        lambda p: client.post(f"{p}/rotate-secret", json={}, headers=other),
    ]
    for call in calls:
        theirs, none = call(path), call("/v1/webhooks/whk_none")
        assert theirs.status_code == none.status_code == 404
        assert theirs.text.replace(hook["id"], "whk_none") == none.text
    assert client.get("/v1/webhooks", headers=other).json()["items"] == []
    assert client.get(path, headers=bearer(ADMIN)).status_code == 200


def test_a_key_for_the_catalogue_cannot_touch_webhooks(client: Client, curator: dict[str, str]) -> None:
    assert client.get("/v1/webhooks", headers=curator).status_code == 403
    assert client.get("/v1/webhooks").status_code == 401


def test_a_patch_changes_what_it_names(client: Client, key: dict[str, str], hook: dict[str, Any]) -> None:
    path = f"/v1/webhooks/{hook['id']}"
    before = client.get(path, headers=key)
    after = client.patch(path, json={"name": "새 이름", "lang": "en"}, headers=key)
    assert after.json() == before.json() | {"name": "새 이름", "lang": "en"}
    assert after.headers["etag"] != before.headers["etag"]
    again = client.patch(path, json={"name": "새 이름"}, headers=key)
    assert again.headers["etag"] == after.headers["etag"]
    refused = client.patch(path, json={"url": "https://10.0.0.1/"}, headers=key)
    assert pointers(refused) == ["/url"]


def test_a_write_can_insist_on_the_version_it_has_seen(
    client: Client, key: dict[str, str], hook: dict[str, Any]
) -> None:
    path = f"/v1/webhooks/{hook['id']}"
    seen = client.get(path, headers=key).headers["etag"]
    assert client.patch(path, json={"name": "1"}, headers=key | {"if-match": seen}).status_code == 200
    for answer in (
        client.patch(path, json={"name": "2"}, headers=key | {"if-match": seen}),
        client.delete(path, headers=key | {"if-match": seen}),
    ):
        assert answer.status_code == 412
    other = f'{client.get(path, headers=key).headers["etag"][:-2]}x"'
    assert client.delete(path, headers=key | {"if-match": other}).status_code == 412
    made = client.post("/v1/webhooks", json={"url": "https://example.org/", "name": "x"}, headers=key)
    shown = f"/v1/webhooks/{made.json()['id']}"
    # What is shown only once does not count: the tag is that of the next GET.
    assert client.get(shown, headers=key).headers["etag"] == made.headers["etag"]
    changed = client.patch(
        shown, json={"signing": ["v1", "v1a"]}, headers=key | {"if-match": made.headers["etag"]}
    )
    assert (changed.status_code, client.get(shown, headers=key).headers["etag"]) == (
        200,
        changed.headers["etag"],
    )


def test_a_webhook_is_paused_and_resumed(client: Client, key: dict[str, str], hook: dict[str, Any]) -> None:
    path = f"/v1/webhooks/{hook['id']}"
    assert client.patch(path, json={"state": "paused"}, headers=key).json()["state"] == "paused"
    assert client.patch(path, json={"state": "active"}, headers=key).json()["state"] == "active"
    assert client.patch(path, json={"state": "disabled"}, headers=key).status_code == 422


def test_a_deleted_webhook_is_gone(client: Client, key: dict[str, str], hook: dict[str, Any]) -> None:
    path = f"/v1/webhooks/{hook['id']}"
    assert client.delete(path, headers=key).status_code == 204
    assert client.get(path, headers=key).status_code == 404
    assert client.delete(path, headers=key).status_code == 404


def test_what_a_deleted_webhook_still_waited_for_is_counted_as_taken_back(
    client: Client, key: dict[str, str], curator: dict[str, str], hook: dict[str, Any]
) -> None:
    service = client.app.state.service
    planner.run_once(service.store, now=NOW)
    assert client.put("/v1/events/call-2026", json=EVENT, headers=curator).status_code == 201
    planner.run_once(service.store, now=NOW, look_ahead=timedelta(days=30))
    assert client.delete(f"/v1/webhooks/{hook['id']}", headers=key).status_code == 204
    assert service.metrics.registry.get_sample_value("dday_deliveries_superseded_total") == 2


def test_webhooks_are_listed_by_pages(client: Client, key: dict[str, str]) -> None:
    ids = [made(client, key)["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/v1/webhooks?limit=2{cursor}", headers=key).json()
        found += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert sorted(found) == sorted(ids) and len(found) == 5
    assert client.get("/v1/webhooks?cursor=forged", headers=key).status_code == 400


def test_a_new_name_makes_nothing_due_that_was_already_past(
    client: Client, key: dict[str, str], curator: dict[str, str], clock: SimulatedClock, hook: dict[str, Any]
) -> None:
    store, path = client.app.state.service.store, f"/v1/webhooks/{hook['id']}"
    planner.run_once(store, now=NOW)
    clock.advance(timedelta(days=20))
    planner.run_once(store, now=clock.now())
    # A week before its close is behind it already when the call is made, but not behind the webhook.
    assert client.put("/v1/events/call-2026", json=EVENT, headers=curator).status_code == 201
    planner.run_once(store, now=clock.now())
    for change in ({"name": "new"}, {"state": "paused"}, {"state": "active", "resume": "catch_up"}):
        assert client.patch(path, json=change, headers=key).status_code == 200
        planner.run_once(store, now=clock.now())
    assert client.get(f"{path}/deliveries?type=event.reminder", headers=key).json()["items"] == []


def test_one_key_cannot_make_work_without_end(
    client: Client, key: dict[str, str], hook: dict[str, Any]
) -> None:
    store = client.app.state.service.store
    kept = store.read(lambda c: webhooks.get(c, hook["id"], owner=None))

    def fill(c: Connection) -> None:
        for number in range(999):
            webhooks.create(c, msgspec.structs.replace(kept, id=f"whk_{number}"), sealed=[], now=NOW)

    store.write(fill)
    assert client.post("/v1/webhooks", json=BODY, headers=key).status_code == 409
    assert client.post("/v1/webhooks", json=BODY, headers=new_key(client, "webhooks")).status_code == 201


def test_the_preview_is_what_gets_planned(
    client: Client, key: dict[str, str], curator: dict[str, str]
) -> None:
    hook = made(client, key)
    events = [
        EVENT,
        EVENT | {"id": "month", "start": "2026-03", "end": None},
        EVENT | {"id": "called-off", "status": "cancelled"},
        EVENT | {"id": "no-tag", "tags": []},
        EVENT | {"id": "some-day", "start": None, "end": None},
        EVENT | {"id": "some-day-no-tag", "start": None, "end": None, "tags": []},
        EVENT | {"id": "soon", "start": "2026-02-01", "end": "2026-03-04"},
    ]
    for event in events:
        assert client.put(f"/v1/events/{event['id']}", json=event, headers=curator).status_code == 201
    preview = client.get(f"/v1/webhooks/{hook['id']}/upcoming?days=30", headers=key).json()
    shown = [(i["event"], i["anchor"], i["before"], i["due_at"]) for i in preview["items"]]
    assert shown == [
        ("call-2026", "opens", "PT0S", "2026-03-05T00:00:00Z"),
        ("call-2026", "closes", "P7D", "2026-03-20T09:00:00Z"),
    ]
    assert {(n["event"], n["anchor"]): n["reason"] for n in preview["not_planned"]} == {
        ("month", "opens"): "month_precision",
        ("month", "closes"): "no_date",
        ("called-off", "opens"): "cancelled",
        ("called-off", "closes"): "cancelled",
        ("no-tag", "opens"): "filtered",
        ("no-tag", "closes"): "filtered",
        ("soon", "closes"): "already_past",
        ("some-day", "opens"): "no_date",
        ("some-day", "closes"): "no_date",
    }
    planner.run_once(client.app.state.service.store, now=NOW, look_ahead=timedelta(days=30))
    planned = client.get(f"/v1/webhooks/{hook['id']}/deliveries", headers=key).json()["items"]
    assert {each["id"] for each in planned} == {item["delivery"] for item in preview["items"]}
    assert client.get(f"/v1/webhooks/{hook['id']}/upcoming?days=401", headers=key).status_code == 400
