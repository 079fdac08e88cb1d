"""The phase of an event by the table of J1: worked cases, every combination against the table, and vows."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import dates, windows
from service.catalogue.event import CloseRule, Event, Evidence, Text
from service.catalogue.windows import Step, phase_at, phase_steps

MILLISECOND = timedelta(milliseconds=1)
KST = timedelta(hours=9)


def event(kind: str = "application_window", **fields) -> Event:
    return Event(id="e", kind=kind, name=Text(en="e"), **fields)


def local(text: str) -> datetime:
    """A wall time in Seoul as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) - KST


def phases(one: Event, *, seen: str | None = None) -> list[tuple[str | None, str]]:
    """The steps with their wall times in Seoul."""
    steps = phase_steps(one, seen=date.fromisoformat(seen) if seen else None)
    return [
        (
            (step.at + KST).replace(tzinfo=None).isoformat(timespec="milliseconds") if step.at else None,
            step.phase,
        )
        for step in steps
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (
            "2026-03-02",
            "2026-03-27T18:00",
            [
                (None, "upcoming"),
                ("2026-03-02T00:00:00.000", "open"),
                ("2026-03-20T18:00:00.000", "closing_soon"),
                ("2026-03-27T18:00:00.001", "closed"),
            ],
        ),
        (
            "2026-03-02T10:00",
            "2026-03-27",
            [
                (None, "upcoming"),
                ("2026-03-02T10:00:00.000", "open"),
                ("2026-03-20T00:00:00.000", "closing_soon"),
                ("2026-03-28T00:00:00.000", "closed"),
            ],
        ),
        (
            "2026-03-02",
            "2026-03-27T24:00",
            [
                (None, "upcoming"),
                ("2026-03-02T00:00:00.000", "open"),
                ("2026-03-21T00:00:00.000", "closing_soon"),
                ("2026-03-28T00:00:00.001", "closed"),
            ],
        ),
        (
            "2026-03-25",
            "2026-03-27",
            [
                (None, "upcoming"),
                ("2026-03-25T00:00:00.000", "closing_soon"),
                ("2026-03-28T00:00:00.000", "closed"),
            ],
        ),
        (
            "2026-03-02",
            "2026-04",
            [
                (None, "upcoming"),
                ("2026-03-02T00:00:00.000", "open"),
                ("2026-04-01T00:00:00.000", "unknown"),
                ("2026-05-01T00:00:00.000", "closed"),
            ],
        ),
        (
            "2026-03",
            "2026-04-10",
            [
                (None, "upcoming"),
                ("2026-03-01T00:00:00.000", "unknown"),
                ("2026-04-01T00:00:00.000", "open"),
                ("2026-04-03T00:00:00.000", "closing_soon"),
                ("2026-04-11T00:00:00.000", "closed"),
            ],
        ),
        (None, "2026-03-27", [(None, "unknown"), ("2026-03-28T00:00:00.000", "closed")]),
        ("2026-03-02", None, [(None, "upcoming"), ("2026-03-02T00:00:00.000", "unknown")]),
        (None, None, [(None, "forecasted")]),
        ("XXXX-03-02", None, [(None, "unknown")]),
        ("2026-03-02", "XXXX-03-27", [(None, "upcoming"), ("2026-03-02T00:00:00.000", "unknown")]),
        (
            "2026-03-02",
            "2026-03-27?",
            [
                (None, "upcoming"),
                ("2026-03-02T00:00:00.000", "unknown"),
                ("2026-03-28T00:00:00.000", "closed"),
            ],
        ),
    ],
)
def test_a_window(start, end, expected):
    assert phases(event(start=start, end=end)) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (
            "2025-09-01",
            "2025-09-05",
            [
                (None, "upcoming"),
                ("2025-09-01T00:00:00.000", "ongoing"),
                ("2025-09-06T00:00:00.000", "ended"),
            ],
        ),
        (
            "2025-09-05T14:00",
            "2025-09-05T18:00",
            [
                (None, "upcoming"),
                ("2025-09-05T14:00:00.000", "ongoing"),
                ("2025-09-05T18:00:00.000", "ended"),
            ],
        ),
        (
            "2025-09-05T14:00",
            None,
            [
                (None, "upcoming"),
                ("2025-09-05T14:00:00.000", "ongoing"),
                ("2025-09-06T00:00:00.000", "ended"),
            ],
        ),
        (
            "2025-09-05",
            None,
            [
                (None, "upcoming"),
                ("2025-09-05T00:00:00.000", "ongoing"),
                ("2025-09-06T00:00:00.000", "ended"),
            ],
        ),
        (
            "2025-11",
            None,
            [
                (None, "upcoming"),
                ("2025-11-01T00:00:00.000", "unknown"),
                ("2025-12-01T00:00:00.000", "ended"),
            ],
        ),
        (
            "2025-03-12?",
            None,
            [
                (None, "upcoming"),
                ("2025-03-12T00:00:00.000", "unknown"),
                ("2025-03-13T00:00:00.000", "ended"),
            ],
        ),
        (None, "2025-09-05", [(None, "unknown"), ("2025-09-06T00:00:00.000", "ended")]),
        (None, None, [(None, "forecasted")]),
        ("XXXX-XX-12", None, [(None, "unknown")]),
    ],
)
def test_an_event(start, end, expected):
    assert phases(event("summit", start=start, end=end)) == expected


