"""A message that kills its worker each time is given up in the end, and nothing else is lost by it."""

import os
import signal
import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from service.store import deliveries
from service.store.engine import Store
from service.store.results import POISON
from service.store.sql import millis
from service.store.tables import delivery
from tests.killing import Campaign
from tests.receiver import Receiver, Reply
from tests.reminding import a_webhook, add, message

# Between two deaths others are sent; in truth that is 2^k seconds and more than these.
FLOWING = 1.5


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
def test_a_message_that_kills_its_worker_each_time_ends_and_takes_nothing_else_with_it(store_url, tmp_path):
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
    seen = {request.id for request in receiver.requests}
    assert set(healthy) - seen == set()
    print(f"{len(poison.seen)} kills, {len(healthy)} others, all of which arrived")
