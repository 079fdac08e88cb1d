"""Decides whether reminders go out: what is behind, who sends, and whether the database takes writes."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from service.bootstrap import Service
from service.delivery import planner
from service.delivery.dispatcher import FORGET_AFTER, QUICK_SECONDS
from service.errors import Problem
from service.logs import Recurring
from service.store import backlog
from service.store.backlog import Queue

MOST_BEHIND = timedelta(seconds=30)
PATIENCE_SECONDS = 3
# A webhook that has had nothing for so long is not waiting for its receiver.
UNSERVED = timedelta(seconds=60)
# A sender that starts has so long until it works; one that dies so often in a row does not.
START_SECONDS, DEATHS = 15.0, 3

log = logging.getLogger(__name__)


class Sender(Protocol):
    @property
    def trouble(self) -> str | None:
        """Says why nobody sends, if that is so."""
        ...


class Readiness:
    """Whether this service does its work. `sender` is the process it sends by, if it has one."""

    def __init__(self, service: Service, *, sender: Sender | None = None) -> None:
        self._service, self._sender = service, sender
        self._recurring, self._was_ready, self._commits = Recurring(log), True, -1

    async def reasons(self) -> tuple[str, ...]:
        """Returns why it does not; empty while it does. TimeoutError of a database that says nothing."""
        store, clock = self._service.store, self._service.clock
        now, doubted = clock.now(), clock.jump is not None
        found = [self._sender.trouble if self._sender else None, store.refusal or None]

        def work(c: Connection) -> str | None:
            store.verify(c)
            # By a clock that is not believed nobody knows what is behind.
            return None if doubted else _behind(c, now)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found.append(await store.aread(work))
        except Problem as problem:
            found.append(problem.detail)
        return tuple(dict.fromkeys(each for each in found if each))

    async def look(self) -> None:
        """Tries whether anything can be written, where nothing was lately, and logs what is wrong."""
        store = self._service.store
        if store.commits == self._commits or store.refusal:
            with suppress(Problem):
                await asyncio.to_thread(store.probe)
        self._commits = store.commits
        try:
            reasons = await self.reasons()
        except TimeoutError:
            reasons = (f"The store has not answered for {PATIENCE_SECONDS} s.",)
        if reasons:
            self._recurring.tell("not ready: %s", " ".join(reasons))
        elif not self._was_ready:
            log.info("ready again")
        self._was_ready = not reasons


def sender_trouble(*, absent: float | None, silent: float, deaths: int, how: str) -> str | None:
    """Judges the sending process: `absent` for so many seconds, `silent` for so many while it is there.

    `deaths` in a row, since one has worked for long, and `how` the last one ended.
    """
    if deaths >= DEATHS:
        return f"The sending process has ended {deaths} times in a row ({how})."
    if absent is not None and absent > START_SECONDS:
        return f"The sending process has not worked for {absent:.0f} s{f' ({how})' if how else ''}."
    if silent > START_SECONDS:
        return f"The sending process has said nothing for {silent:.0f} s."
    return None


def waits_for_us(queue: Queue, *, now: datetime) -> bool:
    """Whether the delay of a queue is ours: its receiver is not slow, and limits neither us nor itself.

    Whatever the receiver is, one that has had nothing for a minute is not the reason.
    """
    if queue.puts_off:
        return False
    lately = [each for each in queue.attempts if now - (each.finished_at or now) < UNSERVED]
    if not lately:
        return True
    slow = any(each.seconds >= QUICK_SECONDS for each in lately)
    limits = any(
        each.status in (429, 503) and now - each.started_at < FORGET_AFTER for each in queue.attempts
    )
    return not (slow or limits or queue.webhook.pace is not None)


def late_since(queues: Iterable[Queue], *, now: datetime) -> datetime | None:
    return next((queue.since for queue in queues if waits_for_us(queue, now=now)), None)


def _behind(c: Connection, now: datetime) -> str | None:
    planning = planner.lag(c, now=now)
    if planning > MOST_BEHIND:
        return f"Reminders are planned {int(planning.total_seconds())} s behind."
    waiting = late_since(backlog.queues(c, now=now, slack=MOST_BEHIND), now=now)
    since = min(
        (at for at in (waiting, backlog.unrecovered(c, now=now, slack=MOST_BEHIND)) if at), default=now
    )
    late = int((now - since).total_seconds())
    return f"Reminders to receivers that answer are sent {late} s behind." if since < now else None
