"""`/.well-known/jwks.json`: whose keys these are, and what asking for them costs."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Litestar
from litestar.testing import TestClient

from service.api.signing_keys import KEPT, PublicKeys
from service.clock import SimulatedClock
from tests.receiver import Received, Receiver
from tests.service.api.conftest import NOW, new_key, settings_in
from tests.support.app import create_app

Client = TestClient[Litestar]
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def client(tmp_path: Path, migrated: Path, clock: SimulatedClock) -> Iterator[Client]:
    settings = settings_in(tmp_path, migrated, egress_allow=(ip_network("127.0.0.0/8"),))
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client


def made(client: Client, key: dict[str, str], url: str = "https://hooks.example.org/") -> dict[str, Any]:
    body = {"url": url, "name": "t", "signing": ["v1", "v1a"]}
    answer = client.post("/v1/webhooks", json=body, headers=key)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def keys(client: Client, webhook: str | None = None) -> list[dict[str, str]]:
    found: list[dict[str, str]] = client.get(JWKS, params={"webhook": webhook} if webhook else {}).json()[
        "keys"
    ]
    return found


def verifies(request: Received, jwks: list[dict[str, str]]) -> bool:
    signature = request.headers["webhook-signature"].split(" ")[1].removeprefix("v1a,")
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    return any(_verifies(base64.b64decode(signature), signed, jwk) for jwk in jwks)


def _verifies(signature: bytes, signed: bytes, jwk: dict[str, str]) -> bool:
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def test_a_message_to_one_webhook_does_not_verify_with_the_keys_of_another(
    client: Client, receiver: Receiver
) -> None:
    attacker, victim = new_key(client, "webhooks"), new_key(client, "webhooks")
    theirs, mine = made(client, attacker, receiver.url), made(client, victim, receiver.url)
    for key, hook in ((attacker, theirs), (victim, mine)):
        client.post(f"/v1/webhooks/{hook['id']}/test", json={}, headers=key)
    to_attacker, to_victim = receiver.requests
    own = keys(client, mine["id"])
    assert (verifies(to_victim, own), verifies(to_attacker, own)) == (True, False)
    assert verifies(to_attacker, keys(client))


def test_a_key_says_whose_it_is(client: Client) -> None:
    key = new_key(client, "webhooks")
    hooks = [made(client, key) for _ in range(2)]
    everybody = keys(client)
    assert {each["kid"].split(".")[0] for each in everybody} == {hook["id"] for hook in hooks}
    for hook in hooks:
        [own] = keys(client, hook["id"])
        assert own in everybody
        assert hook["public_key"] == "whpk_" + base64.b64encode(raw(own)).decode()


def raw(jwk: dict[str, str]) -> bytes:
    return base64.urlsafe_b64decode(jwk["x"] + "=")


def test_of_a_webhook_that_is_not_there_or_signs_otherwise_there_are_no_keys(client: Client) -> None:
    key = new_key(client, "webhooks")
    body = {"url": "https://hooks.example.org/", "name": "t"}
    plain = client.post("/v1/webhooks", json=body, headers=key).json()["id"]
    assert keys(client, plain) == keys(client, "whk_none") == keys(client) == []
    assert client.get(f"{JWKS}?webhok=x").status_code == 400


def test_a_key_goes_when_its_webhook_no_longer_signs_with_it(client: Client, clock: SimulatedClock) -> None:
    key = new_key(client, "webhooks")
    hook = made(client, key)["id"]
    before = keys(client)
    assert client.patch(f"/v1/webhooks/{hook}", json={"signing": ["v1"]}, headers=key).status_code == 200
    assert (keys(client, hook), keys(client)) == ([], before)
    clock.advance(KEPT)
    assert keys(client) == []


def test_while_a_pair_is_replaced_both_are_there(client: Client, clock: SimulatedClock) -> None:
    key = new_key(client, "webhooks")
    hook = made(client, key)["id"]
    client.post(f"/v1/webhooks/{hook}/rotate-secret", json={"overlap": "PT1H"}, headers=key)
    assert len(keys(client, hook)) == 2
    clock.advance(timedelta(hours=1))
    assert len(keys(client, hook)) == len(keys(client)) == 1


def test_asking_again_opens_no_secret_again(client: Client) -> None:
    """Proved by taking the key away that they are opened with."""
    hook, service = made(client, new_key(client, "webhooks"))["id"], client.app.state.service
    masters = dict(service.masters)
    asked = PublicKeys(masters)
    every, own = partial(asked.every, now=NOW), partial(asked.of, webhooks=[hook], now=NOW)
    first = service.store.read(every)
    masters.clear()
    assert len(first.keys) == 1
    later = partial(asked.every, now=NOW + KEPT)
    assert service.store.read(every) == service.store.read(later) == service.store.read(own) == first
    assert service.store.read(partial(PublicKeys(masters).every, now=NOW)).keys == ()
