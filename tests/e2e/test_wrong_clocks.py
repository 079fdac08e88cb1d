"""Two senders on one PostgreSQL, their machines' clocks five minutes apart from the truth, one either way.

By those clocks every lease of the one would long be over for the other, and every reminder early or late.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from service.reminders.rules import Rule
from service.store.engine import Store
from service.store.reminder_tables import attempt, delivery
from tests.receiver import Receiver, Reply
from tests.reminding import MASTER, a_webhook, add, an_event, put

# The wrapper of the same name would stand between us and the process.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOOKS = 12


@pytest.fixture
def wrong_sender(pg_url, tmp_path):
    """`dday deliver` on a machine whose clock is off by so much."""
    started = []

    def start(off):
        log = tmp_path / f"log{off}"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DDAY_")}
        ours = {
            "DDAY_DATABASE_URL": pg_url,
            "DDAY_SECRET_KEY": MASTER.hex(),
            "DDAY_EGRESS_ALLOW": "127.0.0.0/8",
            "DDAY_ATTEMPT_TIMEOUT": "4s",
            "DDAY_LEASE": "14s",
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME": off,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        command = [sys.executable, "-m", "service", "deliver"]
        with log.open("wb") as stderr:
            started.append(subprocess.Popen(command, env=clean | ours, stderr=stderr))
        deadline = time.monotonic() + 90
        while "delivers reminders" not in log.read_text():
            assert started[-1].poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


@pytest.mark.campaign
@pytest.mark.skipif(not LIBRARIES, reason="faketime is not installed")
def test_no_lease_is_taken_early_and_nothing_is_sent_at_another_time(pg_url, wrong_sender):
    wrong_sender("+5m")
    wrong_sender("-5m")
    store = Store.open(pg_url)
    now = datetime.now(UTC)
    start = (now + timedelta(minutes=5)).replace(second=0, microsecond=0)
    ahead = [round((start - now).total_seconds()) - 15 - n for n in range(HOOKS)]
    with Receiver() as receiver:
        # An answer takes its time, so that there are always leases to be taken.
        receiver.reply_with(Reply(delay=2.5))
        for n, seconds in enumerate(ahead):
            rule = Rule(anchor="start", before=f"PT{seconds}S")
            add(store, a_webhook(receiver.url, key=f"whk_{n}", reminders=(rule,), since=now), now=now)
        put(store, an_event("talk", start), now=now)
        requests = receiver.wait_for(HOOKS, 90)
    rows = store.read(lambda c: c.execute(select(attempt)).all())
    due = {row.id: row.due_at / 1000 for row in store.read(lambda c: c.execute(select(delivery)).all())}
    store.close()
    late = sorted(request.at - due[request.id] for request in requests)
    begun = {row.delivery_id: row.started_at / 1000 for row in rows}
    off = sorted(request.at - begun[request.id] for request in requests)
    workers = {row.worker for row in rows}
    print(
        f"{len(requests)} requests of {len(workers)} workers, {late[0]:.3f} to {late[-1]:.3f} s late, "
        f"by their clocks sent {off[0]:.3f} to {off[-1]:.3f} s before they came"
    )
    assert len(rows) == len({request.id for request in requests}) == HOOKS
    assert all(row.outcome in ("2xx", None) for row in rows)
    assert late[0] > -0.1
    assert -0.1 < off[0] < off[-1] < 1
    # A busy machine is late by itself; a wrong clock would be by minutes.
    assert late[-1] < 3