@pytest.mark.parametrize("kind", ["application_window", "summit"])
@pytest.mark.parametrize("status", ["postponed", "cancelled"])
def test_what_is_called_off_is_so_at_any_time(kind, status):
    assert phases(event(kind, status=status, start="2026-03-02", end="2026-03-27")) == [(None, status)]


@pytest.mark.parametrize("rule", ["until_exhausted", "first_come", "rolling"])
@pytest.mark.parametrize(
    ("end", "seen", "expected"),
    [
        (None, None, [(None, "upcoming"), ("2026-03-02T00:00:00.000", "unknown")]),
        (
            None,
            "2026-03-10",
            [(None, "upcoming"), ("2026-03-02T00:00:00.000", "open"), ("2026-03-25T00:00:00.000", "unknown")],
        ),
        (
            None,
            "2026-02-20",
            [(None, "upcoming"), ("2026-03-02T00:00:00.000", "open"), ("2026-03-07T00:00:00.000", "unknown")],
        ),
        (None, "2026-02-10", [(None, "upcoming"), ("2026-03-02T00:00:00.000", "unknown")]),
        (
            "2026-03-27",
            "2026-03-10",
            [
                (None, "upcoming"),
                ("2026-03-02T00:00:00.000", "open"),
                ("2026-03-20T00:00:00.000", "closing_soon"),
                ("2026-03-25T00:00:00.000", "unknown"),
                ("2026-03-28T00:00:00.000", "closed"),
            ],
        ),
    ],
)
def test_until_exhausted_is_believed_for_fourteen_days_after_a_source_was_seen(rule, end, seen, expected):
    assert phases(event(start="2026-03-02", end=end, close_rule=rule), seen=seen) == expected


@pytest.mark.parametrize("rule", ["until_exhausted", "first_come", "rolling"])
def test_without_any_date_a_call_until_exhausted_is_neither_planned_nor_open(rule):
    assert phases(event(close_rule=rule), seen="2026-03-10") == [(None, "unknown")]


@pytest.mark.parametrize("rule", ["recurring", "varies", "to_be_announced", "unknown"])
def test_a_rule_that_tells_no_close_never_opens(rule):
    assert phases(event(start="2026-03-02", end="2026-03-27", close_rule=rule), seen="2026-03-10") == [
        (None, "upcoming"),
        ("2026-03-02T00:00:00.000", "unknown"),
        ("2026-03-28T00:00:00.000", "closed"),
    ]


def claim(value: str, rank: str = "normal") -> Evidence:
    return Evidence(field="end", value=value, source="s", rank=rank)


def test_between_disputed_deadlines_nothing_is_claimed():
    called = event(start="2023-03-28", end="2023-04-27", evidence=(claim("2023-04-25"), claim("2023-04-27")))
    assert phases(called) == [
        (None, "upcoming"),
        ("2023-03-28T00:00:00.000", "open"),
        ("2023-04-18T00:00:00.000", "closing_soon"),
        ("2023-04-26T00:00:00.000", "unknown"),
        ("2023-04-28T00:00:00.000", "closed"),
    ]
    settled = (claim("2023-04-25", "deprecated"), claim("2023-04-27"))
    assert (
        phases(event(start="2023-03-28", end="2023-04-27", evidence=settled))[2][0]
        == "2023-04-20T00:00:00.000"
    )


def disputed(field: str, *values: str) -> tuple[Evidence, ...]:
    return tuple(Evidence(field=field, value=value, source=value) for value in values)


