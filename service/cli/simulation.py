"""A stretch of simulated time over the seeds, in a database of its own that is thrown away afterwards."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from service import seed_loader
from service.app import Service, open_service
from service.catalogue.filters import FilterBody
from service.cli.arguments import EVERY_CHANGE
from service.cli.catalogue import parsed
from service.clock import SimulatedClock
from service.delivery.worker import Worker
from service.reminders import signing as signing_secrets
from service.reminders import webhook
from service.reminders.webhook import NewWebhook, Rule, Webhook
from service.settings import BUNDLED_SEEDS, Settings
from service.store import webhooks
from service.time_travel import Replay


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """A service in simulated time."""

    service: Service
    clock: SimulatedClock


@contextmanager
def season(start: datetime, *, seeds: Path | None = None, port: int = Settings().port) -> Iterator[Season]:
    """The service with the seeds loaded at `start`. Whoever serves it closes it; else `with` does."""
    clock = SimulatedClock(start)
    with TemporaryDirectory(prefix="dday-", ignore_cleanup_errors=True) as folder:
        settings = Settings(
            database_url=f"sqlite:///{folder}/dday.db",
            port=port,
            egress_allow=(ip_network("127.0.0.0/8"),),
            deliver=False,
        )
        service = open_service(settings, clock=clock)
        try:
            seed_loader.load(service.store, parsed(seeds or BUNDLED_SEEDS), now=clock.now())
            yield Season(service=service, clock=clock)
        finally:
            service.close()


def subscribe(service: Service, url: str, *, reminders: tuple[Rule, ...], filter: FilterBody) -> str:
    """Make a webhook to `url` and return its secret, spelt out."""
    now = service.clock.now()
    key = signing_secrets.generate("v1", randomness=secrets.token_bytes)
    asked = NewWebhook(
        url=url, name="simulated time", reminders=reminders, changes=EVERY_CHANGE, filter=filter
    )
    made: Webhook = webhook.created(
        asked, webhook_id=f"whk_{secrets.token_hex(8)}", owner="simulated", now=now
    )
    sealed = signing_secrets.seal(
        key, webhook_id=made.id, master=service.secret, randomness=secrets.token_bytes
    )
    service.store.write(lambda c: webhooks.create(c, made, sealed=[sealed], now=now))
    return signing_secrets.spelt(key)


@asynccontextmanager
async def replaying(season: Season) -> AsyncIterator[Replay]:
    """The planner and sender of this season."""
    service = season.service
    worker = Worker(service.store, service.egress, clock=season.clock, masters=service.masters)
    try:
        yield Replay(service.store, worker, clock=season.clock)
    finally:
        await service.egress.aclose()
