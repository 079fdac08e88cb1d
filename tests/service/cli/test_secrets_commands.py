"""`dday secrets rotate`: every secret can be read with the new key, and with no other, whatever happens."""

import os
import secrets as random
import stat
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from service.cli import main
from service.keyfile import begin_change, secret_key
from service.reminders import signing
from service.reminders.webhook import NewWebhook, created
from service.settings import Settings, SettingsError
from service.store import webhook_secrets as secret_store
from service.store import webhooks
from service.store.engine import Store

NOW = datetime(2025, 9, 1, tzinfo=UTC)
WEBHOOK = created(NewWebhook(url="https://example.org/", name="x"), webhook_id="whk_1", owner="me", now=NOW)


@pytest.fixture
def settings(tmp_path):
    return Settings(database_url=f"sqlite:///{tmp_path}/dday.db")


def keep(settings, master):
    """A webhook whose signing key is sealed with `master`; returns the signing key."""
    key = signing.generate("v1", randomness=random.token_bytes)
    sealed = signing.seal(key, webhook_id=WEBHOOK.id, master=master, randomness=random.token_bytes)
    store = Store.open(settings.database_url)
    try:
        store.write(lambda c: webhooks.create(c, WEBHOOK, sealed=[sealed], now=NOW))
    finally:
        store.close()
    return key


def opened(settings, master):
    store = Store.open(settings.database_url)
    try:
        [kept] = store.read(secret_store.every)
    finally:
        store.close()
    return signing.unseal(kept.sealed, webhook_id=WEBHOOK.id, masters={signing.key_id(master): master})


def rotate(settings, *args, **how):
    return CliRunner().invoke(
        main, ["secrets", "rotate", "--database-url", settings.database_url, *args], **how
    )


def test_a_new_key_file_takes_the_place_of_the_old(settings):
    old = secret_key(settings, has_ciphertext=False)
    key = keep(settings, old)
    assert rotate(settings).exit_code == 0
    new = secret_key(settings, has_ciphertext=True)
    assert new != old
    assert opened(settings, new).key == key.key
    with pytest.raises(signing.Unsealable):
        opened(settings, old)


def test_an_interrupted_change_stops_the_start_and_can_be_finished(settings):
    key = keep(settings, secret_key(settings, has_ciphertext=False))
    change = begin_change(settings.key_file)
    with pytest.raises(SettingsError, match="dday secrets rotate"):
        secret_key(settings, has_ciphertext=True)
    assert rotate(settings).exit_code == 0
    assert secret_key(settings, has_ciphertext=True) == change.new
    assert opened(settings, change.new).key == key.key
    assert sorted(os.listdir(settings.key_file.parent))[:2] == ["dday.db", "dday.db.lock"]


def test_a_change_interrupted_after_the_commit_can_be_finished(settings):
    secret_key(settings, has_ciphertext=False)
    change = begin_change(settings.key_file)
    key = keep(settings, change.new)
    assert rotate(settings).exit_code == 0
    assert opened(settings, change.new).key == key.key


def test_a_key_from_the_settings_is_changed_for_the_one_given(settings):
    key = keep(settings, b"\x01" * 32)
    result = rotate(settings, "--secret-key", "01" * 32, "--new-key", "-", input="02" * 32 + "\n")
    assert result.exit_code == 0
    assert opened(settings, b"\x02" * 32).key == key.key


def test_a_key_from_the_settings_is_not_changed_for_one_nobody_knows(settings):
    assert rotate(settings, "--secret-key", "01" * 32).exit_code == 2


def test_a_key_file_is_changed_for_the_key_given(settings):
    key = keep(settings, secret_key(settings, has_ciphertext=False))
    result = rotate(settings, "--new-key", "-", input="0A" * 32 + "\n")
    assert (result.exit_code, settings.key_file.read_text()) == (0, "0a" * 32 + "\n"), result.stderr
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert opened(settings, b"\x0a" * 32).key == key.key
    assert sorted(each.name for each in settings.key_file.parent.glob("dday.key*")) == ["dday.key"]


@pytest.mark.parametrize("given", ["garbage\n", "", "0a" * 31, b"\xff\xfe\x00" * 9])
@pytest.mark.parametrize("kept", [(), ("--secret-key", "01" * 32)], ids=["key file", "settings"])
def test_what_is_no_key_is_refused_and_nothing_changed(settings, kept, given):
    old = secret_key(settings, has_ciphertext=False)
    key = keep(settings, old)
    result = rotate(settings, *kept, "--new-key", "-", input=given)
    assert (result.exit_code, result.stderr.startswith("Error: --new-key must be 32 bytes")) == (2, True)
    assert secret_key(settings, has_ciphertext=True) == old
    assert opened(settings, old).key == key.key


def test_an_interrupted_change_is_not_turned_into_one_to_another_key(settings):
    old = secret_key(settings, has_ciphertext=False)
    key = keep(settings, old)
    change = begin_change(settings.key_file, wanted=b"\x02" * 32)
    refused = rotate(settings, "--new-key", "-", input="03" * 32)
    assert (refused.exit_code, "without --new-key to finish it first" in refused.stderr) == (2, True)
    assert opened(settings, old).key == key.key
    assert rotate(settings, "--new-key", "-", input="02" * 32).exit_code == 0
    assert secret_key(settings, has_ciphertext=True) == change.new == b"\x02" * 32
    assert opened(settings, change.new).key == key.key


def test_a_running_service_is_not_disturbed(settings):
    secret_key(settings, has_ciphertext=False)
    running = Store.open(settings.database_url)
    try:
        result = rotate(settings)
    finally:
        running.close()
    assert (result.exit_code, "Another Dday service" in result.stderr) == (1, True)
