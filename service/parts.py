"""What a running service is made of, put together once for the app and for the command line."""

from datetime import datetime

import msgspec

from service.clock import Clock
from service.keyfile import secret_key
from service.settings import Settings
from service.store import keys
from service.store.engine import Store


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators every handler and loop may need."""

    settings: Settings
    clock: Clock
    store: Store
    secret: bytes

    def close(self) -> None:
        self.store.close()


def open_service(settings: Settings, *, clock: Clock) -> Service:
    """Open the store, find the key, and make sure that the operator's admin key works."""
    store = Store.open(settings.database_url)
    try:
        secret = secret_key(settings, has_ciphertext=False)
        if settings.admin_key:
            adopt_admin(store, settings.admin_key, now=clock.now())
    except BaseException:
        store.close()
        raise
    return Service(settings=settings, clock=clock, store=store, secret=secret)


def adopt_admin(store: Store, plaintext: str, *, now: datetime) -> None:
    """DDAY_ADMIN_KEY works from the first start on; revoked once, it stays revoked."""
    store.write(lambda c: keys.adopt(c, plaintext, name="DDAY_ADMIN_KEY", scopes=("admin",), now=now))
