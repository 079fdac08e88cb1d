"""What is printed for a date: the table, and that no label is finer than what it speaks of."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.catalogue import date_labels, dates
from service.catalogue.dates import Edtf, EdtfError
from service.catalogue.event import Event, Evidence, Text


def label(
    start: str | None, end: str | None = None, *, rule: str | None = None, timezone: str = "Asia/Seoul"
):
    words = date_labels.label(
        dates.parse(start) if start else None,
        dates.parse_end(end) if end else None,
        timezone=timezone,
        rule=rule,
    )
    return words.ko, words.en


@pytest.mark.parametrize(
    ("text", "ko", "en"),
    [
        (None, "날짜 미정", "date to be announced"),
        ("2025-09-05", "2025년 9월 5일(금)", "Fri, 5 Sep 2025"),
        ("2025-09-05T14:00", "2025년 9월 5일(금) 14:00", "Fri, 5 Sep 2025, 14:00"),
        ("2025-09-05T00:00", "2025년 9월 5일(금) 00:00", "Fri, 5 Sep 2025, 00:00"),
        ("2025-11", "2025년 11월", "November 2025"),
        ("2027", "2027년", "2027"),
        ("202X", "2020년대", "2020s"),
        ("20XX", "2000~2099년", "2000–2099"),
        ("XXXX", "날짜 미정", "date to be announced"),
        ("XXXX-XX", "날짜 미정", "date to be announced"),
        ("2023-XX", "2023년", "2023"),
        ("2023-XX-12", "2023년 12일(월 미상)", "day 12, 2023 (month unknown)"),
        ("XXXX-XX-12", "12일(연도·월 미상)", "day 12 (year and month unknown)"),
        ("XXXX-11", "11월(연도 미상)", "November (year unknown)"),
        ("XXXX-11-05", "11월 5일(연도 미상)", "5 November (year unknown)"),
        ("202X-11", "2020년대 11월", "November 2020s"),
        ("202X-11-05", "2020년대 11월 5일", "5 November 2020s"),
        ("2025-03-12?", "2025년 3월 12일(수) (미확인)", "Wed, 12 Mar 2025 (unconfirmed)"),
        ("2025-03-12~", "2025년 3월 12일(수)경", "around Wed, 12 Mar 2025"),
        ("2025-03-12%", "2025년 3월 12일(수)경 (미확인)", "around Wed, 12 Mar 2025 (unconfirmed)"),
        ("2025-03~", "2025년 3월경", "around March 2025"),
        ("2025?", "2025년 (미확인)", "2025 (unconfirmed)"),
    ],
)
def test_one_date(text, ko, en):
    assert label(text) == (ko, en)


@pytest.mark.parametrize(
    ("start", "end", "ko", "en"),
    [
        ("2025-09-01", "2025-09-05", "2025년 9월 1일(월) ~ 5일(금)", "Mon, 1 – Fri, 5 Sep 2025"),
        ("2025-10-31", "2025-11-01", "2025년 10월 31일(금) ~ 11월 1일(토)", "Fri, 31 Oct – Sat, 1 Nov 2025"),
        (
            "2023-12-30",
            "2024-01-01",
            "2023년 12월 30일(토) ~ 2024년 1월 1일(월)",
            "Sat, 30 Dec 2023 – Mon, 1 Jan 2024",
        ),
        (
            "2026-03-02",
            "2026-03-27T18:00",
            "2026년 3월 2일(월) ~ 3월 27일(금) 18:00",
            "Mon, 2 Mar – Fri, 27 Mar 2026, 18:00",
        ),
        (
            "2026-03-02T10:00",
            "2026-03-27T24:00",
            "2026년 3월 2일(월) 10:00 ~ 3월 27일(금) 24:00",
            "Mon, 2 Mar, 10:00 – Fri, 27 Mar 2026, 24:00",
        ),
        (
            "2025-09-05T14:00",
            "2025-09-05T16:00",
            "2025년 9월 5일(금) 14:00 ~ 16:00",
            "Fri, 5 Sep 2025, 14:00 – 16:00",
        ),
        ("2025-09-05", "2025-09-05T18:00", "2025년 9월 5일(금) ~ 18:00", "Fri, 5 Sep 2025, until 18:00"),
        ("2025-09-05T14:00", "2025-09-05", "2025년 9월 5일(금) 14:00", "Fri, 5 Sep 2025, 14:00"),
        ("2025-09-05", "2025-09-05", "2025년 9월 5일(금)", "Fri, 5 Sep 2025"),
        ("2025-09", "2025-11", "2025년 9월 ~ 11월", "September – November 2025"),
        ("2025-11", "2026-02", "2025년 11월 ~ 2026년 2월", "November 2025 – February 2026"),
        ("2025-11", "2025-11", "2025년 11월", "November 2025"),
        ("2025", "2027", "2025년 ~ 2027년", "2025 – 2027"),
        ("2025-09-05", "2025-11", "2025년 9월 5일(금) ~ 2025년 11월", "Fri, 5 Sep 2025 – November 2025"),
        ("2025-11", "2025", "2025년 11월 ~ 2025년", "November 2025 – 2025"),
        (
            "2025-03-10",
            "2025-03-12?",
            "2025년 3월 10일(월) ~ 2025년 3월 12일(수) (미확인)",
            "Mon, 10 Mar 2025 – Wed, 12 Mar 2025 (unconfirmed)",
        ),
        (None, "2026-03-27T18:00", "2026년 3월 27일(금) 18:00까지", "until Fri, 27 Mar 2026, 18:00"),
        (None, "2026-03", "2026년 3월까지", "until March 2026"),
        (None, "XXXX", "날짜 미정", "date to be announced"),
        ("2026-03-02", None, "2026년 3월 2일(월)", "Mon, 2 Mar 2026"),
    ],
)
def test_a_range(start, end, ko, en):
    assert label(start, end) == (ko, en)


@pytest.mark.parametrize(
    ("start", "rule", "ko", "en"),
    [
        ("2026-03-02", "unknown", "2026년 3월 2일(월)부터", "from Mon, 2 Mar 2026"),
        (
            "2026-03-02",
            "until_exhausted",
            "2026년 3월 2일(월)부터 예산 소진 시까지",
            "from Mon, 2 Mar 2026, until the budget is used up",
        ),
        (
            "2026-03-02",
            "first_come",
            "2026년 3월 2일(월)부터 선착순 마감",
            "from Mon, 2 Mar 2026, first come, first served",
        ),
        ("2026-03", "rolling", "2026년 3월부터 상시", "from March 2026, rolling"),
        (
            "2026-03-02",
            "to_be_announced",
            "2026년 3월 2일(월)부터 마감일 추후 공지",
            "from Mon, 2 Mar 2026, closing date to be announced",
        ),
        (None, "rolling", "상시", "rolling"),
        (None, "until_exhausted", "예산 소진 시까지", "until the budget is used up"),
        (None, "unknown", "날짜 미정", "date to be announced"),
        ("XXXX-XX-12", "unknown", "12일(연도·월 미상)", "day 12 (year and month unknown)"),
    ],
)
def test_a_window_without_a_closing_date_says_how_it_closes(start, rule, ko, en):
    assert label(start, rule=rule) == (ko, en)


def test_a_window_with_its_closing_date_is_a_range():
    assert label("2026-03-02", "2026-03-27", rule="until_exhausted") == label("2026-03-02", "2026-03-27")


def event_label(start: str, ends: tuple[str, ...] = (), *, starts: tuple[str, ...] = (), kind: str = "forum"):
    said = {"start": starts, "end": ends}
    evidence = tuple(
        Evidence(field=field, value=value, source=value) for field in said for value in said[field]
    )
    end = ends[-1] if ends else None
    made = Event(id="e", kind=kind, name=Text(ko="e"), start=start, end=end, evidence=evidence)
    words = date_labels.event_label(made)
    return words.ko, words.en


@pytest.mark.parametrize(
    ("starts", "ends", "ko", "en"),
    [
        (
            ("2026-03-02",),
            ("2026-03-25", "2026-03-27"),
            "2026년 3월 2일(월) ~ 25일(수) 또는 27일(금)",
            "Mon, 2 – Wed, 25 or Fri, 27 Mar 2026",
        ),
        (("2026-03-02", "2026-03-05"), (), "2026년 3월 2일(월) 또는 5일(목)", "Mon, 2 or Thu, 5 Mar 2026"),
        (
            ("2025-12-30", "2026-01-02"),
            ("2026-01-05",),
            "2025년 12월 30일(화) 또는 2026년 1월 2일(금) ~ 5일(월)",
            "Tue, 30 Dec 2025 or Fri, 2 – Mon, 5 Jan 2026",
        ),
        (
            ("2026-03-02", "2026-03-05"),
            ("2026-03-05", "2026-04-06"),
            "2026년 3월 2일(월) 또는 5일(목) ~ 5일(목) 또는 4월 6일(월)",
            "Mon, 2 or Thu, 5 – Thu, 5 Mar or Mon, 6 Apr 2026",
        ),
        (
            ("2026-03-02",),
            ("2026-03-27T16:00", "2026-03-27T18:00"),
            "2026년 3월 2일(월) ~ 3월 27일(금) 16:00 또는 18:00",
            "Mon, 2 Mar – Fri, 27 Mar 2026, 16:00 or 18:00",
        ),
        (
            ("2026-03-02T10:00", "2026-03-02T14:00"),
            (),
            "2026년 3월 2일(월) 10:00 또는 14:00",
            "Mon, 2 Mar 2026, 10:00 or 14:00",
        ),
        (
            ("2026-03", "2026-04-02"),
            (),
            "2026년 3월 또는 2026년 4월 2일(목)",
            "March 2026 or Thu, 2 Apr 2026",
        ),
    ],
)
def test_of_disputed_dates_all_are_told(starts, ends, ko, en):
    assert event_label(starts[-1], ends, starts=starts) == (ko, en)


def test_a_call_without_an_end_opens_on_either_day():
    starts = ("2026-03-02", "2026-03-05")
    assert event_label("2026-03-02", starts=starts, kind="application_window") == (
        "2026년 3월 2일(월) 또는 5일(목)부터",
        "from Mon, 2 or Thu, 5 Mar 2026",
    )


def test_a_zone_is_named_beside_a_time_that_is_not_seouls():
    there = "America/New_York"
    assert label("2025-09-05T14:00", timezone=there)[1] == "Fri, 5 Sep 2025, 14:00 (America/New_York)"
    assert label("2025-09-05", timezone=there)[1] == "Fri, 5 Sep 2025"


YEARS = st.sampled_from(["2025", "2026", "202X", "20XX", "XXXX"])
MONTHS = st.one_of(st.integers(1, 12).map("-{:02}".format), st.just("-XX"))
DAYS = st.integers(1, 31).map("-{:02}".format)
MARKS = st.sampled_from(["", "", "?", "~", "%"])
CLOCKS = st.times().map(lambda at: f"T{at:%H:%M}")
TEXTS = st.one_of(
    *(
        st.builds("".join, st.tuples(*parts))
        for parts in [(YEARS, MARKS), (YEARS, MONTHS, MARKS), (YEARS, MONTHS, DAYS, MARKS)]
    ),
    st.builds("".join, st.tuples(st.just("2025"), MONTHS.filter(lambda m: "X" not in m), DAYS, CLOCKS)),
)
KO = {"minute": r"\d\d:\d\d", "weekday": r"\([월화수목금토일]\)", "day": r"\d+일", "month": r"\d+월"}
EN = {
    "minute": r"\d\d:\d\d",
    "weekday": r"Mon|Tue|Wed|Thu|Fri|Sat|Sun",
    "day": r"\b\d{1,2}\b(?!:)(?<!:\d\d)",
    "month": r"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec",
}


def units(*dated: Edtf | None) -> set[str]:
    """The units that at least one of the texts is written to."""
    known: set[str] = set()
    for edtf in dated:
        if edtf is None:
            continue
        _, month, day, *_ = [*edtf.text.partition("T")[0].rstrip("?~%").split("-"), "", ""]
        known |= {"month"} if month not in ("", "XX") else set()
        known |= {"day"} if day else set()
        known |= {"minute"} if edtf.minute is not None else set()
        known |= {"weekday"} if edtf.precision in ("day", "minute") else set()
    return known


@given(
    start=st.none() | TEXTS,
    end=st.none() | TEXTS,
    rule=st.sampled_from(
        [None, "fixed", "until_exhausted", "first_come", "rolling", "recurring", "varies", "to_be_announced"]
    ),
    timezone=st.sampled_from(["Asia/Seoul", "America/New_York"]),
)
def test_no_label_is_finer_than_its_dates(start, end, rule, timezone):
    try:
        dated = [dates.parse(text) if text else None for text in (start, end)]
    except EdtfError:
        assume(False)
    words = date_labels.label(*dated, timezone=timezone, rule=rule)
    for text, patterns in ((words.ko, KO), (words.en, EN)):
        printed = {unit for unit, pattern in patterns.items() if re.search(pattern, text)}
        assert printed <= units(*dated), text
        assert not set(text) & set('"\\{}<>\n')
    assert ("(미확인)" in words.ko) == ("(unconfirmed)" in words.en)


@given(text=TEXTS)
def test_one_date_prints_exactly_the_units_of_its_text(text):
    try:
        edtf = dates.parse(text)
    except EdtfError:
        assume(False)
    for printed, patterns in (
        (date_labels.date_label(edtf, "ko"), KO),
        (date_labels.date_label(edtf, "en"), EN),
    ):
        assert {unit for unit, pattern in patterns.items() if re.search(pattern, printed)} == units(edtf)
