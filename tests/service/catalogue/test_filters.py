"""Which events a filter asks for: reading it, and what it means."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.catalogue import dates, filters, windows
from service.catalogue.event import Event, Participation, Place, Text
from service.catalogue.filters import EventFilter, FilterBody, matches, parse_filters, read_filter
from service.catalogue.validation import Fault, Invalid

NOW = datetime(2026, 3, 10, tzinfo=UTC)
UPDATED = datetime(2026, 2, 1, tzinfo=UTC)
CALL = Event(
    id="call",
    kind="application_window",
    name=Text(ko="2026 스타트업 챌린지 모집", en="Startup Challenge 2026"),
    start="2026-03-02",
    end="2026-03-27T18:00",
    close_rule="fixed",
    series="challenge",
    program="startup-challenge",
    part_of="summit-2026",
    place=Place(city="서울"),
    organizations=(Participation(id="mss", role="host"), Participation(id="sba", role="operator")),
    tags=("ai", "bio"),
)


def asked(event: Event, *params: tuple[str, str], disputed: bool = False, now: datetime = NOW) -> bool:
    return matches(
        event,
        parse_filters(params),
        steps=windows.phase_steps(event, seen=None),
        disputed=disputed,
        updated_at=UPDATED,
        now=now,
    )


def fault(*params: tuple[str, str]) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as caught:
        parse_filters(params)
    return caught.value.faults


# --- reading ---------------------------------------------------------------------------------------------


def test_a_date_means_its_whole_day_in_seoul():
    assert parse_filters([("from", "2026-03-01"), ("to", "2026-03-31")]) == EventFilter(
        from_=datetime(2026, 2, 28, 15, tzinfo=UTC), to=datetime(2026, 3, 31, 15, tzinfo=UTC)
    )
    one_day = parse_filters([("from", "2026-03-01"), ("to", "2026-03-01")])
    assert one_day.to - one_day.from_ == timedelta(days=1)
    assert parse_filters([("updated_since", "2026-03-01")]).updated_since == one_day.from_


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:00:00+09:00", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:00+09:00", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-02-28T19:00:00-05:00", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00.1239Z", datetime(2026, 3, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T00:00:00.123456789Z", datetime(2026, 3, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_itself(text, instant):
    for name in ("from", "to", "updated_since"):
        assert msgspec.to_builtins(parse_filters([(name, text)]))[name] == msgspec.to_builtins(instant)


def test_repeated_parameters_are_alternatives():
    assert parse_filters(
        [("kind", "summit"), ("tag", "ai"), ("kind", "forum"), ("kind", "summit")]
    ) == EventFilter(kind=("summit", "forum"), tag=("ai",))


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ([("colour", "red")], "colour"),
        ([("from_", "2026-03-01")], "from_"),
        ([("limit", "5")], "limit"),
        ([("from", "2026-13-01")], "from"),
        ([("from", "2026-02-30")], "from"),
        ([("from", "2026-03")], "from"),
        ([("from", "yesterday")], "from"),
        ([("from", "")], "from"),
        ([("from", "2026-03-01T00:00:00")], "from"),
        ([("from", "2026-03-01T00:00:00 09:00")], "from"),
        ([("from", "2026-03-01T24:00:00Z")], "from"),
        ([("from", "2026-03-01T00:00:60Z")], "from"),
        ([("from", "2026-03-01T00:00:00+24:00")], "from"),
        ([("from", "0001-01-01T00:00:00+14:00")], "from"),
        ([("to", "9999-12-31T23:59:59-14:00")], "to"),
        ([("from", "0000-01-01")], "from"),
        ([("from", "２０２６-03-01")], "from"),
        ([("from", "2026-03-02"), ("to", "2026-03-01")], "to"),
        ([("from", "2026-03-02T00:00:00Z"), ("to", "2026-03-02T00:00:00Z")], "to"),
        ([("from", "2026-03-01"), ("from", "2026-03-02")], "from"),
        ([("q", "a"), ("q", "b")], "q"),
        ([("kind", "party")], "kind"),
        ([("kind", "")], "kind"),
        ([("status", "done")], "status"),
        ([("phase", "OPEN")], "phase"),
        ([("disputed", "yes")], "disputed"),
        ([("tag", "AI")], "tag"),
        ([("tag", "ai\n")], "tag"),
        ([("series", "../x")], "series"),
        ([("program", "a b")], "program"),
        ([("organization", "중기부")], "organization"),
        ([("part_of", "-")], "part_of"),
        ([("city", "")], "city"),
        ([("city", "서울\x00")], "city"),
        ([("city", "서" * 301)], "city"),
        ([("q", "")], "q"),
        ([("q", "…!?")], "q"),
        ([("q", "\ud800a")], "q"),
        ([("q", "a\x00")], "q"),
        ([("q", "a" * 201)], "q"),
        ([("tag", f"t{n}") for n in range(51)], "tag"),
    ],
)
def test_a_bad_parameter_is_named(params, parameter):
    assert [one.parameter for one in fault(*params)] == [parameter]


def test_all_bad_parameters_are_named_at_once():
    faults = fault(("kind", "party"), ("kind", "ball"), ("from", "x"), ("colour", "red"), ("tag", "ok"))
    assert [one.parameter for one in faults] == ["kind", "kind", "from", "colour"]


def test_json_is_read_like_parameters():
    body = msgspec.json.decode(
        b'{"from":"2026-03-01","kind":"summit","tag":["ai","bio"],"disputed":false,"q":"\xec\x84\x9c\xec\x9a\xb8"}',
        type=FilterBody,
    )
    assert read_filter(body) == parse_filters(
        [
            ("from", "2026-03-01"),
            ("kind", "summit"),
            ("tag", "ai"),
            ("tag", "bio"),
            ("disputed", "false"),
            ("q", "서울"),
        ]
    )
    assert read_filter(FilterBody()) == EventFilter()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"tag": ["ai", "B"]}, "/filter/tag/1"),
        ({"tag": "B"}, "/filter/tag"),
        ({"from": "x"}, "/filter/from"),
        ({"q": "?"}, "/filter/q"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "/filter/to"),
    ],
)
def test_a_bad_filter_in_json_is_pointed_at(body, pointer):
    with pytest.raises(Invalid) as caught:
        read_filter(msgspec.convert(body, FilterBody))
    assert [one.pointer for one in caught.value.faults] == [pointer]


def test_a_filter_survives_json_both_as_itself_and_as_a_body():
    one = parse_filters(
        [("from", "2026-03-01"), ("tag", "ai"), ("disputed", "true"), ("phase", "open"), ("q", "서울")]
    )
    kept = msgspec.json.encode(one)
    assert msgspec.json.decode(kept, type=EventFilter) == one
    assert read_filter(msgspec.json.decode(kept, type=FilterBody)) == one


# --- meaning ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("kind", "application_window", "summit"),
        ("tag", "bio", "b"),
        ("series", "challenge", "challenges"),
        ("program", "startup-challenge", "startup"),
        ("organization", "sba", "sb"),
        ("city", "서울", "서"),
        ("status", "scheduled", "cancelled"),
        ("phase", "open", "upcoming"),
        ("part_of", "summit-2026", "call"),
        ("disputed", "false", "true"),
        ("q", "챌린지", "캠프"),
        ("updated_since", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00.001Z"),
    ],
)
def test_a_filter_finds_what_has_it_and_nothing_else(name, yes, no):
    assert asked(CALL, (name, yes))
    assert not asked(CALL, (name, no))
    if name not in ("disputed", "q", "updated_since"):
        assert asked(CALL, (name, yes), (name, no))
    bare = Event(id="bare", kind="other", name=Text(en="x"), status="tentative")
    assert asked(bare, (name, yes)) == (name in ("disputed", "updated_since"))


def test_different_parameters_must_all_hold():
    assert asked(CALL, ("tag", "ai"), ("city", "서울"), ("q", "startup"))
    assert not asked(CALL, ("tag", "ai"), ("city", "부산"))


def test_the_empty_filter_asks_for_all():
    assert asked(CALL)
    assert asked(Event(id="bare", kind="other", name=Text(en="x")))


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        ("2026-03-01T14:59:59Z", "upcoming"),
        ("2026-03-27T09:00:00Z", "closing_soon"),
        ("2026-03-27T09:00:01Z", "closed"),
    ],
)
def test_the_phase_is_that_of_now(now, phase):
    at = datetime.fromisoformat(now.replace("Z", "+00:00"))
    assert asked(CALL, ("phase", phase), now=at)


@pytest.mark.parametrize(
    ("kind", "start", "end", "range_", "found"),
    [
        ("summit", "2025-09-05", None, ("2025-09-05", "2025-09-05"), True),
        ("summit", "2025-09-05", None, ("2025-09-06", None), False),
        ("summit", "2025-09-05", None, (None, "2025-09-04"), False),
        ("summit", "2025-09-05T00:00", None, ("2025-09-05", None), True),
        ("summit", "2025-09-05T00:00", None, (None, "2025-09-04"), False),
        ("summit", "2025-09-05T14:00", "2025-09-05T16:00", ("2025-09-05T07:00:00Z", None), False),
        ("summit", "2025-09-05T14:00", "2025-09-05T16:00", ("2025-09-05T06:59:59Z", None), True),
        ("summit", "2025-09-05T14:00", "2025-09-05T16:00", (None, "2025-09-05T05:00:00Z"), False),
        ("summit", "2025-09-05T14:00", "2025-09-05T16:00", (None, "2025-09-05T05:00:01Z"), True),
        ("summit", "2025-09-01", "2025-09-30", ("2025-09-10", "2025-09-11"), True),
        ("summit", "2025-11", None, ("2025-11-30", "2025-11-30"), True),
        ("summit", "2025-11", None, ("2025-12-01", None), False),
        ("summit", None, "2025-09-05", ("1990-01-01", "1990-01-01"), True),
        ("summit", None, "2025-09-05", ("2025-09-06", None), False),
        ("summit", None, None, ("2025-09-06", None), False),
        ("summit", None, None, (None, "2099-01-01"), False),
        ("summit", "XXXX-XX-12", None, ("2025-09-06", None), False),
        ("application_window", "2026-03-02", None, ("2050-01-01", None), True),
        ("application_window", "2026-03-02", None, (None, "2026-03-01"), False),
        ("application_window", None, "2026-03-27", (None, "2020-01-01"), True),
    ],
)
def test_a_range_overlaps_the_bounds(kind, start, end, range_, found):
    params = [(name, text) for name, text in zip(("from", "to"), range_, strict=True) if text]
    assert asked(Event(id="e", kind=kind, name=Text(en="e"), start=start, end=end), *params) == found


INSTANTS = st.datetimes(
    dates.MIN_INSTANT.replace(tzinfo=None), dates.MAX_INSTANT.replace(tzinfo=None), timezones=st.just(UTC)
)


@given(lo=st.none() | INSTANTS, hi=st.none() | INSTANTS, begin=st.none() | INSTANTS, end=st.none() | INSTANTS)
def test_an_overlap_is_an_instant_in_both(lo, hi, begin, end):
    assume(not (lo and hi and lo >= hi) and not (begin and end and begin >= end))  # both are refused
    span, wanted = dates.Bounds(earliest=lo, latest=hi), EventFilter(from_=begin, to=end)
    first = max((at for at in (lo, begin) if at), default=None)
    after = min((at for at in (hi, end) if at), default=None)
    common = first is None or after is None or first < after
    dated = lo is not None or hi is not None or (begin is None and end is None)
    assert filters.overlaps(span, wanted) == (dated and common)


@given(
    params=st.lists(
        st.tuples(st.sampled_from([*sorted(filters.NAMES), "x"]), st.text(max_size=12)), max_size=4
    )
)
def test_any_parameters_are_read_or_refused_by_name(params):
    try:
        assert isinstance(parse_filters(params), EventFilter)
    except Invalid as invalid:
        assert {one.parameter for one in invalid.faults} <= {name for name, _ in params}
