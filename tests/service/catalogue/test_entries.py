"""How events show in calendars: the golden case of each rule, and the deadline day in every zone."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings

from feeds.foreign_ical import read
from service.catalogue.entries import Style, entries, names_used
from service.catalogue.entry_times import leaves_at
from service.catalogue.event import Text
from tests.service.catalogue.entry_cases import (
    AROUND,
    CALL,
    CASES,
    CHANGED,
    GOLDEN,
    SUMMIT,
    UID,
    changed,
    document_of,
    rendered,
)
from tests.service.store.strategies import catalogues

STYLE = Style(lang="ko", base_url="https://dday.example")
VIEWERS = [timezone(timedelta(hours=hours)) for hours in range(-12, 15)]


@pytest.mark.parametrize("name", CASES)
def test_the_calendar_shows(name):
    event, asked = CASES[name]
    assert rendered(event, asked) == (GOLDEN / f"{name}.ics").read_text(encoding="utf-8")


def test_every_golden_file_has_its_case():
    assert {file.stem for file in GOLDEN.glob("*.ics")} == set(CASES)


# The instants were worked out by hand: a close at 24:00 is the midnight that ends the day; AoE is UTC-12. On
# 2026-03-08 New York's clocks go from 02:00 to 03:00, so 02:30 is read with the offset before the gap; on
# 2026-11-01 01:30 is there twice, and the first one is meant. Lord Howe skips 02:00 to 02:30 on 2026-10-04.
DEADLINES = [
    ("2026-03-27T00:00", "Asia/Seoul", "2026-03-26T15:00"),
    ("2026-03-27T18:00", "Asia/Seoul", "2026-03-27T09:00"),
    ("2026-03-27T23:59", "Asia/Seoul", "2026-03-27T14:59"),
    ("2026-03-27T24:00", "Asia/Seoul", "2026-03-27T15:00"),
    ("2026-12-31T24:00", "Asia/Seoul", "2026-12-31T15:00"),
    ("2026-03-27T23:59", "Etc/GMT+12", "2026-03-28T11:59"),
    ("2026-03-27T24:00", "Pacific/Kiritimati", "2026-03-27T10:00"),
    ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30"),
    ("2026-03-08T24:00", "America/New_York", "2026-03-09T04:00"),
    ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30"),
    ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
    ("2026-03-29T24:00", "Europe/London", "2026-03-29T23:00"),
    ("2026-09-06T00:00", "America/Santiago", "2026-09-06T04:00"),
]


@pytest.mark.parametrize(("close", "zone", "instant"), DEADLINES)
def test_every_viewer_sees_the_closing_block_end_at_the_deadline(close, zone, instant):
    event = changed(CALL, start="2026-01-05", end=close, timezone=zone)
    deadline = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    closing = read(_calendar(rendered(event, {}))).events[-1]
    for viewer in VIEWERS:
        seen = closing.end.astimezone(viewer)
        assert (seen, seen - closing.start) == (deadline.astimezone(viewer), timedelta(minutes=30))


@pytest.mark.parametrize("zone", ["Asia/Seoul", "Etc/GMT+12", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("day", ["2026-03-08", "2026-03-27", "2026-11-01", "2026-12-31", "2028-02-29"])
def test_a_close_without_an_hour_stays_on_its_day_for_every_viewer(day, zone):
    """A whole day has no zone, so no viewer's clock can move it."""
    text = rendered(changed(CALL, start="2026-01-05", end=day, timezone=zone), {})
    closing = read(_calendar(text)).events[-1]
    assert (closing.start, closing.end, closing.zone) == (
        date.fromisoformat(day),
        date.fromisoformat(day) + timedelta(days=1),
        None,
    )


def _calendar(events: str) -> bytes:
    return f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n".encode()


def test_a_deadline_at_the_end_of_the_day_is_shown_on_that_day_at_home():
    for close in ("2026-03-27T23:59", "2026-03-27T24:00"):
        [_, closing] = entries(document_of(changed(CALL, end=close)), uid=UID, around={}, style=STYLE)
        assert closing.start.astimezone(timezone(timedelta(hours=9))).date() == date(2026, 3, 27)


@given(catalogues(size=4))
@settings(max_examples=50)
def test_without_placeholders_only_days_that_somebody_stated_are_shown(events):
    for event in events:
        stated = {text[:10] for text in (event.start, event.end, *(e.value for e in event.evidence)) if text}
        for entry in entries(document_of(event), uid=UID, around={}, style=STYLE):
            if entry.start is not None:
                zone = ZoneInfo(event.timezone)
                first = entry.start.astimezone(zone).date() if entry.timed else entry.start
                assert first.isoformat() in stated


@given(catalogues(size=4))
@settings(max_examples=40)
def test_language_and_style_never_change_an_identity(events):
    for event in events:
        document = document_of(event)
        both = [
            {entry.uid for entry in entries(document, uid=UID, around={}, style=style)}
            for style in (STYLE, Style(lang="en", base_url="https://other.example", detail="min"))
        ]
        assert both[0] == both[1]


def test_a_new_name_around_an_event_dates_its_entries_but_a_source_looked_at_again_does_not():
    document = document_of(changed(SUMMIT, part_of="week-2026"))
    assert names_used(document) == (("event", "week-2026"), ("organization", "mss"), ("source", "notice"))
    later = {**AROUND, ("event", "week-2026"): _renamed(AROUND["event", "week-2026"])}
    [before] = entries(document, uid=UID, around=AROUND, style=STYLE)
    [after] = entries(document, uid=UID, around=later, style=STYLE)
    assert (before.updated, after.updated) == (CHANGED, CHANGED + timedelta(days=1))
    assert after.title == "글로벌 벤처투자 서밋 - 새 이름"


def _renamed(named):
    return msgspec.structs.replace(named, name=Text(ko="새 이름"), updated_at=CHANGED + timedelta(days=1))


@pytest.mark.parametrize(
    ("end", "leaves"),
    [
        ("2026-02-03", "2026-02-10T15:00"),  # a week after its end
        ("2026-01-02", "2026-02-08T03:00"),  # over already: a week after it was cancelled
        ("2026-12-01", "2026-03-03T03:00"),  # far away: a month after it was cancelled
    ],
)
def test_a_cancelled_event_is_kept_long_enough_to_be_seen(end, leaves):
    start = "2026-01-01" if end < "2026-02-02" else "2026-02-02"
    document = document_of(changed(SUMMIT, status="cancelled", start=start, end=end))
    assert leaves_at(document) == datetime.fromisoformat(leaves).replace(tzinfo=UTC)
    assert leaves_at(document_of(SUMMIT)) is None
