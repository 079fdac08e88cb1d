"""One contender of `benchmarks.webhooks` in a process of its own: reads its task from stdin as JSON.

Each sends `count` signed messages of the same size to the sink, spread over its destinations, all due at one
instant, and records the result of each in its database. It prints when it began and what CPU it used.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import aiohttp
import httpx
import msgspec
import uvloop
from httpx_aiohttp import AiohttpTransport

from service.egress.client import Egress, Request
from service.egress.policy import Policy
from service.reminders import signing

BODY = b'{"type":"event.reminder","data":"' + b"x" * 560 + b'"}'
KEY = signing.SigningKey(version="v1", key=bytes(32))


class Task(msgspec.Struct, frozen=True, kw_only=True):
    contender: str
    url: str
    port: int
    count: int
    destinations: int
    future: int = 0
    folder: str = ""
    # Dday: the requests leave from a child, as they do in the product.
    carried: bool = False
    # Seconds between two of its transactions, where not its own.
    group: float | None = None

    def target(self, n: int) -> str:
        # 127.x.y.z: as many hosts as there are destinations, each with connections of its own.
        n %= self.destinations
        return f"http://127.{1 + n // 62_500}.{n // 250 % 250}.{1 + n % 250}:{self.port}/"


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def wait_for_start() -> None:
    """Everything is ready; the clock of the measurement starts with the parent's word."""
    say(ready=True)
    sys.stdin.readline()


# Dday


def dday(task: Task) -> None:
    from benchmarks.webhooks_dday import run

    run(task)


# What sending alone costs: no schedule, no database, bodies ready and signed one by one. As many in flight as
# the sender of Dday would have, four a destination and 64 in all.


def egress(task: Task) -> None:
    """Dday's guarded door, and nothing behind it: the bound of everything that sends through it."""
    uvloop.run(_egress(task))


async def _egress(task: Task) -> None:
    door = Egress(Policy(allow=(ip_network("127.0.0.0/8"),)), deadline=15)

    async def one(n: int) -> int | None:
        headers = signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))
        return (await door.post(Request(url=task.target(n), headers=headers, body=BODY))).status

    await _alone(task, one)
    await door.aclose()


def transport(task: Task) -> None:
    """The library below the door: httpx_aiohttp as it comes, without gates, deadline or limits."""
    uvloop.run(_transport(task))


async def _transport(task: Task) -> None:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    async with AiohttpTransport(client=session, trust_env=False) as bare:

        async def one(n: int) -> int | None:
            headers = signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))
            request = httpx.Request("POST", task.target(n), headers=headers, content=BODY)
            response = await bare.handle_async_request(request)
            await response.aread()
            return response.status_code

        await _alone(task, one)


async def _alone(task: Task, one: Callable[[int], Awaitable[int | None]]) -> None:
    numbers = iter(range(task.count))

    async def work() -> None:
        for n in numbers:
            if (status := await one(n)) != 200:
                raise RuntimeError(f"the sink answered {status}")

    wait_for_start()
    began, cpu = time.time(), time.process_time()
    await asyncio.gather(*(work() for _ in range(min(64, 4 * task.destinations))))
    say(began=began, cpu=time.process_time() - cpu)


# Plain httpx: no schedule, no claims; one row a result.


def httpx_loop(task: Task) -> None:
    asyncio.run(_httpx_loop(task))


async def _httpx_loop(task: Task) -> None:
    book = results_book(task)
    slots = asyncio.Semaphore(64)
    async with httpx.AsyncClient(trust_env=False) as client:
        wait_for_start()
        began, cpu = time.time(), time.process_time()

        async def one(n: int) -> None:
            async with slots:
                status = await post(client, task, n)
                book.execute("INSERT INTO result VALUES (?, ?)", (f"m{n}", status))

        await asyncio.gather(*(one(n) for n in range(task.count)))
    say(began=began, cpu=time.process_time() - cpu)


def results_book(task: Task) -> sqlite3.Connection:
    """Where those that keep no results themselves write them down, one commit each."""
    book = sqlite3.connect(f"{task.folder}/results.db", isolation_level=None)
    book.execute("PRAGMA journal_mode=WAL")
    book.execute("PRAGMA synchronous=FULL")
    book.execute("CREATE TABLE result (id TEXT PRIMARY KEY, status INTEGER)")
    return book


async def post(client: httpx.AsyncClient, task: Task, n: int) -> int:
    headers = signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))
    return (await client.post(task.target(n), content=BODY, headers=headers)).status_code


# APScheduler: one job a reminder.


def apscheduler(task: Task) -> None:
    from benchmarks.webhooks_apscheduler import run

    run(task)


# procrastinate on PostgreSQL, 64 at once.


def procrastinate(task: Task) -> None:
    asyncio.run(_procrastinate(task))


async def _procrastinate(task: Task) -> None:
    import procrastinate as lib

    app = lib.App(connector=lib.PsycopgConnector(conninfo=task.url))
    async with app.open_async(), httpx.AsyncClient(trust_env=False) as client:
        await app.schema_manager.apply_schema_async()

        @app.task(name="send")
        async def send(n: int) -> None:
            await post(client, task, n)

        far = datetime.now(UTC) + timedelta(days=300)
        for start in range(0, task.future, 5000):
            later = app.tasks["send"].configure(schedule_at=far)
            await later.batch_defer_async(*({"n": n} for n in range(start, start + 5000)))
        adding = time.time()
        for start in range(0, task.count, 1000):
            end = min(start + 1000, task.count)
            await app.tasks["send"].batch_defer_async(*({"n": n} for n in range(start, end)))
        say(planning=time.time() - adding)
        wait_for_start()
        began, cpu = time.time(), time.process_time()
        await app.run_worker_async(concurrency=64, wait=False, install_signal_handlers=False)
        say(began=began, cpu=time.process_time() - cpu)


# Celery with Redis, 64 threads.


def celery(task: Task) -> None:
    from benchmarks.webhooks_celery import run

    run(task)


CONTENDERS = {
    "dday": dday,
    "egress": egress,
    "transport": transport,
    "httpx": httpx_loop,
    "apscheduler": apscheduler,
    "procrastinate": procrastinate,
    "celery": celery,
}

if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.readline(), type=Task)
    CONTENDERS[asked.contender](asked)
