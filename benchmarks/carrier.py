"""What a request costs the process that hands it over, and what it costs the child: CPU, without a database.

    python -m benchmarks.carrier

Beside it the same requests sent by the process itself, as without a child. Rounds take turns.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime
from ipaddress import ip_network

import uvloop
from service.carrier.carrier import Carrier
from service.outward import Outward

from benchmarks.processes import cpu_seconds
from benchmarks.webhooks import Process
from benchmarks.webhooks_contenders import BODY, KEY
from service.egress.client import Egress, Request
from service.egress.policy import Policy
from service.reminders import signing

DESTINATIONS, IN_FLIGHT = 100, 64


async def main(port: int, *, count: int, rounds: int) -> None:
    own: list[float] = []
    handed: list[float] = []
    carried: list[float] = []
    for _ in range(rounds):
        egress = Egress(Policy(allow=(ip_network("127.0.0.0/8"),)), deadline=15)
        own.append(await spent(egress, port, count=count))
        carrier = Carrier(egress)
        await carrier.ready()
        assert carrier.child is not None
        before = cpu_seconds(carrier.child)[0]
        handed.append(await spent(carrier, port, count=count))
        carried.append((cpu_seconds(carrier.child)[0] - before) / count * 1e6)
        await carrier.aclose()
    print(
        f"CPU µs a request, median of {rounds} rounds of {count:,}: by itself {statistics.median(own):.0f}; "
        f"handed over {statistics.median(handed):.0f}, and in the child {statistics.median(carried):.0f}"
    )


async def spent(outward: Outward, port: int, *, count: int) -> float:
    """CPU microseconds of this process a request."""
    numbers = iter(range(count))

    async def work() -> None:
        for n in numbers:
            headers = signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))
            url = f"http://127.1.0.{1 + n % DESTINATIONS}:{port}/"
            answer = await outward.post(Request(url=url, headers=headers, body=BODY))
            assert answer.succeeded, answer

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - before) / count * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    sink = Process("benchmarks.webhooks_sink")
    uvloop.run(main(int(sink.hear()), count=asked.count, rounds=asked.rounds))
    sink.stop()
