"""What a foreign event becomes: a well-formed draft, and a word about everything that is not in it."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.foreign_ical import read
from feeds.formats import document
from service.catalogue.event import Event, Place, Text
from service.importers import child
from service.importers.drafts import Choices, drafted
from tests.feeds.samples import FEED, many
from tests.feeds.test_foreign_ical import calendar, event


def drafts(*parts, timezone="Asia/Seoul", head=b""):
    return drafted(read(calendar(*parts, head=head), floating=timezone), Choices(timezone=timezone))


def test_a_draft_says_what_the_calendar_says_and_nothing_else():
    body = event(
        "DTEND;TZID=Asia/Tokyo:20260407T180000",
        "SUMMARY:Demo Day Tokyo",
        "DESCRIPTION:Doors open\\nat one",
        "LOCATION:시부야",
        "CATEGORIES:AI,Start up",
        "URL:https://example.org/x",
        "STATUS:TENTATIVE",
        uid="a@x",
        start="DTSTART;TZID=Asia/Tokyo:20260407T140000",
    )
    found = drafts(body, head=b"NAME:Elsewhere\r\n")
    assert (found.name, found.faults) == ("Elsewhere", ())
    assert found.events == (
        Event(
            id="demo-day-tokyo-2026",
            kind="other",
            name=Text(en="Demo Day Tokyo"),
            summary=Text(en="Doors open\nat one"),
            status="tentative",
            start="2026-04-07T14:00",
            end="2026-04-07T18:00",
            timezone="Asia/Tokyo",
            place=Place(name=Text(ko="시부야")),
            tags=("ai", "start-up"),
            url="https://example.org/x",
            external_ids={"ical": "a@x"},
        ),
    )


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260410", "DTEND;VALUE=DATE:20260413", ("2026-04-10", "2026-04-12")),
        ("DTSTART;VALUE=DATE:20260410", "DTEND;VALUE=DATE:20260411", ("2026-04-10", None)),
        ("DTSTART;VALUE=DATE:20260410", "DTEND;VALUE=DATE:20260410", ("2026-04-10", None)),
        ("DTSTART:20260410T050000Z", "DTEND:20260410T053000Z", ("2026-04-10T14:00", "2026-04-10T14:30")),
        ("DTSTART:20260410T050000Z", "DTEND:20260410T050000Z", ("2026-04-10T14:00", None)),
        ("DTSTART:20260410T090000", "DURATION:PT1H", ("2026-04-10T09:00", "2026-04-10T10:00")),
        ("DTSTART;TZID=UTC+02:20260410T090000", "X-A:b", ("2026-04-10T16:00", None)),
    ],
)
def test_days_and_instants_are_told_as_a_seed_tells_them(start, end, expected):
    zone = b"BEGIN:VTIMEZONE\r\nTZID:UTC+02\r\nEND:VTIMEZONE\r\n"
    [draft] = drafts(zone, event(end, "SUMMARY:A", start=start)).events
    assert (draft.start, draft.end, draft.timezone) == (*expected, "Asia/Seoul")


def test_ids_are_slugs_that_are_the_same_at_every_reading_and_never_twice():
    parts = [
        event("SUMMARY:Demo Day 2026!", uid="1"),
        event("SUMMARY:demo day 2026", uid="2"),
        event("SUMMARY:창업 박람회", uid="3"),
        event("SUMMARY:2026", uid="4"),
        event("SUMMARY:" + "x" * 500, uid="5"),
    ]
    ids = [each.id for each in drafts(*parts).events]
    assert ids == [each.id for each in drafts(*parts).events]
    assert ids[0] == "demo-day-2026" and ids[1].startswith("demo-day-2026-")
    assert [each[:5] for each in ids[2:4]] == ["ical-", "ical-"]
    assert ids[4] == "x" * 60 + "-2026"


@pytest.mark.parametrize(
    ("lines", "count", "detail"),
    [
        (["SUMMARY:A", "RRULE:FREQ=WEEKLY"], 1, "It recurs (weekly); only its first date is drafted."),
        (
            ["SUMMARY:A", "RDATE:20260408T050000Z,20260409T050000Z"],
            1,
            "It recurs; only its first date is drafted.",
        ),
        (
            ["SUMMARY:A", "DESCRIPTION:" + "b" * 5001],
            1,
            "Its DESCRIPTION has more than 5000 characters and is left out.",
        ),
        (["SUMMARY:A", "URL:javascript:alert(1)"], 1, "Its URL is no web address and is left out."),
        (
            ["SUMMARY:A", "URL:https://u:p@x.org/"],
            1,
            "/url: it carries a user name or a password: leave out what stands before the @. "
            "The draft is without its url.",
        ),
        (
            ["SUMMARY:A", "LOCATION:http://x.org:99999/"],
            1,
            "/place/online_url: it cannot be read as an address: check its host and its port. "
            "The draft is without its place.",
        ),
        (["SUMMARY:\u3164"], 0, "It has no SUMMARY."),
        (["SUMMARY:A", "GEO:91;0"], 1, "Its GEO is no place on Earth and is left out."),
        (["SUMMARY:A", "CATEGORIES:AI,한글,창업"], 1, "CATEGORIES 한글, 창업 make no tag and are left out."),
        (["SUMMARY:A", "CLASS:CONFIDENTIAL"], 1, "It is private, so its draft is internal."),
        (
            ["SUMMARY:A", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260407T050000Z,20260408T050000Z"],
            0,
            "It recurs (daily); no date of it is left to draft.",
        ),
        (["X-A:b"], 0, "It has no SUMMARY."),
        (["SUMMARY: \\n"], 0, "It has no SUMMARY."),
    ],
)
def test_what_is_not_in_a_draft_is_told_with_its_place(lines, count, detail):
    found = drafts(event("SUMMARY:Before", uid="b"), event(*lines))
    assert len(found.events) == count + 1
    assert [(fault.line, fault.uid, fault.detail) for fault in found.faults] == [(8, "a", detail)]


@pytest.mark.parametrize("start", ["DTSTART;VALUE=DATE:09991231", "DTSTART:00010101T000000Z"])
def test_a_date_the_catalogue_has_no_place_for_is_a_fault(start):
    found = drafts(event("SUMMARY:A", start=start))
    assert (found.events, [fault.uid for fault in found.faults]) == ((), ["a"])


def test_whatever_we_write_comes_back_as_drafts_or_faults():
    entries = many(150, seed=3)
    found = drafted(read(document("ics", FEED, entries)), Choices(timezone="Asia/Seoul"))
    drafted_uids = {each.external_ids["ical"] for each in found.events}
    faulty = {fault.uid for fault in found.faults}
    assert {entry.uid for entry in entries if entry.start is not None} <= drafted_uids | faulty
    assert len(drafted_uids) > 100


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=150)
def test_a_scrambled_file_is_always_an_answer(noise, place):
    data = calendar(event("SUMMARY:A", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"), event(uid="b"))
    answer = child.result(data[:place] + noise + data[place:], Choices(timezone="Asia/Seoul"))
    assert (answer.drafts is None) == (answer.refused is not None)
    assert msgspec.json.decode(msgspec.json.encode(answer), type=child.ImportResult) == answer
