"""Small calendars that other programs write, each with what it means."""

from textwrap import dedent

import pytest

from service.importers import child
from service.importers.drafts import Choices
from tests.feeds.test_foreign_ical import calendar, event

DAY = "DTSTART:20270210T010000Z"
KOREA = "TZID:Korea Standard Time", "TZID=Korea Standard Time"


def lines(text: str) -> bytes:
    return dedent(text).strip().replace("\n", "\r\n").encode() + b"\r\n"


def zone(name: str, *offsets: str) -> bytes:
    parts = (
        f"BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETTO:{each}\r\nEND:STANDARD" for each in offsets
    )
    return "\r\n".join(["BEGIN:VTIMEZONE", f"TZID:{name}", *parts, "END:VTIMEZONE", ""]).encode()


def named(start: str, *more: str, uid: str = "a") -> bytes:
    return event("SUMMARY:Demo day", *more, uid=uid, start=start)


def drafts(data: bytes, **choices):
    answer = child.result(data, Choices(timezone="Asia/Seoul", **choices))
    assert answer.drafts is not None, answer.refused
    return answer.drafts


def dates(data: bytes, **choices) -> list[tuple[str | None, str | None, str]]:
    return [(each.start, each.end, each.timezone) for each in drafts(data, **choices).events]


SEOUL = "Asia/Seoul"
AT_TWO = [("2027-02-10T14:00", "2027-02-10T16:00", SEOUL)]
AT_TEN = [("2027-02-10T10:00", "2027-02-10T11:00", SEOUL)]
STARTS = ("DTSTART", "DTEND")
HOUR = ("DTSTART:20270210T010000Z", "DTEND:20270210T020000Z")
PLAIN = calendar(named(*HOUR))
WEEKLY = "DTSTART;TZID=Asia/Seoul:20270104T100000"


def in_zone(tzid: str) -> tuple[str, str]:
    return f"DTSTART;TZID={tzid}:20270210T140000", f"DTEND;TZID={tzid}:20270210T160000"


