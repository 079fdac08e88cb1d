"""Kills of writing, planning and sending processes, and the judgement: what was lost, what was repeated.

`Campaign(url, folder).run(faults)` lets victims work, does to them what `faults` says, lets a last one
finish, and compares three books that know nothing of each other: what the database acknowledged, what the
receiver saw, and what the service has on record.
"""

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from service.reminders import delivery_id, offsets
from service.reminders.webhook import Rule
from service.store import revisions
from service.store.engine import Store
from service.store.tables import attempt, delivery
from tests.forked import CONTEXT
from tests.receiver import Receiver, Reply
from tests.reminding import a_webhook, add
from tests.victims import LIMITS, RULES, victim

UNSENT = select(delivery.c.id).where(delivery.c.state.in_(("pending", "leased"))).limit(1)
CUT = text(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = :d"
)


@dataclass
class Campaign:
    """Victims of one database. `start` is when all their events begin; without it some minutes ahead."""

    url: str
    folder: Path
    rules: tuple[Rule, ...] = RULES
    start: datetime | None = None
    seed: int = field(default_factory=lambda: int(os.environ.get("KILLS_SEED", time.time_ns() % 10**6)))
    most: int = LIMITS.concurrency

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.faults: Counter[str] = Counter()
        self._started: list[Any] = []

    def victim(self, *, writes: bool = True, target: Callable[..., None] = victim) -> Any:
        ready = self.folder / f"ready-{len(self._started)}"
        process = CONTEXT.Process(
            target=target,
            args=(self.url, self.folder / "book", ready),
            kwargs={"writes": writes, "start": self.start},
            daemon=True,
        )
        process.start()
        self._started.append(process)
        deadline = time.monotonic() + 90
        while not ready.exists():
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.005)
        return process

    def kill(self, process: Any) -> None:
        assert process.is_alive(), "it died by itself"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        self.faults["kills"] += 1

    def stop(self, process: Any, seconds: float) -> None:
        """Not killed, only not running for so long: it wakes believing that no time has passed."""
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGCONT)
        self.faults["stops"] += 1

    def cut(self) -> None:
        """Every connection to the database, whatever it is doing: of a commit nobody knows the outcome."""
        store = Store.open(self.url, migrate=False)
        database = self.url.rsplit("/", 1)[1].partition("?")[0]
        store.read(lambda c: c.execute(CUT, {"d": database}).all())
        store.close()
        self.faults["cuts"] += 1

    def run(self, faults: Callable[["Campaign"], None]) -> None:
        print(f"KILLS_SEED={self.seed}")
        succeeded: set[int] = set()

        def decide(request: Any) -> Reply:
            number = len(receiver.requests)
            if number % 10 == 9:
                return Reply(status=503, delay=0.02)
            succeeded.add(number)
            return Reply(delay=0.02)

        with Receiver() as receiver:
            receiver.reply_by(decide)
            self.subscribe(receiver.url)
            try:
                faults(self)
                self.finish()
            finally:
                for process in self._started:
                    process.kill()
            self.judge(receiver, succeeded)

    def subscribe(self, address: str) -> None:
        store = Store.open(self.url)
        for n, rule in enumerate(self.rules):
            now = datetime.now(UTC)
            hook = a_webhook(address, key=f"whk_{n}", changes=("created",), reminders=(rule,), since=now)
            add(store, hook, now=now)
        store.close()

    def finish(self) -> None:
        """Nothing more is written; what is left is planned and delivered."""
        process = self.victim(writes=False)
        store = Store.open(self.url, migrate=False, exclusive=False)
        try:
            deadline = time.monotonic() + 240
            while not self.drained(store):
                assert time.monotonic() < deadline, "not drained"
                assert process.is_alive(), "it died by itself"
                time.sleep(0.1)
            time.sleep(0.3)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            store.close()

    def drained(self, store: Store) -> bool:
        """Planned up to the last reminder, every change followed, and nothing left to send.

        Without the first two a planner that is a few seconds behind would look like one that has finished.
        """
        starts = (datetime.fromisoformat(f"{line.split()[1]}:00+00:00") for line in self.book())
        last = max(starts) - timedelta(seconds=min(offsets.parse(rule.before).seconds for rule in self.rules))

        def look(c: Any) -> bool:
            seen = revisions.planner_position(c)
            planned = seen.planned_until is not None and seen.planned_until >= last
            followed = seen.revision >= revisions.head(c)
            return planned and followed and c.execute(UNSENT).one_or_none() is None

        return datetime.now(UTC) > last and store.read(look)

    def book(self) -> list[str]:
        return (self.folder / "book").read_text().splitlines()

    def expected(self) -> set[str]:
        """What must have arrived, from the acknowledgements alone."""
        ids = set()
        for line in self.book():
            event, start, written = line.split()
            begins = datetime.fromisoformat(f"{start}:00+00:00")
            for n, rule in enumerate(self.rules):
                ids.add(delivery_id.notice(f"whk_{n}", event, revision=1))
                offset = offsets.parse(rule.before)
                if begins.timestamp() - offset.seconds > datetime.fromisoformat(written).timestamp():
                    ids.add(
                        delivery_id.reminder(
                            f"whk_{n}", event, anchor="start", anchor_at=begins, offset=offset
                        )
                    )
        return ids

    def judge(self, receiver: Receiver, succeeded: set[int]) -> None:
        store = Store.open(self.url, migrate=False, exclusive=False)
        rows = store.read(lambda c: c.execute(select(attempt)).all())
        found = store.read(lambda c: {row.id: row for row in c.execute(select(delivery))})
        events = set(store.read(lambda c: c.execute(text("select id from event")).scalars().all()))
        sound = store.dialect == "postgresql" or store.read(
            lambda c: c.execute(text("pragma integrity_check")).scalar_one() == "ok"
        )
        store.close()
        assert sound
        acknowledged = {line.split()[0] for line in self.book()}
        assert acknowledged - events == set()

        good = [request for n, request in enumerate(receiver.requests) if n in succeeded]
        wanted = self.expected()
        lost = wanted - {request.id for request in good}
        assert [story(found.get(key), rows) for key in lost] == []
        assert [story(found[key], rows) for key in wanted if found[key].state != "succeeded"] == []

        bodies = defaultdict(set)
        for request in receiver.requests:
            bodies[request.id].add(request.sha256)
        assert [key for key, hashes in bodies.items() if len(hashes) > 1] == []
        written = {(row.delivery_id, row.body_sha256) for row in rows}
        assert [key for key, hashes in bodies.items() if {(key, each) for each in hashes} - written] == []
        repeats = sum(count - 1 for count in Counter(request.id for request in good).values())
        assert repeats <= self.faults.total() * self.most

        seen = Counter(request.id for request in receiver.requests)
        begun = Counter(row.delivery_id for row in rows)
        answered = Counter(row.delivery_id for row in rows if row.status is not None)
        assert [key for key in seen if not answered[key] <= seen[key] <= begun[key]] == []
        assert [key for key in answered if key not in seen] == []
        assert sent_after_success(rows) == []
        print(
            f"{dict(self.faults)}: {len(acknowledged)} events acknowledged, {len(wanted)} deliveries "
            f"expected, 0 lost, {len(receiver.requests)} requests, {repeats} repeated after a success, "
            f"{sum(row.outcome == 'abandoned' for row in rows)} abandoned, "
            f"{sum(row.outcome == 'stale' for row in rows)} stale"
        )


def warm() -> None:
    """The first victim of a run waits for its imports; where seconds count they are made beforehand."""
    process = CONTEXT.Process(target=int)
    process.start()
    process.join()


def story(row: Any, attempts: Any) -> str:
    """What became of a delivery that did not arrive."""
    if row is None:
        return "never planned"
    own = [a for a in attempts if a.delivery_id == row.id]
    told = " ".join(f"{a.fence}:{a.outcome}@{a.started_at - row.due_at}" for a in own)
    useful = row.valid_until - row.due_at
    return f"{row.type} {row.before} {row.state} {row.reason} useful {useful} tries {row.tries}: {told}"


def sent_after_success(rows: Any) -> list[str]:
    """Attempts that began after a success of the same delivery was on record."""
    ends: dict[str, int] = {}
    for row in rows:
        if row.outcome == "2xx":
            ends[row.delivery_id] = min(row.finished_at, ends.get(row.delivery_id, row.finished_at))
    # A second covers the group commit: a success is on record a moment after it came.
    return [r.delivery_id for r in rows if r.started_at > ends.get(r.delivery_id, r.started_at) + 1000]
