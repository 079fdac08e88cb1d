"""What is claimed may wait for its turn. Whatever happens to its webhook meanwhile counts before it goes."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from service.clock import SimulatedClock
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.reminders import retry, signing
from service.reminders.webhook import PatchWebhook, patched
from service.store import deliveries, events, webhooks
from service.store import webhook_secrets as kept
from tests.receiver import Receiver, Reply
from tests.reminding import (
    HOUR,
    LOOPBACK,
    MASTER,
    MASTERS,
    NOON,
    TLS,
    World,
    a_webhook,
    add,
    an_event,
    fill,
    sending,
)
from tests.reminding import put as put_events

QUICK = 40
# What is under way when something changes, and what follows within the second that is allowed.
SOON = 1.0


async def until(true, *, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def changed_while_much_waits(store, receiver, change, *, watch=2.5):
    """A receiver that was quick turns slow, so that much of what was claimed for it waits; then `change`."""
    asked = 0

    def decide(request):
        nonlocal asked
        asked += 1
        return Reply(delay=0.005 if asked <= QUICK else 0.7)

    receiver.reply_by(decide)
    fill(store, "whk_1", 300, now=datetime.now(UTC))
    async with sending(store, deadline=4.0):
        await until(lambda: asked > QUICK)
        await store.awrite(change)
        cut = time.time()
        await asyncio.sleep(watch)
    return [request for request in receiver.requests if request.at > cut + SOON]


def remove(c):
    webhooks.remove(c, "whk_1", owner="owner", now=datetime.now(UTC))


def pause(c):
    hook = webhooks.get(c, "whk_1", owner="owner")
    webhooks.replace(c, patched(hook, PatchWebhook(state="paused"), now=datetime.now(UTC)), anew=False)


@pytest.mark.parametrize("change", [remove, pause])
def test_a_second_after_a_webhook_is_deleted_or_paused_no_request_begins(sqlite_store, receiver, change):
    add(sqlite_store, a_webhook(receiver.url))
    assert asyncio.run(changed_while_much_waits(sqlite_store, receiver, change)) == []


def test_what_a_pause_held_back_keeps_its_place_and_has_no_attempt(sqlite_store, receiver):
    add(sqlite_store, a_webhook(receiver.url))
    asyncio.run(changed_while_much_waits(sqlite_store, receiver, pause))
    found = sqlite_store.read(lambda c: deliveries.listed(c, "whk_1", limit=300))
    tried = sqlite_store.read(lambda c: deliveries.attempts(c, [each.id for each in found]))
    waiting = [each for each in found if each.state == "pending"]
    assert {each.state for each in found} == {"pending", "succeeded"}
    assert len(waiting) == 300 - len(receiver.requests)
    assert [each.id for each in waiting if each.id in tried] == []


def test_a_second_after_a_secret_is_replaced_the_old_one_signs_nothing(sqlite_store, receiver):
    old = add(sqlite_store, a_webhook(receiver.url))
    new = signing.generate("v1", randomness=os.urandom)
    sealed = signing.seal(new, webhook_id="whk_1", master=MASTER, randomness=os.urandom)

    def rotate(c):
        kept.rotate(c, "whk_1", [sealed], overlap=timedelta(0), now=datetime.now(UTC))

    late = asyncio.run(changed_while_much_waits(sqlite_store, receiver, rotate, watch=3.0))
    assert late != []
    assert [signed_by(secret, late) for secret in (old, signing.spelt(new))] == [0, len(late)]


def signed_by(secret, requests):
    """How many of them carry the signature of this secret."""
    return sum(
        Verifier(secret).sign(
            request.id,
            datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC),
            request.body.decode(),
        )
        in request.headers["webhook-signature"].split()
        for request in requests
    )


def test_a_receiver_that_is_gone_says_so_only_to_what_is_under_way(sqlite_store, receiver):
    add(sqlite_store, a_webhook(receiver.url))
    asked = 0

    def decide(request):
        nonlocal asked
        asked += 1
        return Reply(status=200 if asked <= QUICK else 410, delay=0.005)

    async def run():
        async with sending(sqlite_store, deadline=4.0):
            await until(lambda: asked > QUICK)
            await asyncio.sleep(1.5)

    receiver.reply_by(decide)
    fill(sqlite_store, "whk_1", 300, now=datetime.now(UTC))
    asyncio.run(run())
    assert len(receiver.requests) <= QUICK + 4


def test_a_reminder_whose_event_is_cancelled_while_it_waits_is_not_sent(store, receiver):
    """Forty events; their receiver is slow, so that they are reminded of one by one."""
    start = datetime.now(UTC).replace(second=0, microsecond=0) + 2 * HOUR
    talks = [an_event(f"talk-{n:02}", start) for n in range(40)]
    world = World(store, now=start - HOUR - timedelta(minutes=5))
    add(store, a_webhook(receiver.url, now=world.clock.now()), now=world.clock.now())
    put_events(store, *talks, now=world.clock.now())
    world.clock.move_to(start - HOUR)
    world.plan()
    receiver.reply_with(Reply(delay=0.3))

    async def run():
        clock = SimulatedClock(start - HOUR + timedelta(seconds=1))
        async with sending(store, clock=clock, deadline=4.0):
            await until(lambda: len(receiver.requests) > 2)
            at = world.clock.now() + timedelta(seconds=2)
            for talk in talks:
                await store.awrite(lambda c, id=talk.id: events.delete(c, id, now=at, cause="test"))
            cut = time.time()
            await asyncio.sleep(2.0)
        return [request for request in receiver.requests if request.at > cut + SOON]

    assert asyncio.run(run()) == []


def test_who_asks_for_patience_is_left_alone_with_everything_and_asked_again_by_one(sqlite_store, receiver):
    add(sqlite_store, a_webhook(receiver.url))
    receiver.reply_with(Reply(status=429, headers={"retry-after": "600"}))
    fill(sqlite_store, "whk_1", 30, now=NOON)
    clock, counts = SimulatedClock(NOON), []

    async def run():
        egress = Egress(LOOPBACK, deadline=2, tls=TLS)
        sender = Worker(sqlite_store, egress, clock=clock, masters=MASTERS)
        for later in (timedelta(0), retry.LONGEST_HOLD / 2, retry.LONGEST_HOLD, 2 * retry.LONGEST_HOLD):
            clock.move_to(NOON + later)
            await sender.run_once()
            counts.append(len(receiver.requests))
        await egress.aclose()

    asyncio.run(run())
    assert counts == [1, 1, 2, 3]


def test_a_hundred_webhooks_that_hang_hold_up_no_other(sqlite_store):
    """None of them has ever answered, so nobody knows that they will not."""
    with Receiver() as dead, Receiver() as good:
        dead.reply_with(Reply(delay=30))
        for n in range(100):
            add(sqlite_store, a_webhook(dead.url, key=f"whk_dead_{n:03}"))
        for n in range(10):
            add(sqlite_store, a_webhook(good.url, key=f"whk_good_{n}"))
        late = asyncio.run(lateness_beside(sqlite_store, good))
    assert late[-1] <= 3.0


async def lateness_beside(store, good):
    """Of ten messages to those that answer, due a second after one to each that does not."""
    async with sending(store, deadline=4.0):
        for n in range(10):
            fill(store, f"whk_good_{n}", 1, now=datetime.now(UTC))
        await asyncio.to_thread(good.wait_for, 10, 10)
        for n in range(100):
            fill(store, f"whk_dead_{n:03}", 1, now=datetime.now(UTC))
        await asyncio.sleep(1)
        due = datetime.now(UTC)
        for n in range(10):
            fill(store, f"whk_good_{n}", 2, now=due)
        await asyncio.to_thread(good.wait_for, 20, 20)
    return sorted(request.at - due.timestamp() for request in good.requests[10:])
