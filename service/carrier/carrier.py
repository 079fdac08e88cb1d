"""Posts by a child process, and by this one while there is no child. Sees to it that there is one again."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from service import offspring
from service.carrier.child import Child
from service.egress.client import Egress, Request
from service.egress.urls import Destination
from service.reminders.retry import Answer

log = logging.getLogger(__name__)
END_SECONDS = 2.0


class Carrier:
    """An `Outward` like its egress. The child is started when there is something to send."""

    def __init__(self, egress: Egress, *, lost: Callable[[], None] = lambda: None) -> None:
        self._egress, self._tell_lost = egress, lost
        self._child: Child | None = None
        self._started = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    @property
    def child(self) -> int | None:
        """The process id of the child, while there is one at work."""
        return self._child.pid if self._child is not None and self._child.at_work else None

    def expect(self) -> None:
        """Start the child before there is anything to send: starting one takes half a second of CPU."""
        if self._tending is None:
            tending = offspring.one_after_the_other(self._live, lost=self._lost)
            self._tending = asyncio.get_running_loop().create_task(tending, name="carrier")

    async def ready(self) -> None:
        """Expect something, and wait until the child is at work."""
        self.expect()
        await self._started.wait()

    def check(self, url: str) -> Destination:
        return self._egress.check(url)

    async def post(self, request: Request) -> Answer:
        """Exactly one HTTP request; `abandoned` where nobody knows whether it left."""
        if self._child is not None and self._child.at_work:
            return await self._child.post(request)
        self.expect()
        return await self._egress.post(request)

    async def aclose(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        await self._egress.aclose()

    def _lost(self, how: str, _: float) -> None:
        self._tell_lost()
        log.error("the sending process ended (%s); this one sends until there is another", how)

    async def _live(self) -> str:
        """The whole life of one child; how it ended."""
        try:
            self._child = await Child.start(self._egress)
        except Exception as error:
            # Whatever it is, the reminders go out without a child, and there is another try.
            return str(error) or type(error).__name__
        self._started.set()
        try:
            return f"exit code {await self._child.ended()}"
        except asyncio.CancelledError:
            await self._end(self._child)
            raise
        finally:
            self._started.clear()

    async def _end(self, child: Child) -> None:
        child.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await child.ended()
        except TimeoutError:
            child.kill()
            # Not `ended`, which waits for the line: whatever keeps that open must not keep the service.
            await child.bury()
