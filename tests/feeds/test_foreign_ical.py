"""Foreign calendars: what can be read is read, what cannot is named, and no file costs more than seconds."""

import time
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings

from feeds.entry import Entry
from feeds.foreign_ical import CalendarRefused, read
from feeds.formats import document
from feeds.ical import NAMELESS
from feeds.text import clean, link, one_line
from tests.feeds.samples import FEED, entries, many

EVENT = b"BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260407T050000Z\r\nSUMMARY:A\r\nEND:VEVENT\r\n"


def calendar(*parts: bytes, head: bytes = b"") -> bytes:
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + head + b"".join(parts) + b"END:VCALENDAR\r\n"


def event(*lines: str, uid: str = "a", start: str = "DTSTART:20260407T050000Z") -> bytes:
    body = [f"UID:{uid}", start, *lines]
    return "\r\n".join(["BEGIN:VEVENT", *body, "END:VEVENT", ""]).encode()


@given(entries())
@settings(max_examples=60)
def test_what_we_write_we_read_back(entry):
    check_round_trip(entry)


def test_the_longest_line_we_write_is_not_too_long_for_us():
    long = ("👩\u200d👩\u200d👧\u200d👦" * 10_000)[:10_240]
    [entry] = many(1, seed=1)
    check_round_trip(msgspec.structs.replace(entry, title=long, categories=(long, long + "a", long + "b")))


@pytest.mark.campaign
def test_five_thousand_calendars_come_back():
    for entry in many(5_000, seed=11):
        check_round_trip(entry)


def check_round_trip(entry: Entry) -> None:
    reading = read(document("ics", FEED, [entry]))
    [found] = reading.events
    assert (reading.name, reading.faults) == (FEED.title, ())
    assert (found.uid, found.sequence, found.status) == (entry.uid, entry.sequence, entry.status)
    assert (found.start, found.end, found.modified) == (entry.start, entry.end, entry.updated)
    assert found.title == (one_line(entry.title) or NAMELESS)
    assert found.description == clean(entry.description).strip()
    assert found.place == (one_line(entry.spot.text or "") if entry.spot else "")
    assert found.categories == tuple(filter(None, map(one_line, entry.categories)))
    assert (found.url, found.parent) == (link(entry.url), entry.parent)


def test_a_broken_component_is_named_and_the_others_are_read():
    broken = event("SUMMARY:B", uid="b", start="DTSTART:2026-04-07")
    reading = read(calendar(EVENT, broken, event(uid="c")))
    assert [found.uid for found in reading.events] == ["a", "c"]
    [fault] = reading.faults
    assert (fault.uid, fault.line, fault.detail) == ("b", 8, "DTSTART '2026-04-07' is no date.")


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (["UID:a", "DTSTART:20260230"], "DTSTART '20260230' is no date."),
        (["UID:a", "DTSTART:"], "DTSTART is empty."),
        (["UID:a", "DTSTART;TZID=America/Lima:99991231T235959"], "A date beyond the calendar."),
    ],
)
def test_an_unreadable_component_says_why(lines, detail):
    body = "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""]).encode()
    reading = read(calendar(body))
    assert (reading.events, [fault.detail for fault in reading.faults]) == ((), [detail])


