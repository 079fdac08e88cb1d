"""When reminders are due where clocks change. Every expected instant was worked out by hand."""

from datetime import UTC, datetime, time, timedelta

import pytest
from msgspec.structs import replace

from service.catalogue.event import DateField, Event, Evidence, Kind, Text
from service.cli.arguments import rules_of
from service.reminders import due_times, offsets
from service.reminders.due_times import Moment
from tests.service.reminders import oracle


def moment(start: str, zone: str) -> Moment:
    event = Event(id="e", kind="conference", name=Text(ko="e"), start=start, timezone=zone)
    found = due_times.moment(event, "start")
    assert isinstance(found, Moment)
    return found


def due(
    start: str, zone: str, before: str, *, remind_at: str = "09:00", subscriber: str = "Asia/Seoul"
) -> str:
    [rule] = rules_of((f"start:{before}",))
    instant = due_times.due(moment(start, zone), rule, remind_at=remind_at, timezone=subscriber)
    return instant.strftime("%m-%d %H:%M")


TIMED = [
    # New York, clocks forward 2025-03-09 02:00 -> 03:00
    ("2025-03-10T09:00", "America/New_York", "P1D", "03-09 13:00"),
    ("2025-03-10T09:00", "America/New_York", "PT24H", "03-09 13:00"),
    ("2025-03-09T09:00", "America/New_York", "P1D", "03-08 14:00"),
    ("2025-03-09T09:00", "America/New_York", "PT24H", "03-08 13:00"),
    ("2025-03-10T02:30", "America/New_York", "P1D", "03-09 07:30"),  # no such wall time: read as EST
    ("2025-03-09T02:30", "America/New_York", "PT0S", "03-09 07:30"),
    ("2025-03-09T02:30", "America/New_York", "P1D", "03-08 07:30"),
    ("2025-03-09T03:30", "America/New_York", "PT1H", "03-09 06:30"),
    # and back 2025-11-02 02:00 -> 01:00
    ("2025-11-02T09:00", "America/New_York", "P1D", "11-01 13:00"),
    ("2025-11-02T09:00", "America/New_York", "PT24H", "11-01 14:00"),
    ("2025-11-02T01:30", "America/New_York", "PT0S", "11-02 05:30"),  # the first of the two
    ("2025-11-03T01:30", "America/New_York", "P1D", "11-02 05:30"),
    ("2025-11-02T02:30", "America/New_York", "PT1H", "11-02 06:30"),
    # Lord Howe changes by half an hour: 2025-10-05 02:00 -> 02:30, 2025-04-06 02:00 -> 01:30
    ("2025-10-06T02:15", "Australia/Lord_Howe", "P1D", "10-04 15:45"),
    ("2025-10-05T02:15", "Australia/Lord_Howe", "PT0S", "10-04 15:45"),
    ("2025-10-05T12:00", "Australia/Lord_Howe", "P1D", "10-04 01:30"),
    ("2025-10-05T12:00", "Australia/Lord_Howe", "PT24H", "10-04 01:00"),
    ("2025-04-06T01:45", "Australia/Lord_Howe", "PT0S", "04-05 14:45"),
    ("2025-04-06T12:00", "Australia/Lord_Howe", "P1D", "04-05 01:00"),
    ("2025-04-06T12:00", "Australia/Lord_Howe", "PT24H", "04-05 01:30"),
    # Apia left out 2011-12-30 altogether
    ("2011-12-31T08:00", "Pacific/Apia", "PT24H", "12-29 18:00"),
    ("2011-12-31T08:00", "Pacific/Apia", "P1D", "12-29 18:00"),  # the day before the day that never was
    ("2011-12-31T08:00", "Pacific/Apia", "P2D", "12-29 18:00"),
    ("2012-01-01T08:00", "Pacific/Apia", "P1D", "12-30 18:00"),
    # St John's, half an hour off, forward 2025-03-09 02:00 -> 03:00
    ("2025-03-09T09:00", "America/St_Johns", "P1D", "03-08 12:30"),
    ("2025-03-09T09:00", "America/St_Johns", "PT24H", "03-08 11:30"),
    ("2025-03-09T02:30", "America/St_Johns", "PT0S", "03-09 06:00"),
    # Casablanca goes back for Ramadan (2025-02-23 03:00 -> 02:00) and forward after it (04-06)
    ("2025-02-23T02:30", "Africa/Casablanca", "PT0S", "02-23 01:30"),
    ("2025-02-23T12:00", "Africa/Casablanca", "P1D", "02-22 11:00"),
    ("2025-04-06T12:00", "Africa/Casablanca", "P1D", "04-05 12:00"),
    ("2025-04-06T02:30", "Africa/Casablanca", "PT0S", "04-06 02:30"),
    # Troll jumps two hours: 2025-03-30 01:00 -> 03:00, 2025-10-26 03:00 -> 01:00
    ("2025-03-30T02:00", "Antarctica/Troll", "PT0S", "03-30 02:00"),
    ("2025-03-31T02:00", "Antarctica/Troll", "P1D", "03-30 02:00"),
    ("2025-10-26T02:30", "Antarctica/Troll", "PT0S", "10-26 00:30"),
    ("2025-10-27T02:30", "Antarctica/Troll", "P1D", "10-26 00:30"),
    # Seoul had summer time in 1988: 05-08 02:00 -> 03:00, 10-09 03:00 -> 02:00
    ("1988-05-09T09:00", "Asia/Seoul", "P1D", "05-07 23:00"),
    ("1988-05-08T09:00", "Asia/Seoul", "P1D", "05-07 00:00"),
    ("1988-05-08T09:00", "Asia/Seoul", "PT24H", "05-06 23:00"),
    ("1988-10-09T02:30", "Asia/Seoul", "PT0S", "10-08 16:30"),
    # A year's end, a leap day, 24:00
    ("2024-03-01T09:00", "Asia/Seoul", "P1D", "02-29 00:00"),
    ("2025-01-01T00:00", "Asia/Seoul", "P1D", "12-30 15:00"),
    ("2025-01-01T00:00", "Asia/Seoul", "P1DT2H", "12-30 13:00"),
]


