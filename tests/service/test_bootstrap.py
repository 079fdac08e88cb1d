"""What must fit together before a service answers."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.bootstrap import Service, open_service
from service.clock import SimulatedClock
from service.reminders import signing, webhook
from service.reminders.webhook import NewWebhook
from service.settings import Settings, SettingsError
from service.store import webhooks

NOW = datetime(2025, 8, 1, tzinfo=UTC)


def opened(folder: Path, *, key: str) -> Service:
    settings = Settings(database_url=f"sqlite:///{folder}/dday.db", secret_key=key, seeds=None)
    return open_service(settings, clock=SimulatedClock(NOW))


def keep_a_secret(service: Service) -> None:
    hook = webhook.created(
        NewWebhook(url="https://a.example/", name="a"), webhook_id="whk_1", owner="key_1", now=NOW
    )
    kept = signing.seal(
        signing.generate("v1", randomness=secrets.token_bytes),
        webhook_id=hook.id,
        master=service.secret,
        randomness=secrets.token_bytes,
    )

    service.store.write(lambda c: webhooks.create(c, hook, sealed=[kept], now=NOW))


def test_a_key_that_cannot_read_the_webhook_secrets_stops_the_start(tmp_path: Path) -> None:
    right, wrong = "11" * 32, "22" * 32
    service = opened(tmp_path, key=right)
    keep_a_secret(service)
    service.close()
    with pytest.raises(SettingsError, match="cannot read"):
        opened(tmp_path, key=wrong)
    opened(tmp_path, key=right).close()


def test_any_key_will_do_while_there_is_nothing_to_read(tmp_path: Path) -> None:
    opened(tmp_path, key="11" * 32).close()
    opened(tmp_path, key="22" * 32).close()
