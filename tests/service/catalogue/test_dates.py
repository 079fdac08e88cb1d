"""EDTF dates: what is read, what it allows, and where the local clock makes it hard."""

import random
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from service.catalogue import dates
from service.catalogue.dates import Bounds, Edtf, EdtfError, ZoneError

SEOUL = dates.zone("Asia/Seoul")
EVERY_DAY = [date.fromordinal(n) for n in range(date(1890, 1, 1).toordinal(), date(2110, 1, 1).toordinal())]
EVERY_DAY_TEXT = "\n".join(day.isoformat() for day in EVERY_DAY)

YEARS = st.one_of(
    st.integers(1891, 2108).map("{:04}".format),
    st.integers(190, 209).map("{}X".format),
    st.sampled_from(["19XX", "20XX", "XXXX"]),
)
MONTHS = st.one_of(st.integers(1, 12).map("-{:02}".format), st.just("-XX"))
DAYS = st.integers(1, 31).map("-{:02}".format)
MARKS = st.sampled_from(["", "", "", "?", "~", "%"])
DAY_TEXTS = st.builds("".join, st.tuples(YEARS, MONTHS, DAYS, MARKS))
COARSE_TEXTS = st.one_of(
    st.builds("".join, st.tuples(YEARS, MARKS)), st.builds("".join, st.tuples(YEARS, MONTHS, MARKS))
)
WALL_TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
TIMED_TEXTS = st.builds(datetime.combine, st.dates(date(1891, 1, 1), date(2108, 1, 1)), WALL_TIMES).map(
    lambda at: f"{at:%Y-%m-%dT%H:%M}"
)
TEXTS = st.one_of(DAY_TEXTS, COARSE_TEXTS, TIMED_TEXTS)


def read(text: str) -> Edtf:
    """A date of a strategy, which may have made 30 February."""
    try:
        return dates.parse(text)
    except EdtfError:
        assume(False)
        raise


def days_matching(text: str) -> list[date]:
    """Every day of two centuries that the mask allows, found by its digits alone."""
    mask = text.partition("T")[0].rstrip("?~%").replace("X", r"\d")
    return [date.fromisoformat(found) for found in re.findall(rf"^{mask}.*$", EVERY_DAY_TEXT, re.MULTILINE)]


@pytest.mark.parametrize(
    ("text", "precision", "first", "last"),
    [
        ("2025-09-05T14:00", "minute", "2025-09-05", "2025-09-05"),
        ("2025-09-05", "day", "2025-09-05", "2025-09-05"),
        ("2024-02-29", "day", "2024-02-29", "2024-02-29"),
        ("2025-03-12?", "day", "2025-03-12", "2025-03-12"),
        ("2025-11", "month", "2025-11-01", "2025-11-30"),
        ("2024-02~", "month", "2024-02-01", "2024-02-29"),
        ("2027", "year", "2027-01-01", "2027-12-31"),
        ("2023-XX", "year", "2023-01-01", "2023-12-31"),
        ("2023-XX-12", "year", "2023-01-12", "2023-12-12"),
        ("2023-XX-31", "year", "2023-01-31", "2023-12-31"),
        ("2023-XX-29", "year", "2023-01-29", "2023-12-29"),
        ("202X", "decade", "2020-01-01", "2029-12-31"),
        ("202X-11", "decade", "2020-11-01", "2029-11-30"),
        ("202X-02-29", "decade", "2020-02-29", "2028-02-29"),
        ("20XX%", "century", "2000-01-01", "2099-12-31"),
        ("000X", "decade", "0001-01-01", "0009-12-31"),
        ("00XX", "century", "0001-01-01", "0099-12-31"),
        ("9999", "year", "9999-01-01", "9999-12-31"),
    ],
)
def test_a_text_allows_these_days(text, precision, first, last):
    edtf = dates.parse(text)
    assert (edtf.precision, edtf.first.isoformat(), edtf.last.isoformat()) == (precision, first, last)


@pytest.mark.parametrize("text", ["XXXX", "XXXX-XX", "XXXX-XX-12", "XXXX-11", "XXXX-02-29", "XXXX-XX-31?"])
def test_without_a_year_nothing_is_bounded(text):
    edtf = dates.parse(text)
    assert (edtf.precision, edtf.first, edtf.last) == ("unknown", None, None)
    assert dates.bounds(edtf, SEOUL) == Bounds(earliest=None, latest=None)