@pytest.mark.parametrize(("start", "zone", "before", "expected"), TIMED)
def test_a_reminder_of_a_minute_follows_the_wall_clock_by_days_and_the_sun_by_hours(
    start: str, zone: str, before: str, expected: str
) -> None:
    assert due(start, zone, before) == expected


DAYS = [
    ("2025-09-05", "Asia/Seoul", "P7D", "Asia/Seoul", "08-29 00:00"),
    ("2025-09-05", "Asia/Seoul", "PT0S", "Asia/Seoul", "09-05 00:00"),
    # The subscriber's nine o'clock, not the event's
    ("2025-09-05", "Asia/Seoul", "P1D", "Europe/London", "09-04 08:00"),
    # New York's nine o'clock of D-1 is 22:00 of that day in Seoul
    ("2025-09-05", "Asia/Seoul", "P1D", "America/New_York", "09-04 13:00"),
    # Honolulu's would be on the day itself in Seoul, so it is a day earlier; so is D-day
    ("2025-09-05", "Asia/Seoul", "P1D", "Pacific/Honolulu", "09-03 19:00"),
    ("2025-09-05", "Asia/Seoul", "PT0S", "Pacific/Honolulu", "09-04 19:00"),
    # Kiritimati is a day ahead of Pago Pago: early, never late
    ("2025-09-05", "Pacific/Pago_Pago", "PT0S", "Pacific/Kiritimati", "09-04 19:00"),
    ("2025-09-05", "Pacific/Kiritimati", "PT0S", "Pacific/Pago_Pago", "09-04 20:00"),
    # Hours count from the first instant of the day where the event is
    ("2025-09-05", "Asia/Seoul", "PT1H", "Europe/London", "09-04 14:00"),
    ("2025-09-05", "Asia/Seoul", "P1DT1H", "Europe/London", "09-03 14:00"),
    ("2025-03-10", "America/New_York", "PT24H", "Asia/Seoul", "03-09 04:00"),
    ("2025-03-09", "America/New_York", "PT24H", "Asia/Seoul", "03-08 05:00"),
    # A day without a first hour: clocks in Havana jump from 00:00 to 01:00 on 2025-03-09
    ("2025-03-09", "America/Havana", "PT1H", "Asia/Seoul", "03-09 04:00"),
    # remind_at in a gap (02:30 of 03-09 in New York does not exist) is read with the offset before it
    ("2025-03-10", "Asia/Seoul", "P1D", "America/New_York", "03-09 13:00"),
]