def test_between_disputed_openings_nothing_is_claimed():
    said = disputed("start", "2023-03-28", "2023-04-03")
    for start in ("2023-03-28", "2023-04-03"):
        assert phases(event(start=start, end="2023-04-27", evidence=said)) == [
            (None, "upcoming"),
            ("2023-03-28T00:00:00.000", "unknown"),
            ("2023-04-03T00:00:00.000", "open"),
            ("2023-04-20T00:00:00.000", "closing_soon"),
            ("2023-04-28T00:00:00.000", "closed"),
        ]


def test_between_disputed_days_of_an_event_nothing_is_claimed():
    said = disputed("start", "2023-03-28", "2023-04-03")
    assert phases(event(kind="forum", start="2023-04-03", evidence=said)) == [
        (None, "upcoming"),
        ("2023-03-28T00:00:00.000", "unknown"),
        ("2023-04-04T00:00:00.000", "ended"),
    ]
    ends = disputed("end", "2023-04-05", "2023-04-07")
    assert phases(event(kind="forum", start="2023-04-03", end="2023-04-07", evidence=ends)) == [
        (None, "upcoming"),
        ("2023-04-03T00:00:00.000", "ongoing"),
        ("2023-04-06T00:00:00.000", "unknown"),
        ("2023-04-08T00:00:00.000", "ended"),
    ]


def test_disputed_dates_without_a_year_bound_nothing_and_open_nothing():
    said = disputed("end", "2023-04-25", "XXXX-XX-12")
    assert phases(event(start="2023-03-28", end="2023-04-25", evidence=said)) == [
        (None, "upcoming"),
        ("2023-03-28T00:00:00.000", "open"),
        ("2023-04-18T00:00:00.000", "closing_soon"),
        ("2023-04-26T00:00:00.000", "unknown"),
    ]


def test_the_bounds_hold_every_disputed_date():
    said = disputed("start", "2023-03-28", "2023-04-03") + disputed("end", "2023-04-25", "2023-04-27")
    both = windows.bounds(event(start="2023-04-03", end="2023-04-25", evidence=said))
    assert both == dates.Bounds(earliest=local("2023-03-28T00:00"), latest=local("2023-04-28T00:00"))


def test_a_minute_deadline_holds_to_the_minute_and_not_longer():
    steps = phase_steps(event(start="2026-03-02", end="2026-03-27T18:00"), seen=None)
    deadline = local("2026-03-27T18:00")
    assert phase_at(steps, deadline) == "closing_soon"
    assert phase_at(steps, deadline + timedelta(microseconds=999)) == "closing_soon"  # the house ticks in ms
    assert phase_at(steps, deadline + MILLISECOND) == "closed"


def test_seven_days_are_counted_on_the_wall_clock():
    called = event(start="2025-10-01", end="2025-11-05T18:00", timezone="America/New_York")
    at = next(step.at for step in phase_steps(called, seen=None) if step.phase == "closing_soon")
    assert at == datetime(2025, 10, 29, 22, tzinfo=UTC)  # 18:00 EDT, while the deadline is 18:00 EST


# --- every combination -----------------------------------------------------------------------------------


class Written(NamedTuple):
    """A date with its table by hand: first wall time, the one after its last, whether it pins down a day."""

    text: str | None
    first: str | None = None
    after: str | None = None
    exact: bool = True
    soon: str | None = None