@pytest.mark.parametrize(
    ("text", "uncertain", "approximate"),
    [("2025", False, False), ("2025?", True, False), ("2025~", False, True), ("2025-01-02%", True, True)],
)
def test_a_qualifier_is_read(text, uncertain, approximate):
    edtf = dates.parse(text)
    assert (edtf.uncertain, edtf.approximate) == (uncertain, approximate)
    assert edtf.qualified == (uncertain or approximate)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "2025-",
            "25",
            "205",
            "20255",
            "2025-9-5",
            "2025-09-5",
            "2025/09/05",
            "20250905",
            "5 Sep 2025",
        ),
        *(
            "2025-13",
            "2025-00",
            "2025-02-30",
            "2025-02-29",
            "2025-04-31",
            "2025-09-00",
            "2025-09-32",
            "2025-XX-32",
        ),
        *(
            "XXXX-02-30",
            "190X-02-30",
            "0000",
            "0000-01-01",
            "-2025",
            "+2025",
            "Y12025",
            "2025-09-05/2025-09-06",
        ),
        *(
            "2025-09-05T24:00",
            "2025-09-05T24:01",
            "2025-09-05T25:00",
            "2025-09-05T14:60",
            "2025-09-05T14:00:00",
        ),
        *("2025-09-05T14", "2025-09-05T1400", "2025-09-05 14:00", "2025-09-05t14:00", "2025-09-05T14:00Z"),
        *("2025-09-05T14:00+09:00", "2025-09-05T14:00?", "2025-09T14:00", "2025T14:00", "2025-XX-05T14:00"),
        *(
            "XXXX-XX-12T10:00",
            "2025-09-XX",
            "2025-X9",
            "2X25",
            "X025",
            "2XXX",
            "xxxx",
            "2025??",
            "?2025",
            "2025-?09",
        ),
        *(
            "2025-09-05\n",
            " 2025-09-05",
            "2025-09-05 ",
            "２０２５-09-05",
            "٢٠٢٥",
            "2025-09-05\x00",
            "..",
            "2025-21",
        ),
    ],
)
def test_this_is_not_a_date(text):
    with pytest.raises(EdtfError):
        dates.parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2025-09-05T24:00", "24:00 is accepted for an end only; write 00:00 of the next day"),
        ("0000", "there is no year 0000"),
        ("2025-02-30", "“2025-02-30”: there is no such day in the calendar"),
        ("2025-09T14:00", "“2025-09T14:00”: a time of day needs a full date, without X, ?, ~ or %"),
        ("2025-09-05T14:60", "“2025-09-05T14:60”: there is no such time of day"),
    ],
)
def test_a_fault_is_a_sentence_for_a_person(text, sentence):
    with pytest.raises(EdtfError, match=f"^{re.escape(sentence)}$"):
        dates.parse(text)


@given(text=st.text(max_size=20))
def test_no_text_is_anything_but_read_or_refused(text):
    try:
        assert dates.parse_end(text).text == text
    except EdtfError as error:
        assert str(error)


@given(text=TEXTS)
def test_reading_what_was_printed_gives_the_same_date(text):
    edtf = read(text)
    assert edtf.text == text
    assert dates.parse(edtf.text) == edtf


@settings(max_examples=150)
@given(
    text=st.one_of(DAY_TEXTS, COARSE_TEXTS),
    zone=st.sampled_from(["Asia/Seoul", "UTC", "Pacific/Apia", "America/St_Johns"]),
)
def test_bounds_hold_every_day_the_text_allows_and_reach_no_other(text, zone):
    edtf, zone = read(text), dates.zone(zone)
    allowed = days_matching(text)
    probes = {*allowed[:2], *allowed[-2:], *random.Random(text).sample(EVERY_DAY, 300)}
    assert {day for day in probes if dates.allows(edtf, day)} == probes & set(allowed)
    if edtf.first is None:
        assert dates.bounds(edtf, zone) == Bounds(earliest=None, latest=None)
        return
    assert (edtf.first, edtf.last) == (allowed[0], allowed[-1])
    bounds = dates.bounds(edtf, zone)
    assert bounds.earliest == dates.day_start(allowed[0], zone)
    assert bounds.latest == dates.day_end(allowed[-1], zone)