@pytest.mark.parametrize(
    ("lines", "details"),
    [
        (["SUMMARY:B"], ["It has no DTSTART, so its date is not known."]),
        (["DTSTART:20260407", "DURATION:P1X"], ["DURATION 'P1X' is none. The end is left out."]),
        (
            ["DTSTART:20260407T100000", "DTEND:20260408"],
            ["It begins with a time and ends with a day. The end is left out."],
        ),
        (
            ["DTSTART:20260407", "RDATE;VALUE=DATE:" + ",".join(["20260408"] * 1001)],
            ["It has more than 1000 dates in RDATE; the rest is left out."],
        ),
        (["DTSTART:20260407", "RDATE:20260408,083000"], ["RDATE '083000' is no date."]),
        (["DTSTART:20260407", "RRULE:"], ["FREQ= is not supported. The rule is left out."]),
        (
            ["DTSTART;TZID=Mars/Base:20260407T100000"],
            ["Nobody knows the time zone 'Mars/Base'; the hour of DTSTART is left out."],
        ),
        (["DTSTART:20260407", "DTSTAMP:20260406T1"], ["DTSTAMP '20260406T1' is no date."]),
    ],
)
def test_what_an_event_can_stand_without_is_left_out_and_told(lines, details):
    reading = read(calendar(event(*lines, start="TRANSP:OPAQUE")))
    [found] = reading.events
    assert [fault.detail for fault in reading.faults] == details
    assert (found.end, found.rules) == (None, ())
    assert not isinstance(found.start, datetime) or "T100000" in lines[0]


@pytest.mark.parametrize(
    ("parts", "titles", "details"),
    [
        ([b"BEGIN:VEVENT\r\nUID:x\r\n", EVENT], ["", "A"], ["VEVENT has no END."]),
        ([b"END:VTODO\r\n", EVENT], ["A"], ["END:VTODO closes what is not open."]),
        ([event("BEGIN:VALARM", "SUMMARY:B"), EVENT], ["", "A"], ["VALARM has no END."]),
        ([EVENT, event("SUMMARY:B", uid="b")[:-12]], ["A", "B"], ["VEVENT has no END."]),
        ([b"END:VCALENDAR\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\n", EVENT], ["A"], []),
    ],
)
def test_a_component_without_its_end_does_not_cost_the_others(parts, titles, details):
    reading = read(calendar(*parts))
    assert [found.title for found in reading.events] in (titles, titles[1:])
    assert [fault.detail for fault in reading.faults if "DTSTART" not in fault.detail][
        : len(details)
    ] == details


def test_of_a_uid_the_newest_version_counts_and_different_things_both_do():
    old = event("SUMMARY:Old", "DTSTAMP:20260401T000000Z")
    new = event("SUMMARY:New", "DTSTAMP:20260402T000000Z")
    newest = event("SUMMARY:Newest", "DTSTAMP:20260401T000000Z", "SEQUENCE:1")
    for order in ([old, newest, new], [newest, new, old], [new, old, newest]):
        reading = read(calendar(*order))
        assert [found.title for found in reading.events] == ["Newest"]
        assert [fault.detail[:21] for fault in reading.faults] == ["An older version of t"] * 2
    reading = read(calendar(event("SUMMARY:One"), event("SUMMARY:Other")))
    assert [(found.title, found.uid[:6]) for found in reading.events] == [("One", "a"), ("Other", "sha256")]
    assert len(reading.faults) == 1


@pytest.mark.parametrize(
    ("text", "read_as"),
    [("창업 설명회".encode("cp949"), "창업 설명회"), ("똠방각하 설명회".encode("cp949"), "똠방각하 설명회")],
)
def test_bytes_of_korean_desktop_programs_are_read(text, read_as):
    reading = read(
        calendar(b"BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260407\r\nSUMMARY:" + text + b"\r\nEND:VEVENT\r\n")
    )
    assert ([found.title for found in reading.events], reading.faults) == ([read_as], ())


@pytest.mark.parametrize("text", ["Äpfel für alle", "Café", "Ärger", "Müßig"])
def test_other_bytes_are_told_and_never_taken_for_korean(text):
    body = (
        b"BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260407\r\nSUMMARY:"
        + text.encode("latin-1")
        + b"\r\nEND:VEVENT\r\n"
    )
    reading = read(calendar(body))
    assert "\ufffd" in reading.events[0].title
    assert [(fault.line, fault.detail) for fault in reading.faults] == [(6, "Not all of this line is UTF-8.")]


def test_utf_16_is_read():
    assert [
        found.title for found in read(calendar(event("SUMMARY:창업")).decode().encode("utf-16")).events
    ] == ["창업"]


