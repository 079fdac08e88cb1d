"""P10: whatever a receiver does, an attempt is bounded in time, in bytes and in memory."""

import asyncio
import time
from ipaddress import ip_network

import psutil
import pytest

from service.egress.client import BODY_LIMIT, Egress, Request
from service.egress.policy import Policy
from tests.hostile import EXPECTED, endless_body, endless_early_hints
from tests.receiver import Receiver, Reply

DEADLINE = 0.6
MEMORY = 8 * 1024 * 1024
LOOPBACK = Policy(allow=(ip_network("127.0.0.0/8"),))


class Peak:
    """The largest growth of this process's memory, sampled while something runs."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.bytes = 0

    async def watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)
            await asyncio.sleep(0.02)


async def attempts(url: str, count: int) -> tuple[list[object], Peak]:
    egress = Egress(LOOPBACK, deadline=DEADLINE)
    await egress.post(Request(url=url, headers={}, body=b"{}"))  # the first one pays for imports and pools
    peak = Peak()
    watching = asyncio.create_task(peak.watch())
    answers = [await egress.post(Request(url=url, headers={}, body=b"{}")) for _ in range(count)]
    watching.cancel()
    await egress.aclose()
    return answers, peak


@pytest.mark.parametrize("behaviour", EXPECTED, ids=lambda raw: raw.__name__)
def test_a_hostile_receiver_is_bounded(behaviour):
    with Receiver() as receiver:
        receiver.reply_with(Reply(), Reply(raw=behaviour))
        started = time.monotonic()
        [answer], peak = asyncio.run(attempts(receiver.url, 1))
        took = time.monotonic() - started
        requests = len(receiver.requests)
    assert answer.outcome == EXPECTED[behaviour]
    assert took <= DEADLINE + 1
    assert answer.bytes <= BODY_LIMIT
    assert peak.bytes <= MEMORY
    assert requests == 2


@pytest.mark.parametrize("behaviour", [endless_body, endless_early_hints], ids=lambda raw: raw.__name__)
def test_a_flood_does_not_hold_up_healthy_receivers(behaviour):
    """The slowest two of a hundred answers, beside the same without a flood."""

    async def run(bad: str, good: str) -> tuple[int, int]:
        egress = Egress(LOOPBACK, deadline=DEADLINE)

        async def post(url: str) -> int:
            return (await egress.post(Request(url=url, headers={}, body=b"{}"))).milliseconds

        async def slowest() -> int:
            return sorted([await post(good) for _ in range(100)])[-2]

        await post(good)
        before = await slowest()
        flood = [asyncio.create_task(post(bad)) for _ in range(4)]
        during = await slowest()
        await asyncio.gather(*flood)
        await egress.aclose()
        return before, during

    with Receiver() as bad, Receiver() as good:
        bad.reply_with(Reply(raw=behaviour))
        before, during = asyncio.run(run(bad.url, good.url))
    assert during <= before + 250


def test_a_receiver_that_never_answers_tls_is_cut_off():
    with Receiver() as receiver:
        [answer], _ = asyncio.run(attempts(receiver.url.replace("http:", "https:"), 1))
    assert (answer.outcome, answer.milliseconds <= 1000 * DEADLINE + 250) == ("timeout", True)
