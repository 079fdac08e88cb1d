from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reminders import retry
from service.reminders.retry import Answer, Verdict, judge, of_status, retry_after
from service.settings import Settings

SCHEDULE = Settings().retry_schedule
NOW = datetime(2025, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def answer(status: int | None = 500, *, after: str | None = None) -> Answer:
    outcome = of_status(status) if status else "timeout"
    return Answer(outcome=outcome, status=status, retry_after=after)


def verdict(given: Answer, *, tries: int = 0, left: timedelta = 10 * DAY, chance: float = 0.5) -> Verdict:
    return judge(given, tries=tries, now=NOW, valid_until=NOW + left, chance=chance, schedule=SCHEDULE)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    assert verdict(answer(status)) == Verdict(state="succeeded")


@pytest.mark.parametrize("status", [301, 304, 400, 404, 500, 503, None])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert verdict(answer(status)) == Verdict(state="retry", next_at=NOW + timedelta(seconds=5))


def test_a_receiver_that_is_gone_is_asked_no_more() -> None:
    assert verdict(answer(410)) == Verdict(state="dead", reason="gone", disable=True)


def test_eleven_attempts_are_made_over_a_day() -> None:
    waits = [verdict(answer(), tries=tries).next_at for tries in range(10)]
    assert waits == [NOW + pause for pause in SCHEDULE]
    assert verdict(answer(), tries=10) == Verdict(state="dead", reason="exhausted")
    assert timedelta(hours=23) < sum(SCHEDULE, timedelta()) < timedelta(hours=24)


@given(st.floats(0, 1), st.integers(0, 9))
def test_waits_spread_by_a_fifth(chance: float, tries: int) -> None:
    found = verdict(answer(), tries=tries, chance=chance).next_at
    assert found is not None
    assert SCHEDULE[tries] * 0.8 <= found - NOW <= SCHEDULE[tries] * 1.2 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("1.5", 1.5),
        (" 30 ", 30),
        ("Mon, 01 Sep 2025 00:02:00 GMT", 120),
        ("Monday, 01-Sep-25 00:02:00 GMT", 120),
        ("Sun, 31 Aug 2025 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert retry_after(header, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "header", ["", "-1", "soon", "1e9", "٣", "nan", "inf", "Mon, 99 Sep 2025 99:99:99 GMT", "\x00"]
)
def test_garbage_asks_for_nothing(header: str) -> None:
    assert retry_after(header, now=NOW) is None


@given(st.text())
def test_no_header_breaks_the_judge(header: str) -> None:
    assert verdict(answer(503, after=header)).state in ("retry", "expired")


def test_a_receiver_that_asks_for_more_time_gets_it() -> None:
    assert verdict(answer(429, after="900")).next_at == NOW + timedelta(minutes=15)


def test_what_was_only_too_early_is_no_try_and_comes_back_when_it_is_asked_for() -> None:
    early = Verdict(state="retry", next_at=NOW + timedelta(seconds=1), is_free=True)
    assert verdict(answer(429, after="1"), tries=3) == verdict(answer(503, after="1"), tries=10) == early
    unnamed = Verdict(state="retry", next_at=NOW + SCHEDULE[0], is_free=True)
    assert verdict(answer(429)) == verdict(answer(429, after="soon")) == unnamed
    assert verdict(answer(503, after="soon")) == Verdict(state="retry", next_at=NOW + SCHEDULE[0])
    assert verdict(answer(500, after="1"), tries=3).next_at == NOW + SCHEDULE[3]


@pytest.mark.parametrize(
    "header", ["999999999", "99999999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_a_receiver_that_asks_for_too_much_is_tried_while_the_reminder_is_of_use(header: str) -> None:
    found = verdict(answer(503, after=header), left=timedelta(hours=1))
    assert found == Verdict(state="retry", next_at=NOW + timedelta(minutes=59, seconds=30), is_free=True)


def test_a_reminder_is_not_tried_again_when_it_would_be_too_late() -> None:
    assert verdict(answer(), tries=4, left=timedelta(minutes=30)) == Verdict(
        state="expired", reason="too_late"
    )


@given(st.integers(0, 9), st.integers(0, 100_000), st.floats(0, 1), st.text(max_size=12) | st.none())
def test_nothing_is_ever_put_off_past_its_usefulness(
    tries: int, left: int, chance: float, header: str | None
) -> None:
    end = NOW + timedelta(seconds=left)
    found = judge(
        answer(503, after=header), tries=tries, now=NOW, valid_until=end, chance=chance, schedule=SCHEDULE
    )
    assert found.next_at is None or NOW < found.next_at < end


def test_a_webhook_is_switched_off_after_three_days_and_twenty_failures() -> None:
    assert retry.disables(failing_since=NOW - 3 * DAY, failures=20, now=NOW)
    assert not retry.disables(failing_since=NOW - 3 * DAY, failures=19, now=NOW)
    assert not retry.disables(failing_since=NOW - 2 * DAY, failures=900, now=NOW)
    assert not retry.disables(failing_since=None, failures=900, now=NOW)
