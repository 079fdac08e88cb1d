"""`dday keys`: who may write. Works beside a running service, on the same database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import rich_click as click
from sqlalchemy import Connection

from service.catalogue.validation import character_fault
from service.cli.console import Misused, as_json_flag, err, out, settings_flags, show_json, show_table
from service.clock_sync import steady
from service.settings import Settings
from service.store import api_keys as key_store
from service.store.engine import Store

T = TypeVar("T")
SCOPES = ("catalogue", "webhooks", "feeds", "admin")


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="May be repeated."
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires. [default: never]")
@as_json_flag
@settings_flags("database_url")
def create(settings: Settings, name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a key for NAME and show it, once."""
    if character_fault(name):
        raise Misused("NAME must say whose key it is.")

    def make(c: Connection, now: datetime) -> tuple[key_store.Key, str]:
        expires = now + timedelta(days=days) if days else None
        return key_store.create(c, name, scopes=scopes, now=now, expires_at=expires)

    (key, plaintext), _ = _in_store(settings, make)
    if as_json:
        shown = {"id": key.id, "name": key.name, "scopes": key.scopes, "expires_at": key.expires_at}
        show_json({**shown, "key": plaintext})
        return
    out.print(plaintext, markup=False)
    err.print("This is the only time the key is shown.")


@keys.command(name="list")
@as_json_flag
@settings_flags("database_url")
def list_(settings: Settings, as_json: bool) -> None:
    """Show every key, revoked and expired ones too; never the secret part."""
    found, now = _in_store(settings, lambda c, _: key_store.listed(c))
    if as_json:
        show_json(found)
        return
    rows = [
        (key.id, key.name, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d}", _state(key, now))
        for key in found
    ]
    show_table(("id", "name", "scopes", "created", "state"), rows, empty="There are no keys yet.")


@keys.command()
@click.argument("key_id")
@settings_flags("database_url")
def revoke(settings: Settings, key_id: str) -> None:
    """Make the key KEY_ID invalid, at once and for good, and switch off the webhooks it made."""
    done, _ = _in_store(settings, lambda c, now: key_store.revoke(c, key_id, now=now))
    err.print(f"Key {key_id} is revoked.", markup=False)
    for off in done.webhooks:
        err.print(f"Its webhook {off.id} is switched off.", markup=False)


def _in_store(settings: Settings, work: Callable[[Connection, datetime], T]) -> tuple[T, datetime]:
    """Returns the result of `work` and its instant, by the clock of all that use the database."""
    store = Store.open(settings.database_url, exclusive=False)
    try:
        now = steady(store).now()
        return store.write(lambda c: work(c, now)), now
    finally:
        store.close()


def _state(key: key_store.Key, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at:
        return f"{'expired' if key.expires_at <= now else 'until'} {key.expires_at:%Y-%m-%d}"
    return "active"
