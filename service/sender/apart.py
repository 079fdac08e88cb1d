"""Sending apart, as the service sees it: when a process is started for it, and what is done until then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.bootstrap import Service
from service.delivery.schedule import SECOND, Housekeeping, Tick, plan, ticking
from service.delivery.supervisor import Keeper
from service.store import webhooks


@asynccontextmanager
async def sending_apart(service: Service) -> AsyncIterator[Keeper]:
    """Plan and send while this is open, in a process that is started as soon as anybody has a webhook."""
    keeper = Keeper(service.settings, service.metrics, clock=service.clock)
    ticks = (Tick(name="hand over", every=SECOND, run=Handover(service, keeper).run),)
    try:
        async with ticking((*ticks, *Housekeeping(service).ticks()), clock=service.clock):
            yield keeper
    finally:
        await keeper.aclose()


class Handover:
    """As long as no other process plans, this one does: without webhooks that is to note the time."""

    def __init__(self, service: Service, keeper: Keeper) -> None:
        self._service, self._keeper = service, keeper

    async def run(self) -> None:
        if self._keeper.at_work:
            return
        if not self._keeper.expected and await self._service.store.reading(webhooks.are_there):
            self._keeper.expect()
        await plan(self._service)
