"""An event as it is sent: the same bytes each time, nothing finer than it was written, and back again."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.catalogue import dates, validation, view
from service.catalogue.dates import EdtfError
from service.catalogue.event import Event, PreviousDates, Text
from service.catalogue.validation import Invalid
from service.catalogue.view import DateLabel, View, When
from service.catalogue.windows import Phase

GOLDEN = Path(__file__).parents[2] / "golden" / "catalogue"
CREATED = datetime(2026, 1, 5, 1, 2, 3, 456789, tzinfo=UTC)
UPDATED = datetime(2026, 2, 1, tzinfo=UTC)
PREVIOUS = (PreviousDates(start="2026-03-02", end="2026-03-20", until_revision=2),)
CALL = msgspec.convert(
    {
        "id": "startup-challenge-2026-call",
        "kind": "application_window",
        "name": {
            "ko": "2026 스타트업 챌린지 모집",
            "en": "Startup Challenge 2026: call",
            "translated": ["en"],
        },
        "summary": {"ko": '그는 "label":{"ko":"가","en":"나"} 라고 적었다.\n둘째 줄'},
        "start": "2026-03-02",
        "end": "2026-03-27T18:00",
        "edition": {"label": "2026", "number": 4},
        "program": "startup-challenge",
        "related": [{"relation": "affiliated_with", "event": "summit-2026"}],
        "place": {
            "name": {"ko": "DDP"},
            "city": "서울",
            "country": "KR",
            "geo": {"lat": 37.5665, "lon": 127.0092},
        },
        "organizations": [{"id": "mss", "role": "host"}],
        "tags": ["ai"],
        "external_ids": {"kstartup": "174652", "bizinfo": "PBLN_1"},
        "evidence": [
            {"field": "start", "value": "2026-03-02", "source": "notice", "quote": "3월 2일(월)부터"},
            {"field": "end", "value": "2026-03-27T18:00", "source": "notice", "rank": "preferred"},
        ],
    },
    Event,
)


def document(event: Event, **fields) -> bytes:
    known = {"previous_dates": (), "revision": 3, "seq": 1041, "created_at": CREATED, "updated_at": UPDATED}
    return view.document(event, **{**known, **fields})


def test_a_document_matches_its_golden_file():
    sent = view.with_phase(document(validation.check(CALL), previous_dates=PREVIOUS), "upcoming")
    assert msgspec.json.format(sent, indent=2) + b"\n" == (GOLDEN / "call.json").read_bytes()


def test_the_same_event_gives_the_same_bytes():
    turned = msgspec.structs.replace(CALL, external_ids=dict(reversed(CALL.external_ids.items())))
    assert document(CALL) == document(turned)
    assert document(msgspec.json.decode(msgspec.json.encode(CALL), type=Event)) == document(CALL)


def test_what_is_sent_is_a_view():
    sent = msgspec.json.decode(view.with_phase(document(CALL), "open"), type=View, strict=True)
    assert (sent.phase, sent.revision, sent.seq, sent.disputed) == ("open", 3, 1041, False)
    assert sent.created_at == datetime(2026, 1, 5, 1, 2, 3, 456000, tzinfo=UTC)


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_phase_is_spliced_in_last(phase):
    kept = document(CALL)
    assert view.with_phase(kept, phase) == kept[:-1] + b',"phase":"%b"}' % phase.encode()


def test_a_document_gives_back_the_event_that_was_written():
    kept = view.event_of(document(CALL, previous_dates=PREVIOUS))
    assert kept == msgspec.structs.replace(CALL, previous_dates=PREVIOUS)
    assert type(kept) is Event
    assert view.event_of(view.with_phase(document(CALL), "open")) == view.event_of(document(CALL))


@pytest.mark.parametrize(("lang", "other"), [("ko", "en"), ("en", "ko")])
def test_one_language_leaves_labels_of_that_language_only(lang, other):
    full = msgspec.json.decode(document(CALL))
    one = msgspec.json.decode(view.with_language(document(CALL), lang))
    assert one["when"].pop("label") == {lang: full["when"].pop("label")[lang]}
    assert one == full  # the summary that looks like a label is untouched, and so is the edition's label
    assert other not in one["when"]


def test_one_language_holds_for_a_whole_list_of_documents():
    both = b"[" + document(CALL) + b"," + document(CALL) + b"]"
    one = msgspec.json.decode(view.with_language(both, "en"))
    assert [item["when"]["label"] for item in one] == [{"en": "Mon, 2 Mar – Fri, 27 Mar 2026, 18:00"}] * 2


@given(texts=st.lists(st.text(max_size=30), min_size=2, max_size=2))
def test_no_text_of_a_person_is_taken_for_a_label(texts):
    name, label = texts
    assume(name and label)
    name, label = name + '"label":{"ko":"a","en":"b"}', label + '","label":{"ko":"a","en":"b"}'
    event = msgspec.structs.replace(
        CALL,
        name=Text(ko=name.encode("utf-8", "replace").decode()),
        external_ids={"label": label.encode("utf-8", "replace").decode()},
    )
    full = msgspec.json.decode(document(event))
    one = msgspec.json.decode(view.with_language(document(event), "ko"))
    del full["when"]["label"]["en"]
    assert one == full


def when(kind: str = "summit", **fields) -> When:
    return view.when(Event(id="e", kind=kind, name=Text(en="e"), **fields))


def test_when_says_what_the_dates_say():
    assert when(start="2025-09-05T14:00") == When(
        precision="minute",
        earliest=datetime(2025, 9, 5, 5, tzinfo=UTC),
        latest=datetime(2025, 9, 5, 5, tzinfo=UTC),
        all_day=False,
        label=DateLabel(ko="2025년 9월 5일(금) 14:00", en="Fri, 5 Sep 2025, 14:00"),
        start_precision="minute",
        end_precision=None,
        uncertain=False,
        approximate=False,
    )


@pytest.mark.parametrize(
    ("kind", "start", "end", "precision"),
    [
        ("summit", "2025-09-01", "2025-09-05T18:00", "day"),
        ("summit", None, "2025-09-05", "unknown"),
        ("summit", None, None, "unknown"),
        ("application_window", "2026-03-02", "2026-03-27T18:00", "minute"),
        ("application_window", "2026-03-02", "2026-04", "month"),
        ("application_window", "2026-03-02", None, "day"),
        ("application_window", None, None, "unknown"),
    ],
)
def test_precision_speaks_of_the_close_of_a_window_and_of_any_other_start(kind, start, end, precision):
    assert when(kind, start=start, end=end).precision == precision


@pytest.mark.parametrize(
    ("start", "end", "all_day"),
    [
        ("2025-09-01", "2025-09-05", True),
        ("2025-09-01", None, True),
        (None, "2025-09-05", True),
        ("2025-09-01", "2025-09-05T18:00", False),
        ("2025-11", None, False),
        ("2025-09-01", "2025-11", False),
        (None, None, False),
    ],
)
def test_all_day_means_days_and_nothing_else(start, end, all_day):
    assert when(start=start, end=end).all_day == all_day


ORDER = ["minute", "day", "month", "year", "decade", "century", "unknown"]
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        ["2025", "2025-11", "2025-XX-12", "202X", "20XX~", "XXXX-XX-12", "2025-09-05?", "2025-02-28"]
    ),
    st.dates().filter(lambda day: 1000 <= day.year <= 9998).map(str),
    st.datetimes().map(lambda at: at.isoformat(timespec="minutes")),
)


@given(start=TEXTS, end=TEXTS, kind=st.sampled_from(["summit", "application_window"]))
def test_a_view_never_knows_more_than_was_written(start, end, kind):
    try:
        event = validation.check(Event(id="e", kind=kind, name=Text(en="e"), start=start, end=end))
    except Invalid:
        assume(False)
    read = [dates.parse(text) if text else None for text in (start, end)]
    seen = view.when(event)
    assert (seen.start_precision, seen.end_precision) == tuple(
        edtf.precision if edtf else None for edtf in read
    )
    finest = min((ORDER.index(edtf.precision) for edtf in read if edtf), default=len(ORDER) - 1)
    assert ORDER.index(seen.precision) >= finest
    assert seen.uncertain == any(edtf.uncertain for edtf in read if edtf)
    if not any("T" in text for text in (start, end) if text):
        assert not re.search(r"\d:\d", str(seen.label.ko) + str(seen.label.en))
    for edtf in read:
        if edtf is not None and edtf.first is not None:
            bounds = dates.bounds(edtf, dates.zone("Asia/Seoul"))
            assert seen.earliest is None or edtf is not read[0] or seen.earliest == bounds.earliest
            assert seen.latest is None or edtf is not read[1] or seen.latest == bounds.latest


@given(start=st.text(max_size=12))
def test_a_view_is_never_made_of_what_is_not_a_date(start):
    try:
        assert dates.parse(start).text == start
    except EdtfError:
        with pytest.raises(EdtfError):
            when(start=start)
