"""Messages sent now, and the secrets that sign them, over HTTP to a real receiver."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Litestar
from litestar.testing import TestClient
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook as Verifier

from service.clock import SimulatedClock
from service.store import results, webhooks
from service.store.engine import Store
from tests.receiver import Received, Receiver, Reply
from tests.service.api.conftest import ADMIN, bearer, new_key, settings_in
from tests.support.app import create_app

Client = TestClient[Litestar]
EVENT = {"id": "summit", "kind": "summit", "name": {"ko": "서밋"}, "start": "2026-03-12"}


@pytest.fixture
def client(tmp_path: Path, migrated: Path, clock: SimulatedClock) -> Iterator[Client]:
    """A service that may deliver to this machine."""
    allow = (ip_network("127.0.0.0/8"),)
    settings = settings_in(tmp_path, migrated, egress_allow=allow, public_url="https://dday.example")
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


@pytest.fixture
def key(client: Client) -> dict[str, str]:
    return new_key(client, "webhooks")


class Hook:
    """A webhook to the receiver, and how to use it."""

    def __init__(self, client: Client, key: dict[str, str], url: str, **fields: Any) -> None:
        self.client, self.key = client, key
        answer = client.post("/v1/webhooks", json={"url": url, "name": "t"} | fields, headers=key)
        assert answer.status_code == 201, answer.text
        self.made: dict[str, Any] = answer.json()
        self.path = f"/v1/webhooks/{self.made['id']}"

    def post(self, what: str, body: Any) -> Any:
        return self.client.post(f"{self.path}/{what}", json=body, headers=self.key)

    def tried(self, **body: Any) -> dict[str, Any]:
        answer = self.post("test", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def stored(client: Client) -> Store:
    store: Store = client.app.state.service.store
    return store


def metric(client: Client, name: str, **labels: str) -> float | None:
    return client.app.state.service.metrics.registry.get_sample_value(name, labels)  # type: ignore[no-any-return]


def signed_by(secret: str, request: Received) -> bool:
    """By the reference library; its clock is the world's, so it signs anew and compares."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signature = Verifier(secret).sign(request.id, at, request.body.decode())
    return signature in request.headers["webhook-signature"].split(" ")


