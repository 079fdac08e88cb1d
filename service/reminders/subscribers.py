"""Webhooks as the sender needs them: with their signing keys opened, kept while they do not change."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection

from service.reminders.signing import SigningKey, Unsealable, unseal
from service.reminders.webhook import Webhook
from service.store import webhook_secrets, webhooks
from service.store.webhook_secrets import Secret

log = logging.getLogger(__name__)
# Nobody has so many at work at once; an attacker who makes more only costs us the keeping.
MOST = 10_000


class Key(Struct, frozen=True, kw_only=True):
    signing: SigningKey
    expires_at: datetime | None


class Subscriber(Struct, frozen=True, kw_only=True):
    """One webhook, ready to be sent to."""

    webhook: Webhook
    version: int
    keys: tuple[Key, ...]

    def live(self, now: datetime) -> tuple[SigningKey, ...]:
        """The keys that sign at this instant: of the versions it asked for, newest first."""
        wanted = (key for key in self.keys if key.signing.version in self.webhook.signing)
        return tuple(key.signing for key in wanted if key.expires_at is None or now < key.expires_at)


class Subscribers:
    """A cache that asks the store only for versions."""

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        self._masters = masters
        self._kept: dict[str, Subscriber] = {}

    def load(self, c: Connection, ids: Iterable[str]) -> dict[str, Subscriber]:
        """Those of them that exist, as they are now."""
        versions = webhooks.versions(c, sorted(set(ids)))
        if len(self._kept) > MOST:
            self._kept.clear()
        known = self._kept
        news = [key for key, version in versions.items() if key not in known or known[key].version != version]
        if news:
            self._read(c, news)
        return {key: known[key] for key in versions if key in known}

    def _read(self, c: Connection, ids: list[str]) -> None:
        found = webhooks.many(c, ids)
        keys: dict[str, list[Key]] = {}
        for secret in webhook_secrets.of(c, ids):
            if (key := self._opened(secret)) is not None:
                keys.setdefault(secret.webhook_id, []).append(key)
        for webhook_id, kept in found.items():
            self._kept[webhook_id] = Subscriber(
                webhook=kept.webhook, version=kept.version, keys=tuple(keys.get(webhook_id, ()))
            )

    def _opened(self, secret: Secret) -> Key | None:
        try:
            opened = unseal(secret.sealed, webhook_id=secret.webhook_id, masters=self._masters)
        except Unsealable as error:
            log.error("secret %s of webhook %s: %s", secret.id, secret.webhook_id, error)
            return None
        return Key(signing=opened, expires_at=secret.expires_at)