def test_odd_but_readable_forms_are_read():
    data = b"\xef\xbb\xbf" + calendar(
        event("SUMMARY;LANGUAGE=ko:가\\, 나\\n다\\\\n", "DURATION:PT90M").replace(b"\r\n", b"\n"),
        event('X-A;B="c:d;e":f', uid="b", start='DTSTART;TZID="Asia/Seoul":20260407T140000'),
        event(uid="c", start="DTSTART:20260407T140000"),
        event(uid="d", start="DTSTART;VALUE=DATE:20260407"),
        head=b"X-WR-TIMEZONE:Asia/Seoul\r\n",
    )
    a, b, c, d = read(data).events
    assert (a.title, a.end) == ("가, 나\n다\\n", datetime(2026, 4, 7, 6, 30, tzinfo=UTC))
    assert b.start == c.start == datetime(2026, 4, 7, 5, tzinfo=UTC)
    assert (d.start, d.end) == (date(2026, 4, 7), None)


@pytest.mark.parametrize(
    ("name", "zone", "hour"),
    [
        ("Korea Standard Time", "Asia/Seoul", 5),
        ("/mozilla.org/20050126_1/Asia/Seoul", "Asia/Seoul", 5),
        ("/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires", 17),
        ("GMT+1", None, 13),
        ("GMT-0930", None, 23),
    ],
)
def test_a_zone_is_known_by_its_windows_name_its_end_and_its_offset(name, zone, hour):
    [found] = read(calendar(event(start=f"DTSTART;TZID={name}:20260407T140000"))).events
    assert (found.zone, found.start) == (
        zone,
        datetime(2026, 4, 7, hour, 30 if "30" in name else 0, tzinfo=UTC),
    )


def test_a_line_that_is_no_property_is_named_and_the_event_is_read():
    broken = event("DTEND;TZID=Asia/Seoul", "SUMMARY:B", "=", "X-A;B:c", uid="b")
    reading = read(calendar(EVENT, broken))
    assert [(found.uid, found.title, found.end) for found in reading.events] == [
        ("a", "A", None),
        ("b", "B", None),
    ]
    assert [(fault.line, fault.detail) for fault in reading.faults] == [
        (11, "This is no property: 'DTEND;TZID=Asia/Seoul'."),
        (13, "This is no property: '='."),
    ]


def test_only_bytes_are_read_never_a_path():
    with pytest.raises(TypeError):
        read("/etc/passwd")  # type: ignore[arg-type]


def test_an_override_keeps_its_occurrence_and_a_copy_is_a_fault():
    override = event("RECURRENCE-ID:20260414T050000Z", start="DTSTART:20260415T050000Z")
    reading = read(calendar(EVENT, override, EVENT))
    assert [found.recurrence for found in reading.events] == [None, datetime(2026, 4, 14, 5, tzinfo=UTC)]
    assert [fault.detail for fault in reading.faults] == ["This UID stands here twice."]


