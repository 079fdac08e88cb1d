"""A clock that jumps is not believed before it has stood for two minutes, whatever it says meanwhile."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from service.clock import HOLD, JUMP, Belief, Reading, first, judge

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def reading(seconds: float, *, off: timedelta = timedelta(0), within: timedelta = timedelta(0)) -> Reading:
    """Taken so long after the start of the machine by a source that is off by so much."""
    running = timedelta(seconds=seconds)
    return Reading(said=START + running + off, running=running, within=within)


def after(*readings: Reading) -> Belief:
    """What is believed after all of them."""
    belief = first(readings[0])
    for each in readings[1:]:
        belief = judge(belief, each)
    return belief


def test_a_clock_that_is_put_right_by_seconds_is_followed_at_once():
    assert after(reading(0), reading(1, off=JUMP)) == Belief(origin=START + JUMP)
    assert after(reading(0), reading(1, off=-JUMP)) == Belief(origin=START - JUMP)


def test_a_clock_that_drifts_is_followed():
    """Two in a hundred, looked at every second for an hour."""
    belief = after(*(reading(n, off=n * SECOND / 50) for n in range(3600)))
    assert belief == Belief(origin=START + 3599 * SECOND / 50)


def test_a_jump_is_doubted_until_it_has_stood_for_two_minutes():
    readings = [reading(0), *(reading(n, off=HOUR) for n in range(1, 122))]
    assert after(*readings[:-1]).origin == START
    assert after(*readings[:-1]).jump == HOUR
    assert after(*readings) == Belief(origin=START + HOUR)


def test_a_jump_that_is_taken_back_has_had_no_effect():
    jumped = [reading(n, off=-400 * 24 * HOUR) for n in range(1, 120)]
    assert after(reading(0), *jumped, reading(120)) == first(reading(0))


def test_a_clock_that_goes_on_jumping_is_never_believed():
    restless = [reading(n, off=(n // 100) * HOUR) for n in range(100, 1000)]
    assert after(reading(0), *restless).origin == START


def test_a_reading_that_took_long_moves_nothing_it_is_not_sure_of():
    slow = reading(1, off=4 * SECOND, within=6 * SECOND)
    assert after(reading(0), slow) == Belief(origin=START)
    surer = reading(1, off=4 * SECOND, within=1 * SECOND)
    assert after(reading(0), surer) == Belief(origin=START + 3 * SECOND)


jumps = st.sampled_from([0, 0, 0, 1, -1, 4, -4, 6, -6, 300, -300, 3600, -3600, 400 * 86400, -400 * 86400])


@given(st.lists(st.tuples(st.integers(1, 40), jumps), min_size=1, max_size=60))
def test_nothing_further_than_a_jump_is_believed_that_was_not_told_for_two_minutes(steps):
    """Each step: so many seconds pass, and the source is off by so much from then on."""
    times = list(accumulate(seconds for seconds, _ in steps))
    readings = [reading(at, off=timedelta(seconds=off)) for at, (_, off) in zip(times, steps, strict=True)]
    belief = first(reading(0))
    for n, each in enumerate(readings):
        news = judge(belief, each)
        if abs(news.origin - belief.origin) > JUMP:
            told = [r for r in readings[: n + 1] if each.running - r.running <= HOLD]
            assert all(abs(r.origin - belief.origin) > JUMP for r in told)
            assert all(abs(r.origin - each.origin) <= 2 * JUMP for r in told)
            assert readings[0].running + HOLD <= each.running
        assert (news.jump is None) == (abs(each.origin - news.origin) <= JUMP)
        belief = news


DAY = 24 * HOUR


def started(*readings: Reading) -> Belief:
    """What is believed after all of them where the store knows that the machine's start was a minute ago."""
    belief = first(readings[0], known=START)
    for each in readings[1:]:
        belief = judge(belief, each)
    return belief


def test_a_start_within_a_day_of_what_the_store_knows_is_believed_at_once():
    for off in (timedelta(0), HOUR, DAY - SECOND, -JUMP):
        assert started(reading(0, off=off)) == Belief(origin=START + off)


def test_a_start_long_after_what_the_store_knows_or_before_it_shows_its_time_and_is_doubted():
    for off in (400 * DAY, DAY + 2 * SECOND, -HOUR, -JUMP - SECOND):
        belief = started(reading(0, off=off))
        assert (belief.origin, belief.jump) == (START + off, off)


def test_a_doubted_start_is_believed_once_it_has_stood_for_two_minutes():
    wrong = [reading(n, off=400 * DAY) for n in range(121)]
    assert started(*wrong[:-1]).jump == 400 * DAY
    assert started(*wrong) == Belief(origin=START + 400 * DAY)


def test_a_doubted_start_that_is_put_right_is_believed_at_once():
    wrong = [reading(n, off=400 * DAY) for n in range(30)]
    assert started(*wrong, reading(30, off=HOUR)) == Belief(origin=START + HOUR)


def test_a_doubted_start_that_goes_on_being_wrong_in_other_ways_is_doubted_anew():
    wrong = [reading(n, off=400 * DAY) for n in range(100)] + [reading(n, off=-DAY) for n in range(100, 219)]
    assert started(*wrong).jump == -DAY + 100 * SECOND
