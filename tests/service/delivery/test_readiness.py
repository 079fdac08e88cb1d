"""When a service is not ready: the decisions, and what they are made of on both engines."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from service.delivery.readiness import MOST_BEHIND, late_since, sender_trouble, waits_for_us
from service.delivery.supervisor import pause_after
from service.errors import Unavailable
from service.reminders.webhook import Rate
from service.store import backlog
from service.store.backlog import Queue, Served
from service.store.tables import delivery, meta, webhook
from tests.reminding import a_webhook, add, fill

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def queue(*attempts, puts_off=False, rate=None):
    asked = a_webhook("https://example.org/", **({"rate": rate} if rate else {}))
    return Queue(webhook=asked, since=NOW - 40 * SECOND, puts_off=puts_off, attempts=attempts)


def served(*, ago, seconds=0.1, status=200):
    began = NOW - ago * SECOND
    return Served(started_at=began, finished_at=began + seconds * SECOND, status=status, seconds=seconds)


UNDER_WAY = Served(started_at=NOW - 9 * SECOND, finished_at=None, status=None, seconds=9)


@pytest.mark.parametrize(
    ("waiting", "ours"),
    [
        (queue(), True),
        (queue(served(ago=5)), True),
        (queue(served(ago=5, seconds=3)), False),
        (queue(served(ago=90, seconds=3)), True),
        (queue(UNDER_WAY), False),
        (queue(served(ago=5), served(ago=300, status=429)), False),
        (queue(served(ago=5), served(ago=3000, status=429)), True),
        (queue(puts_off=True), False),
        (queue(served(ago=5), rate=Rate(count=1, per="PT1S")), False),
        (queue(served(ago=90), rate=Rate(count=1, per="PT1S")), True),
    ],
)
def test_a_queue_is_late_unless_its_receiver_is_the_reason(waiting, ours):
    assert waits_for_us(waiting, now=NOW) is ours


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"absent": None, "silent": 1, "deaths": 2}, None),
        ({"absent": 14, "silent": 0, "deaths": 1}, None),
        ({"absent": 16, "silent": 0, "deaths": 0}, "has not worked for 16 s (exit code 1)"),
        ({"absent": None, "silent": 16, "deaths": 0}, "has said nothing for 16 s"),
        ({"absent": None, "silent": 0, "deaths": 3}, "has ended 3 times in a row (exit code 1)"),
    ],
)
def test_a_sender_is_not_at_work(state, said):
    trouble = sender_trouble(**state, how="exit code 1")
    assert trouble == (said and f"The sending process {said}.")


def test_the_pause_stays_below_two_seconds_unless_five_died_at_once():
    assert [pause_after([7.0] * n) for n in range(1, 7)] == [0.25, 0.5, 1, 2, 2, 2]
    assert [pause_after([0.5] * n) for n in range(1, 9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30]
    assert pause_after([0.5] * 9 + [100.0]) == 0.25


def test_a_dead_receivers_backlog_does_not_count(store):
    add(store, a_webhook("https://example.org/"))
    fill(store, "whk_1", 3, now=NOW)
    late = lambda at: store.read(  # noqa: E731
        lambda c: late_since(backlog.queues(c, now=at, slack=MOST_BEHIND), now=at)
    )
    assert [late(NOW + 29 * SECOND), late(NOW + 31 * SECOND)] == [None, NOW]
    store.write(lambda c: c.execute(update(webhook).values(failing_since=1)))
    assert late(NOW + 31 * SECOND) is None
    store.write(lambda c: c.execute(update(webhook).values(failing_since=None, state="paused")))
    assert late(NOW + 31 * SECOND) is None


def test_what_a_dead_worker_holds_counts_when_nobody_frees_it(store):
    add(store, a_webhook("https://example.org/"))
    fill(store, "whk_1", 3, now=NOW)
    leased = update(delivery).values(state="leased", owner="wrk", lease_until=int(NOW.timestamp() * 1000))
    store.write(lambda c: c.execute(leased))
    held = lambda at: store.read(  # noqa: E731
        lambda c: backlog.unrecovered(c, now=at, slack=MOST_BEHIND)
    )
    assert [held(NOW + 29 * SECOND), held(NOW + 31 * SECOND)] == [None, NOW]


def test_a_database_that_is_another_one_by_now_is_not_taken_for_ours(store):
    store.read(store.verify)
    commits = store.commits
    store.probe()
    assert store.commits == commits
    store.write(lambda c: c.execute(update(meta).values(value="another")))
    with pytest.raises(Unavailable, match="The database is not the one that was opened"):
        store.read(store.verify)
    store.write(lambda c: c.execute(delete(meta)))
    with pytest.raises(Unavailable, match="The database is not the one that was opened"):
        store.read(store.verify)
