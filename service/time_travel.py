"""The real planner and the real sender, driven along a simulated clock."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from service.clock import SimulatedClock
from service.delivery import planner
from service.delivery.worker import Worker
from service.store import deliveries
from service.store.engine import Store

# Planned this far ahead, the clock can jump from one due instant to the next and miss none.
LOOK_AHEAD = timedelta(days=1)


class Replay:
    """Moves the clock from one instant at which something is due to the next."""

    def __init__(self, store: Store, worker: Worker, *, clock: SimulatedClock) -> None:
        self._store, self._worker, self._clock = store, worker, clock

    async def until(self, end: datetime) -> AsyncIterator[datetime]:
        """Each instant reached, once everything due at it has been sent; the last one is `end`.

        What the caller changes between two instants is planned before the clock moves on.
        """
        while True:
            await self._settle()
            yield self._clock.now()
            if self._clock.now() >= end:
                return
            await self._settle()
            self._clock.move_to(min(end, await self._next()))

    async def _settle(self) -> None:
        now = self._clock.now()
        await asyncio.to_thread(planner.run_once, self._store, now=now, look_ahead=LOOK_AHEAD)
        await self._worker.run_once()

    async def _next(self) -> datetime:
        now = self._clock.now()
        due = await self._store.aread(lambda c: deliveries.next_due(c, after=now))
        horizon = now + LOOK_AHEAD / 2
        return min(due, horizon) if due else horizon
