import json
from datetime import timedelta

import pytest

from service.delivery import planner
from service.reminders.retry import Answer, Verdict
from service.store import api_keys, claims, results
from service.store.results import Result
from tests.reminding import HOUR, a_webhook, add, an_event, put

MINUTE = timedelta(minutes=1)
MISSING = "dlv_" + "a" * 32


@pytest.fixture
def sent(client, clock):
    return a_dead_delivery(client.app.state.service.store, now=clock.now())


def a_dead_delivery(store, *, now):
    """A webhook of a new key with one delivery that failed for good; its id, and the key as a header."""
    key, plaintext = store.write(lambda c: api_keys.create(c, "mine", scopes=("webhooks",), now=now))
    hook = a_webhook("http://127.0.0.1:9/", now=now, owner=key.id)
    planner.run_once(store, now=now)
    add(store, hook, now=now)
    put(store, an_event("talk", now + HOUR + MINUTE), now=now)
    planner.run_once(store, now=now)
    found = store.read(lambda c: c.exec_driver_sql("select id from delivery").scalar_one())
    claim = lambda c: claims.claim(c, [found], worker="w", now=now, lease=MINUTE)  # noqa: E731
    [claimed] = store.write(claim)
    armed = [claims.Attempted(delivery=found, fence=claimed.fence, body=b"{}", body_sha256="x")]
    store.write(lambda c: claims.open_attempts(c, armed, worker="w", now=now))
    answer = Answer(outcome="4xx", status=404, milliseconds=12, bytes=9, excerpt="not here")
    result = Result(
        delivery=found,
        webhook=hook.id,
        fence=claimed.fence,
        answer=answer,
        verdict=Verdict(state="dead", reason="exhausted"),
        started_at=now,
        finished_at=now,
    )
    store.write(lambda c: results.record(c, [result]))
    return found, {"authorization": f"Bearer {plaintext}"}


def stranger(client, clock):
    store = client.app.state.service.store
    _, plaintext = store.write(lambda c: api_keys.create(c, "other", scopes=("webhooks",), now=clock.now()))
    return {"authorization": f"Bearer {plaintext}"}


def test_a_delivery_is_shown_with_every_attempt(client, sent):
    found, mine = sent
    shown = client.get(f"/v1/deliveries/{found}", headers=mine).json()
    assert shown == {
        "id": found,
        "webhook": "whk_1",
        "event": "talk",
        "type": "event.reminder",
        "anchor": "start",
        "before": "PT1H",
        "at": None,
        "anchor_at": "2026-03-01T04:01:00Z",
        "due_at": "2026-03-01T03:01:00Z",
        "state": "dead",
        "reason": "exhausted",
        "superseded_by": None,
        "next_attempt_at": None,
        "replay": 0,
        "created_at": "2026-03-01T03:00:00Z",
        "finished_at": "2026-03-01T03:00:00Z",
        "attempts": [
            {
                "started_at": "2026-03-01T03:00:00Z",
                "finished_at": "2026-03-01T03:00:00Z",
                "outcome": "4xx",
                "status": 404,
                "latency_ms": 12,
                "excerpt": "not here",
            }
        ],
    }
    assert client.get("/v1/webhooks/whk_1/deliveries", headers=mine).json() == {
        "items": [shown],
        "next": None,
    }


@pytest.mark.parametrize("path", ["/v1/deliveries/{}", "/v1/webhooks/whk_1/deliveries"])
def test_who_has_what_deliveries_say_gets_a_304_until_they_change(client, sent, path):
    found, mine = sent
    path = path.format(found)
    etag = client.get(path, headers=mine).headers["etag"]
    held = client.get(path, headers=mine | {"if-none-match": etag})
    assert (held.status_code, held.content, held.headers["etag"]) == (304, b"", etag)
    client.post(f"/v1/deliveries/{found}/redeliver", headers=mine, json={})
    changed = client.get(path, headers=mine | {"if-none-match": etag})
    assert (changed.status_code, changed.headers["etag"] == etag) == (200, False)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=dead", 1),
        ("state=dead&state=pending", 1),
        ("state=succeeded", 0),
        ("type=event.reminder", 1),
        ("type=webhook.test", 0),
        ("since=2026-03-01T03:01:00Z", 1),
        ("since=2026-03-01T03:01:01Z", 0),
    ],
)
def test_a_list_of_deliveries_can_be_narrowed(client, sent, query, count):
    _, mine = sent
    assert len(client.get(f"/v1/webhooks/whk_1/deliveries?{query}", headers=mine).json()["items"]) == count


@pytest.mark.parametrize(
    "query", ["state=lost", "type=x", "since=yesterday", "since=2026-03-01", "colour=red"]
)
def test_a_list_of_deliveries_refuses_what_it_does_not_know(client, sent, query):
    _, mine = sent
    answer = client.get(f"/v1/webhooks/whk_1/deliveries?{query}", headers=mine)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == query.split("=")[0]


