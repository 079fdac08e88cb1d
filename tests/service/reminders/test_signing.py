"""Signatures, checked by libraries that are not ours."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.reminders import secrets, signing
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
        Webhook(secrets.spelt(key)).verify(body, headers)
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
    public = Ed25519PublicKey.from_public_bytes(secrets.public_bytes(ED25519))
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


def test_a_flipped_bit_anywhere_fails() -> None:
    headers = signing.headers(ID, BODY, keys=[HMAC], now=now())
    for place in range(len(BODY) * 8):
        assert not verifies(_flipped(BODY, place), headers)
    for name in ("webhook-id", "webhook-timestamp"):
        raw = headers[name].encode()
        for place in range(len(raw) * 8):
            changed = _flipped(raw, place).decode("latin-1")
            assert not verifies(BODY, headers | {name: changed})
    version, encoded = headers["webhook-signature"].split(",")
    raw = base64.b64decode(encoded)
    for place in range(len(raw) * 8):
        changed = f"{version},{base64.b64encode(_flipped(raw, place)).decode()}"
        assert not verifies(BODY, headers | {"webhook-signature": changed})


@given(st.binary(min_size=32, max_size=32), st.text())
def test_every_key_and_every_text_verify(key: bytes, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    own = SigningKey(version="v1", key=key)
    assert verifies(body, signing.headers(ID, body, keys=[own], now=now()), own)


def test_a_signing_key_does_not_show_itself() -> None:
    assert repr(HMAC) == str(HMAC) == "SigningKey(version='v1')"
    assert "\\x" not in f"{[HMAC]}"


@pytest.mark.campaign
def test_the_javascript_library_verifies_what_we_sign(tmp_path: Path) -> None:
    """Needs node, npm and its registry; says so where they are missing."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node here")
    made = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "standardwebhooks@1"], cwd=tmp_path, capture_output=True
    )
    if made.returncode:
        pytest.skip(f"npm cannot install: {made.stderr.decode()[-200:]}")
    script = """
    const { Webhook } = require("standardwebhooks");
    const { secret, cases } = JSON.parse(require("fs").readFileSync(0));
    console.log(JSON.stringify(cases.map(({ body, headers }) => {
      try { new Webhook(secret).verify(body, headers); return true; } catch (e) { return false; }
    })));
    """
    headers = signing.headers(ID, BODY, keys=[HMAC, OLD, ED25519], now=now())
    good = {"body": BODY.decode(), "headers": headers}
    bad = [
        {"body": BODY.decode() + " ", "headers": headers},
        {**good, "headers": headers | {"webhook-id": "dlv_x"}},
    ]
    ran = subprocess.run(
        ["node", "-e", script],
        cwd=tmp_path,
        input=json.dumps({"secret": secrets.spelt(HMAC), "cases": [good, *bad]}).encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(ran.stdout) == [True, False, False]


def _flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)
