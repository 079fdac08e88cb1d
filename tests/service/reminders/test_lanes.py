"""What is claimed gets its turn, whatever happens to what stood before it."""

from datetime import timedelta

import pytest
from service.store.waiting import Due

from service.delivery.dispatcher import FRESH_SECONDS, QUICK_SECONDS, UTMOST, Lanes
from service.delivery.prepare import Outbound, Subscriber
from service.reminders.plan import Planned
from service.store.claims import QUARANTINE, Claimed
from tests.reminding import NOON, a_webhook


def outbound(key: str, *, webhook: str = "whk_1") -> Outbound:
    planned = Planned(
        id=key,
        webhook=webhook,
        event="talk",
        type="event.reminder",
        anchor="start",
        before="PT1H",
        anchor_at=NOON,
        due_at=NOON,
        valid_until=NOON + timedelta(hours=1),
        tighter_at=None,
        revision=1,
        seq=1,
    )
    claimed = Claimed(planned=planned, fence=1, tries=0, replay=0, abandons=0, body=None, created_at=0)
    hook = a_webhook("http://127.0.0.1:9/", key=webhook)
    return Outbound(
        claimed=claimed, subscriber=Subscriber(webhook=hook, version=1, keys=()), body=b"", began=0.0
    )


def fill(lanes: Lanes, *keys: str) -> None:
    """Claimed, prepared, and written down as about to be sent, as far as there is room."""
    for key in keys:
        lanes.claimed("whk_1", abandons=0)
        lanes.add(outbound(key))
    lanes.armed(lanes.arm(), now=0.0)


def send(lanes: Lanes, *, seconds: float) -> str:
    started = lanes.next(now=0.0)
    assert started is not None
    lanes.finished(started, seconds=seconds)
    lanes.settled("whk_1", abandons=0)
    return started.outbound.claimed.planned.id


def test_a_lane_whose_first_was_put_back_goes_on_with_the_next():
    """A receiver turns slow while much is ready for it, and then too little of the leases is left."""
    lanes = Lanes(most=4, total=64)
    fill(lanes, "dlv_0")
    send(lanes, seconds=0.01)
    fill(lanes, "dlv_1", "dlv_2", "dlv_3", "dlv_4")
    send(lanes, seconds=20 * QUICK_SECONDS)
    put_back = []
    while (started := lanes.next(now=0.0)) is not None:
        lanes.put_back(started)
        lanes.settled("whk_1", abandons=0)
        put_back.append(started.outbound.claimed.planned.id)
    assert put_back == ["dlv_2", "dlv_3", "dlv_4"]
    assert (lanes.held, lanes.in_flight, lanes.full(NOON)) == (0, 0, [])


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_slow_receiver_is_sent_to_however_few_may_be_under_way(total):
    lanes = Lanes(most=4, total=total)
    sent = []
    for n in range(3):
        fill(lanes, f"dlv_{n}")
        sent.append(send(lanes, seconds=2 * QUICK_SECONDS))
    assert sent == ["dlv_0", "dlv_1", "dlv_2"]


def due(key: str, *, webhook: str = "whk_1", abandons: int = 0) -> Due:
    return Due(key, webhook, abandons)


def test_what_may_kill_its_worker_is_claimed_alone():
    lanes = Lanes(most=4, total=64)
    waiting = [due("dlv_1"), due("dlv_x", abandons=QUARANTINE), due("dlv_y", abandons=QUARANTINE)]
    assert lanes.choose(waiting, room=100, now=NOON) == ["dlv_x"]
    lanes.claimed("whk_1", abandons=QUARANTINE)
    assert lanes.choose([due("dlv_1", webhook="whk_2")], room=100, now=NOON) == []
    lanes.settled("whk_1", abandons=QUARANTINE)
    assert lanes.choose([due("dlv_1", webhook="whk_2")], room=100, now=NOON) == ["dlv_1"]


