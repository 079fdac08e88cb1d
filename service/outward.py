"""How requests leave: by an `Egress` in this process, or by a child's (`service.carrier`)."""

from typing import Protocol

from service.destinations import Destination
from service.egress import Request
from service.reminders.answers import Answer


class Outward(Protocol):
    """Either of them. `check` refuses a URL when it is entered; `post` makes exactly one request."""

    def check(self, url: str) -> Destination: ...

    async def post(self, request: Request) -> Answer: ...

    async def aclose(self) -> None: ...
