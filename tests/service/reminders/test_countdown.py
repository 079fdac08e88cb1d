"""A message counts to the day it speaks of: down before it, up after it, and as the pages do."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.catalogue.event import Event, Language
from service.catalogue.windows import phase_at, phase_steps
from service.pages.components import badge
from service.reminders import preview
from service.reminders.messages import chat
from service.reminders.messages.chat import time_left
from service.reminders.messages.phrases import PHRASES
from service.reminders.plan import plan
from tests.service.reminders.making import (
    LONG_AGO,
    LONG_HENCE,
    call,
    candidate,
    document,
    event,
    utc,
    webhook,
)

DAY = event(start="2025-09-05")
TIMED = event(start="2025-09-05T23:30")
MIDNIGHT = call(end="2025-09-30T24:00")
NEW_YORK = event(start="2025-09-05", timezone="America/New_York")


def counted(made: Event, rule: str, at: str, lang: Language = "ko", seen: Event | None = None) -> str:
    """What a message says that is sent at this instant, whenever it was due; `seen` is what it shows."""
    now = datetime.fromisoformat(at)
    told = preview.sample_reminder(webhook(rule), candidate(made), nonce="n", now=now)
    assert told is not None
    read = chat.read(document(seen or made, now=now))
    return time_left(told, read, PHRASES[lang], now=now)


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize(
    ("made", "rule", "at", "said"),
    [
        (DAY, "start P7D", "2025-08-29T09:00+09:00", "D-7"),
        (DAY, "start P7D", "2025-09-04T23:59+09:00", "D-1"),
        (DAY, "start P7D", "2025-09-05T00:00+09:00", "D-DAY"),
        (DAY, "start P7D", "2025-09-05T23:59+09:00", "D-DAY"),
        (DAY, "start P7D", "2025-09-06T00:00+09:00", "D+1"),
        (DAY, "start PT0S", "2026-09-05T12:00+09:00", "D+365"),
        (DAY, "start PT3H", "2025-09-07T12:00+09:00", "D+2"),
        # 23:00 of the fifth in New York is noon of the sixth in Seoul
        (NEW_YORK, "start P1D", "2025-09-06T12:00+09:00", "D-DAY"),
        (NEW_YORK, "start P1D", "2025-09-06T13:00+09:00", "D+1"),
        (TIMED, "start PT1H", "2025-09-05T23:45+09:00", "D-DAY"),
        (TIMED, "start PT0S", "2025-09-06T00:10+09:00", "D+1"),
        (MIDNIGHT, "closes P1D", "2025-09-29T23:59+09:00", "D-1"),
        (MIDNIGHT, "closes P1D", "2025-09-30T00:00+09:00", "D-DAY"),
        (MIDNIGHT, "closes PT0S", "2025-10-01T00:00:01+09:00", "D-DAY"),  # on time: it closes now
        (MIDNIGHT, "closes PT0S", "2025-10-01T00:02+09:00", "D+1"),
    ],
)
def test_days_are_counted_where_the_event_is(
    made: Event, rule: str, at: str, said: str, lang: Language
) -> None:
    assert counted(made, rule, at, lang) == said


@pytest.mark.parametrize(
    ("zone", "rule", "at", "due", "said"),
    [
        # midnight in Auckland is nine in the evening before in Seoul
        ("Pacific/Auckland", "start PT0S", "00:30", "2025-09-04 12:30", "D-1"),
        # nine o'clock in Honolulu is the day after in Seoul, so it comes a day earlier
        ("Pacific/Honolulu", "start PT0S", "09:00", "2025-09-04 19:00", "D-DAY"),
        ("Pacific/Honolulu", "start P1D", "09:00", "2025-09-03 19:00", "D-1"),
    ],
)
def test_the_webhooks_zone_decides_when_and_the_events_zone_which_day(
    zone: str, rule: str, at: str, due: str, said: str
) -> None:
    hook = webhook(rule, timezone=zone, remind_at=at)
    [told] = plan([candidate(DAY)], [hook], after=LONG_AGO, until=LONG_HENCE)
    assert told.due_at == utc(due)
    read = chat.read(document(DAY, now=told.due_at))
    assert time_left(told, read, PHRASES["ko"], now=told.due_at) == said


@given(
    zone=st.sampled_from(["Pacific/Kiritimati", "Asia/Seoul", "America/New_York", "Pacific/Pago_Pago"]),
    where=st.sampled_from(["Pacific/Kiritimati", "Asia/Seoul", "America/New_York", "Pacific/Pago_Pago"]),
    hour=st.integers(0, 23),
    days=st.integers(0, 3),
)
def test_a_reminder_on_time_is_never_of_a_day_that_is_past(
    zone: str, where: str, hour: int, days: int
) -> None:
    made = replace(DAY, timezone=where)
    hook = webhook(f"start P{days}D", timezone=zone, remind_at=f"{hour:02}:00")
    [told] = plan([candidate(made)], [hook], after=LONG_AGO, until=LONG_HENCE)
    read = chat.read(document(made, now=told.due_at))
    assert "+" not in time_left(told, read, PHRASES["ko"], now=told.due_at)


@given(
    end=st.sampled_from(["2025-09-30", "2025-09-30T00:00", "2025-09-30T18:00", "2025-09-30T24:00"]),
    zone=st.sampled_from(["Asia/Seoul", "America/New_York"]),
    before=st.integers(0, 40 * 24 * 60),
)
@example(end="2025-09-30T24:00", zone="Asia/Seoul", before=15 * 60)  # the very instant of the close
def test_as_long_as_the_pages_count_messages_say_the_same(end: str, zone: str, before: int) -> None:
    made = call(start="2025-08-01", end=end, timezone=zone)
    now = utc("2025-10-01 06:00") - timedelta(minutes=before)
    on_the_page = badge(made, phase_at(phase_steps(made, seen=None), now), now=now, lang="ko")
    said = counted(made, "closes P7D", now.isoformat())
    assert said == on_the_page.text or (on_the_page.tone == "over" and said[:2] in ("D-", "D+"))


def test_what_is_sent_again_is_counted_to_the_date_it_shows() -> None:
    moved = replace(DAY, start="2025-10-05")
    assert counted(DAY, "start P7D", "2025-10-01T09:00+09:00", seen=moved) == "D-4"


def test_without_a_date_any_more_nothing_is_counted() -> None:
    now = utc("2025-09-08 00:00")
    told = preview.sample_reminder(webhook("start P7D"), candidate(DAY), nonce="n", now=now)
    assert told is not None
    undated = document(replace(DAY, start=None), now=now)
    said = chat.reminder(told, document=undated, lang="ko", page=None, now=now)
    assert said.headline == "시작 · 서밋"
