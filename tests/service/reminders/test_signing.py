"""Signatures, checked by libraries that are not ours."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.reminders import signing
from service.reminders.signing import SigningKey

HMAC = SigningKey(version="v1", key=bytes(range(32)))
OLD = SigningKey(version="v1", key=bytes(range(32, 64)))
ED25519 = SigningKey(version="v1a", key=bytes(range(64, 96)))
BODY = '{"type":"event.reminder","data":{"name":"서울콘 🎉"}}'.encode()
ID = "dlv_2qzvnfkw2vbgsy3ewazbvp2hx4cjm3eq"


def now() -> datetime:
    """The library compares with its own clock, and a long run lies between two tests."""
    return datetime.now(UTC)


def verifies(body: bytes, headers: dict[str, str], key: SigningKey = HMAC) -> bool:
    try:
        Webhook(signing.spelt(key)).verify(body, headers)
    except (WebhookVerificationError, UnicodeDecodeError):
        return False
    return True


def test_the_reference_library_verifies_what_we_sign() -> None:
    sent_at = now()
    headers = signing.headers(ID, BODY, keys=[HMAC], now=sent_at)
    assert verifies(BODY, headers)
    assert headers["webhook-id"] == ID
    assert headers["webhook-timestamp"] == str(int(sent_at.timestamp()))


def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify() -> None:
    headers = signing.headers(ID, BODY, keys=[HMAC, OLD], now=now())
    assert verifies(BODY, headers, HMAC) and verifies(BODY, headers, OLD)
    assert not verifies(BODY, signing.headers(ID, BODY, keys=[HMAC], now=now()), OLD)


def test_v1a_beside_v1_disturbs_no_library_and_verifies_with_the_public_key() -> None:
    headers = signing.headers(ID, BODY, keys=[HMAC, ED25519], now=now())
    assert verifies(BODY, headers)
    version, signature = headers["webhook-signature"].split(" ")[1].split(",")
    public = Ed25519PublicKey.from_public_bytes(signing.public_bytes(ED25519))
    signed = f"{ID}.{headers['webhook-timestamp']}.".encode() + BODY
    public.verify(base64.b64decode(signature), signed)
    assert version == "v1a"
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), signed + b" ")


def test_a_retry_is_signed_anew_over_the_same_id_and_body() -> None:
    first = signing.headers(ID, BODY, keys=[HMAC], now=now())
    later = signing.headers(ID, BODY, keys=[HMAC], now=now() + timedelta(seconds=5), replay=2)
    assert first["webhook-id"] == later["webhook-id"] and later["webhook-replay"] == "2"
    assert first["webhook-signature"] != later["webhook-signature"]
    assert verifies(BODY, later)


class Message(NamedTuple):
    """What arrives: the bytes of its body, and its headers."""

    body: bytes
    headers: dict[str, str]


def flipped() -> Iterator[Message]:
    """Every message one bit away: in the body, the id, the timestamp or the bytes of the signature."""
    headers = signing.headers(ID, BODY, keys=[HMAC], now=now())
    yield from (Message(body, headers) for body in _each_bit(BODY))
    for name in ("webhook-id", "webhook-timestamp"):
        for value in _each_bit(headers[name].encode()):
            yield Message(BODY, headers | {name: value.decode("latin-1")})
    version, encoded = headers["webhook-signature"].split(",")
    for raw in _each_bit(base64.b64decode(encoded)):
        yield Message(BODY, headers | {"webhook-signature": f"{version},{base64.b64encode(raw).decode()}"})


def flipped_in_the_signatures_text() -> Iterator[Message]:
    """Also what is the same bytes to a decoder that forgives: the two last bits before the padding."""
    headers = signing.headers(ID, BODY, keys=[HMAC], now=now())
    for value in _each_bit(headers["webhook-signature"].encode()):
        yield Message(BODY, headers | {"webhook-signature": value.decode("latin-1")})


def test_a_flipped_bit_anywhere_fails() -> None:
    every = list(flipped())
    assert [message for message in every if verifies(*message)] == []
    assert len(every) == 8 * (len(BODY) + len(ID) + len("1772452800") + 32)


@given(st.binary(min_size=32, max_size=32), st.text())
def test_every_key_and_every_text_verify(key: bytes, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    own = SigningKey(version="v1", key=key)
    assert verifies(body, signing.headers(ID, body, keys=[own], now=now()), own)


def test_a_signing_key_does_not_show_itself() -> None:
    assert repr(HMAC) == str(HMAC) == "SigningKey(version='v1')"
    assert "\\x" not in f"{[HMAC]}"


@pytest.mark.campaign
def test_the_javascript_library_verifies_what_we_sign_and_nothing_one_bit_away(tmp_path: Path) -> None:
    """In one process. Without node this says so and is skipped; without npm and its registry it fails."""
    if shutil.which("node") is None:
        pytest.skip("no node here")
    install = "npm install --no-audit --no-fund standardwebhooks@1.1.1"
    made = subprocess.run(install.split(), cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    keys = ([HMAC], [HMAC, OLD], [OLD, HMAC], [HMAC, ED25519])
    good = [Message(BODY, signing.headers(ID, BODY, keys=each, now=now())) for each in keys]
    strange = Message(BODY, signing.headers(ID, BODY, keys=[OLD], now=now()))
    bad = [strange, *flipped(), *flipped_in_the_signatures_text()]
    assert by_javascript([*good, *bad], folder=tmp_path) == [True] * len(good) + [False] * len(bad)


def by_javascript(messages: list[Message], *, folder: Path) -> list[bool]:
    """Which of them the library that lies in this folder verifies."""
    script = """
    const { Webhook } = require("standardwebhooks");
    const { secret, cases } = JSON.parse(require("fs").readFileSync(0));
    console.log(JSON.stringify(cases.map(({ body, headers }) => {
      try { new Webhook(secret).verify(Buffer.from(body, "base64"), headers); return true; }
      catch (e) { return false; }
    })));
    """
    cases = [{"body": base64.b64encode(body).decode(), "headers": headers} for body, headers in messages]
    ran = subprocess.run(
        ["node", "-e", script],
        cwd=folder,
        input=json.dumps({"secret": signing.spelt(HMAC), "cases": cases}).encode(),
        capture_output=True,
        check=True,
    )
    found: list[bool] = json.loads(ran.stdout)
    return found


def _each_bit(data: bytes) -> Iterator[bytes]:
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)
