"""`dday secrets rotate`: another key for the webhook secrets at rest, without losing one."""

from secrets import token_bytes
from typing import TextIO

import rich_click as click
from sqlalchemy import Connection

from service.cli.console import Misused, err, settings_flags
from service.keyfile import begin_change
from service.reminders import signing as signing_secrets
from service.settings import Settings, secret_key_of
from service.store import webhook_secrets as secret_store
from service.store.engine import Store


@click.group()
def secrets() -> None:
    """Look after the key that webhook secrets are encrypted with."""


@secrets.command()
@click.option(
    "--new-key",
    # What is not text is no key either, and is refused as one.
    type=click.File(errors="replace"),
    metavar="FILE",
    help="The new key, 64 hex digits; - for stdin. [default: with a key file, a random one]",
)
@settings_flags("database_url", "secret_key")
def rotate(settings: Settings, new_key: TextIO | None) -> None:
    """Encrypt every webhook secret anew. Stop the service first; receivers notice nothing.

    With a key file the new key takes its place. With DDAY_SECRET_KEY give the new one as --new-key, and set
    it afterwards. Interrupted, it can be run again.
    """
    new = None if new_key is None else secret_key_of(new_key.read().strip())
    # Exclusive: on SQLite a running service is refused here; on PostgreSQL its owner has to see to it.
    store = Store.open(settings.database_url)
    try:
        if settings.secret_key is None:
            _change_file(store, settings, new)
        elif new is None:
            raise Misused("The key comes from DDAY_SECRET_KEY, so the new one is needed as --new-key.")
        else:
            _tell(reseal(store, bytes.fromhex(settings.secret_key), new))
    finally:
        store.close()


def _change_file(store: Store, settings: Settings, wanted: bytes | None) -> None:
    if settings.key_file is None or not settings.key_file.exists():
        raise Misused("There is no key file to change. With PostgreSQL set DDAY_SECRET_KEY.")
    change = begin_change(settings.key_file, wanted=wanted)
    count = reseal(store, change.old, change.new)
    change.finish()
    _tell(count)


def reseal(store: Store, old: bytes, new: bytes) -> int:
    """Reseals all secrets in one transaction; those already sealed with the new key are left."""
    masters = {signing_secrets.key_id(key): key for key in (old, new)}

    def work(c: Connection) -> int:
        found = secret_store.every(c)
        for secret in found:
            key = signing_secrets.unseal(secret.sealed, webhook_id=secret.webhook_id, masters=masters)
            sealed = signing_secrets.seal(
                key, webhook_id=secret.webhook_id, master=new, randomness=token_bytes
            )
            secret_store.reseal(c, secret.id, sealed)
        return len(found)

    return store.write(work)


def _tell(count: int) -> None:
    err.print(f"{count} webhook secrets are encrypted with the new key.")