def test_a_test_is_sent_now_signed_and_recorded(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    hook = Hook(client, key, receiver.url)
    tried = hook.tried()
    [request] = receiver.requests
    assert (tried["outcome"], tried["status"], request.id) == ("2xx", 200, tried["delivery"])
    assert signed_by(hook.made["secret"], request)
    assert json.loads(request.body)["type"] == "webhook.test"
    kept = client.get(f"/v1/deliveries/{tried['delivery']}", headers=key).json()
    assert (kept["state"], kept["type"], len(kept["attempts"])) == ("succeeded", "webhook.test", 1)


def test_a_test_that_fails_says_how_and_is_not_repeated(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    receiver.reply_with(Reply(status=500, body=b"no disk"))
    tried = Hook(client, key, receiver.url).tried()
    assert (tried["outcome"], tried["status"], tried["excerpt"]) == ("5xx", 500, "no disk")
    kept = client.get(f"/v1/deliveries/{tried['delivery']}", headers=key).json()
    assert (kept["state"], kept["next_attempt_at"], len(receiver.requests)) == ("dead", None, 1)


def test_a_repeated_test_is_sent_once_and_answered_alike(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    hook, once = Hook(client, key, receiver.url), key | {"idempotency-key": "once"}
    first, again = (client.post(f"{hook.path}/test", json={}, headers=once) for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content) == (200, first.content)
    other = client.post(f"{hook.path}/test", json={"event": "summit"}, headers=once)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    listed = client.get(f"{hook.path}/deliveries", headers=key).json()["items"]
    assert (len(receiver.requests), len(listed)) == (1, 1)
    assert client.delete(hook.path, headers=key).status_code == 204
    assert client.post(f"{hook.path}/test", json={}, headers=once).content == first.content


def test_a_refused_test_may_be_corrected_under_its_key(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    hook, once = Hook(client, key, receiver.url), key | {"idempotency-key": "once"}
    assert client.post(f"{hook.path}/test", json={"event": "none"}, headers=once).status_code == 404
    assert client.post(f"{hook.path}/test", json={}, headers=once).status_code == 200
    assert len(receiver.requests) == 1


def test_while_a_test_is_under_way_its_repetition_is_told_to_come_back(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    hook, once = Hook(client, key, receiver.url), key | {"idempotency-key": "once"}
    meanwhile = []

    def repeat(_: Received) -> Reply:
        meanwhile.append(client.post(f"{hook.path}/test", json={}, headers=once))
        return Reply()

    receiver.reply_by(repeat)
    first = client.post(f"{hook.path}/test", json={}, headers=once)
    [refused] = meanwhile
    assert (first.json()["outcome"], len(receiver.requests)) == ("2xx", 1)
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")
    assert refused.json()["type"] == "/problems/idempotency-key-in-use"


def test_a_test_whose_service_died_is_answered_for_by_its_repetition(
    client: Client, key: dict[str, str], receiver: Receiver, clock: SimulatedClock
) -> None:
    hook, once, store = Hook(client, key, receiver.url), key | {"idempotency-key": "once"}, stored(client)
    died = client.post(f"{hook.path}/test", json={}, headers=once).json()["delivery"]
    undo = (
        f"update delivery set state = 'leased', finished_at = null, lease_until = 0 where id = '{died}'",
        f"update attempt set outcome = null, finished_at = null where delivery_id = '{died}'",
        f"update idempotency set status = null, body = cast('{died}' as blob) where key = 'once'",
    )
    store.write(lambda c: [c.exec_driver_sql(statement) for statement in undo])
    assert client.post(f"{hook.path}/test", json={}, headers=once).status_code == 409
    store.write(lambda c: results.recover(c, now=clock.now(), chance=0.0))
    answers = [client.post(f"{hook.path}/test", json={}, headers=once).json() for _ in range(2)]
    assert [(each["delivery"], each["outcome"]) for each in answers] == [(died, "abandoned")] * 2
    assert len(receiver.requests) == 1


def test_a_410_to_a_test_switches_the_webhook_off_and_the_owners_others_are_told(
    client: Client, key: dict[str, str], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    hook, other = Hook(client, key, receiver.url), Hook(client, key, "https://hooks.example.org/")
    receiver.reply_with(Reply(status=410))
    assert hook.tried()["outcome"] == "4xx"
    off = client.get(hook.path, headers=key).json()
    assert (off["state"], off["disabled_reason"]) == ("disabled", "gone")
    [word] = client.get(f"{other.path}/deliveries", headers=key).json()["items"]
    assert (word["type"], word["state"]) == ("webhook.disabled", "pending")
    assert metric(client, "dday_webhooks_disabled_total") == 1
    assert f"webhook {hook.made['id']} was switched off: gone" in caplog.messages


def test_a_test_is_counted_like_any_attempt(client: Client, key: dict[str, str], receiver: Receiver) -> None:
    hook = Hook(client, key, receiver.url)
    hook.tried()
    assert metric(client, "dday_attempts_total", outcome="2xx") == 1
    assert metric(client, "dday_destinations_blocked_total") == 0
    # What was allowed when the webhook was made need not be for ever.
    made = stored(client).read(lambda c: webhooks.get(c, hook.made["id"], owner=None))
    inside = replace(made, url="https://10.0.0.1/")
    stored(client).write(lambda c: webhooks.replace(c, inside))
    assert hook.tried()["outcome"] == "not_allowed"
    assert metric(client, "dday_attempts_total", outcome="not_allowed") == 1
    assert metric(client, "dday_destinations_blocked_total") == 1


def test_a_sample_is_the_reminder_the_webhook_would_get(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    client.put("/v1/events/summit", json=EVENT, headers=bearer(ADMIN))
    Hook(client, key, receiver.url, reminders=[{"anchor": "start", "before": "P3D"}]).tried(event="summit")
    [request] = receiver.requests
    body = json.loads(request.body)
    event = client.get("/v1/events/summit").json()
    assert (body["type"], body["data"]["event"], body["data"]["revision"]) == ("event.reminder", event, 1)
    assert body["data"]["sample"] is True
    assert body["data"]["reminder"] == {
        "anchor": "start",
        "before": "P3D",
        "anchor_at": "2026-03-11T15:00:00Z",
        "due_at": "2026-03-01T03:00:00Z",
        "late_seconds": 0,
    }


def test_there_is_no_sample_of_what_is_never_reminded(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    client.put("/v1/events/summit", json=EVENT | {"start": "2026-03"}, headers=bearer(ADMIN))
    hook = Hook(client, key, receiver.url)
    vague = hook.post("test", {"event": "summit"})
    assert (vague.status_code, vague.json()["errors"][0]["pointer"]) == (422, "/event")
    client.put("/v1/events/summit", json=EVENT | {"visibility": "internal"}, headers=bearer(ADMIN))
    assert hook.post("test", {"event": "summit"}).status_code == 404
    assert hook.post("test", {"event": "none"}).status_code == 404
    assert receiver.requests == []


@pytest.mark.parametrize("chat", ["slack", "discord", "teams"])
def test_a_chat_gets_a_message_in_its_own_form(
    client: Client, key: dict[str, str], receiver: Receiver, chat: str
) -> None:
    client.put("/v1/events/summit", json=EVENT, headers=bearer(ADMIN))
    Hook(client, key, receiver.url, format=chat, lang="en").tried(event="summit")
    [request] = receiver.requests
    text = request.body.decode()
    assert "D-11" in text and "서밋" in text and "https://dday.example/en/events/summit" in text


@pytest.mark.parametrize("chat", ["slack", "discord", "teams"])
def test_a_sample_of_what_is_past_counts_the_days_since(
    client: Client, key: dict[str, str], receiver: Receiver, chat: str
) -> None:
    client.put("/v1/events/summit", json=EVENT | {"start": "2026-02-26"}, headers=bearer(ADMIN))
    Hook(client, key, receiver.url, format=chat, lang="en").tried(event="summit")
    [request] = receiver.requests
    assert "D+3 · starts · 서밋" in request.body.decode()


def test_while_a_secret_is_rotated_both_sign_and_then_only_the_new_one(
    client: Client, key: dict[str, str], receiver: Receiver, clock: SimulatedClock
) -> None:
    hook = Hook(client, key, receiver.url)
    old = hook.made["secret"]
    rotated = hook.post("rotate-secret", {"overlap": "PT1H"}).json()
    assert rotated["previous_until"] == "2026-03-01T04:00:00Z" and rotated["secret"] != old
    hook.tried()
    clock.advance(timedelta(hours=1))
    hook.tried()
    meanwhile, after = receiver.requests
    assert signed_by(old, meanwhile) and signed_by(rotated["secret"], meanwhile)
    assert signed_by(rotated["secret"], after) and not signed_by(old, after)


@pytest.mark.parametrize("overlap", ["P8D", "PT169H", "-PT1H", "1h", "P1M"])
def test_an_overlap_is_at_most_seven_days(
    client: Client, key: dict[str, str], receiver: Receiver, overlap: str
) -> None:
    answer = Hook(client, key, receiver.url).post("rotate-secret", {"overlap": overlap})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/overlap")


def test_v1a_verifies_with_the_public_key_that_everybody_can_fetch(
    client: Client, key: dict[str, str], receiver: Receiver
) -> None:
    hook = Hook(client, key, receiver.url, signing=["v1", "v1a"])
    hook.tried()
    [request] = receiver.requests
    [jwk] = client.get("/.well-known/jwks.json").json()["keys"]
    raw = base64.urlsafe_b64decode(jwk["x"] + "=")
    assert hook.made["public_key"] == "whpk_" + base64.b64encode(raw).decode()
    signature = request.headers["webhook-signature"].split(" ")[1].removeprefix("v1a,")
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature), signed)


def test_v1a_can_be_asked_for_later(client: Client, key: dict[str, str], receiver: Receiver) -> None:
    hook = Hook(client, key, receiver.url)
    public = f"/.well-known/jwks.json?webhook={hook.made['id']}"
    assert client.get(public).json() == {"keys": []}
    changed = client.patch(hook.path, json={"signing": ["v1", "v1a"]}, headers=key).json()
    assert changed["public_key"].startswith("whpk_") and "secret" not in changed
    assert len(client.get(public).json()["keys"]) == 1


def test_a_secret_is_in_no_log_and_in_no_other_answer(
    client: Client, key: dict[str, str], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook = Hook(client, key, receiver.url, signing=["v1", "v1a"])
    secrets = [hook.made["secret"]]
    hook.tried()
    secrets.append(hook.post("rotate-secret", {}).json()["secret"])
    reads = [hook.path, "/v1/webhooks", f"{hook.path}/deliveries", f"{hook.path}/upcoming", "/metrics"]
    shown = [client.get(path, headers=key).text for path in reads]
    shown += [hook.post("test", {"event": 5}).text, caplog.text, repr(receiver.requests)]
    for secret in secrets:
        assert not any(secret.removeprefix("whsec_") in text for text in shown)
