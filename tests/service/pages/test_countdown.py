"""The badge counts to a known day and to nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.catalogue import validation
from service.catalogue.event import Event, Evidence, Text
from service.catalogue.windows import Phase, phase_at, phase_steps
from service.pages.answers import turned
from service.pages.components import Badge, badge

CALL: dict[str, Any] = {"kind": "application_window", "start": "2025-08-01"}


def shown(at: str, **written: Any) -> tuple[Phase, Badge]:
    event = validation.check(Event(**{"id": "x", "kind": "forum", "name": Text(ko="x"), **written}))
    now = datetime.fromisoformat(at).astimezone(UTC)
    phase = phase_at(phase_steps(event, seen=None), now)
    return phase, badge(event, phase, now=now, lang="en")


@pytest.mark.parametrize(
    ("at", "text", "tone", "about"),
    [
        ("2025-08-15T23:59+09:00", "D-12", "open", "12 days until it closes"),
        ("2025-08-22T00:00+09:00", "D-5", "soon", "5 days until it closes"),
        ("2025-08-24T12:00+09:00", "D-3", "urgent", "3 days until it closes"),
        ("2025-08-26T12:00+09:00", "D-1", "urgent", "closes tomorrow"),
        ("2025-08-27T17:59+09:00", "D-DAY", "urgent", "closes today"),
        ("2025-08-27T18:01+09:00", "closed", "over", ""),
        ("2025-07-31T12:00+09:00", "D-1", "calm", "opens tomorrow"),
    ],
)
def test_a_call_counts_to_its_close_in_its_own_zone(at: str, text: str, tone: str, about: str) -> None:
    _, found = shown(at, **CALL, end="2025-08-27T18:00")
    assert (found.text, found.tone, found.about) == (text, tone, about)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2025-08-27T23:59+09:00", "D-DAY"),
        ("2025-08-28T00:00+09:00", "D-DAY"),
        ("2025-08-28T00:00:00.001+09:00", "closed"),
    ],
)
def test_midnight_at_the_end_of_a_day_is_that_day(at: str, text: str) -> None:
    assert shown(at, **CALL, end="2025-08-27T24:00")[1].text == text


@pytest.mark.parametrize("start", ["2025-11", "2025", "2025-09-05?", "2025-09-05~", "2025-XX-05"])
def test_what_is_not_a_certain_day_is_not_counted_to(start: str) -> None:
    phase, found = shown("2024-12-01T12:00+09:00", start=start)
    assert (phase, found.text, found.about) == ("upcoming", "upcoming", "")


def test_an_event_that_nobody_dated_says_so() -> None:
    assert shown("2025-08-20T12:00+09:00")[1].text == "date not set"


def test_of_disputed_closes_the_earlier_is_counted_to() -> None:
    said = tuple(Evidence(field="end", value=day, source="s") for day in ("2025-08-30", "2025-08-27"))
    assert shown("2025-08-20T12:00+09:00", **CALL, end="2025-08-30", evidence=said)[1].text == "D-7"


def test_of_disputed_starts_the_earlier_is_counted_to() -> None:
    said = tuple(Evidence(field="start", value=day, source="s") for day in ("2025-08-30", "2025-08-27"))
    for kind, about in (("forum", "in 7 days"), ("application_window", "7 days until it opens")):
        _, found = shown("2025-08-20T12:00+09:00", kind=kind, start="2025-08-30", evidence=said)
        assert (found.text, found.about) == ("D-7", about)


def test_a_kept_page_is_made_anew_when_a_phase_may_turn() -> None:
    minute = datetime(2025, 8, 27, 9, 0, tzinfo=UTC)
    moments = [minute.replace(microsecond=m) for m in (0, 999, 1000, 500_000)]
    assert [turned(moment) for moment in moments] == [minute, minute, moments[2], moments[2]]
