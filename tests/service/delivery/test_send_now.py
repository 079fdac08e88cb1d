"""A test that is under way belongs to the process that sends it, also while a sender starts beside that."""

import asyncio

import pytest

from service.delivery import send_now
from service.delivery.worker import Worker
from service.egress.client import Egress
from service.reminders.preview import unplanned_message
from service.store import deliveries
from tests.receiver import Reply
from tests.reminding import LOOPBACK, MASTERS, NOON, TLS, World, a_webhook, add


@pytest.mark.parametrize("status", [200, 500])
def test_a_sender_that_starts_beside_a_test_leaves_it_alone(sqlite_store, receiver, status):
    world, hook = World(sqlite_store), a_webhook(receiver.url)
    add(sqlite_store, hook)
    planned = unplanned_message(hook, "webhook.test", nonce="1", now=NOON)
    placed = sqlite_store.write(lambda c: send_now.place(c, planned, b"{}", now=NOON, masters=MASTERS))

    async def try_it():
        egress = Egress(LOOPBACK, deadline=2, tls=TLS)
        other = Worker(sqlite_store, egress, clock=world.clock, masters=MASTERS)
        assert await other.recover() == 0
        await send_now.send(
            sqlite_store, egress, placed, clock=world.clock, metrics=world.metrics, then=lambda _: None
        )
        await egress.aclose()

    receiver.reply_with(Reply(status=status))
    asyncio.run(try_it())
    found, attempts = sqlite_store.read(lambda c: deliveries.get(c, planned.id, owner=None))
    assert (found.state, [each.status for each in attempts]) == (
        "succeeded" if status == 200 else "dead",
        [status],
    )
    assert (world.send(), len(receiver.requests)) == (0, 1)


def test_a_test_whose_process_died_is_recovered_when_its_lease_is_over(sqlite_store, receiver):
    world, hook = World(sqlite_store), a_webhook(receiver.url)
    add(sqlite_store, hook)
    planned = unplanned_message(hook, "webhook.test", nonce="1", now=NOON)
    sqlite_store.write(lambda c: send_now.place(c, planned, b"{}", now=NOON, masters=MASTERS))
    assert world.send() == 0
    assert world.at(NOON + send_now.LEASE) == 0
    assert world.at(NOON + 2 * send_now.LEASE) == 1
    assert [each.id for each in receiver.requests] == [planned.id]
