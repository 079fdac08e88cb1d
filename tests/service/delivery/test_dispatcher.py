"""Whoever is slow, new or failing delays itself; receivers that hang leave half of the requests to others."""

from datetime import timedelta

from service.delivery.dispatcher import Dispatcher
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
        dispatcher.started(key)
    return begun


def prove(dispatcher: Dispatcher, *webhooks: str) -> None:
    """Each of them has answered quickly once."""
    for key in webhooks:
        began_quick = dispatcher.started(key)
        dispatcher.finished(key, began_quick=began_quick, quick=True)


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
    dispatcher.finished("a", began_quick=dispatcher.started("a"), quick=False)
    assert send(dispatcher, "a", each=9) == ["a"]
    dispatcher.finished("a", began_quick=False, quick=True)
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
        dispatcher.finished("a", began_quick=True, quick=False)
    assert (dispatcher.in_flight, send(dispatcher, *"bcdef")) == (0, ["b", "c", "d", "e"])


def test_a_webhook_whose_receiver_asked_for_patience_gets_nothing_until_then_and_one_after():
    dispatcher = Dispatcher(per_webhook=4, total=100)
    prove(dispatcher, "a")
    dispatcher.finished("a", began_quick=dispatcher.started("a"), quick=True, hold=LATER)
    assert (dispatcher.busy(NOON), dispatcher.choose(due("a", "b"), NOON)) == (["a"], ["dlv_b_0"])
    assert (dispatcher.busy(LATER), dispatcher.choose(due("a", each=3), LATER)) == ([], ["dlv_a_0"])


def test_with_one_request_in_all_even_a_slow_receiver_is_sent_to():
    dispatcher = Dispatcher(per_webhook=4, total=1)
    for _ in range(3):
        assert send(dispatcher, "a", each=2) == ["a"]
        dispatcher.finished("a", began_quick=False, quick=False)
