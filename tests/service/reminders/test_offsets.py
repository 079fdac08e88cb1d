import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reminders import offsets
from service.reminders.offsets import Offset, OffsetError


@pytest.mark.parametrize(
    ("text", "days", "seconds", "canonical"),
    [
        ("P7D", 7, 0, "P7D"),
        ("P1W", 7, 0, "P7D"),
        ("P1W2D", 9, 0, "P9D"),
        ("PT24H", 0, 86400, "PT24H"),
        ("PT1440M", 0, 86400, "PT24H"),
        ("P1DT2H30M", 1, 9000, "P1DT2H30M"),
        ("PT90S", 0, 90, "PT1M30S"),
        ("PT0S", 0, 0, "PT0S"),
        ("P0D", 0, 0, "P0D"),
        ("P0W", 0, 0, "P0D"),
        ("P0DT0S", 0, 0, "PT0S"),
        ("P400D", 400, 0, "P400D"),
    ],
)
def test_days_and_exact_time_are_kept_apart(text: str, days: int, seconds: int, canonical: str) -> None:
    offset = offsets.parse(text)
    assert (offset.days, offset.seconds, offset.text) == (days, seconds, canonical)


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "7D", "P1M", "P1Y", "PT1.5H", "-P1D", "P-1D", "+P1D", "p7d", "P1H", "PT1D"),
        *("P1D ", "P401D", "PT99999H", "P9999D", "P١D", "PT1H1H", "P1DT2H\n"),
    ],
)
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(OffsetError):
        offsets.parse(text)


@given(st.integers(0, 399), st.integers(0, 86_399))
def test_the_canonical_text_is_read_back_as_itself(days: int, seconds: int) -> None:
    offset = Offset(days=days, seconds=seconds)
    assert offsets.parse(offset.text) == offset