def test_what_may_kill_its_worker_waits_until_all_else_is_finished_and_nothing_overtakes_it():
    lanes = Lanes(most=4, total=64)
    lanes.claimed("whk_1", abandons=0)
    waiting = [due("dlv_1", webhook="whk_2"), due("dlv_x", webhook="whk_3", abandons=QUARANTINE)]
    assert lanes.choose(waiting, room=100, now=NOON) == []
    lanes.settled("whk_1", abandons=0)
    assert lanes.choose(waiting, room=100, now=NOON) == ["dlv_x"]


def waiting(lanes, *webhooks):
    """One message for each, written down as about to be sent at the instant 0."""
    for key in webhooks:
        lanes.claimed(key, abandons=0)
        lanes.add(outbound(f"dlv_{key}", webhook=key))
    lanes.armed(lanes.arm(), now=0.0)


def begun(lanes, *, now):
    found = []
    while (started := lanes.next(now=now)) is not None:
        found.append(started)
    return found


def test_whoever_has_never_answered_gets_half_of_the_slots():
    lanes = Lanes(most=4, total=8)
    waiting(lanes, "whk_known")
    lanes.finished(begun(lanes, now=0.0)[0], seconds=0.01)
    lanes.settled("whk_known", abandons=0)
    waiting(lanes, *(f"whk_{n}" for n in range(9)), "whk_known")
    assert [each.webhook for each in begun(lanes, now=0.5)] == [
        "whk_0",
        "whk_1",
        "whk_2",
        "whk_3",
        "whk_known",
    ]


def test_a_request_that_is_out_for_long_leaves_its_slot_to_others_and_makes_its_webhook_slow():
    lanes = Lanes(most=4, total=2)
    waiting(lanes, "whk_1", "whk_2")
    [first] = begun(lanes, now=0.0)
    assert begun(lanes, now=QUICK_SECONDS - 0.1) == []
    [second] = begun(lanes, now=QUICK_SECONDS)
    assert (first.lingers, second.lingers, lanes.in_flight) == (True, False, 2)
    for started in (first, second):
        lanes.finished(started, seconds=0.1)
    assert lanes.in_flight == 0


def test_however_many_hang_only_so_many_are_under_way_at_once():
    lanes = Lanes(most=4, total=2)
    waiting(lanes, *(f"whk_{n}" for n in range(8)))
    waiting(lanes, *(f"whk_{n}" for n in range(8, 12)))
    under_way = [len(begun(lanes, now=QUICK_SECONDS * n)) for n in range(10)]
    assert sum(under_way) == lanes.in_flight == UTMOST * 2


def test_what_was_written_down_too_long_ago_is_not_sent_as_it_is():
    lanes = Lanes(most=4, total=8)
    waiting(lanes, "whk_1", "whk_2")
    fresh = lanes.next(now=FRESH_SECONDS)
    late = lanes.next(now=FRESH_SECONDS + 0.1)
    assert fresh is not None
    assert late is not None
    assert (fresh.stale, late.stale) == (False, True)


def test_what_waits_too_long_is_taken_back_with_its_attempt():
    lanes = Lanes(most=4, total=8)
    waiting(lanes, "whk_1", "whk_2")
    assert lanes.outlived(began=0.0, armed=0.0) == []
    assert [each.claimed.planned.webhook for each in lanes.outlived(began=0.0, armed=0.1)] == [
        "whk_1",
        "whk_2",
    ]
    assert begun(lanes, now=0.2) == []


def test_a_webhook_whose_receiver_asked_for_patience_is_claimed_nothing_until_then():
    lanes = Lanes(most=4, total=8)
    waiting(lanes, "whk_1")
    lanes.finished(begun(lanes, now=0.0)[0], seconds=0.01, hold=NOON + timedelta(seconds=30))
    lanes.settled("whk_1", abandons=0)
    later = NOON + timedelta(seconds=30)
    rows = [due("dlv_2"), due("dlv_3", webhook="whk_2")]
    assert (lanes.full(NOON), lanes.choose(rows, room=9, now=NOON)) == (["whk_1"], ["dlv_3"])
    assert (lanes.full(later), lanes.choose(rows, room=9, now=later)) == ([], ["dlv_2", "dlv_3"])