@pytest.mark.parametrize(
    "rule",
    [
        *(
            "FREQ=SECONDLY",
            "FREQ=MINUTELY",
            "FREQ=HOURLY",
            "COUNT=3",
            "FREQ=DAILY;COUNT=1001",
            "FREQ=DAILY;COUNT=0",
        ),
        *("FREQ=DAILY;INTERVAL=1001", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=2;UNTIL=20270101"),
        *(
            "FREQ=DAILY;UNTIL=20271399",
            "FREQ=DAILY;BYSECOND=1",
            "FREQ=YEARLY;BYMONTH=13",
            "FREQ=DAILY;FREQ=SECONDLY",
        ),
        *("FREQ=DAILY;BYDAY=XX", "FREQ=YEARLY;BYYEARDAY=" + ",".join(["1"] * 101), "", ";", "FREQ"),
    ],
)
def test_a_rule_that_could_run_away_is_left_out(rule):
    reading = read(calendar(event(f"RRULE:{rule}"), event(uid="b")))
    assert [(found.uid, found.rules) for found in reading.events] == [("a", ()), ("b", ())]
    assert [(fault.uid, fault.detail[-21:]) for fault in reading.faults] == [("a", "The rule is left out.")]


@pytest.mark.parametrize("tail", ["", ";", ";COUNT=10"])
def test_a_plain_rule_is_kept(tail):
    [found] = read(calendar(event("RRULE:freq=MONTHLY;BYDAY=2TU,-1FR;COUNT=10" + tail))).events
    [rule] = found.rules
    assert rule == {"FREQ": ["MONTHLY"], "BYDAY": ["2TU", "-1FR"], "COUNT": [10]}


BOMBS = {
    "six MiB": b"X" * (6 * 1024 * 1024),
    "one line of 4 MB": calendar(event("SUMMARY:" + "A" * 4_000_000)),
    "a million folds": calendar(
        b"BEGIN:VEVENT\r\nUID:a\r\nSUMMARY:A" + b"\r\n B" * 1_000_000 + b"\r\nEND:VEVENT\r\n"
    ),
    "50,000 zones": calendar(b"BEGIN:VTIMEZONE\r\nTZID:A\r\nEND:VTIMEZONE\r\n" * 50_000),
    "5,001 events": calendar(*(event(uid=str(n)) for n in range(5_001))),
    "nested 100,000 deep": b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 100_000,
    "ends that close nothing": b"END:VEVENT\r\n" * 100_000,
    "a login page": b"<html><body>Please log in</body></html>",
    "nothing": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_whole_and_at_once(name):
    begun = time.monotonic()
    with pytest.raises(CalendarRefused):
        read(BOMBS[name])
    assert time.monotonic() - begun < 5


HARMLESS = {
    "an alarm that repeats two thousand million times": event(
        "BEGIN:VALARM", "TRIGGER:-PT1M", "REPEAT:2147483648", "DURATION:PT1S", "END:VALARM"
    ),
    "a duration beyond time": event("DURATION:P99999D"),
    "an override of itself": event("RECURRENCE-ID:20260407T050000Z"),
    "ten thousand parameters": event("SUMMARY" + ";A=b" * 10_000 + ":x"),
    "quotes that never close": event('SUMMARY;A="' + "b" * 50_000 + ":x"),
    "a year nobody has seen": event(start="DTSTART;TZID=Asia/Seoul:99991231T235959"),
    "the first day": event(start="DTSTART;TZID=Asia/Seoul:00010101T000000"),
    "two thousand backslashes": event("SUMMARY:" + "\\" * 2_001),
    "a zone with an exotic rule": event(start="DTSTART;TZID=X:20260407T050000")
    + b"BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nRRULE:FREQ=SECONDLY\r\n"
    + b"END:STANDARD\r\nEND:VTIMEZONE\r\n",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_trick_costs_nothing_and_spoils_nothing(name):
    begun = time.monotonic()
    reading = read(calendar(HARMLESS[name], event(uid="other")))
    assert "other" in [found.uid for found in reading.events]
    assert time.monotonic() - begun < 2


@given(entries())
@settings(max_examples=6)
def test_a_cut_or_scrambled_file_never_raises_anything_else(entry):
    data = document(
        "ics", FEED, [entry, msgspec.structs.replace(entry, uid="b@c", start=date(2026, 1, 1), end=None)]
    )
    for place in range(0, len(data), max(1, len(data) // 25)):
        for broken in (data[:place], data[:place] + b'\xff\x00:;="' + data[place:], data[place:]):
            try:
                read(broken)
            except CalendarRefused:
                continue


def test_times_before_and_after_are_whole_days_apart():
    [found] = read(calendar(event("DTEND;VALUE=DATE:20260410", start="DTSTART;VALUE=DATE:20260407"))).events
    assert found.end - found.start == timedelta(days=3)