STARTS = [
    Written(None),
    Written("2026-03-02T10:00", "2026-03-02T10:00", "2026-03-03T00:00"),
    Written("2026-03-02", "2026-03-02T00:00", "2026-03-03T00:00"),
    Written("2026-03", "2026-03-01T00:00", "2026-04-01T00:00", exact=False),
    Written("2026", "2026-01-01T00:00", "2027-01-01T00:00", exact=False),
    Written("2026-03-02?", "2026-03-02T00:00", "2026-03-03T00:00", exact=False),
    Written("XXXX-XX-02", exact=False),
]
ENDS = [
    Written(None),
    Written("2026-03-27T18:00", "2026-03-27T18:00", "2026-03-27T18:00", soon="2026-03-20T18:00"),
    Written("2026-03-27T24:00", "2026-03-28T00:00", "2026-03-28T00:00", soon="2026-03-21T00:00"),
    Written("2026-03-27", "2026-03-27T00:00", "2026-03-28T00:00", soon="2026-03-20T00:00"),
    Written("2026-04", "2026-04-01T00:00", "2026-05-01T00:00", exact=False),
    Written("2026-03-27~", "2026-03-27T00:00", "2026-03-28T00:00", exact=False),
    Written("XXXX-03-27", exact=False),
]
SEEN = [None, "2026-03-10", "2025-03-10"]
PROBES = [
    local(day) + step
    for day in [
        *("2025-12-31T00:00", "2026-01-01T00:00", "2026-03-01T00:00", "2026-03-02T00:00", "2026-03-02T10:00"),
        *("2026-03-03T00:00", "2026-03-10T12:00", "2026-03-20T00:00", "2026-03-20T18:00", "2026-03-21T00:00"),
        *("2026-03-25T00:00", "2026-03-26T12:00", "2026-03-27T00:00", "2026-03-27T18:00", "2026-03-28T00:00"),
        *("2026-04-01T00:00", "2026-04-15T00:00", "2026-05-01T00:00", "2027-01-01T00:00", "2030-01-01T00:00"),
    ]
    for step in (-MILLISECOND, timedelta(), MILLISECOND)
]
WHILE_SEEN = ("until_exhausted", "first_come", "rolling")


def at_or_after(t: datetime, wall: str | None) -> bool:
    return wall is not None and t >= local(wall)


def over(end: Written, t: datetime, *, inclusive: bool) -> bool:
    if end.after is None:
        return False
    return t > local(end.after) if inclusive and "T" in (end.text or "") else t >= local(end.after)


def window_by_the_table(start: Written, end: Written, rule: str, seen: str | None, t: datetime) -> str:
    """J1, read from top to bottom for a window that is neither cancelled nor postponed."""
    if start.text is None and end.text is None:
        return "unknown" if rule in WHILE_SEEN else "forecasted"
    if over(end, t, inclusive=True):
        return "closed"
    if start.first is not None and not at_or_after(t, start.first):
        return "upcoming"
    marked = "?" in (start.text or "") or "~" in (end.text or "")
    opened = at_or_after(t, start.first if start.exact else start.after)
    fresh = seen is not None and not at_or_after(t, f"{date.fromisoformat(seen) + timedelta(days=15)}T00:00")
    believed = end.after is not None if rule == "fixed" else rule in WHILE_SEEN and fresh
    if not opened or not believed or marked:
        return "unknown"
    if not end.exact and end.text is not None and (end.first is None or at_or_after(t, end.first)):
        return "unknown" if end.first is not None else "open"
    return "closing_soon" if at_or_after(t, end.soon) else "open"


def event_by_the_table(start: Written, end: Written, t: datetime) -> str:
    if start.text is None and end.text is None:
        return "forecasted"
    finish = end if end.text is not None else start
    if end.text is None and start.after is not None:
        finish = Written(start.text and start.text[:10], start.first, start.after, start.exact)
    if over(finish, t, inclusive=False):
        return "ended"
    if start.first is not None and not at_or_after(t, start.first):
        return "upcoming"
    marked = "?" in (start.text or "") or "~" in (end.text or "")
    begun = (start.exact and start.first is not None) or at_or_after(t, start.after)
    going = finish.after is not None and (finish.exact or not at_or_after(t, finish.first))
    return "ongoing" if begun and going and not marked else "unknown"


@pytest.mark.parametrize("rule", get_args(CloseRule))
def test_every_window_is_in_the_phase_the_table_says(rule):
    for start, end, seen in product(STARTS, ENDS, SEEN):
        called = event(start=start.text, end=end.text, close_rule=rule)
        steps = phase_steps(called, seen=date.fromisoformat(seen) if seen else None)
        for t in PROBES:
            expected = window_by_the_table(start, end, rule, seen, t)
            assert phase_at(steps, t) == expected, (start.text, end.text, seen, t)


def test_every_event_is_in_the_phase_the_table_says():
    for start, end in product(STARTS, ENDS):
        steps = phase_steps(event("summit", start=start.text, end=end.text), seen=None)
        for t in PROBES:
            assert phase_at(steps, t) == event_by_the_table(start, end, t), (start.text, end.text, t)


# --- vows ------------------------------------------------------------------------------------------------

