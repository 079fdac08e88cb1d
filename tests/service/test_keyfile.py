"""Rule D13: the secret key is made once, kept from others, and never made anew over existing ciphertext."""

import os
import stat

import pytest

from service.keyfile import secret_key
from service.settings import Settings, SettingsError


@pytest.fixture
def settings(tmp_path):
    return Settings(database_url=f"sqlite:///{tmp_path}/dday.db")


def test_a_first_start_makes_a_key_only_its_owner_can_read(settings):
    key = secret_key(settings, has_ciphertext=False)
    assert len(key) == 32
    assert settings.key_file.read_text() == key.hex() + "\n"
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert [file.name for file in settings.key_file.parent.iterdir()] == ["dday.key"]


def test_later_starts_read_the_same_key(settings):
    first = secret_key(settings, has_ciphertext=False)
    assert secret_key(settings, has_ciphertext=True) == first
    assert secret_key(settings, has_ciphertext=False) == first


def test_a_missing_key_is_not_made_anew_over_ciphertext(settings):
    with pytest.raises(SettingsError, match=r"dday\.key is missing"):
        secret_key(settings, has_ciphertext=True)
    assert not settings.key_file.exists()


def test_a_key_file_others_can_read_is_refused(settings):
    secret_key(settings, has_ciphertext=False)
    os.chmod(settings.key_file, 0o640)
    with pytest.raises(SettingsError, match="can be read by others"):
        secret_key(settings, has_ciphertext=True)


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe" * 32, b"g" * 64])
def test_a_damaged_key_file_is_refused_and_left_alone(settings, content):
    settings.key_file.touch(mode=0o600)
    settings.key_file.write_bytes(content)
    with pytest.raises(SettingsError, match="does not hold a key"):
        secret_key(settings, has_ciphertext=False)
    assert settings.key_file.read_bytes() == content


def test_a_crash_while_making_the_key_leaves_no_half_key(settings):
    settings.key_file.with_name("dday.key.new").write_text("12ab")
    assert len(secret_key(settings, has_ciphertext=False)) == 32


def test_the_setting_wins_over_the_file(settings):
    set_key = Settings(database_url=settings.database_url, secret_key="0a" * 32)
    assert secret_key(set_key, has_ciphertext=True) == b"\x0a" * 32
    assert not settings.key_file.exists()


def test_postgresql_needs_the_key_in_the_settings():
    with pytest.raises(SettingsError, match="DDAY_SECRET_KEY must be set with PostgreSQL"):
        secret_key(Settings(database_url="postgresql://host/name"), has_ciphertext=False)
