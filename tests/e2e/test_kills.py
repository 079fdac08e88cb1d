"""kill -9 at any instant: nothing acknowledged is lost, nothing is sent that is not on record (R1, R2)."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from service.reminders import identity, offsets
from service.store.engine import Store
from service.store.reminder_tables import attempt, delivery
from tests.carrying import children, dialled
from tests.receiver import Receiver, Reply
from tests.reminding import a_webhook, add
from tests.victims import RULES, TEMPO, orderly, victim

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.victims"])


@dataclass
class Victims:
    """As many processes as there should be, replaced when they are killed."""

    url: str
    folder: Path

    def start(self, *, writes: bool = True, target=victim) -> multiprocessing.Process:
        ready = self.folder / f"ready-{random.getrandbits(32)}"
        process = CONTEXT.Process(
            target=target,
            args=(self.url, self.folder / "book", ready),
            kwargs={"writes": writes},
            daemon=True,
        )
        process.start()
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.005)
        return process


def kill(process: multiprocessing.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def stop_for(process: multiprocessing.Process, seconds: float) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)


def sqlite_campaign(victims: Victims, kills: int) -> None:
    for _ in range(kills):
        process = victims.start()
        time.sleep(random.uniform(0.2, 0.9))
        assert process.is_alive(), "it died by itself"
        kill(process)


def postgresql_campaign(victims: Victims, kills: int) -> None:
    """Two at work; now and then one sleeps for longer than its lease and wakes to find its work taken."""
    pair = [victims.start(), victims.start()]
    for n in range(kills):
        time.sleep(random.uniform(0.1, 0.6))
        which = random.randrange(2)
        if n % 10 == 5:
            stop_for(pair[which], TEMPO.lease.total_seconds() * 1.3)
            time.sleep(0.3)
        kill(pair[which])
        pair[which] = victims.start()
    for process in pair:
        kill(process)


def carrier_campaign(victims: Victims, kills: int) -> None:
    """The process that sends is killed while it is at it; the one that keeps the books lives."""
    process = victims.start()
    killed: set[int] = set()
    while len(killed) < kills:
        deadline = time.monotonic() + 60
        while not (busy := [pid for pid in children(process.pid) - killed if dialled(pid)]):
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        os.kill(busy[0], signal.SIGKILL)
        killed.add(busy[0])
    kill(process)


def orderly_campaign(victims: Victims, stops: int) -> None:
    """Told to stop, ten times: each finishes what it has begun."""
    for _ in range(stops):
        process = victims.start(target=orderly)
        time.sleep(random.uniform(0.4, 1.0))
        os.kill(process.pid, signal.SIGTERM)
        process.join(25)
        assert process.exitcode == 0


def drained(store: Store) -> bool:
    unsent = select(delivery.c.id).where(delivery.c.state.in_(("pending", "leased"))).limit(1)
    return store.read(lambda c: c.execute(unsent).one_or_none()) is None


def finish(victims: Victims, url: str) -> None:
    """Nothing more is written; what is left is delivered: two minutes at most until the last is due."""
    process = victims.start(writes=False)
    store = Store.open(url, migrate=False, exclusive=False)
    try:
        deadline = time.monotonic() + 240
        starts = (datetime.fromisoformat(f"{line.split()[1]}:00+00:00") for line in book(victims))
        last = max(starts) - timedelta(seconds=min(offsets.parse(rule.before).seconds for rule in RULES))
        while not (drained(store) and datetime.now(UTC) > last):
            assert time.monotonic() < deadline, "not drained"
            assert process.is_alive(), "it died by itself"
            time.sleep(0.1)
        time.sleep(0.3)
    finally:
        kill(process)
        store.close()


def book(victims: Victims) -> list[str]:
    return (victims.folder / "book").read_text().splitlines()


def expected(victims: Victims) -> set[str]:
    """What must have arrived, from the acknowledgements alone."""
    ids = set()
    for line in book(victims):
        event, start, written = line.split()
        begins = datetime.fromisoformat(f"{start}:00+00:00")
        for n, rule in enumerate(RULES):
            ids.add(identity.notice(f"whk_{n}", event, revision=1))
            offset = offsets.parse(rule.before)
            if begins.timestamp() - offset.seconds > datetime.fromisoformat(written).timestamp():
                ids.add(identity.reminder(f"whk_{n}", event, anchor="start", anchor_at=begins, offset=offset))
    return ids


def judge(
    victims: Victims, receiver: Receiver, succeeded: set[int], *, kills: int, most: int = TEMPO.concurrency
) -> None:
    store = Store.open(victims.url, migrate=False, exclusive=False)
    rows = store.read(lambda c: c.execute(select(attempt)).all())
    found = store.read(lambda c: {row.id: row for row in c.execute(select(delivery))})
    states = {key: row.state for key, row in found.items()}
    events = set(store.read(lambda c: c.execute(text("select id from event")).scalars().all()))
    sound = store.dialect == "postgresql" or store.read(
        lambda c: c.execute(text("pragma integrity_check")).scalar_one() == "ok"
    )
    store.close()
    assert sound
    acknowledged = {line.split()[0] for line in book(victims)}
    assert acknowledged - events == set()

    good = [request for n, request in enumerate(receiver.requests) if n in succeeded]
    wanted = expected(victims)
    lost = wanted - {request.id for request in good}
    assert [story(found.get(key), rows) for key in lost] == []
    assert {states[key] for key in wanted} == {"succeeded"}

    bodies = defaultdict(set)
    for request in receiver.requests:
        bodies[request.id].add(request.sha256)
    assert [key for key, hashes in bodies.items() if len(hashes) > 1] == []
    repeats = sum(count - 1 for count in Counter(request.id for request in good).values())
    assert repeats <= kills * most

    seen = Counter(request.id for request in receiver.requests)
    begun, answered = (
        Counter(row.delivery_id for row in rows),
        Counter(row.delivery_id for row in rows if row.status is not None),
    )
    assert [key for key in seen if not answered[key] <= seen[key] <= begun[key]] == []
    assert [key for key in answered if key not in seen] == []
    assert sent_after_success(rows) == []
    print(
        f"{kills} kills: {len(acknowledged)} events acknowledged, {len(wanted)} deliveries expected, 0 lost, "
        f"{len(receiver.requests)} requests, {repeats} repeated after a success "
        f"{sum(row.outcome == 'abandoned' for row in rows)} abandoned, "
        f"{sum(row.outcome == 'stale' for row in rows)} stale"
    )


def story(row, attempts) -> str:
    """What became of a delivery that did not arrive."""
    if row is None:
        return "never planned"
    own = [a for a in attempts if a.delivery_id == row.id]
    told = " ".join(f"{a.fence}:{a.outcome}@{a.started_at - row.due_at}" for a in own)
    useful = row.valid_until - row.due_at
    return f"{row.type} {row.before} {row.state} {row.reason} useful {useful} tries {row.tries}: {told}"


def sent_after_success(rows) -> list[str]:
    """Attempts that began after a success of the same delivery was on record."""
    ends = {}
    for row in rows:
        if row.outcome == "2xx":
            ends[row.delivery_id] = min(row.finished_at, ends.get(row.delivery_id, row.finished_at))
    # A second covers the group commit: a success is on record a moment after it came.
    return [r.delivery_id for r in rows if r.started_at > ends.get(r.delivery_id, r.started_at) + 1000]


def campaign(url: str, folder: Path, run, *, kills: int, most: int = TEMPO.concurrency) -> None:
    succeeded: set[int] = set()

    def decide(request):
        number = len(receiver.requests)
        if number % 10 == 9:
            return Reply(status=503, delay=0.02)
        succeeded.add(number)
        return Reply(delay=0.02)

    with Receiver() as receiver:
        receiver.reply_by(decide)
        store = Store.open(url)
        for n, rule in enumerate(RULES):
            now = datetime.now(UTC)
            hook = a_webhook(receiver.url, key=f"whk_{n}", changes=("created",), reminders=(rule,), since=now)
            add(store, hook, now=now)
        store.close()
        victims = Victims(url, folder)
        run(victims, kills)
        finish(victims, url)
        judge(victims, receiver, succeeded, kills=kills, most=most)


@pytest.mark.campaign
def test_ten_orderly_stops_lose_and_repeat_nothing(store_url, tmp_path):
    campaign(store_url, tmp_path, orderly_campaign, kills=10, most=0)


@pytest.mark.campaign
def test_sixty_kills_on_sqlite_lose_nothing(sqlite_url, tmp_path):
    campaign(sqlite_url, tmp_path, sqlite_campaign, kills=int(os.environ.get("KILLS", "60")))


@pytest.mark.campaign
def test_sixty_kills_of_two_workers_on_postgresql_lose_nothing(pg_url, tmp_path):
    campaign(pg_url, tmp_path, postgresql_campaign, kills=int(os.environ.get("KILLS", "60")))


@pytest.mark.campaign
def test_killing_the_process_that_sends_loses_nothing(store_url, tmp_path):
    campaign(store_url, tmp_path, carrier_campaign, kills=int(os.environ.get("KILLS", "20")))
