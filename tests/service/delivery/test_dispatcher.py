"""Whoever is slow, new or failing delays itself; receivers that hang leave half of the requests to others."""

import heapq
import math
from collections import deque
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.delivery.dispatcher import Dispatcher
from service.reminders import retry
from service.reminders.retry import Answer
from service.reminders.webhook import Rate
from service.settings import Settings
from service.store.claims import Due
from tests.reminding import NOON

LATER = NOON + timedelta(seconds=30)


def due(*webhooks: str, each: int = 1) -> list[Due]:
    return [Due(id=f"dlv_{key}_{n}", webhook=key) for n in range(each) for key in webhooks]


def send(dispatcher: Dispatcher, *webhooks: str, each: int = 1) -> list[str]:
    """Begin what may begin of so many to each; the webhooks of that."""
    chosen = dispatcher.choose(due(*webhooks, each=each), NOON)
    begun = [key.split("_")[1] for key in chosen]
    for key in begun:
        dispatcher.started(key, now=NOON)
    return begun


def prove(dispatcher: Dispatcher, *webhooks: str) -> None:
    """Each of them has answered quickly for a while."""
    for key in 9 * webhooks:
        answer(dispatcher, key)


def answer(dispatcher: Dispatcher, webhook: str, *, quick: bool = True, **ended: Any) -> None:
    """A request to this webhook and its answer."""
    began_quick = dispatcher.started(webhook, now=NOON)
    dispatcher.finished(webhook, began_quick=began_quick, quick=quick, now=NOON, **ended)


def test_a_webhook_that_has_never_answered_gets_one_request_and_a_quick_one_four():
    dispatcher = Dispatcher(per_webhook=4, total=100)
    prove(dispatcher, "quick")
    assert send(dispatcher, "new", "quick", each=9) == ["new", "quick", "quick", "quick", "quick"]
    assert dispatcher.in_flight == 5
    assert set(dispatcher.busy(NOON)) == {"new", "quick"}


def test_what_is_in_flight_counts_and_oldest_goes_first():
    dispatcher = Dispatcher(per_webhook=4, total=3)
    prove(dispatcher, "a", "b")
    assert dispatcher.choose(due("a", "b", each=3), NOON) == ["dlv_a_0", "dlv_b_0", "dlv_a_1"]
    assert send(dispatcher, "a", each=2) == ["a", "a"]
    assert send(dispatcher, "b", each=2) == ["b"]


def test_a_failure_or_a_slow_answer_makes_a_webhook_go_one_at_a_time_until_it_answers_quickly():
    dispatcher = Dispatcher(per_webhook=4, total=100)
    prove(dispatcher, "a")
    answer(dispatcher, "a", quick=False)
    assert send(dispatcher, "a", each=9) == ["a"]
    dispatcher.finished("a", began_quick=False, quick=True, now=NOON)
    prove(dispatcher, "a")
    assert send(dispatcher, "a", each=9) == ["a"] * 4


def test_receivers_that_hang_however_many_leave_half_to_those_that_answer():
    dispatcher = Dispatcher(per_webhook=4, total=8)
    prove(dispatcher, "good")
    hanging = [f"hangs{n}" for n in range(20)]
    assert send(dispatcher, *hanging) == hanging[:4]
    assert send(dispatcher, *hanging[4:], "good", each=4) == ["good"] * 4
    assert dispatcher.in_flight == 8
    assert send(dispatcher, "good", *hanging) == []


def test_one_that_turns_slow_while_it_has_four_gives_its_half_back_when_they_end():
    dispatcher = Dispatcher(per_webhook=4, total=8)
    prove(dispatcher, "a")
    assert send(dispatcher, "a", each=4) == ["a"] * 4
    for _ in range(4):
        dispatcher.finished("a", began_quick=True, quick=False, now=NOON)
    assert (dispatcher.in_flight, send(dispatcher, *"bcdef")) == (0, ["b", "c", "d", "e"])


def test_a_webhook_whose_receiver_asked_for_patience_gets_nothing_until_then_and_one_after():
    dispatcher = Dispatcher(per_webhook=4, total=100)
    prove(dispatcher, "a")
    answer(dispatcher, "a", hold=LATER)
    assert (dispatcher.busy(NOON), dispatcher.choose(due("a", "b"), NOON)) == (["a"], ["dlv_b_0"])
    assert (dispatcher.busy(LATER), dispatcher.choose(due("a", each=3), LATER)) == ([], ["dlv_a_0"])


