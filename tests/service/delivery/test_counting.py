"""Every delivery that ends unsent is counted once, whichever way it ends (docs/reliability.md)."""

from datetime import timedelta

import pytest

from service.reminders.replan import Withdrawal
from service.store import claims, deliveries, results, webhooks
from tests.receiver import Reply
from tests.reminding import HOUR, MINUTE, NOON, World, a_webhook, add, an_event, message, put

SECOND = timedelta(seconds=1)


@pytest.fixture
def world(store, receiver):
    """One reminder is due an hour from now, of an event two hours from now."""
    made = World(store)
    add(store, a_webhook(receiver.url))
    put(store, an_event("talk", NOON + 2 * HOUR))
    made.plan(look_ahead=2 * HOUR)
    return made


def counted(world, *names):
    return tuple(world.metrics.registry.get_sample_value(f"dday_deliveries_{name}_total") for name in names)


def state(store):
    [found] = store.read(lambda c: deliveries.listed(c, "whk_1"))
    return found.state, found.reason


def test_what_is_dropped_at_the_send_is_counted(world, store):
    put(store, an_event("talk", NOON + 9 * HOUR), now=NOON + MINUTE)
    world.clock.move_to(NOON + HOUR)
    assert world.send() == 0
    assert (state(store), counted(world, "superseded", "expired")) == (("superseded", "moved"), (1, 0))


def test_what_is_taken_back_while_it_is_sent_is_counted_when_it_fails(world, store, receiver):
    taken_back = []

    def withdraw(_):
        taken_back.append(store.write(lambda c: webhooks.remove(c, "whk_1", owner=None, now=NOON)))
        return Reply(status=500)

    receiver.reply_by(withdraw)
    world.clock.move_to(NOON + HOUR)
    assert world.send() == 1
    assert (taken_back, state(store)) == ([0], ("superseded", "withdrawn"))
    assert counted(world, "superseded", "expired") == (1, 0)


def test_what_a_dead_worker_held_and_nobody_wants_any_more_is_counted(world, store):
    [one] = store.read(lambda c: deliveries.listed(c, "whk_1"))
    at, gone = NOON + HOUR, Withdrawal(id=one.id, reason="moved")
    store.write(lambda c: claims.claim(c, [one.id], worker="dead", now=at, lease=MINUTE))
    store.write(lambda c: deliveries.supersede(c, [gone], now=NOON + HOUR))
    world.clock.move_to(NOON + HOUR + MINUTE)
    world.send()
    assert state(store)[0] == "superseded"
    assert counted(world, "superseded", "recovered") == (1, 1)


def test_what_could_only_be_tried_again_too_late_is_counted_as_expired(world, store, receiver):
    receiver.reply_with(Reply(status=500))
    world.clock.move_to(NOON + 2 * HOUR - 3 * SECOND)
    assert world.send() == 1
    assert (state(store), counted(world, "superseded", "expired")) == (("expired", "too_late"), (0, 1))


def test_what_killed_its_workers_is_told_once(world, store, caplog):
    caplog.set_level("INFO")
    poison = message("dlv_poison", "whk_1", NOON)
    store.write(lambda c: deliveries.insert(c, [poison], now=NOON, body=b"{}"))
    store.write(lambda c: c.exec_driver_sql(f"update delivery set abandons = {results.POISON - 1}"))
    [claimed] = store.write(lambda c: claims.claim(c, ["dlv_poison"], worker="w", now=NOON, lease=MINUTE))
    begun = [claims.Attempted(delivery="dlv_poison", fence=claimed.fence, body=None, body_sha256="")]
    store.write(lambda c: claims.open_attempts(c, begun, worker="w", now=NOON))
    world.clock.move_to(NOON + 2 * MINUTE)
    world.send()
    assert caplog.messages == ["delivery dlv_poison is dead: poison"]
    fields = vars(caplog.records[0])
    assert (fields["webhook"], fields["answer"]) == ("whk_1", "abandoned")