@settings(max_examples=150)
@given(text=TEXTS)
def test_precision_is_the_smallest_unit_that_holds_every_allowed_day(text):
    edtf = read(text)
    units = {"day": 10, "month": 7, "year": 4, "decade": 3, "century": 2}
    days = [day.isoformat() for day in days_matching(text)]
    holding = [unit for unit, digits in units.items() if len({day[:digits] for day in days}) == 1]
    expected = (holding or ["unknown"])[0] if "T" not in text else "minute"
    assert edtf.precision == ("unknown" if text.startswith("XXXX") else expected)


@given(
    at=st.builds(datetime.combine, st.dates(), WALL_TIMES),
    zone=st.sampled_from(["Asia/Seoul", "America/New_York"]),
)
def test_a_minute_is_one_instant(at, zone):
    bounds = dates.bounds(dates.parse(at.isoformat(timespec="minutes")), dates.zone(zone))
    assert bounds.earliest == bounds.latest
    if 2 < at.year < 9999:
        shown = bounds.earliest.astimezone(dates.zone(zone)).replace(tzinfo=None)
        assert shown == at or shown - at < timedelta(hours=3)  # a gap


# Where and when a local day is odd: gaps and folds at midnight, a day that never was, half hours.
ODD_DAYS = [
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Havana", "2024-03-10"),
    ("America/Havana", "2024-11-03"),
    ("America/Asuncion", "2023-10-01"),
    ("America/Asuncion", "2024-03-24"),
    ("America/St_Johns", "2010-11-07"),
    ("America/St_Johns", "2010-03-14"),
    ("America/New_York", "2025-03-09"),
    ("America/New_York", "2025-11-02"),
    ("America/Toronto", "1919-03-30"),
    ("America/Toronto", "1919-03-31"),
    ("Asia/Beirut", "2025-03-30"),
    ("Asia/Beirut", "2025-10-26"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Casablanca", "2025-02-23"),
    ("Asia/Seoul", "1988-05-08"),
    ("Asia/Seoul", "1988-10-09"),
    ("Asia/Seoul", "1961-08-10"),
    ("Asia/Seoul", "1908-04-01"),
    ("Asia/Pyongyang", "2015-08-15"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("Asia/Pyongyang", "2018-05-05"),
    ("Australia/Lord_Howe", "2025-04-06"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Antarctica/Troll", "2025-03-30"),
    ("Antarctica/Troll", "2025-10-26"),
    ("Pacific/Apia", "2011-12-29"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Apia", "2011-12-31"),
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Pacific/Chatham", "2025-09-28"),
    ("America/Juneau", "1867-10-18"),
    ("Asia/Manila", "1844-12-31"),
    ("Europe/Lisbon", "1992-09-27"),
    ("Asia/Kathmandu", "1986-01-01"),
    ("Asia/Gaza", "2011-04-01"),
    ("Asia/Amman", "2022-02-25"),
    ("Atlantic/Azores", "2025-03-30"),
    ("Atlantic/Azores", "2025-10-26"),
]


def local_days(day: date, zone: ZoneInfo) -> dict[date, list[datetime]]:
    """Every half minute around a day, sorted by the date that local clocks show."""
    at = datetime.combine(day, time(), UTC) - timedelta(hours=30)
    shown: dict[date, list[datetime]] = {}
    for step in range(2 * 60 * 84):
        instant = at + step * timedelta(seconds=30)
        shown.setdefault(instant.astimezone(zone).date(), []).append(instant)
    return shown


@pytest.mark.parametrize(("name", "text"), ODD_DAYS)
def test_bounds_of_an_odd_day_are_where_local_clocks_enter_and_leave_it(name, text):
    zone, day = dates.zone(name), date.fromisoformat(text)
    bounds = dates.bounds(dates.parse(text), zone)
    shown = local_days(day, zone).get(day, [])
    if not shown:
        assert bounds.earliest == bounds.latest  # the day never was
        return
    slack = timedelta(seconds=30)  # local mean time changed at odd seconds
    assert timedelta() <= shown[0] - bounds.earliest < slack
    assert timedelta() < bounds.latest - shown[-1] <= slack


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("America/New_York", "2025-03-09T02:30", "2025-03-09T07:30Z"),
        ("America/New_York", "2025-11-02T01:30", "2025-11-02T05:30Z"),
        ("Australia/Lord_Howe", "2025-10-05T02:15", "2025-10-04T15:45Z"),
        ("Australia/Lord_Howe", "2025-04-06T01:45", "2025-04-05T14:45Z"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00Z"),
        ("America/St_Johns", "2025-03-09T02:30", "2025-03-09T06:00Z"),
        ("Africa/Casablanca", "2025-02-23T02:30", "2025-02-23T01:30Z"),
        ("Antarctica/Troll", "2025-03-30T02:00", "2025-03-30T02:00Z"),
        ("Asia/Seoul", "1988-05-08T02:30", "1988-05-07T17:30Z"),
        ("Asia/Seoul", "1988-10-09T02:30", "1988-10-08T16:30Z"),
        ("Asia/Seoul", "2025-09-05T14:00", "2025-09-05T05:00Z"),
    ],
)
def test_a_skipped_or_repeated_wall_time_is_read_as_rfc_5545_says(zone, wall, instant):
    expected = datetime.fromisoformat(instant.replace("Z", "+00:00"))
    bounds = dates.bounds(dates.parse(wall), dates.zone(zone))
    assert bounds == Bounds(earliest=expected, latest=expected)


def test_a_day_only_deadline_ends_at_the_next_local_midnight():
    assert dates.bounds(dates.parse("2026-03-27"), SEOUL).latest == datetime(2026, 3, 27, 15, tzinfo=UTC)


def test_24_00_ends_a_day_and_is_kept_as_written():
    edtf = dates.parse_end("2026-03-27T24:00")
    assert (edtf.text, edtf.first, edtf.minute, edtf.next_day) == (
        "2026-03-27T24:00",
        date(2026, 3, 27),
        time(),
        True,
    )
    midnight = datetime(2026, 3, 27, 15, tzinfo=UTC)
    assert dates.bounds(edtf, SEOUL) == Bounds(earliest=midnight, latest=midnight)
    with pytest.raises(EdtfError):
        dates.parse_end("2026-03-27T24:01")


@pytest.mark.parametrize(
    "text",
    [
        "0001",
        "0001-01-01",
        "0001-01-01T00:00",
        "9999",
        "9999-12-31",
        "9999-12-31T23:59",
        "9999-12-31T24:00",
        "99XX",
    ],
)
@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Seoul", "America/New_York"])
def test_the_ends_of_the_calendar_stay_inside_it(text, name):
    bounds = dates.bounds(dates.parse_end(text), dates.zone(name))
    assert dates.MIN_INSTANT <= bounds.earliest <= bounds.latest <= dates.MAX_INSTANT


def test_every_zone_of_the_wheel_loads_and_knows_both_ends_of_the_calendar():
    for name in sorted(dates.zone_names()):
        zone = dates.zone(name)
        assert zone.key == name
        for day in (date.min, date.max, date(2025, 9, 5)):
            assert dates.day_start(day, zone) <= dates.day_end(day, zone)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "localtime",
            "posixrules",
            "Asia",
            "",
            ".",
            "..",
            "../x",
            "/etc/localtime",
            "Asia/../Asia/Seoul",
            "x" * 300,
        ),
        *(
            "Factory",
            "asia/seoul",
            "ASIA/SEOUL",
            "Asia/Seoul\n",
            "Asia/Seoul\x00",
            "Asia\\Seoul",
            "KST",
            "+09:00",
        ),
        *("UTC+9", "right/UTC", "posix/UTC", "zone.tab", "tzdata.zi", "__init__.py", "서울"),
    ],
)
def test_this_is_not_a_zone(name):
    with pytest.raises(ZoneError):
        dates.zone(name)


@example(day=date(2011, 12, 30), name="Pacific/Apia")
@given(day=st.dates(date(1, 1, 2), date(9999, 12, 30)), name=st.sampled_from(sorted(dates.zone_names())))
def test_days_follow_one_another(day, name):
    zone = dates.zone(name)
    yesterday = day - timedelta(days=1)
    assert dates.day_start(day, zone) <= dates.day_end(yesterday, zone)
    assert dates.day_start(yesterday, zone) <= dates.day_start(day, zone)


@pytest.mark.parametrize("text", ["2026-12-20T09:00+05:30", "2026-12-20T09:00Z", "2026-12-20T09:00:00+0900"])
def test_a_time_with_an_offset_is_refused_in_words_that_help(text):
    with pytest.raises(EdtfError, match="without an offset; `timezone` says where"):
        dates.parse(text)