# What is read without a word.
READ = {
    "a Windows zone": (calendar(named(*in_zone("Korea Standard Time"))), AT_TWO),
    "a Windows zone in quotes, defined": (
        calendar(zone("Korea Standard Time", "+0900"), named(*in_zone('"Korea Standard Time"'))),
        AT_TWO,
    ),
    "a Windows zone with summer time": (
        calendar(
            zone("Eastern Standard Time", "-0500", "-0400"),
            named("DTSTART;TZID=Eastern Standard Time:20260908T140000", "DURATION:PT30M"),
        ),
        [("2026-09-08T14:00", "2026-09-08T14:30", "America/New_York")],
    ),
    "Mozilla's prefix": (calendar(named(*in_zone("/mozilla.org/20050126_1/Asia/Seoul"))), AT_TWO),
    "a slash before the zone": (
        calendar(named("DTSTART;TZID=/Europe/Vienna:20270210T140000")),
        [("2027-02-10T14:00", None, "Europe/Vienna")],
    ),
    "a zone in small letters": (calendar(named(*in_zone("asia/seoul"))), AT_TWO),
    "a zone of the file's own, of one offset": (
        calendar(zone("KST", "+0900"), named(*in_zone("KST"))),
        AT_TWO,
    ),
    "a zone of the file's own that says where it is": (
        calendar(
            lines("BEGIN:VTIMEZONE\nTZID:Here\nX-LIC-LOCATION:Asia/Seoul\nEND:VTIMEZONE"),
            named(*in_zone("Here")),
        ),
        AT_TWO,
    ),
    "a zone after the calendar": (PLAIN + zone("W. Europe Standard Time", "+0100"), AT_TEN),
    "no UID": (PLAIN.replace(b"UID:a\r\n", b""), AT_TEN),
    "a UID with blanks": (PLAIN.replace(b"UID:a\r\n", b"UID:My event 2027\r\n"), AT_TEN),
    "blanks before the calendar": (b"\r\n\r\n  " + PLAIN, AT_TEN),
    "line feeds only": (PLAIN.replace(b"\r\n", b"\n"), AT_TEN),
    "carriage returns only": (PLAIN.replace(b"\r\n", b"\r"), AT_TEN),
    "a byte order mark": (b"\xef\xbb\xbf" + PLAIN, AT_TEN),
    "an event without a calendar": (named(*HOUR), AT_TEN),
    "an occurrence without its series": (calendar(named(*HOUR, "RECURRENCE-ID:20270210T010000Z")), AT_TEN),
    "a rule with a semicolon too many": (calendar(named(*HOUR, "RRULE:FREQ=YEARLY;COUNT=1;")), AT_TEN),
    "a rule that ends before it begins": (
        calendar(named(*HOUR, "RRULE:FREQ=MONTHLY;UNTIL=20270101T215959Z;BYDAY=4SA")),
        AT_TEN,
    ),
    "days that Outlook writes as midnights": (
        calendar(
            named(
                "DTSTART;TZID=Asia/Seoul:20270210T000000",
                "DTEND;TZID=Asia/Seoul:20270213T000000",
                "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
            )
        ),
        [("2027-02-10", "2027-02-12", SEOUL)],
    ),
    "midnights that are no days": (
        calendar(
            named("DTSTART;TZID=Europe/Berlin:20270517T000000", "DTEND;TZID=Europe/Berlin:20270519T000000")
        ),
        [("2027-05-17T00:00", "2027-05-19T00:00", "Europe/Berlin")],
    ),
    "days with a time": (
        calendar(named("DTSTART;VALUE=DATE:20271222T000000", "DTEND;VALUE=DATE:20280101T000000")),
        [("2027-12-22", "2027-12-31", SEOUL)],
    ),
    "days without VALUE": (
        calendar(named("DTSTART:20270210", "DTEND:20270212")),
        [("2027-02-10", "2027-02-11", SEOUL)],
    ),
    "an event of two calendars in one file": (
        PLAIN + calendar(named("DTSTART:20270210T090000", uid="b"), head=b"X-WR-TIMEZONE:Asia/Tokyo\r\n"),
        [*AT_TEN, ("2027-02-10T09:00", None, SEOUL)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_other_programs_write_is_read(name):
    data, expected = READ[name]
    found = drafts(data)
    assert [(each.start, each.end, each.timezone) for each in found.events] == expected
    assert found.faults == ()


# What is read as far as it can be, and the words about the rest.
TOLD = {
    "an unknown zone costs the hour": (
        calendar(zone("Mars", "+0100", "+0200"), named(*in_zone("Mars"))),
        [("2027-02-10", None, SEOUL)],
        [f"Nobody knows the time zone 'Mars'; the hour of {each} is left out." for each in STARTS],
    ),
    "a known zone is not what the file says": (
        calendar(zone(SEOUL, "+0830"), named("DTSTART;TZID=Asia/Seoul:20270210T090000")),
        [("2027-02-10T09:00", None, SEOUL)],
        ["Its own offset is not that of Asia/Seoul, which is used."],
    ),
    "a TZID and a Z": (
        calendar(named("DTSTART;TZID=Asia/Seoul:20270210T140000Z")),
        [("2027-02-10T14:00", None, SEOUL)],
        ["DTSTART has a TZID and a Z; the zone is taken."],
    ),
    "an empty end": (
        calendar(named(HOUR[0], "DTEND:")),
        [("2027-02-10T10:00", None, SEOUL)],
        ["DTEND is empty. The end is left out."],
    ),
    "an end before the start": (
        calendar(named(HOUR[0], "DTEND:20270210T000000Z")),
        [("2027-02-10T10:00", None, SEOUL)],
        ["It ends before it begins. The end is left out."],
    ),
    "a day that ends at an hour": (
        calendar(named("DTSTART;VALUE=DATE:20270210", "DTEND:20270212T010000Z")),
        [("2027-02-10", "2027-02-12", SEOUL)],
        ["It begins with a day and ends with a time, whose day is taken."],
    ),
    "a file that was cut": (
        PLAIN.removesuffix(b"END:VCALENDAR\r\n"),
        AT_TEN,
        ["The file ends in the middle; more may have followed."],
    ),
    "an older version": (
        calendar(named(*HOUR, "SEQUENCE:1"), named("DTSTART:20270209T010000Z")),
        AT_TEN,
        ["An older version of this UID (SEQUENCE 0) is left out."],
    ),
    "a journal": (
        calendar(lines("BEGIN:VJOURNAL\nUID:j\nDTSTART:20270120\nEND:VJOURNAL"), named(*HOUR)),
        AT_TEN,
        ["It is a VJOURNAL, which is no event."],
    ),
    "nothing": (calendar(), [], ["There is no event in it."]),
    "a rule of two rules": (
        calendar(named(*HOUR, "RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=MONTHLY;COUNT=2")),
        AT_TEN,
        ["It recurs (weekly); only its first date is drafted."],
    ),
    "the first date is excluded": (
        calendar(named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Asia/Seoul:20270104T100000")),
        [("2027-01-11T10:00", None, SEOUL)],
        ["It recurs (weekly); only its first date is drafted."],
    ),
    "the first date has moved": (
        calendar(
            named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3"),
            named("DTSTART;TZID=Asia/Seoul:20270105T100000", "RECURRENCE-ID;TZID=Asia/Seoul:20270104T100000"),
        ),
        [("2027-01-05T10:00", None, SEOUL)],
        ["It recurs (weekly); only its first date is drafted."],
    ),
    "an EXDATE that says nothing": (
        calendar(named(*HOUR, "RRULE:FREQ=YEARLY", "EXDATE:")),
        AT_TEN,
        ["EXDATE is empty.", "It recurs (yearly); only its first date is drafted."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_read_is_told_and_costs_nothing_else(name):
    data, expected, details = TOLD[name]
    found = drafts(data)
    assert [(each.start, each.end, each.timezone) for each in found.events] == expected
    assert [fault.detail for fault in found.faults] == details


EXPANDED = {
    "hours by our zone data": (
        named("DTSTART;TZID=America/Vancouver:20270305T100000", "RRULE:FREQ=WEEKLY;COUNT=3"),
        ["2027-03-05T10:00", "2027-03-12T10:00", "2027-03-19T10:00"],
    ),
    "an excluded date": (
        named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Asia/Seoul:20270104T100000"),
        ["2027-01-11T10:00", "2027-01-18T10:00"],
    ),
    "Exchange excludes days by their midnight elsewhere": (
        named(
            "DTSTART;VALUE=DATE:20270216",
            "RRULE:FREQ=DAILY;UNTIL=20270219",
            "EXDATE;TZID=W. Europe Standard Time:20270218T000000",
        ),
        ["2027-02-16", "2027-02-17", "2027-02-19"],
    ),
    "a day excludes its hour": (
        named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=2", "EXDATE;VALUE=DATE:20270104"),
        ["2027-01-11T10:00"],
    ),
    "an override moves, another cancels": (
        named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3")
        + named("DTSTART;TZID=Asia/Seoul:20270120T100000", "RECURRENCE-ID;TZID=Asia/Seoul:20270104T100000")
        + named("DTSTART:20270111T010000Z", "RECURRENCE-ID:20270111T010000Z", "STATUS:CANCELLED"),
        ["2027-01-11T10:00", "2027-01-18T10:00", "2027-01-20T10:00"],
    ),
    "more dates": (
        named(WEEKLY, "RDATE;TZID=Asia/Seoul:20270107T150000,20270104T100000", "RDATE;VALUE=DATE:20270108"),
        ["2027-01-04T10:00", "2027-01-07T15:00", "2027-01-08T10:00"],
    ),
    "two rules": (
        named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=MONTHLY;COUNT=2"),
        ["2027-01-04T10:00", "2027-01-11T10:00", "2027-02-04T10:00"],
    ),
    "a rule that excludes": (
        named(WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=4", "EXRULE:FREQ=WEEKLY;INTERVAL=2"),
        ["2027-01-11T10:00", "2027-01-25T10:00"],
    ),
    "a rule that its start is no part of": (
        named("DTSTART:20270712T140000", "RRULE:FREQ=MONTHLY;UNTIL=20270901T000000Z;BYDAY=4SA"),
        ["2027-07-12T14:00", "2027-07-24T14:00", "2027-08-28T14:00"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPANDED)
def test_what_recurs_is_drafted_date_by_date(name):
    parts, starts = EXPANDED[name]
    found = drafts(calendar(parts), expand=True)
    assert [each.start for each in found.events] == starts
    assert (len({each.id for each in found.events}), found.faults) == (len(starts), ())


def test_a_to_do_is_a_deadline_of_the_kind_that_is_chosen():
    todo = (
        "BEGIN:VTODO\nUID:t\nDTSTART:20270105\nDUE;TZID=Asia/Seoul:20270120T180000\nSUMMARY:마감\nEND:VTODO"
    )
    [window] = drafts(calendar(lines(todo))).events
    assert (window.kind, window.close_rule) == ("application_window", "fixed")
    assert (window.start, window.end) == ("2027-01-05", "2027-01-20T18:00")
    found = drafts(calendar(lines(todo)), todo="milestone")
    assert [(each.kind, each.start, each.end) for each in found.events] == [
        ("milestone", "2027-01-20T18:00", "2027-01-20T18:00")
    ]
    assert [fault.detail for fault in found.faults] == [
        "Its DTSTART is left out: a milestone is when it is due."
    ]
    undue = drafts(calendar(lines(todo.replace("DUE;TZID=Asia/Seoul:20270120T180000\n", ""))))
    assert [fault.detail for fault in undue.faults] == ["It is a to-do without DUE."]


def test_a_cancelled_calendar_a_private_event_a_link_and_a_place():
    [cancelled] = drafts(calendar(named(*HOUR), head=b"METHOD:CANCEL\r\n")).events
    [private] = drafts(calendar(named(*HOUR, "CLASS:PRIVATE"))).events
    assert (cancelled.status, cancelled.visibility) == ("cancelled", "public")
    assert (private.status, private.visibility) == ("scheduled", "internal")
    linked = drafts(
        calendar(
            named(*HOUR, "LOCATION:https://zoom.us/j/1", "GEO:37.5;127", "ORGANIZER;CN=중기부:mailto:a@b.kr"),
            head=b"X-Link:https://x.org\r\n",
        )
    )
    [event_] = linked.events
    assert (event_.place.name, event_.place.online_url) == (None, "https://zoom.us/j/1")
    assert (event_.place.geo.lat, event_.place.geo.lon) == (37.5, 127)
    assert (event_.url, linked.url, linked.organizers) == (
        "https://x.org",
        "https://x.org",
        {event_.id: "중기부"},
    )


def test_a_made_uid_is_the_same_at_every_reading_and_another_for_other_content():
    data = calendar(named(*HOUR), named(HOUR[0])).replace(b"UID:a\r\n", b"")
    uids = [each.external_ids["ical"] for each in drafts(data).events]
    assert len(set(uids)) == 2
    assert uids == [each.external_ids["ical"] for each in drafts(data.replace(b"\r\n", b"\n")).events]


def test_alarms_do_not_count_as_events():
    alarm = "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM"
    data = calendar(*(named(*HOUR, *alarm, uid=f"{n}") for n in range(2_600)))
    found = drafts(data)
    assert (len(found.events), found.faults) == (2_600, ())
