"""What is claimed gets its turn, whatever happens to what stood before it."""

from datetime import timedelta

import pytest

from service.reminders.lanes import QUICK_SECONDS, Lanes
from service.reminders.planned import Planned
from service.reminders.prepare import Outbound
from service.reminders.subscribers import Subscriber
from service.store.claims import QUARANTINE, Claimed
from service.store.waiting import Due
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
    lanes.armed(lanes.arm())


def send(lanes: Lanes, *, seconds: float) -> str:
    started = lanes.next()
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
    while (started := lanes.next()) is not None:
        lanes.put_back(started)
        lanes.settled("whk_1", abandons=0)
        put_back.append(started.outbound.claimed.planned.id)
    assert put_back == ["dlv_2", "dlv_3", "dlv_4"]
    assert (lanes.held, lanes.in_flight, lanes.full()) == (0, 0, [])


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
    assert lanes.choose(waiting, room=100) == ["dlv_x"]
    lanes.claimed("whk_1", abandons=QUARANTINE)
    assert lanes.choose([due("dlv_1", webhook="whk_2")], room=100) == []
    lanes.settled("whk_1", abandons=QUARANTINE)
    assert lanes.choose([due("dlv_1", webhook="whk_2")], room=100) == ["dlv_1"]


def test_what_may_kill_its_worker_waits_until_all_else_is_finished_and_nothing_overtakes_it():
    lanes = Lanes(most=4, total=64)
    lanes.claimed("whk_1", abandons=0)
    waiting = [due("dlv_1", webhook="whk_2"), due("dlv_x", webhook="whk_3", abandons=QUARANTINE)]
    assert lanes.choose(waiting, room=100) == []
    lanes.settled("whk_1", abandons=0)
    assert lanes.choose(waiting, room=100) == ["dlv_x"]