def test_with_one_request_in_all_even_a_slow_receiver_is_sent_to():
    dispatcher = Dispatcher(per_webhook=4, total=1)
    for _ in range(3):
        assert send(dispatcher, "a", each=2) == ["a"]
        dispatcher.finished("a", began_quick=False, quick=False, now=NOON)


SECOND = timedelta(seconds=1)
LATENCY = timedelta(milliseconds=60)
LOOK = timedelta(milliseconds=40)


class Limited:
    """A receiver that takes `count` requests within any `per`, and says when to come back."""

    def __init__(self, count: int, per: timedelta, *, names_the_wait: bool = True) -> None:
        self.count, self.per, self.names_the_wait = count, per, names_the_wait
        self.taken: deque[datetime] = deque()
        self.refused = 0

    def answer(self, at: datetime) -> Answer:
        while self.taken and self.taken[0] <= at - self.per:
            self.taken.popleft()
        if len(self.taken) < self.count:
            self.taken.append(at)
            return Answer(outcome="2xx", status=204)
        self.refused += 1
        wait = math.ceil((self.taken[0] + self.per - at) / SECOND)
        return Answer(outcome="4xx", status=429, retry_after=str(wait) if self.names_the_wait else None)


def burst(count: int, receiver: Limited, rate: Rate | None = None) -> tuple[float, int]:
    """So many due at once: the seconds until the last is taken, and the refusals. Time is only counted."""
    dispatcher, now = Dispatcher(per_webhook=4, total=256), NOON
    waiting = {f"dlv_{n}": NOON for n in range(count)}
    flying: list[tuple[datetime, str, bool, Answer]] = []
    done = NOON
    while waiting or flying:
        while flying and flying[0][0] <= now:
            at, key, began_quick, answer = heapq.heappop(flying)
            verdict = retry.judge(
                answer,
                tries=0,
                now=at,
                valid_until=NOON + timedelta(days=1),
                chance=0.5,
                schedule=Settings().retry_schedule,
            )
            hold, limited = retry.hold(answer, now=at), retry.is_limit(answer)
            quick = answer.succeeded
            dispatcher.finished("a", began_quick=began_quick, quick=quick, now=at, hold=hold, limited=limited)
            done = at
            if verdict.next_at is not None:
                assert verdict.is_free
                waiting[key] = verdict.next_at
        ready = sorted((at, key) for key, at in waiting.items() if at <= now)
        for key in dispatcher.choose([Due(id=key, webhook="a") for _, key in ready], now):
            del waiting[key]
            began_quick = dispatcher.started("a", now=now, rate=rate)
            heapq.heappush(flying, (now + LATENCY, key, began_quick, receiver.answer(now + LATENCY / 2)))
        now += LOOK
    return (done - NOON) / SECOND, receiver.refused


@pytest.mark.parametrize(
    ("count", "limit", "per", "seconds"), [(20, 1, SECOND, 25), (60, 1, SECOND, 70), (30, 5, 2 * SECOND, 16)]
)
def test_a_receiver_that_limits_its_senders_gets_what_is_due_at_its_own_pace(count, limit, per, seconds):
    took, refused = burst(count, Limited(limit, per))
    assert refused <= 3
    assert took <= seconds


def test_a_limit_without_a_named_wait_is_learned_too():
    took, refused = burst(20, Limited(1, SECOND, names_the_wait=False))
    assert refused <= 6
    assert took <= 60


@pytest.mark.parametrize(("limit", "per"), [(1, "PT1S"), (5, "PT2S"), (60, "PT1M")])
def test_a_known_limit_is_never_exceeded(limit, per):
    rate = Rate(count=limit, per=per)
    took, refused = burst(3 * limit, Limited(limit, rate.length), rate)
    assert (refused, took < 2 * rate.length / SECOND + 3) == (0, True)


def test_a_receiver_without_limits_is_soon_sent_four_at_once():
    took, refused = burst(100, Limited(1000, SECOND))
    assert (refused, took < 4) == (0, True)
