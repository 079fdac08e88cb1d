"""What the state machine makes of a send whose process was killed: T3, at once."""

import asyncio
import os
import signal
from datetime import timedelta

from service.delivery import send_now
from service.delivery.worker import Worker
from service.reminders.preview import message
from service.store import deliveries
from tests.carrying import carrying, until
from tests.receiver import Reply
from tests.reminding import HOUR, MASTERS, NOON, World, a_webhook, add, an_event, put

SECOND = timedelta(seconds=1)


async def send(world, receiver, *, killing=False):
    """Send what is due, by a child that is killed once the receiver has the request."""
    async with carrying() as carrier:
        sender = Worker(
            world.store,
            carrier,
            clock=world.clock,
            masters=MASTERS,
            metrics=world.metrics,
            chance=lambda: 0.5,
        )
        sending = asyncio.create_task(sender.run_once())
        if killing:
            await until(lambda: receiver.requests)
            os.kill(carrier.child, signal.SIGKILL)
        return await sending


def outcomes(store, key):
    found, attempts = store.read(lambda c: deliveries.get(c, key, owner=None))
    return found.state, found.next_at, [attempt.outcome for attempt in attempts]


def test_a_reminder_whose_process_died_waits_a_moment_and_goes_out_with_the_same_bytes(store, silent):
    world = World(store)
    add(store, a_webhook(silent.url))
    put(store, an_event("talk", NOON + 2 * HOUR))
    world.clock.move_to(NOON + HOUR)
    world.plan()
    assert asyncio.run(send(world, silent, killing=True)) == 1
    [first] = silent.requests
    assert outcomes(store, first.id) == ("pending", NOON + HOUR + SECOND, ["abandoned"])

    silent.reply_with(Reply())
    world.clock.advance(SECOND)
    assert asyncio.run(send(world, silent)) == 1
    assert {(each.id, each.sha256) for each in silent.requests} == {(first.id, first.sha256)}
    assert len(silent.requests) == 2
    assert outcomes(store, first.id)[::2] == ("succeeded", ["abandoned", "2xx"])
    counted = {
        outcome: world.metrics.registry.get_sample_value("dday_attempts_total", {"outcome": outcome})
        for outcome in ("abandoned", "2xx")
    }
    assert counted == {"abandoned": 1, "2xx": 1}


def test_a_trial_whose_process_died_has_failed_and_is_not_repeated(store, silent):
    world = World(store)
    hook = a_webhook(silent.url)
    add(store, hook)
    planned = message(hook, "webhook.test", nonce="1", now=NOON)

    async def try_it():
        async with carrying() as carrier:
            placed = store.write(lambda c: send_now.place(c, planned, b"{}", now=NOON, masters=MASTERS))
            trial = send_now.send(
                store, carrier, placed, clock=world.clock, metrics=world.metrics, then=lambda _: None
            )
            sending = asyncio.create_task(trial)
            await until(lambda: silent.requests)
            os.kill(carrier.child, signal.SIGKILL)
            await sending

    asyncio.run(try_it())
    state, _, attempts = outcomes(store, planned.id)
    assert (state, attempts) == ("dead", ["abandoned"])
    assert world.at(NOON + HOUR) == 0
    assert len(silent.requests) == 1
