"""What may kill its worker: sent alone, one at a time over all workers, harmless to everybody else."""

import asyncio
import os
import signal
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from service.clock import SystemClock
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.store import deliveries
from service.store.claims import QUARANTINE
from service.store.engine import Store
from service.store.results import POISON
from service.store.tables import attempt, delivery
from service.store.timestamps import millis
from tests.killing import Campaign
from tests.receiver import Receiver, Reply
from tests.reminding import LOOPBACK, MASTERS, TLS, a_webhook, add, fill, message
from tests.victims import TEMPO

# Between two deaths others are sent; in truth that is 2^k seconds and more than these.
FLOWING = 1.5
HEALTHY = 60
SUSPECTS = 3


def suspect(store, count):
    """Messages that have cost five workers their life."""
    fill(store, "whk_x", count, now=datetime.now(UTC))
    its = delivery.c.webhook_id == "whk_x"
    store.write(lambda c: c.execute(update(delivery).where(its).values(abandons=QUARANTINE)))


def spans(store, webhook):
    """(worker, begin, end) of every attempt for this webhook, in order."""
    its = select(attempt.c.worker, attempt.c.started_at, attempt.c.finished_at).join(
        delivery, delivery.c.id == attempt.c.delivery_id
    )
    rows = store.read(lambda c: c.execute(its.where(delivery.c.webhook_id == webhook)).all())
    return sorted(((row.worker, row.started_at, row.finished_at) for row in rows), key=lambda row: row[1])


async def two_workers(store, receiver, *, count):
    """Until all has arrived."""
    egress = Egress(LOOPBACK, deadline=2, tls=TLS)
    make = lambda: Worker(store, egress, clock=SystemClock(), masters=MASTERS, limits=TEMPO)  # noqa: E731
    workers = [make(), make()] if store.dialect == "postgresql" else [make()]
    for worker in workers:
        await worker.start()
    await asyncio.to_thread(receiver.wait_for, count, 60)
    for worker in workers:
        await worker.drain()
    await egress.aclose()


def test_suspects_are_sent_one_at_a_time_and_with_nothing_beside_them(store, receiver):
    receiver.reply_with(Reply(delay=0.05))
    for key in ("whk_1", "whk_2", "whk_x"):
        add(store, a_webhook(receiver.url, key=key))
    fill(store, "whk_1", HEALTHY, now=datetime.now(UTC))
    fill(store, "whk_2", HEALTHY, now=datetime.now(UTC))
    suspect(store, SUSPECTS)
    asyncio.run(two_workers(store, receiver, count=2 * HEALTHY + SUSPECTS))
    risky = spans(store, "whk_x")
    assert len(risky) == SUSPECTS
    assert [b for a, b in pairwise(risky) if b[1] < a[2]] == []
    healthy = spans(store, "whk_1") + spans(store, "whk_2")
    beside = [
        one
        for one in healthy
        for other in risky
        if one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
    ]
    assert beside == []


class Poison:
    """A receiver that has its sender killed each time it sees a certain message."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.process = None
        self.killed = threading.Event()

    def decide(self, request):
        if request.id != "dlv_poison":
            return Reply()
        self.seen.append(time.time())
        os.kill(self.process.pid, signal.SIGKILL)
        self.killed.set()
        return Reply()


@pytest.mark.campaign
@pytest.mark.timed
def test_a_message_that_kills_its_worker_each_time_holds_up_and_takes_down_nobody_else(store_url, tmp_path):
    victims, poison = Campaign(store_url, tmp_path), Poison()
    store = Store.open(store_url, migrate=False, exclusive=False)
    over = threading.Event()

    def keep_writing():
        n = 0
        while not over.is_set():
            now = datetime.now(UTC)
            one = message(f"dlv_{millis(now)}_{n}", f"whk_{n % 3}", now)
            store.write(lambda c, one=one, now=now: deliveries.insert(c, [one], now=now, body=b"{}"))
            n += 1
            time.sleep(0.05)

    with Receiver() as receiver:
        receiver.reply_by(poison.decide)
        for key in ("whk_0", "whk_1", "whk_2", "whk_x"):
            add(store, a_webhook(receiver.url, key=key))
        now = datetime.now(UTC)
        bad = message("dlv_poison", "whk_x", now)
        store.write(lambda c: deliveries.insert(c, [bad], now=now, body=b"{}"))
        writing = threading.Thread(target=keep_writing)
        writing.start()
        try:
            for _ in range(POISON):
                poison.process = victims.victim(writes=False)
                time.sleep(FLOWING)
                at_once(store, poison)
                poison.process.join()
                poison.killed.clear()
            poison.process = victims.victim(writes=False)
            wait(lambda: outcome(store)[0] == "dead")
            time.sleep(3)
            over.set()
            writing.join()
            wait(lambda: unsent(store) == 0)
        finally:
            over.set()
            poison.process.kill()
    assert outcome(store) == ("dead", "poison", ["abandoned"] * POISON)
    judge(store, receiver, poison)
    store.close()


def at_once(store, poison):
    """It would wait for up to a quarter of an hour; the test does not."""
    its = (delivery.c.id == "dlv_poison") & (delivery.c.state == "pending")
    deadline = time.monotonic() + 60
    while not poison.killed.wait(0.1):
        assert time.monotonic() < deadline
        now = millis(datetime.now(UTC))
        store.write(lambda c, now=now: c.execute(update(delivery).where(its).values(next_at=now)))


def outcome(store):
    found, attempts = store.read(lambda c: deliveries.get(c, "dlv_poison", owner=None))
    return found.state, found.reason, [each.outcome for each in attempts]


def unsent(store):
    query = select(delivery.c.id).where(delivery.c.state.in_(("pending", "leased")))
    return len(store.read(lambda c: c.execute(query).all()))


def wait(holds, patience=60):
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def judge(store, receiver, poison):
    rows = store.read(lambda c: c.execute(select(delivery)).all())
    healthy = {row.id: row.due_at / 1000 for row in rows if row.id != "dlv_poison"}
    assert {row.state for row in rows if row.id in healthy} == {"succeeded"}
    first = {}
    for request in receiver.requests:
        first.setdefault(request.id, request.at)
    begun = poison.seen[QUARANTINE]  # from the first time on that it was sent alone
    late = sorted(first[key] - due for key, due in healthy.items() if due > begun)
    lost = store.read(lambda c: c.execute(select(attempt).where(attempt.c.outcome == "abandoned")).all())
    along = [row for row in lost if row.delivery_id in healthy]
    after = [row for row in along if row.started_at / 1000 > begun]
    print(
        f"{len(poison.seen)} kills, {len(healthy)} others, {len(late)} of them since it is sent alone: "
        f"at most {late[-1]:.2f} s late; {len(along)} taken along before it, {len(after)} since"
    )
    assert after == []
    assert len(late) > 20
    assert late[-1] <= 3
