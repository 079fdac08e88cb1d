"""The sender against real receivers, on both engines: answers honoured, bytes repeated, nobody held up."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook as Verifier

from service.catalogue.event import Text
from service.delivery.worker import Limits
from service.reminders import signing
from service.store import deliveries, results, webhooks
from service.store.webhook_secrets import of as secrets_of
from service.store.webhook_secrets import rotate
from tests.receiver import Receiver, Reply
from tests.reminding import (
    HOUR,
    MASTER,
    MINUTE,
    NOON,
    World,
    a_webhook,
    add,
    an_event,
    fill,
    put,
    sending,
)

SECOND = timedelta(seconds=1)
QUICK = Limits(group=timedelta(milliseconds=5), poll=timedelta(milliseconds=100))


def history(store, webhook="whk_1"):
    found = store.read(lambda c: deliveries.listed(c, webhook, limit=200))
    return [(each.state, each.reason) for each in found]


def digests(store, delivery_id):
    _, attempts = store.read(lambda c: deliveries.get(c, delivery_id, owner=None))
    return [attempt.body_sha256 for attempt in attempts]


def outcomes(store, delivery_id):
    _, attempts = store.read(lambda c: deliveries.get(c, delivery_id, owner=None))
    return [attempt.outcome for attempt in attempts]


def ready(store, receiver, **fields):
    """A world in which one reminder is due an hour from now, of an event two hours from now."""
    world = World(store, limits=fields.pop("limits", None))
    secret = add(store, a_webhook(receiver.url, **fields))
    put(store, an_event("talk", NOON + 2 * HOUR))
    world.plan()
    return world, secret


def test_a_retry_repeats_id_and_body_and_signs_anew(store, receiver):
    receiver.reply_with(Reply(status=500, body=b"broken"), Reply(status=503), Reply())
    world, secret = ready(store, receiver)
    assert [world.at(NOON + HOUR + wait) for wait in (0 * SECOND, 5 * SECOND, 35 * SECOND)] == [1, 1, 1]
    first, second, third = receiver.requests
    assert (first.id, first.sha256) == (second.id, second.sha256) == (third.id, third.sha256)
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 5, 35]
    for request in receiver.requests:
        stamp = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        signed = Verifier(secret).sign(request.id, stamp, request.body.decode())
        assert signed == request.headers["webhook-signature"]
    assert outcomes(store, first.id) == ["5xx", "5xx", "2xx"]
    assert digests(store, first.id) == [first.sha256] * 3


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("20", 20),
        ("Mon, 02 Mar 2026 13:00:20 GMT", 20),
        ("rubbish", 5),
        ("-1", 5),
        ("999999999", 3570),
        ("1", 1),
    ],
)
def test_a_receiver_may_ask_for_patience_within_reason(sqlite_store, receiver, asked, waited):
    receiver.reply_with(Reply(status=429, headers={"retry-after": asked}), Reply())
    world, _ = ready(sqlite_store, receiver)
    world.at(NOON + HOUR)
    assert world.at(NOON + HOUR + (waited - 1) * SECOND) == 0
    assert world.at(NOON + HOUR + waited * SECOND) == 1
    assert history(sqlite_store) == [("succeeded", None)]


def test_what_cannot_be_delivered_while_it_is_of_use_expires_in_sight(sqlite_store, receiver):
    receiver.reply_with(Reply(status=500))
    world, _ = ready(sqlite_store, receiver)
    tries = [world.at(NOON + HOUR + wait * SECOND) for wait in (0, 5, 35, 155, 755, 2555, 3600, 4000)]
    assert tries == [1, 1, 1, 1, 1, 1, 0, 0]
    assert history(sqlite_store) == [("expired", "too_late")]


def test_a_schedule_that_is_used_up_is_the_end(sqlite_store, receiver):
    receiver.reply_with(Reply(status=404))
    world, _ = ready(sqlite_store, receiver, limits=Limits(schedule=(SECOND, SECOND)))
    sent = [world.at(NOON + HOUR + n * SECOND) for n in range(10)]
    assert sum(sent) == 3
    assert history(sqlite_store) == [("dead", "exhausted")]


def test_gone_switches_the_webhook_off_and_tells_the_owners_others(store, receiver):
    receiver.reply_with(Reply(status=410))
    with Receiver() as other:
        world, _ = ready(store, receiver)
        add(store, a_webhook(other.url, key="whk_2", before="PT5M"))
        add(store, replace(a_webhook(other.url, key="whk_3", before="PT5M"), owner="stranger"))
        world.at(NOON + HOUR)
        world.at(NOON + HOUR + SECOND)
        [word] = other.requests
    assert history(store) == [("dead", "gone")]
    off = store.read(lambda c: webhooks.get(c, "whk_1", owner="owner"))
    assert (off.state, off.disabled_reason) == ("disabled", "gone")
    said = json.loads(word.body)
    assert (said["type"], said["data"]["webhook"]) == ("webhook.disabled", "whk_2")
    assert said["data"]["disabled"] == "whk_1"


def test_days_of_failures_switch_the_webhook_off(sqlite_store, receiver):
    receiver.reply_with(Reply(status=500))
    world = World(sqlite_store, limits=Limits(schedule=()))
    add(sqlite_store, a_webhook(receiver.url))
    put(sqlite_store, *(an_event(f"talk-{n}", NOON + n * 4 * HOUR) for n in range(1, 30)))
    state = lambda: sqlite_store.read(lambda c: webhooks.get(c, "whk_1", owner="owner")).state  # noqa: E731
    states = []
    for n in range(1, 26):
        world.at(NOON + n * 4 * HOUR - HOUR)
        states.append(state())
    # The first failure is at hour 3; 72 hours later is the 19th, the twentieth makes it enough.
    assert states.index("disabled") == 19
    assert len(receiver.requests) == 20


def test_two_hundred_with_a_broken_body_is_a_success(sqlite_store, receiver):
    async def broken(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
        await writer.drain()
        writer.close()

    receiver.reply_with(Reply(raw=broken))
    world, _ = ready(sqlite_store, receiver)
    world.at(NOON + HOUR)
    assert history(sqlite_store) == [("succeeded", None)]


def test_while_a_secret_is_rotated_both_sign(sqlite_store, receiver):
    world, old = ready(sqlite_store, receiver)
    new = signing.generate("v1", randomness=os.urandom)
    sealed = signing.seal(new, webhook_id="whk_1", master=MASTER, randomness=os.urandom)
    put(sqlite_store, an_event("later", NOON + 30 * HOUR))
    sqlite_store.write(lambda c: rotate(c, "whk_1", [sealed], overlap=24 * HOUR, now=NOON))
    world.at(NOON + HOUR)
    world.at(NOON + 29 * HOUR)
    both, one = (request.headers["webhook-signature"].split() for request in receiver.requests)
    assert (len(both), len(one)) == (2, 1)
    for request, spelt in ((receiver.requests[0], old), (receiver.requests[1], signing.spelt(new))):
        stamp = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        assert (
            Verifier(spelt).sign(request.id, stamp, request.body.decode())
            in request.headers["webhook-signature"].split()
        )
    assert len(sqlite_store.read(lambda c: secrets_of(c, ["whk_1"]))) == 2


def test_what_is_sent_again_has_the_same_bytes_and_says_so(store, receiver):
    world, _ = ready(store, receiver)
    world.at(NOON + HOUR)
    [first] = receiver.requests
    store.write(lambda c: results.redeliver(c, first.id, owner="owner", now=NOON + 9 * HOUR))
    assert world.at(NOON + 9 * HOUR) == 1
    again = receiver.requests[1]
    assert (again.id, again.body) == (first.id, first.body)
    assert again.headers["webhook-replay"] == "1"


def test_an_event_that_moved_after_the_claim_was_planned_is_not_sent(store, receiver):
    """The planner has not seen the change yet; the check before sending has."""
    world, _ = ready(store, receiver)
    world.clock.move_to(NOON + HOUR)
    world.plan()
    put(store, an_event("talk", NOON + 5 * HOUR), now=NOON + HOUR)
    assert world.send() == 0
    assert history(store) == [("superseded", "moved")]
    assert world.at(NOON + 4 * HOUR) == 1


def test_a_backlog_on_a_dead_receiver_delays_nobody_else(sqlite_store, receiver):
    """P20 with ten thousand; the campaign has a hundred thousand."""
    asyncio.run(a_backlog_delays_nobody(sqlite_store, receiver, backlog=10_000))


@pytest.mark.campaign
@pytest.mark.timed
def test_a_backlog_of_a_hundred_thousand_delays_nobody_else(store, receiver):
    asyncio.run(a_backlog_delays_nobody(store, receiver, backlog=100_000))


async def a_backlog_delays_nobody(store, receiver, *, backlog):
    now = datetime.now(UTC)
    with Receiver() as dead:
        dead.reply_with(Reply(delay=30))
        add(store, a_webhook(dead.url, key="whk_dead"))
        for n in range(49):
            add(store, a_webhook(receiver.url, key=f"whk_{n:02}"))
        fill(store, "whk_dead", backlog, now=now - HOUR / 2)
        async with sending(store, limits=QUICK):
            await asyncio.sleep(1)
            due = datetime.now(UTC)
            for n in range(49):
                fill(store, f"whk_{n:02}", 4, now=due)
            await asyncio.to_thread(receiver.wait_for, 49 * 4, 20)
    late = sorted(request.at - due.timestamp() for request in receiver.requests)
    assert late[-2] <= 3.0
    assert len(dead.requests) <= 4


@pytest.mark.campaign
@pytest.mark.timed
def test_a_receiver_that_takes_one_a_second_gets_twenty_in_twenty_five_seconds(sqlite_store, receiver):
    taken = 0.0

    def once_a_second(request):
        nonlocal taken
        if request.at - taken < 1:
            return Reply(status=429, headers={"retry-after": "1"})
        taken = request.at
        return Reply()

    async def run():
        add(sqlite_store, a_webhook(receiver.url))
        fill(sqlite_store, "whk_1", 20, now=datetime.now(UTC))
        async with sending(sqlite_store, limits=QUICK):
            while history(sqlite_store).count(("succeeded", None)) < 20:
                assert time.time() - began < 60
                await asyncio.sleep(0.1)

    receiver.reply_by(once_a_second)
    began = time.time()
    asyncio.run(run())
    assert time.time() - began < 25
    assert len(receiver.requests) <= 23


def test_at_most_four_requests_to_one_webhook_are_under_way(sqlite_store):
    under_way, most = 0, 0

    async def busy(reader, writer):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()

    async def run(receiver):
        add(sqlite_store, a_webhook(receiver.url))
        fill(sqlite_store, "whk_1", 200, now=datetime.now(UTC))
        async with sending(sqlite_store, limits=QUICK):
            await asyncio.to_thread(receiver.wait_for, 200, 20)

    with Receiver() as receiver:
        receiver.reply_with(Reply(raw=busy))
        asyncio.run(run(receiver))
    assert most == 4
    assert len({request.id for request in receiver.requests}) == 200


@pytest.mark.parametrize("round_", range(2))
def test_stopping_finishes_what_is_under_way_and_gives_the_rest_back(store, receiver, round_):
    async def run():
        add(store, a_webhook(receiver.url))
        fill(store, "whk_1", 300, now=datetime.now(UTC))
        receiver.reply_with(Reply(delay=0.05))
        async with sending(store, limits=QUICK):
            await asyncio.to_thread(receiver.wait_for, 20, 20)
        seen = len(receiver.requests)
        states = [state for state, _ in history(store)]
        held = store.read(lambda c: [d.state for d in deliveries.listed(c, "whk_1", limit=1000)])
        assert held.count("succeeded") == seen
        assert held.count("pending") == 300 - seen
        assert "leased" not in states
        receiver.reply_with(Reply())
        async with sending(store, limits=QUICK):
            await asyncio.to_thread(receiver.wait_for, 300, 20)

    asyncio.run(run())
    assert len(receiver.requests) == len({request.id for request in receiver.requests}) == 300


def test_an_attempt_row_stands_before_and_after_every_request(store, receiver):
    def decide(request):
        open_ = outcomes(store, request.id)
        seen.append(open_)
        return Reply()

    seen: list[list[str | None]] = []
    receiver.reply_by(decide)
    world, _ = ready(store, receiver)
    world.at(NOON + HOUR)
    assert seen == [[None]]
    assert outcomes(store, receiver.requests[0].id) == ["2xx"]


@pytest.mark.parametrize("form", ["standard", "slack"])
def test_what_is_internal_is_told_to_nobody_when_it_becomes_so_or_ceases_to_be(store, receiver, form):
    world = World(store)
    add(store, a_webhook(receiver.url, changes=("created", "deleted"), format=form))
    steps = [
        ("public", "seen by all"),
        ("internal", "secret of the last day"),
        ("internal", "secret of the night"),
        ("public", "seen again"),
    ]
    for visibility, name in steps:
        world.clock.advance(MINUTE)
        written = an_event("talk", NOON + 9 * HOUR, visibility=visibility, name=Text(en=name))
        put(store, written, now=world.clock.now())
        world.plan()
        world.send()
    told = [request.body.decode() for request in receiver.requests]
    if form == "standard":
        assert [json.loads(body)["type"] for body in told] == [
            "event.created",
            "event.deleted",
            "event.created",
        ]
        before = [json.loads(body)["data"]["previous"].values() for body in told[::2]]
        assert [value for values in before for value in values if value is not None] == []
    assert len(told) == 3
    assert [body for body in told if "secret" in body] == []
