"""How requests leave: by an `Egress` in this process, or by a child's (`service.carrier`)."""

from typing import Protocol

from service.egress.client import Request
from service.egress.urls import Destination
from service.reminders.retry import Answer


class Outward(Protocol):
    """Either of them. `check` refuses a URL when it is entered; `post` makes exactly one request.

    `expect` says that there will be some soon.
    """

    def check(self, url: str) -> Destination: ...

    def expect(self) -> None: ...

    async def post(self, request: Request) -> Answer: ...

    async def aclose(self) -> None: ...
