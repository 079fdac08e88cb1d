"""Machines whose clocks are wrong, by libfaketime: two senders on one PostgreSQL, a service under a jump."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from service.reminders.webhook import Rule
from service.store.engine import Store
from service.store.tables import attempt, delivery
from tests.e2e.ports import free_port
from tests.e2e.served import Served
from tests.receiver import Receiver, Reply
from tests.reminding import MASTER, a_webhook, add, an_event, put

# The wrapper of the same name would stand between us and the process.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
# Only the wall clock is wrong. With the library's repair of waiting, which this C library does not need,
# threads wait seconds too long.
HONEST = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
HOOKS = 12
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not LIBRARIES, reason="faketime is not installed"),
]


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
            **HONEST,
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


def test_no_lease_is_taken_early_and_nothing_is_sent_at_another_time(pg_url, wrong_sender):
    """Five minutes off, one either way: by their own clocks every lease of the one is over for the other."""
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


def faked_wall(folder):
    """A file that says by how many seconds the wall clock is off, and the environment that makes it so."""
    wall = folder / "wall"
    wall.write_text("+0")
    return wall, {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(wall),
        "FAKETIME_NO_CACHE": "1",
        **HONEST,
    }


def put_right(service, wall):
    """The states of all deliveries once the clock is right again, and the log; the service is stopped."""
    wall.write_text("+0")
    until(service, "ok")
    time.sleep(2)
    states = [each["state"] for each in planned(service)]
    told = service.log.read_text()
    assert service.stop() == 0
    return states, told


@pytest.mark.parametrize("start", ["+34560000", "-3600"])
def test_a_start_under_a_wrong_clock_is_told_and_loses_nothing(tmp_path, start):
    wall, faked = faked_wall(tmp_path)
    with Receiver() as receiver:
        service = Served(tmp_path, free_port(), DDAY_SEEDS="none", **faked)
        try:
            service.wait()
            ask(service, receiver, minutes=5)
            deadline = time.monotonic() + 90
            while not (before := [each["state"] for each in planned(service)]):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert service.stop() == 0
            wall.write_text(start)
            service = Served(tmp_path, free_port(), DDAY_SEEDS="none", **faked)
            service.wait()
            until(service, "degraded")
            time.sleep(5)
            assert service.json("/readyz")["status"] == "degraded"
            states, told = put_right(service, wall)
        finally:
            service.process.kill()
            service.process.wait()
    assert receiver.requests == []
    assert before == states == ["pending"]
    assert "from what the database last knew" in told


@pytest.mark.parametrize("jump", ["+3600", "-3600", "+34560000"])
def test_a_jump_that_is_taken_back_is_told_and_has_no_effect(tmp_path, jump):
    wall, faked = faked_wall(tmp_path)
    with Receiver() as receiver:
        service = Served(tmp_path, free_port(), DDAY_SEEDS="none", **faked)
        try:
            service.wait()
            ask(service, receiver, minutes=30)
            wall.write_text(jump)
            noticed = until(service, "degraded")
            time.sleep(4)
            assert service.json("/readyz")["status"] == "degraded"
            states, told = put_right(service, wall)
        finally:
            service.process.kill()
            service.process.wait()
    print(f"a jump by {jump} s was told after {noticed:.2f} s")
    assert noticed < 3
    assert receiver.requests == []
    assert states == []
    assert "the clock has jumped by" in told
    assert "the clock is back: its jump had no effect" in told


def ask(service, receiver, *, minutes):
    """One reminder, due in so many minutes: by the jumped clock either long ago or in a long time."""
    start = (datetime.now(UTC) + timedelta(hours=2)).replace(second=0, microsecond=0)
    before = int((start - datetime.now(UTC)).total_seconds() // 60) - minutes
    rules = [{"anchor": "start", "before": f"PT{before}M"}]
    service.send("POST", "/v1/webhooks", {"url": receiver.url, "name": "test", "reminders": rules})
    body = {"kind": "conference", "name": {"ko": "발표"}, "timezone": "UTC"}
    service.send("PUT", "/v1/events/talk", {**body, "start": start.strftime("%Y-%m-%dT%H:%M")})
    time.sleep(2)


def planned(service):
    return [
        delivery
        for hook in service.send("GET", "/v1/webhooks")["items"]
        for delivery in service.send("GET", f"/v1/webhooks/{hook['id']}/deliveries")["items"]
    ]


def until(service, wanted):
    """The seconds until `/readyz` says so."""
    began = time.monotonic()
    while service.json("/readyz")["status"] != wanted:
        assert time.monotonic() < began + 30
        time.sleep(0.05)
    return time.monotonic() - began