@pytest.mark.parametrize(("start", "zone", "before", "subscriber", "expected"), DAYS)
def test_a_reminder_of_a_day_comes_at_the_subscribers_hour_and_before_that_day_is_over(
    start: str, zone: str, before: str, subscriber: str, expected: str
) -> None:
    assert due(start, zone, before, subscriber=subscriber) == expected


def test_a_hour_of_reminding_that_the_clocks_skip_is_read_with_the_offset_before() -> None:
    assert due(
        "2025-03-09", "America/New_York", "PT0S", remind_at="02:30", subscriber="America/New_York"
    ) == ("03-09 07:30")


HOURS = [
    # A call that closes at 24:00 of the 5th: its D-day is the 5th, its D-1 the 4th
    ("2025-09-05T24:00", "Asia/Seoul", "P0D@09:00", "Asia/Seoul", "09-05 00:00"),
    ("2025-09-05T24:00", "Asia/Seoul", "P1D@09:00", "Asia/Seoul", "09-04 00:00"),
    ("2025-09-05T18:00", "Asia/Seoul", "P0D@09:00", "Asia/Seoul", "09-05 00:00"),
    ("2025-09-05T00:30", "Asia/Seoul", "P1W@09:00", "Asia/Seoul", "08-29 00:00"),
    ("2025-09-05", "Asia/Seoul", "P1D@18:30", "Asia/Seoul", "09-04 09:30"),
    # The day is the event's, the hour the subscriber's: New York's nine o'clock is 22:00 of that day in Seoul
    ("2025-09-05T23:00", "Asia/Seoul", "P0D@09:00", "America/New_York", "09-05 13:00"),
    ("2025-09-05T07:00", "Asia/Seoul", "P1D@09:00", "America/New_York", "09-04 13:00"),
    # Honolulu's would be on the day itself in Seoul, so it is a day earlier
    ("2025-09-05T23:00", "Asia/Seoul", "P1D@09:00", "Pacific/Honolulu", "09-03 19:00"),
    # Clocks in New York jump over 02:30 of the day before
    ("2025-03-10T12:00", "America/New_York", "P1D@02:30", "America/New_York", "03-09 07:30"),
    ("2025-03-10T12:00", "America/New_York", "P1D@09:00", "America/New_York", "03-09 13:00"),
    ("2025-03-09T12:00", "America/New_York", "P1D@09:00", "America/New_York", "03-08 14:00"),
]


@pytest.mark.parametrize(("end", "zone", "before", "subscriber", "expected"), HOURS)
def test_at_an_hour_of_the_day_it_comes_at_the_subscribers_hour_on_a_day_of_the_event(
    end: str, zone: str, before: str, subscriber: str, expected: str
) -> None:
    event = Event(id="e", kind="application_window", name=Text(ko="e"), end=end, timezone=zone)
    found = due_times.moment(event, "closes")
    [rule] = rules_of((f"closes:{before}",))
    assert isinstance(found, Moment)
    at = due_times.due(found, rule, remind_at="20:00", timezone=subscriber)
    assert at.strftime("%m-%d %H:%M") == expected


