from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.clock import SimulatedClock, SystemClock

NOON = datetime(2025, 9, 1, 12, tzinfo=UTC)


def test_the_system_clock_speaks_utc():
    assert SystemClock().now().tzinfo is UTC


def test_a_simulated_clock_stands_still_until_moved():
    clock = SimulatedClock(NOON)
    assert (clock.now(), clock.now()) == (NOON, NOON)
    assert clock.advance(timedelta(hours=1)) == clock.now() == NOON + timedelta(hours=1)
    assert clock.move_to(NOON + timedelta(days=1)) == clock.now() == NOON + timedelta(days=1)


def test_a_simulated_clock_never_goes_back():
    with pytest.raises(ValueError, match="cannot go back"):
        SimulatedClock(NOON).move_to(NOON - timedelta(seconds=1))


def test_a_simulated_clock_refuses_an_instant_without_a_zone():
    with pytest.raises(ValueError, match="needs its zone"):
        SimulatedClock(datetime(2025, 9, 1))  # noqa: DTZ001


def test_instants_of_other_zones_are_told_in_utc():
    korea = timezone(timedelta(hours=9))
    assert (
        SimulatedClock(datetime(2025, 9, 1, 21, tzinfo=korea)).now().isoformat()
        == "2025-09-01T12:00:00+00:00"
    )