def test_every_fault_of_a_query_is_named(client, sent):
    _, mine = sent
    query = "state=lost&type=x&since=yesterday&limit=0&cursor=abc"
    answer = client.get(f"/v1/webhooks/whk_1/deliveries?{query}", headers=mine)
    assert answer.status_code == 400
    named = [fault["parameter"] for fault in answer.json()["errors"]]
    assert named == ["state", "type", "since", "limit", "cursor"]


def test_a_stretch_of_time_that_ends_before_it_begins_is_refused(client, sent):
    _, mine = sent
    span = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
    answer = client.post("/v1/webhooks/whk_1/redeliver", json=span, headers=mine)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/until")


def test_a_finished_delivery_is_sent_again_once(client, sent):
    found, mine = sent
    again = client.post(f"/v1/deliveries/{found}/redeliver", headers=mine, json={})
    assert (again.status_code, again.json()["state"], again.json()["replay"]) == (202, "pending", 1)
    twice = client.post(f"/v1/deliveries/{found}/redeliver", headers=mine, json={})
    assert twice.status_code == 409


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/events", "from"),
        ("/v1/events", "to"),
        ("/v1/events", "updated_since"),
        ("/v1/webhooks/whk_1/deliveries", "since"),
    ],
)
def test_an_instant_that_lost_its_plus_on_the_way_is_told_how_to_keep_it(client, sent, path, name):
    _, mine = sent
    lost = client.get(f"{path}?{name}=2025-09-01T09:00:00+09:00", headers=mine)
    [fault] = lost.json()["errors"]
    assert (lost.status_code, fault["parameter"], "%2B" in fault["detail"]) == (400, name, True)
    assert client.get(f"{path}?{name}=2025-09-01T09:00:00%2B09:00", headers=mine).status_code == 200
    other = client.get(f"{path}?{name}=2025-09-01+soon", headers=mine).json()["errors"]
    assert "%2B" not in other[0]["detail"]


@pytest.mark.parametrize(
    ("span", "count"),
    [
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, 1),
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z", "states": ["succeeded"]}, 0),
        ({"since": "2026-03-02T00:00:00Z"}, 0),
    ],
)
def test_many_deliveries_are_sent_again_by_time_and_state(client, sent, span, count):
    _, mine = sent
    again = client.post("/v1/webhooks/whk_1/redeliver", headers=mine, json=span)
    assert (again.status_code, again.json()) == (202, {"redelivered": count})


@pytest.mark.parametrize(
    "span", [{}, {"since": "2026-03-01"}, {"since": "2026-03-01T00:00:00Z", "states": ["pending"]}]
)
def test_a_span_that_is_not_one_is_refused(client, sent, span):
    _, mine = sent
    assert client.post("/v1/webhooks/whk_1/redeliver", headers=mine, json=span).status_code == 422


def test_deliveries_of_others_are_answered_like_ones_that_are_not_there(client, clock, sent):
    found, _ = sent
    other = stranger(client, clock)
    for method, path in [
        ("GET", f"/v1/deliveries/{found}"),
        ("GET", "/v1/webhooks/whk_1/deliveries"),
        ("POST", f"/v1/deliveries/{found}/redeliver"),
        ("POST", "/v1/webhooks/whk_1/redeliver"),
    ]:
        body = {"since": "2026-03-01T00:00:00Z"} if path.startswith("/v1/webhooks") else {}
        content = json.dumps(body) if method == "POST" else None
        headers = other | {"content-type": "application/json"}
        refused = client.request(method, path, headers=headers, content=content)
        missing = client.request(
            method, path.replace(found, MISSING).replace("whk_1", "whk_0"), headers=headers, content=content
        )
        assert refused.status_code == missing.status_code == 404
        assert refused.json()["title"] == missing.json()["title"]
    assert client.get(f"/v1/deliveries/{found}").status_code == 401


def test_the_numbers_are_shown_without_a_key_and_without_names(client, sent):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        "dday_due_lag_seconds",
        "dday_queue_depth",
        "dday_oldest_pending_timestamp_seconds",
        "dday_attempts_total",
        "dday_deliveries_superseded_total",
        "dday_deliveries_expired_total",
        "dday_stale_writes_total",
        "dday_destinations_blocked_total",
    ):
        assert name in answer.text
    assert "whk_1" not in answer.text


def test_it_is_not_ready_while_planning_is_behind(client, clock, sent):
    assert client.get("/readyz").status_code == 200
    clock.advance(planner.LOOK_AHEAD + timedelta(seconds=31))
    late = client.get("/readyz")
    assert (late.status_code, late.json()["detail"]) == (503, "Reminders are planned 31 s behind.")
