"""What a listing leaves out by the time alone is surely not asked for."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.catalogue import windows
from service.catalogue.event import Event
from service.store.listing import ACCEPTING, LIVE, SLACK, STILL
from service.store.sql import LAST, millis, millis_or
from tests.service.store.strategies import catalogues

SEEN = st.sampled_from((None, date(2025, 3, 3), date(2025, 9, 3)))


def ceases(event: Event, seen: date | None, phases: frozenset[str]) -> list[int]:
    """When each stretch of these phases is over."""
    steps = windows.phase_steps(event, seen=seen)
    ends = [millis_or(step.at, LAST) for step in steps[1:]] + [LAST]
    return [end for step, end in zip(steps, ends, strict=True) if step.phase in phases]


# An example is a whole catalogue: few of them are many events.
FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(catalogue=catalogues(), seen=SEEN)
def test_a_window_is_not_open_beyond_its_end_and_nothing_is_live_long_after(
    catalogue: list[Event], seen: date | None
) -> None:
    nothing_lasts(catalogue, seen)


@pytest.mark.campaign
@settings(FEW, max_examples=60)
@given(catalogue=catalogues(), seen=SEEN)
def test_nor_is_one_in_a_thousand_events(catalogue: list[Event], seen: date | None) -> None:
    nothing_lasts(catalogue, seen)


def nothing_lasts(catalogue: list[Event], seen: date | None) -> None:
    for event in catalogue:
        latest = windows.span(event).latest
        hi = LAST if latest is None else millis(latest)
        assert all(end <= hi + STILL for end in ceases(event, seen, ACCEPTING))
        assert all(end <= hi + SLACK for end in ceases(event, seen, LIVE))
