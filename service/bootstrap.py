"""What a running service is made of, put together once for the app and for the command line."""

from datetime import datetime

import msgspec

from service import clock_sync
from service.catalogue.event import Language
from service.clock import Clock
from service.egress.client import Egress
from service.egress.policy import Policy
from service.keyfile import secret_key
from service.metrics import Metrics
from service.reminders import signing
from service.settings import Settings, SettingsError
from service.store import api_keys
from service.store import webhook_secrets as sealed
from service.store.engine import Store

WRONG_KEY = (
    "The database holds webhook secrets that this secret key cannot read. DDAY_SECRET_KEY (or the key file "
    "beside the database) must be the key they were encrypted with."
)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators every handler and loop may need. `apart`: a process of its own plans and sends."""

    settings: Settings
    clock: Clock
    store: Store
    secret: bytes
    egress: Egress
    metrics: Metrics
    apart: bool = False

    @property
    def masters(self) -> dict[str, bytes]:
        """The keys that open signing secrets, by name."""
        return {signing.key_id(self.secret): self.secret}

    def page(self, event_id: str, lang: Language) -> str | None:
        """The address of an event's own page, if the service has one that others can reach."""
        prefix = "" if lang == "ko" else f"/{lang}"
        public = self.settings.public_url
        return f"{public}{prefix}/events/{event_id}" if public else None

    def close(self) -> None:
        self.store.close()


def open_service(
    settings: Settings,
    *,
    clock: Clock | None = None,
    apart: bool = False,
    beside: bool = False,
) -> Service:
    """Open the store, find the key, and make sure that the operator's admin key works.

    Without a clock of the caller's the service goes by the one that belongs to its store. `beside`: another
    process has this store open, and its schema up to date.
    """
    store = Store.open(settings.database_url, migrate=not beside, exclusive=not beside)
    try:
        clock = clock or clock_sync.steady(store)
        sealing = store.read(sealed.sealing_keys)
        secret = secret_key(settings, has_ciphertext=bool(sealing))
        if not sealing <= {signing.key_id(secret)}:
            raise SettingsError(WRONG_KEY)
        if settings.admin_key and not beside:
            adopt_admin(store, settings.admin_key, now=clock.now())
    except BaseException:
        store.close()
        raise
    egress = Egress(Policy(allow=settings.egress_allow), deadline=settings.attempt_timeout.total_seconds())
    metrics = Metrics()
    return Service(
        settings=settings,
        clock=clock,
        store=store,
        secret=secret,
        egress=egress,
        metrics=metrics,
        apart=apart,
    )


def adopt_admin(store: Store, plaintext: str, *, now: datetime) -> None:
    """DDAY_ADMIN_KEY works from the first start on; revoked once, it stays revoked."""
    store.write(lambda c: api_keys.adopt(c, plaintext, name="DDAY_ADMIN_KEY", scopes=("admin",), now=now))
