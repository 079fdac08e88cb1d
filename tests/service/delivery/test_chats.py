"""What a person reads in a chat is true when it arrives, however late; the last word is the newest date."""

import json
from datetime import timedelta

import pytest

from service.store import deliveries, events
from tests.receiver import Receiver, Reply
from tests.reminding import HOUR, MINUTE, NOON, World, a_webhook, add, an_event, put

DAY = timedelta(days=1)
FAILS = Reply(status=500)
EVERYTHING = ("created", "updated", "rescheduled", "postponed", "cancelled", "deleted")


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


@pytest.fixture
def world(store):
    return World(store)


def headlines(receiver):
    return [json.loads(request.body)["text"] for request in receiver.requests]


def ends(store, kind):
    rows = store.read(lambda c: deliveries.listed(c, "whk_1", types=(kind,)))
    return [(row.state, row.reason, row.superseded_by) for row in reversed(rows)]


def ids(store, kind):
    return [row.id for row in reversed(store.read(lambda c: deliveries.listed(c, "whk_1", types=(kind,))))]


def slack(url, **fields):
    return a_webhook(url, format="slack", lang="en", **fields)


def reminded_late(world, store, receiver, webhook):
    """A reminder of seven days before fails, and is sent again a day later."""
    add(store, webhook)
    start = NOON + 7 * DAY + MINUTE
    put(store, an_event("talk", start))
    world.plan()
    receiver.reply_with(FAILS)
    world.at(start - 7 * DAY)
    receiver.reply_with(Reply())
    world.at(start - 6 * DAY)
    return receiver.requests


def test_each_attempt_says_how_far_away_it_is_then(world, store, receiver):
    first, second = reminded_late(world, store, receiver, slack(receiver.url, before="P7D"))
    assert headlines(receiver) == ["D-7 · starts · talk", "D-6 · starts · talk"]
    assert first.id == second.id


def test_a_machine_gets_the_same_bytes_again(world, store, receiver):
    first, second = reminded_late(world, store, receiver, a_webhook(receiver.url, before="P7D"))
    assert first.body == second.body


def move(world, store, day, **fields):
    world.clock.advance(MINUTE)
    moved = an_event("talk", NOON + day * DAY, **fields)
    store.write(lambda c: events.put(c, moved, now=world.clock.now(), cause="test"))
    world.plan()


def twice(world, store, receiver, webhook, first, then):
    """An event is changed, which is told in vain, and changed again; then all is told that is to be."""
    add(store, webhook)
    put(store, an_event("talk", NOON + 3 * DAY))
    world.plan()
    receiver.reply_with(FAILS)
    move(world, store, **first)
    world.send()
    receiver.reply_with(Reply())
    move(world, store, **then)
    world.at(NOON + HOUR)


def test_of_two_moves_a_chat_is_told_where_it_ended(world, store, receiver):
    hook = slack(receiver.url, changes=("rescheduled",))
    twice(world, store, receiver, hook, {"day": 5}, {"day": 19})
    assert headlines(receiver) == [
        "Rescheduled · talk · Start Thu, 5 Mar 2026, 12:00 → Sat, 7 Mar 2026, 12:00",
        "Rescheduled · talk · Start Sat, 7 Mar 2026, 12:00 → Sat, 21 Mar 2026, 12:00",
    ]
    older, newer = ids(store, "event.rescheduled")
    assert ends(store, "event.rescheduled") == [
        ("superseded", "overtaken", newer),
        ("succeeded", None, None),
    ]
    assert older != newer


def test_what_a_newer_notice_does_not_cover_is_told_as_it_is_now(world, store, receiver):
    hook = slack(receiver.url, changes=("updated", "rescheduled"))
    twice(world, store, receiver, hook, {"day": 5, "tags": ("ai",)}, {"day": 19, "tags": ("ai",)})
    assert sorted(headlines(receiver)[1:]) == [
        "Rescheduled · talk · Start Sat, 7 Mar 2026, 12:00 → Sat, 21 Mar 2026, 12:00",
        "Rescheduled · talk · Start Thu, 5 Mar 2026, 12:00 → Sat, 21 Mar 2026, 12:00",
    ]


def test_a_cancellation_that_was_taken_back_is_not_told_after_it(world, store, receiver):
    hook = slack(receiver.url, changes=("cancelled",))
    twice(world, store, receiver, hook, {"day": 3, "status": "cancelled"}, {"day": 3})
    assert len(receiver.requests) == 2
    assert "[on again]" in headlines(receiver)[1]
    [(state, reason, _)] = ends(store, "event.cancelled")
    assert (state, reason) == ("superseded", "overtaken")


def test_of_what_is_deleted_or_internal_by_now_nothing_else_is_told(world, store, receiver):
    hook = slack(receiver.url, changes=("rescheduled",))
    twice(world, store, receiver, hook, {"day": 5}, {"day": 5, "visibility": "internal"})
    assert len(receiver.requests) == 1
    assert ends(store, "event.rescheduled") == [("superseded", "deleted", None)]


def test_a_machine_is_told_every_revision_and_orders_them_itself(world, store, receiver):
    hook = a_webhook(receiver.url, changes=("rescheduled",))
    twice(world, store, receiver, hook, {"day": 5}, {"day": 19})
    told = [json.loads(request.body)["data"] for request in receiver.requests]
    assert sorted(data["revision"] for data in told) == [2, 2, 3]
    assert {data["revision"]: data["event"]["start"] for data in told} == {
        2: "2026-03-07T12:00",
        3: "2026-03-21T12:00",
    }


def test_a_reminder_of_a_moved_event_names_the_one_in_its_place(world, store, receiver):
    add(store, a_webhook(receiver.url, before="P1D"))
    put(store, an_event("talk", NOON + 2 * DAY))
    world.plan(look_ahead=9 * DAY)
    world.clock.advance(MINUTE)
    put(store, an_event("talk", NOON + 3 * DAY), now=world.clock.now())
    world.plan(look_ahead=9 * DAY)
    rows = store.read(lambda c: deliveries.listed(c, "whk_1"))
    [gone] = [row for row in rows if row.state == "superseded"]
    [new] = [row for row in rows if row.state == "pending"]
    assert (gone.reason, gone.superseded_by) == ("moved", new.id)
