"""An event that moves away and back while its reminder is being sent: that is wanted, whatever happens."""

from datetime import timedelta

import pytest

from service.delivery import planner
from service.reminders.retry import Answer, Verdict
from service.store import claims, deliveries, results
from service.store.results import Result
from tests.reminding import HOUR, MINUTE, NOON, a_webhook, add, an_event, put

START = NOON + 2 * HOUR
SENDING = NOON + HOUR + timedelta(seconds=1)


@pytest.fixture
def claimed(store):
    """The reminder of an event two hours ahead, in a sender's hand when it is due an hour before."""
    planner.run_once(store, now=NOON)
    add(store, a_webhook("http://127.0.0.1:9/"))
    put(store, an_event("talk", START))
    planner.run_once(store, now=NOON + HOUR)
    [one] = store.read(lambda c: deliveries.listed(c, "whk_1"))
    [claimed] = store.write(lambda c: claims.claim(c, [one.id], worker="w", now=SENDING, lease=MINUTE))
    return claimed


def move(store, start):
    put(store, an_event("talk", start), now=SENDING)
    planner.run_once(store, now=SENDING)


def state(store):
    [one] = store.read(lambda c: deliveries.listed(c, "whk_1"))
    return one.state, one.reason


def fail(store, claimed):
    failed = Result(
        delivery=claimed.planned.id,
        webhook="whk_1",
        fence=claimed.fence,
        answer=Answer(outcome="5xx", status=500),
        verdict=Verdict(state="retry", next_at=SENDING + MINUTE),
        started_at=SENDING,
        finished_at=SENDING,
    )
    store.write(lambda c: results.record(c, [failed]))


def test_a_failure_after_that_is_tried_again(store, claimed):
    move(store, START + 3 * HOUR)
    move(store, START)
    fail(store, claimed)
    assert state(store) == ("pending", None)


def test_a_failure_while_it_is_away_ends_it(store, claimed):
    move(store, START + 3 * HOUR)
    fail(store, claimed)
    assert state(store) == ("superseded", "moved")
