"""Who says what: ranks, origins, and which values cannot both be true."""

from datetime import date

import pytest

from service.catalogue import evidence
from service.catalogue.event import Event, Evidence, Source, Text
from service.catalogue.evidence import Dispute, Unsupported, Witnessed


def says(field: str, value: str | None, source: str = "s", rank: str = "normal") -> Evidence:
    return Evidence(field=field, value=value, source=source, rank=rank)


def event(*items: Evidence, **fields) -> Event:
    return Event(id="e", kind="application_window", name=Text(en="e"), evidence=items, **fields)


def source(id: str, **fields) -> Source:
    return Source(id=id, title=id, kind="news", **fields)


@pytest.mark.parametrize(
    ("field", "one", "other", "contradict"),
    [
        ("start", "2025-09-01", "2025-09-04", True),
        ("start", "2025-09-01", "2025-09-01", False),
        ("start", "2025-09", "2025-09-01", False),
        ("start", "2025", "2025-09-01", False),
        ("start", "2025-08", "2025-09-01", True),
        ("start", "XXXX-XX-12", "2025-03-12", False),
        ("start", "XXXX-XX-12", "2025-03", False),
        ("start", "XXXX-XX-12", "2025-03-13", True),
        ("start", "2025-03-12?", "2025-03-12", False),
        ("start", "2025-09-05", "2025-09-05T14:00", False),
        ("start", "2025-09-05T14:00", "2025-09-05T15:00", True),
        ("end", "2025-09-05T24:00", "2025-09-06T00:00", False),
        ("end", "2025-09-05T24:00", "2025-09-05", False),
        ("end", "2025-09-05T24:00", "2025-09-06", True),
        ("end", "2023-04-25", "2023-04-27", True),
        ("end", "2023-04-25", None, False),
        ("contains", "2025-09-03", "2025-09-04", False),
        ("claim", "77개", "137개", False),
        ("name", "컨퍼런스", "콘퍼런스", False),
        ("organizations", "mss", "sba", False),
        ("status", "scheduled", "cancelled", True),
        ("close_rule", "fixed", "until_exhausted", True),
        ("edition", "제31차", "제31회", False),
        ("edition", "31st", "32nd", True),
        ("place", "제주", "ICC 제주국제컨벤션센터", False),
        ("place", "ICC 제주", "부산 BEXCO", True),
    ],
)
def test_values_contradict_or_fit(field, one, other, contradict):
    assert evidence.disputed(event(says(field, one), says(field, other))) == contradict
    assert evidence.disputed(event(says(field, other), says(field, one))) == contradict


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        ("normal", "normal", True),
        ("preferred", "normal", False),
        ("preferred", "preferred", True),
        ("normal", "deprecated", False),
        ("deprecated", "deprecated", False),
        ("preferred", "deprecated", False),
    ],
)
def test_only_evidence_of_the_best_rank_disputes(first, second, contradict):
    two = event(says("end", "2023-04-25", rank=first), says("end", "2023-04-27", rank=second))
    assert evidence.disputed(two) == contradict


def test_a_dispute_lists_every_value_of_its_field_once():
    many = event(
        says("end", "2023-04-25"),
        says("end", "2023-04-27"),
        says("end", "2023-04"),
        says("end", "2023-04-25", "t"),
        says("start", "2023-03-28"),
    )
    assert evidence.disputes(many) == (Dispute(field="end", values=("2023-04-25", "2023-04-27", "2023-04")),)


def test_two_articles_of_one_press_release_are_one_witness():
    both = event(
        says("start", "2025-08", "s1", "deprecated"),
        says("start", "2025-08", "etoday", "deprecated"),
        says("start", "2025-09-01", "notice", "preferred"),
        says("start", "2025-09-01", "asmemm", "preferred"),
        says("start", "2025-09-01", "lost", "preferred"),
    )
    sources = [
        source("s1", origin="mss-release"),
        source("etoday", origin="mss-release"),
        source("notice"),
        source("asmemm"),
    ]
    assert evidence.witnesses(both, sources) == (
        Witnessed(field="start", value="2025-08", rank="deprecated", origins=("mss-release",)),
        Witnessed(field="start", value="2025-09-01", rank="preferred", origins=("notice", "asmemm", "lost")),
    )


@pytest.mark.parametrize(
    ("end", "items", "closes"),
    [
        ("2023-04-27", (), ("2023-04-27",)),
        ("2023-04-27", (says("end", "2023-04-25"), says("end", "2023-04-27")), ("2023-04-25", "2023-04-27")),
        ("2023-04-25", (says("end", "2023-04-25"), says("end", "2023-04-27")), ("2023-04-25", "2023-04-27")),
        (
            "2023-04-27",
            (says("end", "2023-04-25", rank="deprecated"), says("end", "2023-04-27")),
            ("2023-04-27",),
        ),
        ("2023-04-27", (says("end", "2023-04-27T18:00"), says("end", "2023-04-27T16:00")), None),
        (None, (), ()),
    ],
)
def test_the_earliest_of_disputed_deadlines_comes_first(end, items, closes):
    called = event(*items, end=end)
    closes = ("2023-04-27T16:00", "2023-04-27T18:00", "2023-04-27") if closes is None else closes
    assert evidence.readings(called, "end") == closes
    assert evidence.earliest(called, "end") == (closes[0] if closes else None)


