"""Period texts are read as their labels say, and never to a date that a text does not bear."""

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import dates
from service.catalogue.event import CloseRule
from service.cli import main
from service.sources.period import MOST_QUOTED, Verdict, read_period

LABELS = Path(__file__).with_name("periods.tsv")
SIGNS = st.sampled_from(["~", "∼", "～", "–", " ~ ", " - ", "부터 "])
DAYS = st.dates(date(2021, 1, 1), date(2035, 12, 31))
HAN = "월화수목금토일"


def labelled() -> Iterator[dict[str, str]]:
    with LABELS.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def read_lines(*lines: str) -> list[dict[str, object]]:
    ran = CliRunner().invoke(main, ["period", "-"], input="\n".join(lines) + "\n")
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.output.splitlines()]


def test_every_labelled_text_is_read_as_its_label_says():
    """The first 153 are real or asked for; H and K were written to see whether the grammar generalises."""
    labels = list(labelled())
    answers = read_lines(*(f"{label['published']}\t{label['text']}" for label in labels))
    wrong = [
        (label["id"], label["text"], answer)
        for label, answer in zip(labels, answers, strict=True)
        if (answer["verdict"], answer["start"] or "", answer["end"] or "")
        != (label["verdict"], label["start"], label["end"])
        or answer["close_rule"] not in (label["close_rule"] or answer["close_rule"], *label["also"].split())
    ]
    assert wrong == []


@given(start=DAYS, length=st.integers(0, 400), sign=SIGNS, short=st.booleans(), weekdays=st.booleans())
def test_a_range_is_read_however_it_is_spelt(start, length, sign, short, weekdays):
    end = start + timedelta(length)

    def spelt(day: date) -> str:
        text = f"’{day:%y}. {day.month}. {day.day}." if short else f"{day.year}. {day.month}. {day.day}."
        return f"{text}({HAN[day.weekday()]})" if weekdays else text

    read = read_period(f"{spelt(start)}{sign}{spelt(end)}", None)
    assert (read.verdict, read.start, read.end) == ("read", start.isoformat(), end.isoformat())


@given(start=DAYS, length=st.integers(1, 400), ahead=st.integers(1, 6))
def test_a_wrong_weekday_is_a_doubt_and_an_end_before_the_start_a_refusal(start, length, ahead):
    end = start + timedelta(length)
    wrong = HAN[(end.weekday() + ahead) % 7]
    doubted = read_period(f"{start:%Y.%m.%d} ~ {end:%Y.%m.%d}({wrong})", None)
    assert (doubted.verdict, doubted.end) == ("doubt", end.isoformat())
    refused = read_period(f"{end:%Y.%m.%d} ~ {start:%Y.%m.%d}", None)
    assert (refused.verdict, refused.start, refused.end) == ("refuse", None, None)


PIECES = st.lists(
    st.sampled_from([
        "2026. 12. 1.", "12.20", "(금)", "~", "까지", "부터", "18:00", "자정", "예산 소진시", "상시", "당초",
        "→", "변경", "1차", "2차", "공고일", "매월", "9월", "5일", "※", "(", ")", "발표", "연장", "-",
        "2027년", "상반기", "Dec 9", "UTC", "'26", "이내", "03/04/2027", "<br>", "&nbsp;", "24:00", "25:00",
        "99.99",
    ]),
    max_size=12,
)  # fmt: skip


@given(text=PIECES.map(" ".join) | PIECES.map("".join) | st.text(max_size=200), published=st.none() | DAYS)
def test_whatever_is_written_has_a_verdict_that_holds_together(text, published):
    read = read_period(text, published)
    assert read.verdict in get_args(Verdict)
    assert read.close_rule in get_args(CloseRule)
    assert (read.verdict == "rounds") <= (len(read.rounds) > 1)
    assert read.reason.endswith(".")
    if read.verdict in ("none", "refuse"):
        assert (read.start, read.end, read.rounds) == (None, None, ())
    if read.verdict == "read":
        assert read.start or read.end
    for start, end in ((read.start, read.end), *((each.start, each.end) for each in read.rounds)):
        first = dates.parse(start).first if start else None
        last = dates.parse_end(end).last if end else None
        assert first is None or last is None or first <= last
    if read.quote is not None:
        assert len(read.quote) <= MOST_QUOTED
        assert read.quote in text


def test_what_a_text_says_held_before_is_kept_as_previous():
    read = read_period("당초 2026. 10. 30.(금) → 변경 2026. 11. 6.(금)", date(2026, 10, 1))
    assert read.previous is not None
    assert (read.end, read.previous.start, read.previous.end) == ("2026-11-06", None, "2026-10-30")


def test_a_text_is_told_to_a_person_with_its_reason():
    ran = CliRunner().invoke(main, ["period", "접수마감: 12월 3일(수)", "--published", "2026-11-20"])
    assert (ran.exit_code, ran.output.splitlines()[0]) == (0, "doubt: A weekday is not the one of its date.")


@pytest.mark.parametrize("day", ["gestern", "2026-13"])
def test_a_day_of_notice_that_is_none_is_refused(day):
    ran = CliRunner().invoke(main, ["period", "상시", "--published", day])
    assert ran.exit_code == 2
