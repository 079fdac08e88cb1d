from datetime import timedelta

import pytest
from msgspec.structs import replace

from service.reminders.notices import AT_ONCE, limit_catch_up
from service.reminders.plan import Planned, plan
from service.reminders.replan import mark_expired, overtaken
from tests.service.reminders.making import LONG_AGO, LONG_HENCE, candidate, event, utc, webhook

SECOND = timedelta(seconds=1)
DUE = utc("2025-09-05 04:00")


def planned(*rules: str, **fields: object) -> Planned:
    """An hour before 14:00 in Seoul, the first of these rules."""
    timed = candidate(event(start="2025-09-05T14:00"))
    [first, *_] = plan([timed], [webhook(*rules, **fields)], after=LONG_AGO, until=LONG_HENCE)
    return first


@pytest.mark.parametrize(
    ("late", "expected"),
    [(0, None), (60, None), (61, "tighter"), (3599, "tighter"), (3600, "too_late")],
)
def test_late_it_gives_way_to_a_tighter_one_and_at_last_to_the_event(late: int, expected: str | None) -> None:
    first = planned("start PT1H", "start PT59M30S", "start PT0S")
    assert overtaken(first, now=DUE + late * SECOND) == expected


def test_late_it_goes_out_all_the_same_while_no_tighter_one_is_due() -> None:
    first = planned("start PT1H", "start PT10M")
    assert overtaken(first, now=DUE + timedelta(minutes=49)) is None
    assert overtaken(first, now=DUE + timedelta(minutes=50)) == "tighter"


def test_reminders_of_other_moments_are_not_tighter_ones() -> None:
    first = planned("start PT1H", "end PT0S")
    assert first.tighter_at is None


def test_what_must_not_be_sent_any_more_is_kept_as_expired_with_its_reason() -> None:
    rows = plan(
        [candidate(event(start="2025-09-05T14:00"))],
        [webhook("start P3D", "start P1D", "start PT1H")],
        after=LONG_AGO,
        until=LONG_HENCE,
    )
    settled = mark_expired(rows, now=utc("2025-09-04 12:00"))
    assert [(row.before, row.state, row.reason) for row in settled] == [
        ("P3D", "expired", "tighter"),
        ("P1D", "pending", None),
        ("PT1H", "pending", None),
    ]


def test_of_a_flood_each_webhook_gets_what_is_the_soonest_over() -> None:
    first = planned("start PT1H")
    rows = [
        replace(first, id=f"{hook}-{number}", webhook=hook, valid_until=first.valid_until - number * SECOND)
        for hook in ("a", "b")
        for number in range(AT_ONCE + 5)
    ]
    kept = limit_catch_up(rows, {row.id for row in rows})
    expired = [row.id for row in kept if row.state == "expired"]
    assert expired == [f"{hook}-{number}" for hook in ("a", "b") for number in range(5)]
    assert limit_catch_up(rows, set()) == tuple(rows)