@pytest.mark.parametrize(
    ("start", "said", "readings", "earliest", "told"),
    [
        ("2025-09-04", ("2025-09-01", "2025-09-04"), ("2025-09-01", "2025-09-04"), "2025-09-01", None),
        (
            "2025-09-08",
            ("2025-09-04", "2025-09-01"),
            ("2025-09-01", "2025-09-04", "2025-09-08"),
            "2025-09-01",
            None,
        ),
        ("2025-09-04", ("2025-09", "2025-09-04"), ("2025-09-04",), "2025-09-04", None),
        ("2025-12-10", ("2025-11", "2025-12-10"), ("2025-11", "2025-12-10"), "2025-12-10", None),
        ("2025-12", ("2025-11", "2025-12"), ("2025-11", "2025-12"), "2025-11", None),
        (
            "2025-09",
            ("2025-09-01", "2025-09-04"),
            ("2025-09", "2025-09-01", "2025-09-04"),
            "2025-09-01",
            ("2025-09-01", "2025-09-04"),
        ),
        (None, ("2025-09-01", "2025-09-04"), (), None, None),
    ],
)
def test_of_disputed_starts_the_earliest_day_counts_and_all_are_told(start, said, readings, earliest, told):
    one = event(*(says("start", value, source=value) for value in said), start=start)
    assert evidence.readings(one, "start") == readings
    assert evidence.earliest(one, "start") == earliest
    assert tuple(edtf.text for edtf in evidence.told(one, "start")) == (told or readings)


def test_an_end_before_the_start_is_a_slip_that_nobody_goes_by():
    slip = event(says("end", "2025-12-10"), says("end", "2026-12-20"), start="2026-12-01", end="2026-12-20")
    assert evidence.readings(slip, "end") == ("2026-12-20",)
    assert evidence.disputed(slip)


@pytest.mark.parametrize(
    ("date", "said", "told"),
    [
        ("2025-09-05", [], [()]),
        ("2025-09-05", [None], [()]),
        ("2025-09-05", ["2025-09-05"], []),
        ("2025-09-05", ["2025-09-05T14:00"], []),
        ("2025-09-05T14:00", ["2025-09-05"], []),
        ("2025-09-05T14:00", ["2025-09-05T14:00"], []),
        ("2025-09-05T14:00", ["2025-09-05T15:00"], [("2025-09-05T15:00",)]),
        ("2025-09-05", ["2025-09-04"], [("2025-09-04",)]),
        ("2025-09-05", ["2025-09-04", "2025-09-06"], [("2025-09-04", "2025-09-06")]),
        ("2025-09-05", ["2025-09-04", "2025-09-05"], []),
        ("2025-09-05", ["2025-09"], [()]),
        ("2025-09-05", ["2025-10"], [("2025-10",)]),
        ("2025-09-05", ["XXXX-XX-05"], [()]),
        ("2025-09-05?", ["2025-09-05"], []),
        ("2025-09", ["2025-09-05"], []),
        ("2025", ["2025-09", "2024"], []),
        ("2025", ["202X"], [()]),
        ("XXXX-XX-05", ["XXXX-XX-05"], []),
        (None, ["2025-09-05"], []),
        (None, [], []),
    ],
)
@pytest.mark.parametrize("field", ["start", "end"])
def test_a_date_is_unsupported_where_no_evidence_names_its_day(field, date, said, told):
    items = [says(field, value, source=f"s{index}") for index, value in enumerate(said)]
    found = evidence.unsupported(event(*items, **{field: date}))
    assert found == tuple(Unsupported(field=field, said=values) for values in told)
    assert evidence.contradicted(event(*items, **{field: date})) == any(told)


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        (("normal", "normal"), ()),
        (("preferred", "normal"), (Unsupported(field="start", said=("2025-09-04",)),)),
        (("normal", "preferred"), ()),
        (("normal", "deprecated"), (Unsupported(field="start", said=("2025-09-04",)),)),
        (("deprecated", "deprecated"), (Unsupported(field="start", said=()),)),
    ],
)
def test_only_evidence_of_the_best_rank_supports(ranks, told):
    other, same = ranks
    two = event(
        says("start", "2025-09-04", rank=other), says("start", "2025-09-05", rank=same), start="2025-09-05"
    )
    assert evidence.unsupported(two) == told


def test_evidence_of_another_field_supports_no_date():
    other = event(says("contains", "2025-09-05"), says("end", "2025-09-05"), start="2025-09-05")
    assert [item.field for item in evidence.unsupported(other)] == ["start"]


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"retrieved": "2026-09-07", "published": "2026-09-08"}, date(2026, 9, 7)),
        ({"published": "2026-09-08"}, date(2026, 9, 8)),
        ({"published": "2026-09-08T10:00"}, date(2026, 9, 8)),
        ({"published": "2026-09"}, None),
        ({}, None),
    ],
)
def test_a_source_was_seen_when_retrieved_else_when_published(fields, seen):
    assert evidence.last_seen(event(says("start", "2026")), [source("s", **fields)]) == seen


def test_the_newest_source_that_still_speaks_counts():
    one = event(
        says("start", "2026", "old"), says("end", "2026", "new"), says("end", "2025", "wrong", "deprecated")
    )
    sources = [
        source("old", retrieved="2026-09-01"),
        source("new", retrieved="2026-09-07"),
        source("wrong", retrieved="2026-10-01"),
        source("other", retrieved="2026-11-01"),
    ]
    assert evidence.last_seen(one, sources) == date(2026, 9, 7)
    assert evidence.last_seen(event(), sources) is None