@pytest.mark.parametrize(("start", "zone", "before", "_"), TIMED)
def test_the_oracle_reads_wall_clocks_the_same_way(start: str, zone: str, before: str, _: str) -> None:
    if zone == "Pacific/Apia":
        return  # its search is not a day wide
    day, clock = start.split("T")
    at = oracle.instant(datetime.fromisoformat(day).date(), time.fromisoformat(clock), zone)
    assert at == moment(start, zone).at


def test_a_reminder_is_of_use_until_its_moment() -> None:
    timed, daily = moment("2025-09-05T14:00", "Asia/Seoul"), moment("2025-09-05", "Asia/Seoul")
    day_before, on_time, the_day = map(offsets.parse, ("P1D", "PT0S", "P0D"))
    at = datetime(2025, 9, 5, 5, tzinfo=UTC)
    dawn, dusk = datetime(2025, 9, 4, 15, tzinfo=UTC), datetime(2025, 9, 5, 15, tzinfo=UTC)
    assert due_times.useful_until(timed, day_before, due_at=at - timedelta(days=1)) == at
    assert due_times.useful_until(timed, on_time, due_at=at) == at + timedelta(hours=1)
    assert due_times.useful_until(timed, the_day, due_at=at - timedelta(hours=5)) == at
    assert due_times.useful_until(daily, day_before, due_at=dawn - timedelta(hours=15)) == dawn
    assert due_times.useful_until(daily, on_time, due_at=dawn + timedelta(hours=9)) == dusk


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no_date"),
        ("2025-11", "month_precision"),
        ("2025", "year_precision"),
        ("2025-XX-12", "year_precision"),
        ("202X", "decade_precision"),
        ("20XX", "century_precision"),
        ("XXXX-03-12", "unknown_date"),
        ("0001-01-01", "out_of_range"),
        ("9999-12-31", "out_of_range"),
    ],
)
def test_what_is_not_known_to_the_day_has_a_reason_and_no_moment(text: str | None, reason: str) -> None:
    event = Event(id="e", kind="conference", name=Text(ko="e"), start=text)
    assert due_times.moment(event, "start") == reason


def test_an_uncertain_day_is_a_day() -> None:
    assert moment("2025-03-12?", "Asia/Seoul").at == datetime(2025, 3, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("other", "day"),
    [("2026-03-25", 25), ("2026-03-30", 27), ("2026-02", 27), ("2026-03-25T12:00", 25)],
)
def test_where_sources_disagree_about_a_deadline_the_earliest_day_counts(other: str, day: int) -> None:
    said = (
        Evidence(field="end", value="2026-03-27", source="a"),
        Evidence(field="end", value=other, source="b"),
    )
    event = Event(
        id="e",
        kind="application_window",
        name=Text(ko="e"),
        end="2026-03-27",
        close_rule="fixed",
        evidence=said,
    )
    found = due_times.moment(event, "closes")
    assert isinstance(found, Moment)
    assert found.day.day == day


@pytest.mark.parametrize("kind", ["conference", "application_window"])
@pytest.mark.parametrize("field", ["start", "end"])
@pytest.mark.parametrize("written", ["2026-03-25", "2026-03-27"])
def test_of_every_disputed_date_the_earliest_day_counts(kind: Kind, field: DateField, written: str) -> None:
    said = tuple(Evidence(field=field, value=f"2026-03-{day}", source=f"{day}") for day in (27, 25))
    event = replace(Event(id="e", kind=kind, name=Text(ko="e"), evidence=said), **{field: written})
    opening, closing = due_times.anchors(event)
    found = due_times.moment(event, opening if field == "start" else closing)
    assert isinstance(found, Moment)
    assert found.day.day == 25


def test_an_end_at_24_00_is_the_next_midnight() -> None:
    event = Event(id="e", kind="application_window", name=Text(ko="e"), end="2026-03-27T24:00")
    found = due_times.moment(event, "closes")
    assert isinstance(found, Moment)
    assert found.at == datetime(2026, 3, 27, 15, tzinfo=UTC)
