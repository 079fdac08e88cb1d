"""`dday keys`: shown once, listed without the secret, revoked for good."""

import msgspec
import pytest
from click.testing import CliRunner

from service.cli import main
from service.clock import SystemClock
from service.store import api_keys
from service.store.engine import Store
from tests.reminding import a_webhook, add


@pytest.fixture
def database(tmp_path):
    return f"sqlite:///{tmp_path}/dday.db"


def run(database, *args):
    return CliRunner().invoke(main, ["keys", *args, "--database-url", database])


def found(database, plaintext):
    store = Store.open(database, exclusive=False)
    try:
        return store.read(lambda c: api_keys.find(c, plaintext, now=SystemClock().now()))
    finally:
        store.close()


def test_a_new_key_is_printed_alone_and_works(database):
    result = run(database, "create", "our CRM", "--scope", "webhooks", "--scope", "catalogue")
    assert result.exit_code == 0
    key = found(database, result.stdout.strip())
    assert (key.name, key.scopes, key.expires_at) == ("our CRM", ("webhooks", "catalogue"), None)


def test_a_key_without_a_name_is_a_wrong_call(database):
    for name in (" ", "\u200b\u3164"):
        assert run(database, "create", name, "--scope", "admin").exit_code == 2


def test_a_key_may_expire(database):
    made = msgspec.json.decode(
        run(database, "create", "x", "--scope", "admin", "--days", "7", "--json").stdout
    )
    assert found(database, made["key"]).expires_at is not None


def test_the_list_shows_no_secret(database):
    plaintext = run(database, "create", "x", "--scope", "admin").stdout.strip()
    listed = run(database, "list", "--json").stdout
    assert [key["name"] for key in msgspec.json.decode(listed)] == ["x"]
    assert plaintext.rpartition("_")[2] not in listed


def test_a_revoked_key_is_worth_nothing(database):
    plaintext = run(database, "create", "x", "--scope", "admin").stdout.strip()
    assert run(database, "revoke", plaintext.split("_")[1]).exit_code == 0
    assert found(database, plaintext) is None


def test_revoking_a_key_that_is_not_there_exits_with_1(database):
    assert run(database, "revoke", "nokey").exit_code == 1


def test_a_key_without_a_scope_is_a_wrong_call(database):
    assert run(database, "create", "x").exit_code == 2


def test_the_webhooks_of_a_revoked_key_are_switched_off(database):
    key = run(database, "create", "x", "--scope", "webhooks").stdout.strip().split("_")[1]
    store = Store.open(database)
    add(store, a_webhook("https://hooks.example.org/", owner=key))
    store.close()
    revoked = run(database, "revoke", key)
    assert revoked.stderr.splitlines()[1:] == ["Its webhook whk_1 is switched off."]
