"""APScheduler in `benchmarks.webhooks`: one job a reminder, in its SQLAlchemy store, as its guide suggests.

Its executor begins all that is due at once, so the job itself takes turns, 64 at a time, and itself notes its
result: APScheduler keeps none. Jobs of the distant future are copies of one that was added, written at once:
adding them one by one takes most of an hour.
"""

import asyncio
import pickle
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from benchmarks.webhooks_contenders import Task, post, results_book, say, wait_for_start

# What jobs share. They name their function in the database, so it is found here, not handed over.
SHARED: dict[str, Any] = {}
AT_ONCE = 64
PATIENCE = 900


def run(task: Task) -> None:
    asyncio.run(_run(task))


async def _run(task: Task) -> None:
    store = SQLAlchemyJobStore(url=f"sqlite:///{task.folder}/jobs.db")
    scheduler = AsyncIOScheduler(jobstores={"default": store}, job_defaults={"misfire_grace_time": None})
    done, ended = [0], asyncio.Event()

    def count(_: object) -> None:
        done[0] += 1
        if done[0] == task.count:
            ended.set()

    scheduler.add_listener(count, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    scheduler.start(paused=True)
    add_future(scheduler, store, task.future)
    adding = time.time()
    due = datetime.now(UTC) + timedelta(seconds=1)
    for n in range(task.count):
        scheduler.add_job("benchmarks.webhooks_apscheduler:send", "date", run_date=due, args=[n])
    say(planning=time.time() - adding)
    async with httpx.AsyncClient(trust_env=False) as client:
        SHARED.update(client=client, task=task, turns=asyncio.Semaphore(AT_ONCE), book=results_book(task))
        wait_for_start()
        began, cpu = time.time(), time.process_time()
        scheduler.resume()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        say(began=max(began, due.timestamp()), cpu=time.process_time() - cpu)
        scheduler.shutdown(wait=False)


async def send(n: int) -> None:
    async with SHARED["turns"]:
        status = await post(SHARED["client"], SHARED["task"], n)
    book: sqlite3.Connection = SHARED["book"]
    book.execute("INSERT INTO result VALUES (?, ?)", (f"m{n}", status))


def add_future(scheduler: AsyncIOScheduler, store: SQLAlchemyJobStore, many: int) -> None:
    """As many jobs a second apart, the first in a year."""
    if not many:
        return
    far = datetime.now(UTC) + timedelta(days=365)
    first = scheduler.add_job("benchmarks.webhooks_apscheduler:send", "date", run_date=far, args=[0], id="f0")
    state = first.__getstate__()
    for start in range(1, many, 10_000):
        rows = [
            {
                "id": f"f{n}",
                "next_run_time": far.timestamp() + n,
                "job_state": pickle.dumps(state | {"id": f"f{n}"}, pickle.HIGHEST_PROTOCOL),
            }
            for n in range(start, min(start + 10_000, many))
        ]
        with store.engine.begin() as connection:
            connection.execute(store.jobs_t.insert(), rows)
