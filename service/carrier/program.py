"""What the child runs: it posts what it is handed and says how that ended. It knows no database and no key.

It ends when its parent closes the line or dies. Signals are its parent's business: at Ctrl-C the whole group
gets one, and what is under way has to be finished first.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_network

import msgspec
import uvloop

from service import logs, offspring, server
from service.carrier.word import Parcel, Terms
from service.egress.client import Egress, Request
from service.egress.policy import Policy
from service.line import Line
from service.reminders.retry import Answer

log = logging.getLogger(__name__)


def main(told: str) -> None:
    """Post until the line is closed."""
    terms = msgspec.json.decode(told, type=Terms)
    offspring.settle(terms.parent)
    logs.configure(terms.log)
    server.settle()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(terms))


async def _work(terms: Terms) -> None:
    egress = Egress(Policy(allow=tuple(map(ip_network, terms.allow))), deadline=terms.deadline)
    under_way: set[asyncio.Task[None]] = set()

    def take(parcels: list[Parcel]) -> None:
        for number, request in parcels:
            task = asyncio.get_running_loop().create_task(carry(egress, number, request, line.say))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    line = Line(list[Parcel], heard=take, lost=offspring.end)
    pair = socket.socket(fileno=terms.socket)
    await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=pair)
    line.flush()  # an empty batch says that it is ready
    await asyncio.Event().wait()


async def carry(egress: Egress, number: int, request: Request, say: Callable[[object], None]) -> None:
    """One request, and a receipt whatever happens, or its sender would wait."""
    answer = Answer(outcome="abandoned")
    try:
        answer = await egress.post(request)
    except Exception:
        log.exception("a request could not be sent")
    finally:
        say((number, answer))