DATES = st.none() | st.sampled_from(
    [one.text for one in (*STARTS, *ENDS) if one.text and "24:00" not in one.text]
)
ANY = st.builds(
    event,
    st.sampled_from(["application_window", "summit", "milestone"]),
    start=DATES,
    end=DATES | st.just("2026-03-27T24:00"),
    status=st.sampled_from(["scheduled", "tentative", "postponed", "cancelled"]),
    close_rule=st.none() | st.sampled_from(get_args(CloseRule)),
    timezone=st.sampled_from(["Asia/Seoul", "America/New_York", "Pacific/Apia"]),
    evidence=st.lists(st.sampled_from(["2026-03-20", "2026-03-27", "2026-04"]).map(claim), max_size=3).map(
        tuple
    ),
)
DAYS = st.none() | st.dates(date(2025, 12, 1), date(2026, 6, 1))


@given(one=ANY, seen=DAYS)
def test_steps_are_in_order_and_each_changes_the_phase(one, seen):
    steps = phase_steps(one, seen=seen)
    assert steps[0].at is None
    instants = [step.at for step in steps[1:]]
    assert instants == sorted(set(instants))
    assert all(instant.microsecond % 1000 == 0 for instant in instants)
    assert all(a.phase != b.phase for a, b in pairwise(steps))


@given(one=ANY, seen=DAYS, now=st.sampled_from(PROBES))
def test_open_is_never_guessed(one, seen, now):
    phase = phase_at(phase_steps(one, seen=seen), now)
    if phase not in ("open", "closing_soon"):
        return
    zone = dates.zone(one.timezone)
    assert one.is_window and one.status in ("scheduled", "tentative")
    assert one.start is not None and not dates.parse(one.start).qualified
    start = dates.parse(one.start)
    exact = start.precision in ("day", "minute")
    bounds = dates.bounds(start, zone)
    assert now >= (bounds.earliest if exact else bounds.latest)
    assert (
        one.end is None
        or now <= dates.bounds(dates.parse_end(one.end), zone).latest
        or one.end.startswith("XXXX")
    )
    rule = one.close_rule or ("fixed" if one.end else "unknown")
    assert rule == "fixed" or (rule in WHILE_SEEN and seen is not None)
    if rule == "fixed":
        assert one.end is not None and not dates.parse_end(one.end).qualified


@given(one=ANY, seen=DAYS)
def test_open_ends_for_good_once_closed(one, seen):
    order = [step.phase for step in phase_steps(one, seen=seen)]
    assert not set(order[:-1]) & {"closed", "ended", "cancelled", "postponed", "forecasted"}
    assert "upcoming" not in order[1:]


@pytest.mark.parametrize("text", ["0001-01-01", "0001", "9999-12-31", "9999-12-31T23:59", "9999"])
@pytest.mark.parametrize("kind", ["application_window", "summit"])
def test_the_ends_of_the_calendar_have_phases_too(text, kind):
    called = event(kind, start="0001", end=text, timezone="Asia/Seoul")
    assert phase_steps(called, seen=date.max)
    assert windows.span(called).earliest == dates.MIN_INSTANT


def test_a_span_is_at_least_a_millisecond_long():
    one = event("summit", start="2025-09-05T14:00")
    bounds, span = windows.bounds(one), windows.span(one)
    assert bounds.earliest == bounds.latest == span.earliest
    assert span.latest == span.earliest + MILLISECOND


@pytest.mark.parametrize(
    ("kind", "start", "end", "earliest", "latest"),
    [
        ("summit", "2025-09-01", "2025-09-05", "2025-09-01T00:00", "2025-09-06T00:00"),
        ("summit", "2025-11", None, "2025-11-01T00:00", "2025-12-01T00:00"),
        ("summit", None, "2025-11", None, "2025-12-01T00:00"),
        ("summit", None, None, None, None),
        ("application_window", "2025-11", None, "2025-11-01T00:00", None),
        ("application_window", None, "2025-11-05T18:00", None, "2025-11-05T18:00"),
        ("application_window", "2025-11-01", "XXXX", "2025-11-01T00:00", None),
    ],
)
def test_the_bounds_of_an_event_are_the_outermost_of_its_dates(kind, start, end, earliest, latest):
    bounds = windows.bounds(event(kind, start=start, end=end))
    assert bounds.earliest == (local(earliest) if earliest else None)
    assert bounds.latest == (local(latest) if latest else None)


def test_the_phase_before_all_steps_is_the_first():
    steps = (Step(None, "upcoming"), Step(local("2026-03-02T00:00"), "open"))
    assert phase_at(steps, local("2026-03-01T23:59")) == "upcoming"
    assert phase_at(steps, local("2026-03-02T00:00")) == "open"
