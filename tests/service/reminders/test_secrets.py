import os
from base64 import b64decode

import pytest
from msgspec.structs import replace

from service.reminders import signing
from service.reminders.signing import Sealed, Unsealable

MASTER, OTHER = b"m" * 32, b"o" * 32
MASTERS = {signing.key_id(MASTER): MASTER}


def sealed(webhook_id: str = "whk_1", master: bytes = MASTER) -> Sealed:
    key = signing.generate("v1", randomness=lambda size: b"s" * size)
    return signing.seal(key, webhook_id=webhook_id, master=master, randomness=os.urandom)


def test_a_secret_is_32_random_bytes_in_the_spelling_of_standard_webhooks() -> None:
    key = signing.generate("v1", randomness=os.urandom)
    text = signing.spelt(key)
    assert text.startswith("whsec_") and len(b64decode(text.removeprefix("whsec_"))) == 32
    assert signing.read(text) == key
    asymmetric = signing.generate("v1a", randomness=os.urandom)
    assert signing.spelt(asymmetric).startswith("whsk_")
    assert signing.read(signing.spelt(asymmetric)) == asymmetric
    assert signing.public_key(asymmetric).startswith("whpk_")


def test_a_sealed_secret_opens_for_its_webhook_and_shows_nothing_of_itself() -> None:
    kept = sealed()
    assert signing.unseal(kept, webhook_id="whk_1", masters=MASTERS).key == b"s" * 32
    assert b"s" * 8 not in kept.ciphertext and MASTER not in kept.ciphertext


@pytest.mark.parametrize(
    "change",
    [
        {"version": "v1a"},
        {"nonce": b"n" * 12},
        {"ciphertext": b"c" * 48},
        {"key_id": "0" * 16},
    ],
)
def test_nothing_about_a_sealed_secret_can_be_exchanged(change: dict[str, object]) -> None:
    with pytest.raises(Unsealable):
        signing.unseal(replace(sealed(), **change), webhook_id="whk_1", masters=MASTERS)


def test_a_sealed_secret_does_not_open_in_another_webhooks_row_or_under_another_key() -> None:
    with pytest.raises(Unsealable):
        signing.unseal(sealed("whk_2"), webhook_id="whk_1", masters=MASTERS)
    with pytest.raises(Unsealable):
        signing.unseal(sealed(master=OTHER), webhook_id="whk_1", masters=MASTERS)
    with pytest.raises(Unsealable):
        signing.unseal(sealed(), webhook_id="whk_1", masters={signing.key_id(MASTER): OTHER})


def test_while_the_sealing_key_is_changed_both_open_their_own() -> None:
    both = MASTERS | {signing.key_id(OTHER): OTHER}
    for kept in (sealed(), sealed(master=OTHER)):
        assert signing.unseal(kept, webhook_id="whk_1", masters=both).key == b"s" * 32
