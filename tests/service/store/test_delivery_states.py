"""The delivery state machine, transition by transition, on both engines (docs/reliability.md, T1 to T10)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from service.errors import Conflict, NotFound
from service.reminders.plan import Planned
from service.reminders.replan import Withdrawal
from service.reminders.retry import Answer, Verdict
from service.store import claims, deliveries, results, webhooks
from service.store.results import Result
from service.store.tables import delivery_body
from tests.reminding import HOUR, MINUTE, NOON, a_webhook, add

LEASE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
OK = Answer(outcome="2xx", status=200)
NO = Answer(outcome="5xx", status=500)


def planned(key="dlv_1", *, webhook="whk_1", due=NOON, until=NOON + HOUR, **fields):
    return Planned(
        id=key,
        webhook=webhook,
        event="talk",
        type="event.reminder",
        anchor="start",
        before="PT1H",
        anchor_at=NOON + HOUR,
        due_at=due,
        valid_until=until,
        tighter_at=None,
        revision=1,
        seq=1,
        **fields,
    )


@pytest.fixture
def hook(store):
    add(store, a_webhook("http://127.0.0.1:9/"))


def plan(store, *rows, now=NOON):
    return store.write(lambda c: deliveries.insert(c, rows or [planned()], now=now))


def due(c, *, worker="w1", now=NOON, per_webhook=4, limit=100, busy=()):
    found = claims.due(c, worker=worker, now=now, per_webhook=per_webhook, limit=limit, busy=busy)
    return [each.id for each in found]


def attempted(claimed, body):
    return claims.Attempted(delivery=claimed.planned.id, fence=claimed.fence, body=body, body_sha256="x")


def take(store, *, worker="w1", now=NOON, body=None, **options):
    """Claim what is due, and be about to send it."""

    def work(c):
        ids = due(c, worker=worker, now=now, **options)
        claimed = claims.claim(c, ids, worker=worker, now=now, lease=LEASE)
        claims.open_attempts(c, [attempted(each, body) for each in claimed], worker=worker, now=now)
        return claimed

    return store.write(work)


def result(claimed, answer, verdict, *, now=NOON + SECOND):
    return Result(
        delivery=claimed.planned.id,
        webhook=claimed.planned.webhook,
        fence=claimed.fence,
        answer=answer,
        verdict=verdict,
        started_at=NOON,
        finished_at=now,
    )


def end(store, claimed, answer, verdict, **options):
    ended = result(claimed, answer, verdict, **options)
    return store.write(lambda c: results.record(c, [ended]))


def succeed(store, claimed, **options):
    return end(store, claimed, OK, Verdict(state="succeeded"), **options)


def retry(store, claimed, *, at=NOON + MINUTE, **options):
    return end(store, claimed, NO, Verdict(state="retry", next_at=at), **options)


def recover(store, *, now, chance=0.0, everything=False):
    return len(store.write(lambda c: results.recover(c, now=now, chance=chance, everything=everything)))


def state(store, key="dlv_1"):
    found, attempts = store.read(lambda c: deliveries.get(c, key, owner=None))
    return found.state, found.reason, [attempt.outcome for attempt in attempts]


def test_t1_planning_twice_is_planning_once(store, hook):
    plan(store)
    plan(store)
    assert len(take(store)) == 1


def test_t2_a_claim_is_exclusive_and_what_is_about_to_be_sent_has_an_attempt(store, hook):
    plan(store)
    [claimed] = take(store, worker="w1")
    assert (claimed.fence, claimed.tries) == (1, 0)
    assert take(store, worker="w2") == ()
    assert state(store) == ("leased", None, [None])


@pytest.mark.parametrize("now", [NOON - SECOND, NOON + HOUR], ids=["too early", "too late"])
def test_t2_nothing_is_claimed_outside_its_time(store, hook, now):
    plan(store)
    assert take(store, now=now) == ()


def test_t2_nothing_is_claimed_for_a_webhook_that_is_not_active(store):
    add(store, a_webhook("http://127.0.0.1:9/", state="paused"))
    plan(store)
    assert take(store) == ()
    assert take(store, limit=1) == ()


def test_t3_an_expired_lease_is_taken_over_and_its_attempt_is_abandoned(store, hook):
    plan(store)
    take(store, worker="w1")
    assert recover(store, now=NOON + LEASE - SECOND) == 0
    assert recover(store, now=NOON + LEASE) == 1
    [claimed] = take(store, worker="w2", now=NOON + LEASE)
    assert claimed.fence == 2
    assert state(store) == ("leased", None, ["abandoned", None])
    # Which bytes may have arrived is known of either.
    _, attempts = store.read(lambda c: deliveries.get(c, "dlv_1", owner=None))
    assert [attempt.body_sha256 for attempt in attempts] == ["x", "x"]


def test_t3_what_kills_its_workers_is_slowed_down_and_at_last_given_up(store, hook):
    plan(store, planned(until=NOON + 30 * HOUR))
    now, waits = NOON, []
    for _ in range(results.POISON):
        assert len(take(store, now=now)) == 1
        now += LEASE
        recover(store, now=now, chance=1.0)
        found, _ = store.read(lambda c: deliveries.get(c, "dlv_1", owner=None))
        waits.append((found.next_at - now).total_seconds())
        now = found.next_at
    assert waits == [2.0**k for k in range(1, 11)]
    assert state(store)[:2] == ("dead", "poison")


def test_t4_a_success_counts_whoever_brings_it(store, hook):
    plan(store)
    [old] = take(store, worker="w1")
    recover(store, now=NOON + LEASE)
    [new] = take(store, worker="w2", now=NOON + LEASE)
    assert succeed(store, old, now=NOON + LEASE).stale == 0
    assert state(store) == ("succeeded", None, ["2xx", None])
    assert retry(store, new, now=NOON + LEASE + SECOND).stale == 1
    assert state(store) == ("succeeded", None, ["2xx", "stale"])


def test_t4_a_second_success_changes_nothing_but_its_attempt(store, hook):
    plan(store)
    [old] = take(store)
    recover(store, now=NOON + LEASE)
    [new] = take(store, now=NOON + LEASE)
    succeed(store, new)
    assert succeed(store, old).stale == 1
    assert state(store) == ("succeeded", None, ["2xx", "2xx"])


@pytest.mark.parametrize(
    ("second", "outcomes"),
    [(OK, ["2xx", "2xx"]), (NO, ["2xx", "stale"])],
    ids=["another success", "a failure of the newest fence"],
)
@pytest.mark.parametrize("first", [True, False])
def test_t4_of_two_results_in_one_transaction_the_success_counts_once(store, hook, first, second, outcomes):
    plan(store)
    [old] = take(store, worker="w1")
    recover(store, now=NOON + LEASE)
    [new] = take(store, worker="w2", now=NOON + LEASE)
    verdict = Verdict(state="succeeded" if second.succeeded else "retry", next_at=NOON + HOUR)
    both = [result(old, OK, Verdict(state="succeeded")), result(new, second, verdict)]
    recorded = store.write(lambda c: results.record(c, both if first else both[::-1]))
    assert recorded.stale == 1
    assert state(store) == ("succeeded", None, outcomes)
    found, _ = store.read(lambda c: deliveries.get(c, "dlv_1", owner=None))
    assert found.tries == 1


def test_t4_successes_written_together_each_keep_the_instant_they_ended(store, hook):
    plan(store, *(planned(f"dlv_{n}") for n in range(3)))
    take(store, limit=1)
    recover(store, now=NOON + LEASE)
    ended = [
        result(each, OK, Verdict(state="succeeded"), now=NOON + LEASE + number * SECOND)
        for number, each in enumerate(take(store, now=NOON + LEASE))
    ]
    assert sorted(each.fence for each in ended) == [1, 1, 2]
    store.write(lambda c: results.record(c, ended))
    found = [store.read(lambda c, k=each.delivery: deliveries.get(c, k, owner=None))[0] for each in ended]
    assert [each.finished_at for each in found] == [each.finished_at for each in ended]


def test_t5_a_failure_waits_for_its_next_time(store, hook):
    plan(store)
    [claimed] = take(store)
    retry(store, claimed)
    assert take(store, now=NOON + MINUTE - SECOND) == ()
    [again] = take(store, now=NOON + MINUTE)
    assert (again.fence, again.tries) == (2, 1)
    assert state(store) == ("leased", None, ["5xx", None])


def test_t5_a_failure_of_an_outdated_fence_is_refused(store, hook):
    plan(store)
    [old] = take(store, worker="w1")
    recover(store, now=NOON + LEASE)
    take(store, worker="w2", now=NOON + LEASE)
    assert retry(store, old).stale == 1
    assert state(store) == ("leased", None, ["stale", None])


@pytest.mark.parametrize("verdict", [("dead", "gone"), ("dead", "exhausted"), ("expired", "too_late")])
def test_t6_giving_up_is_recorded_with_its_reason(store, hook, verdict):
    plan(store)
    [claimed] = take(store)
    end(store, claimed, NO, Verdict(state=verdict[0], reason=verdict[1]))
    assert state(store) == (*verdict, ["5xx"])


def test_t7_what_is_of_no_use_any_more_expires_in_sight(store, hook):
    plan(store)
    assert store.write(lambda c: claims.expire(c, now=NOON + HOUR - SECOND)) == 0
    assert store.write(lambda c: claims.expire(c, now=NOON + HOUR)) == 1
    assert state(store) == ("expired", "too_late", [])


def moved(*ids):
    return [Withdrawal(id=each, reason="moved") for each in ids]


def test_t8_what_is_pending_is_superseded_and_what_is_under_way_is_dropped_when_it_fails(store, hook):
    plan(store, planned("dlv_1"), planned("dlv_2", due=NOON + MINUTE))
    [claimed] = take(store)
    assert store.write(lambda c: deliveries.supersede(c, moved("dlv_1", "dlv_2"), now=NOON)) == 1
    assert state(store, "dlv_2") == ("superseded", "moved", [])
    assert state(store, "dlv_1")[0] == "leased"
    retry(store, claimed)
    assert state(store, "dlv_1") == ("superseded", "moved", ["5xx"])


def test_t8_a_success_still_wins(store, hook):
    plan(store)
    [claimed] = take(store)
    store.write(lambda c: deliveries.supersede(c, moved("dlv_1"), now=NOON))
    succeed(store, claimed)
    assert state(store) == ("succeeded", None, ["2xx"])


def test_t8_a_lost_delivery_that_was_superseded_is_not_sent_again(store, hook):
    plan(store)
    take(store)
    store.write(lambda c: deliveries.supersede(c, moved("dlv_1"), now=NOON))
    recover(store, now=NOON + LEASE)
    assert state(store)[:2] == ("superseded", "moved")


def test_t8_planned_again_it_is_revived_and_a_finished_one_is_not(store, hook):
    plan(store, planned("dlv_1"), planned("dlv_2"))
    succeed(store, take(store)[1])
    store.write(lambda c: deliveries.supersede(c, moved("dlv_1", "dlv_2"), now=NOON))
    retry(store, store_claimed(store))
    plan(store, planned("dlv_1", due=NOON + MINUTE), planned("dlv_2"))
    assert state(store, "dlv_1")[0] == "pending"
    assert state(store, "dlv_2")[0] == "succeeded"
    assert [each.planned.id for each in take(store, now=NOON + MINUTE)] == ["dlv_1"]


def store_claimed(store):
    """The first of the two, as its worker holds it."""
    return claims.Claimed(planned=planned(), fence=1, tries=0, replay=0, body=None, created_at=0)


@pytest.mark.parametrize("ending", ["succeeded", "dead", "expired"])
def test_t9_a_finished_delivery_can_be_sent_again_under_its_id(store, hook, ending):
    plan(store)
    [claimed] = take(store)
    if ending == "succeeded":
        succeed(store, claimed)
    else:
        end(store, claimed, NO, Verdict(state=ending, reason="exhausted"))
    later = NOON + 5 * HOUR
    found = store.write(lambda c: results.redeliver(c, "dlv_1", owner="owner", now=later))
    assert (found.state, found.replay, found.tries) == ("pending", 1, 0)
    [again] = take(store, now=later)
    assert (again.planned.id, again.fence, again.replay) == ("dlv_1", 2, 1)


def test_t9_what_is_not_finished_cannot_be_sent_again_and_others_cannot_see_it(store, hook):
    plan(store)
    with pytest.raises(Conflict):
        store.write(lambda c: results.redeliver(c, "dlv_1", owner="owner", now=NOON))
    with pytest.raises(NotFound):
        store.write(lambda c: results.redeliver(c, "dlv_1", owner="somebody", now=NOON))


def test_t9_redelivering_twice_at_once_adds_one_attempt(store, hook):
    plan(store)
    succeed(store, take(store)[0])
    span = {"since": NOON, "until": NOON + HOUR, "states": ("succeeded",)}
    again = [store.write(lambda c: results.redeliver_many(c, "whk_1", now=NOON, **span)) for _ in range(2)]
    assert again == [1, 0]


def test_t10_after_a_crash_everything_leased_is_free_again(store, hook):
    plan(store)
    take(store)
    assert recover(store, now=NOON + SECOND, everything=True) == 1
    assert state(store) == ("pending", None, ["abandoned"])


@pytest.mark.parametrize("body", [b"bytes", '{"이름":"\\u0000"}'.encode(), bytes(range(256))])
def test_bytes_once_written_are_repeated(store, hook, body):
    plan(store)
    [claimed] = take(store, body=body)
    assert claimed.body is None
    retry(store, claimed)
    assert take(store, now=NOON + MINUTE)[0].body == body


def test_a_commit_whose_answer_was_lost_may_be_written_again(store, hook):
    plan(store)
    [claimed] = take(store, body=b"bytes")
    again = [attempted(claimed, b"bytes")]
    store.write(lambda c: claims.open_attempts(c, again, worker="w1", now=NOON))
    assert state(store) == ("leased", None, [None])
    succeed(store, claimed)
    succeed(store, claimed)
    assert state(store) == ("succeeded", None, ["2xx"])


def test_a_webhook_in_the_hands_of_one_worker_is_left_alone_by_others(store, hook):
    add(store, a_webhook("http://127.0.0.1:9/", key="whk_2"))
    plan(store, planned("dlv_1"), planned("dlv_2", due=NOON + SECOND), planned("dlv_3", webhook="whk_2"))
    assert {each.planned.id for each in take(store, worker="w1")} == {"dlv_1", "dlv_3"}
    assert take(store, worker="w2", now=NOON + MINUTE / 2) == ()
    assert [each.planned.id for each in take(store, worker="w1", now=NOON + MINUTE / 2)] == ["dlv_2"]


def test_where_more_is_due_than_is_looked_at_each_queue_gives_its_first(store, hook):
    plan(store, *(planned(f"dlv_{n}", due=NOON - n * SECOND) for n in range(1, 10)))
    look = lambda **options: store.write(lambda c: due(c, per_webhook=2, **options))  # noqa: E731
    assert look(limit=20) == [f"dlv_{n}" for n in range(9, 0, -1)]
    assert look(limit=9) == ["dlv_9", "dlv_8"]
    assert look(limit=9, busy=["whk_1"]) == []


def test_what_is_given_back_can_be_claimed_again_and_has_no_attempt(store, hook):
    plan(store)

    def work(c):
        claimed = claims.claim(c, due(c), worker="w1", now=NOON, lease=LEASE)
        claims.release(c, claimed)

    store.write(work)
    assert state(store) == ("pending", None, [])
    [again] = take(store)
    assert again.fence == 2


def test_a_long_queue_hides_no_other(store, hook):
    add(store, a_webhook("http://127.0.0.1:9/", key="whk_2"))
    backlog = [planned(f"dlv_{n:04}", due=NOON - HOUR) for n in range(500)]
    plan(store, *backlog, planned("dlv_new", webhook="whk_2"))
    claimed = take(store, per_webhook=4, limit=50)
    assert [each.planned.webhook for each in claimed] == ["whk_1"] * 4 + ["whk_2"]


def test_failures_in_a_row_are_counted_until_a_success(store, hook):
    plan(store, *(planned(f"dlv_{n}", due=NOON + n * SECOND) for n in range(3)))
    claimed = take(store, now=NOON + 2 * SECOND)
    [failing] = retry(store, claimed[0], now=NOON).failing
    [failing] = retry(store, claimed[1], now=NOON + MINUTE).failing
    assert (failing.webhook, failing.since, failing.failures) == ("whk_1", NOON, 2)
    succeed(store, claimed[2])
    [kept] = store.read(webhooks.every)
    assert (kept.failing_since, kept.failures) == (None, 0)


def test_finished_deliveries_are_forgotten_long_after_their_moment(store, hook):
    plan(store, planned("dlv_1"), planned("dlv_2"))
    succeed(store, take(store, body=b"bytes")[0])
    bodies = lambda: store.read(lambda c: set(c.execute(select(delivery_body.c.delivery_id)).scalars()))  # noqa: E731
    assert bodies() == {"dlv_1", "dlv_2"}
    purge = lambda before: store.write(lambda c: deliveries.purge(c, before=before))  # noqa: E731
    assert purge(NOON + MINUTE) == 0  # its moment is still to come: a second plan must find the id
    assert purge(NOON + 2 * HOUR) == 1
    assert store.read(lambda c: [each.id for each in deliveries.listed(c, "whk_1")]) == ["dlv_2"]
    assert bodies() == {"dlv_2"}
