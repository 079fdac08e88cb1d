"""Dates by rule: as another reader counts them, never more than 50 within 400 days, and no rule can spin."""

import time
from datetime import UTC, date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events

from feeds.foreign_ical import read
from service.importers.recurrence import MOST_OCCURRENCES, WITHIN, occurrences
from tests.feeds.test_foreign_ical import calendar, event

STARTS = [
    "DTSTART;TZID=Asia/Seoul:20270205T100000",
    "DTSTART;TZID=America/New_York:20270313T013000",
    "DTSTART;TZID=Europe/Berlin:20271030T023000",
    "DTSTART;VALUE=DATE:20280229",
    "DTSTART:20270131T233000Z",
]
RULES = [
    "FREQ=WEEKLY;COUNT=9",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;WKST=SU;COUNT=20",
    "FREQ=DAILY;UNTIL=20280315",
    "FREQ=MONTHLY;BYDAY=2TU,-1FR;COUNT=12",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=TU;BYSETPOS=1",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=1,100,366",
]


def found(*lines: str, start: str, most: int = MOST_OCCURRENCES, since: date | None = None):
    reading = read(calendar(event("SUMMARY:A", *lines, start=start)), floating="Asia/Seoul")
    return occurrences(reading.events, most=most, since=since)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("rule", RULES)
def test_dates_are_those_that_another_reader_finds(start, rule):
    ours = [each.event.start for each in found(f"RRULE:{rule}", start=start).found]
    judged = icalendar.Calendar.from_ical(calendar(event("SUMMARY:A", f"RRULE:{rule}", start=start)))
    first = ours[0]
    until = first + WITHIN + timedelta(days=1)
    theirs = [_utc(each["DTSTART"].dt) for each in recurring_ical_events.of(judged).between(first, until)]
    assert ours == [each for each in sorted(theirs) if _day(each) <= _day(first) + WITHIN][:MOST_OCCURRENCES]
    assert ours == sorted(set(ours))


def _utc(moment: date) -> date:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


@pytest.mark.parametrize(
    ("rule", "count", "more"),
    [
        ("FREQ=DAILY;COUNT=50", 50, False),
        ("FREQ=DAILY;COUNT=51", 50, True),
        ("FREQ=DAILY;INTERVAL=400;COUNT=2", 2, False),
        ("FREQ=DAILY;INTERVAL=401;COUNT=2", 1, True),
        ("FREQ=WEEKLY", 50, True),
    ],
)
def test_at_most_50_dates_within_400_days_and_what_is_beyond_is_known(rule, count, more):
    answer = found(f"RRULE:{rule}", start="DTSTART:20270205T100000")
    assert (len(answer.found), answer.more) == (count, more)


def test_dates_may_begin_at_a_later_day():
    answer = found("RRULE:FREQ=WEEKLY", start="DTSTART;VALUE=DATE:19900101", since=date(2027, 1, 5))
    assert [each.event.start for each in answer.found[:2]] == [date(2027, 1, 11), date(2027, 1, 18)]
    none = found("RRULE:FREQ=WEEKLY;COUNT=3", start="DTSTART;VALUE=DATE:19900101", since=date(2027, 1, 5))
    assert (none.found, none.more) == ((), False)


def test_the_second_pass_of_an_hour_stays_the_second():
    answer = found("RRULE:FREQ=DAILY;COUNT=2", "RDATE:20271031T013000Z", start="DTSTART:20271031T003000Z")
    assert [f"{each.event.start:%dT%H}" for each in answer.found] == ["31T00", "31T01", "01T00"]


def test_an_override_beyond_the_bounds_is_no_date_and_one_of_no_date_is():
    series = event("RRULE:FREQ=DAILY", start="DTSTART;VALUE=DATE:20270101")
    far = event("RECURRENCE-ID;VALUE=DATE:20290101", start="DTSTART;VALUE=DATE:20290102")
    odd = event("RECURRENCE-ID;VALUE=DATE:20261231", start="DTSTART;VALUE=DATE:20270110")
    answer = occurrences(read(calendar(series, far, odd)).events, most=MOST_OCCURRENCES)
    starts = [each.event.start for each in answer.found]
    assert (len(starts), answer.more, starts.count(date(2027, 1, 10))) == (50, True, 2)
    assert max(starts) < date(2027, 3, 1)


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
        ["RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"],
        ["RRULE:FREQ=DAILY;UNTIL=99991231", "EXRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
    ],
)
@pytest.mark.parametrize("year", ["0001", "2027", "9990"])
def test_a_rule_that_never_holds_ends_at_once(lines, year):
    begun = time.process_time()
    found(*lines, start=f"DTSTART:{year}0105T000000Z")
    assert time.process_time() - begun < 2
