"""Sending from a process of its own: a real child, real receivers, and what is known when one is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from service.carrier.carrier import Carrier

from service.bootstrap import open_service
from service.clock import SimulatedClock
from service.delivery.schedule import Clockwork
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.settings import Settings
from tests.carrying import a_post, carrying, environment, gone, until
from tests.receiver import Receiver, Reply
from tests.reminding import HOUR, LOOPBACK, MASTER, MINUTE, NOON, a_webhook, add, an_event, put

ROOT = Path(__file__).parents[3]


def under_way(carrier: Carrier, receiver: Receiver, count: int) -> list[asyncio.Task]:
    keys = [f"dlv_{n}" for n in range(count)]
    return [asyncio.create_task(carrier.post(a_post(receiver.url, key))) for key in keys]


@pytest.mark.parametrize(
    ("asked", "body"),
    [("7", "나중에".encode()), ("\xff\xfe", b"\xed\xa0\x80\x00\xff")],
    ids=["plain", "bytes"],
)
def test_a_request_by_the_child_is_the_one_its_parent_would_have_made(receiver, asked, body):
    async def send():
        async with carrying() as carrier:
            by_child = await carrier.post(a_post(receiver.url))
        egress = Egress(LOOPBACK)
        by_parent = await egress.post(a_post(receiver.url))
        await egress.aclose()
        return by_child, by_parent

    receiver.reply_with(Reply(status=429, headers={"retry-after": asked}, body=body))
    answers = asyncio.run(send())
    first, second = [(each.target, each.headers, each.body) for each in receiver.requests]
    assert first == second
    by_child, by_parent = [replace(answer, milliseconds=0) for answer in answers]
    assert by_child == by_parent


def test_the_address_rules_hold_in_the_child():
    async def send():
        async with carrying() as carrier:
            return await carrier.post(a_post("https://10.0.0.1/"))

    assert asyncio.run(send()).outcome == "not_allowed"


def test_a_thousand_at_once_arrive_once_each(receiver):
    async def send():
        async with carrying() as carrier:
            return await asyncio.gather(*under_way(carrier, receiver, 1000))

    outcomes = {answer.outcome for answer in asyncio.run(send())}
    assert outcomes == {"2xx"}
    assert sorted(each.id for each in receiver.requests) == sorted(f"dlv_{n}" for n in range(1000))


def test_nobody_waits_for_the_child_to_start(receiver):
    async def send():
        carrier = Carrier(Egress(LOOPBACK))
        answer, child = await carrier.post(a_post(receiver.url)), carrier.child
        await carrier.aclose()
        return answer.outcome, child

    assert asyncio.run(send()) == ("2xx", None)


def test_a_planned_reminder_starts_the_child_before_it_is_due(sqlite_url):
    settings = Settings(database_url=sqlite_url, egress_allow=LOOPBACK.allow, secret_key=MASTER.hex())
    service = open_service(settings, clock=SimulatedClock(NOON), carried=True)

    async def run():
        clockwork = Clockwork(
            service, Worker(service.store, service.egress, clock=service.clock, masters={})
        )
        await clockwork.plan()
        before = service.egress.child
        add(service.store, a_webhook("http://127.0.0.1:9/"))
        put(service.store, an_event("talk", NOON + HOUR + MINUTE))
        await clockwork.plan()
        await until(lambda: service.egress.child)
        await service.egress.aclose()
        return before

    assert asyncio.run(run()) is None
    service.close()


def test_what_a_killed_child_had_under_way_is_abandoned_and_was_sent_once(silent):
    async def send():
        async with carrying() as carrier:
            tasks, child = under_way(carrier, silent, 8), carrier.child
            await until(lambda: len(silent.requests) == 8)
            os.kill(child, signal.SIGKILL)
            answers = await asyncio.gather(*tasks)
            assert gone(child)
            silent.reply_with(Reply())
            await carrier.ready()
            return answers, (await carrier.post(a_post(silent.url, "after"))).outcome, carrier.child != child

    answers, after, another = asyncio.run(send())
    assert ([answer.outcome for answer in answers], after, another) == (["abandoned"] * 8, "2xx", True)
    assert sorted(each.id for each in silent.requests) == ["after", *(f"dlv_{n}" for n in range(8))]


def test_a_child_that_hangs_is_killed_before_its_requests_are_given_up(silent):
    async def send():
        async with carrying(deadline=0.5) as carrier:
            child = carrier.child
            os.kill(child, signal.SIGSTOP)
            answers = await asyncio.gather(*under_way(carrier, silent, 3))
            return [answer.outcome for answer in answers], gone(child)

    assert asyncio.run(send()) == (["abandoned"] * 3, True)
    assert silent.requests == []


def test_losses_are_counted(silent):
    losses = []

    async def send():
        carrier = Carrier(Egress(LOOPBACK), lost=lambda: losses.append(1))
        await carrier.ready()
        os.kill(carrier.child, signal.SIGKILL)
        await until(lambda: losses)
        await carrier.aclose()

    asyncio.run(send())
    assert losses == [1]


def test_signals_to_the_whole_group_do_not_reach_the_child(receiver):
    async def send():
        async with carrying() as carrier:
            child = carrier.child
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(child, number)
            answer = await carrier.post(a_post(receiver.url))
            return answer.outcome, carrier.child == child

    assert asyncio.run(send()) == ("2xx", True)


def test_the_child_ends_with_its_carrier():
    async def send():
        async with carrying() as carrier:
            child = carrier.child
        return gone(child)

    assert asyncio.run(send())


def test_a_machine_that_cannot_start_a_child_sends_all_the_same(receiver, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    losses = []

    async def send():
        carrier = Carrier(Egress(LOOPBACK), lost=lambda: losses.append(1))
        outcomes = [(await carrier.post(a_post(receiver.url))).outcome]
        await until(lambda: losses)
        outcomes.append((await carrier.post(a_post(receiver.url))).outcome)
        await carrier.aclose()
        return outcomes

    assert asyncio.run(send()) == ["2xx", "2xx"]


def test_the_child_is_told_no_secret(monkeypatch):
    monkeypatch.setenv("DDAY_SECRET_KEY", "5" * 64)
    monkeypatch.setenv("PGPASSWORD", "hunter2")

    async def look():
        async with carrying() as carrier:
            return environment(carrier.child)

    names = asyncio.run(look())
    assert {name for name in names if name.startswith(("DDAY_", "PG"))} == set()
    assert "PATH" in names


PARENT = """
import asyncio, sys
from tests.carrying import a_post, carrying

async def send():
    async with carrying(deadline=60) as carrier:
        print(carrier.child, flush=True)
        await carrier.post(a_post(sys.argv[1]))

asyncio.run(send())
"""


@pytest.mark.parametrize("state", ["at work", "stopped"])
def test_the_child_dies_with_a_parent_that_is_killed(silent, state):
    command = [sys.executable, "-c", PARENT, silent.url]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    child = int(parent.stdout.readline())
    silent.wait_for(1, timeout=30)
    if state == "stopped":
        os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    asyncio.run(until(lambda: gone(child)))
    assert len(silent.requests) == 1
