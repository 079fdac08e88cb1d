"""What a noun must satisfy: each fault at its pointer, all of them at once, and one normal form."""

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import validation
from service.catalogue.event import Event, Organization, Program, Series, Source
from service.catalogue.validation import Fault, Invalid

WINDOW = {
    "id": "startup-challenge-2026-call",
    "kind": "application_window",
    "name": {"ko": "2026 스타트업 챌린지 모집", "en": "Startup Challenge 2026: call"},
    "start": "2026-03-02",
    "end": "2026-03-27T18:00",
    "evidence": [{"field": "start", "value": "2026-03-02", "source": "s"}],
}
SUMMIT = {**WINDOW, "id": "summit-2026", "kind": "summit"}
SOURCE = {"id": "s", "title": "공고", "kind": "official_notice"}


def event(**fields) -> Event:
    return msgspec.convert({**WINDOW, **fields}, Event)


def pointers(check, noun) -> list[str]:
    with pytest.raises(Invalid) as caught:
        check(noun)
    return [fault.pointer for fault in caught.value.faults]


@pytest.mark.parametrize("fields", [WINDOW, SUMMIT, {**SUMMIT, "start": None, "end": None}])
def test_a_sound_event_passes(fields):
    assert validation.check(msgspec.convert(fields, Event)).id == fields["id"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"start": "2025-02-30", "end": None}, "/start"),
        ({"start": "2026-03-02T24:00"}, "/start"),
        ({"start": "2026-3-2"}, "/start"),
        ({"start": "0000"}, "/start"),
        ({"start": "0999-12-31"}, "/start"),
        ({"start": "0001-01-01"}, "/start"),
        ({"end": "9999-12-31"}, "/end"),
        ({"end": "99XX"}, "/end"),
        ({"end": "2026-03-27T24:01"}, "/end"),
        ({"end": "2026-03-27T18:60"}, "/end"),
        ({"end": "2026-03-01"}, "/end"),
        ({"end": "2026-03-01T23:59"}, "/end"),
        ({"end": "2026-02"}, "/end"),
        ({"start": "2026-03-02T00:00", "end": "2026-03-01"}, "/end"),
        ({"start": "2026-03-02T00:01", "end": "2026-03-01T24:00"}, "/end"),
        ({"start": "2026-03-02T10:00", "end": "2026-03-02T09:59"}, "/end"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"timezone": "Asia"}, "/timezone"),
        ({"timezone": "../x"}, "/timezone"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"close_rule": "fixed", "end": None}, "/close_rule"),
        ({"kind": "summit", "close_rule": "rolling"}, "/close_rule"),
        ({"kind": "summit", "close_text": "예산 소진시까지"}, "/close_text"),
        ({"name": {}}, "/name"),
        ({"summary": {"translated": []}}, "/summary"),
        ({"place": {"name": {}}}, "/place/name"),
        ({"name": {"ko": "이름", "translated": ["en"]}}, "/name/translated/0"),
        ({"name": {"ko": "이름", "translated": ["ko", "ko"]}}, "/name/translated/1"),
        ({"name": {"ko": " "}}, "/name/ko"),
        ({"name": {"ko": "이\x00름"}}, "/name/ko"),
        ({"name": {"ko": "이\x1b름"}}, "/name/ko"),
        ({"name": {"ko": "이\x85름"}}, "/name/ko"),
        ({"name": {"ko": "이\x7f름"}}, "/name/ko"),
        ({"name": {"ko": "이\r\n름"}}, "/name/ko"),
        ({"name": {"ko": "이\ud800름"}}, "/name/ko"),
        ({"name": {"ko": "이\uffff름"}}, "/name/ko"),
        ({"id": "summit-2026\n"}, "/id"),
        ({"url": "https://example.org\n"}, "/url"),
        ({"series": "s\n"}, "/series"),
        ({"place": {"city": "서울\n부산"}}, "/place/city"),
        ({"place": {"country": "KR\n"}}, "/place/country"),
        ({"external_ids": {"kstartup": "1\x07"}}, "/external_ids/kstartup"),
        ({"external_ids": {"kstartup\n": "1"}}, "/external_ids/kstartup\n"),
        ({"edition": {"label": "제\x0031회"}}, "/edition/label"),
        ({"close_text": "예산\x0b소진"}, "/close_text"),
        ({"tags": ["ai", "bio", "ai"]}, "/tags/2"),
        ({"organizations": [{"id": "mss", "role": "host"}] * 2}, "/organizations/1"),
        ({"related": [{"relation": "about", "event": "x"}] * 2}, "/related/1"),
        ({"related": [{"relation": "about", "event": WINDOW["id"]}]}, "/related/0/event"),
        ({"part_of": WINDOW["id"]}, "/part_of"),
        ({"evidence": [{"field": "start", "value": "Monday", "source": "s"}]}, "/evidence/0/value"),
        ({"evidence": [{"field": "start", "value": "2026-03-02T24:00", "source": "s"}]}, "/evidence/0/value"),
        ({"evidence": [{"field": "end", "value": "2026-02-30", "source": "s"}]}, "/evidence/0/value"),
        ({"evidence": [{"field": "contains", "value": "12일", "source": "s"}]}, "/evidence/0/value"),
        ({"evidence": [{"field": "claim", "value": "147\x08", "source": "s"}]}, "/evidence/0/value"),
        (
            {"evidence": [{"field": "claim", "value": "1", "source": "s", "quote": "\x00"}]},
            "/evidence/0/quote",
        ),
        ({"evidence": [{"field": "claim", "value": "1", "source": "s"}] * 2}, "/evidence/1"),
        ({"previous_dates": [{"start": "2026-02-31", "end": None}]}, "/previous_dates/0/start"),
        ({"previous_dates": [{"start": None, "end": "2026-1-1"}]}, "/previous_dates/0/end"),
    ],
)
def test_a_fault_is_named_where_it_is(fields, pointer):
    assert pointers(validation.check, event(**fields)) == [pointer]


def test_all_faults_are_told_at_once():
    broken = event(
        name={},
        start="2026-02-30",
        end="9999",
        timezone="localtime",
        tags=["a", "a"],
        close_text="\x00",
        url="http://a\n",
    )
    assert pointers(validation.check, broken) == [
        "/name",
        "/close_text",
        "/url",
        "/start",
        "/end",
        "/timezone",
        "/tags/1",
    ]


def test_a_fault_reads_as_a_sentence():
    with pytest.raises(Invalid) as caught:
        validation.check(event(end="2026-03-01"))
    detail = "the end 2026-03-01 is before the start 2026-03-02"
    assert caught.value.faults == (Fault(pointer="/end", detail=detail),)
    assert str(caught.value) == f"/end: {detail}"
    assert msgspec.to_builtins(caught.value.faults[0]) == {"pointer": "/end", "detail": detail}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-02", "2026-03-02"),
        ("2026-03-02T10:00", "2026-03-02T10:00"),
        ("2026-03-02T10:00", "2026-03-02"),
        ("2026-03-02T00:00", "2026-03-01T24:00"),
        ("2026-03-02", "2026-03"),
        ("2026-03", "2026-03-02"),
        ("2026", "2026-01-01"),
        ("XXXX-03-02", "2026-01-01"),
        ("2026-03-02", "XXXX"),
        (None, "2026-03-02T24:00"),
    ],
)
def test_an_end_may_come_with_its_start(start, end):
    assert validation.check(event(start=start, end=end)).end == end


def test_a_day_that_a_zone_left_out_may_still_be_written():
    skipped = event(start="2011-12-30", end="2011-12-30", timezone="Pacific/Apia")
    assert validation.check(skipped).start == "2011-12-30"


@pytest.mark.parametrize(("end", "rule"), [("2026-03-27", "fixed"), (None, "unknown")])
def test_a_window_gets_the_rule_its_dates_imply(end, rule):
    assert validation.check(event(end=end)).close_rule == rule
    assert validation.check(event(end=end, close_rule="varies")).close_rule == "varies"
    assert validation.check(event(kind="summit", end=end)).close_rule is None


def test_texts_are_kept_in_nfc_and_quotes_to_the_letter():
    loose = unicodedata.normalize("NFD", "서울콘")
    kept = validation.check(
        event(
            name={"ko": loose},
            place={"city": loose},
            external_ids={"k": loose},
            evidence=[{"field": "claim", "value": loose, "source": "s", "quote": loose}],
        )
    )
    assert (kept.name.ko, kept.place.city, kept.external_ids) == ("서울콘", "서울콘", {"k": "서울콘"})
    assert (kept.evidence[0].value, kept.evidence[0].quote) == ("서울콘", loose)


def test_a_text_that_grows_too_long_in_nfc_is_refused():
    grows = "\u0958" * 200  # NFC writes it as two code points
    assert pointers(validation.check, event(place={"city": grows})) == ["/place/city"]


def test_many_lines_and_right_to_left_marks_are_fine_in_prose():
    text = "첫째 줄\n\t둘째 줄 \u200f\u202b"
    assert validation.check(event(summary={"ko": text})).summary.ko == text


def test_one_organization_may_play_two_parts():
    parts = [{"id": "mss", "role": "host"}, {"id": "mss", "role": "speaker"}]
    assert len(validation.check(event(organizations=parts)).organizations) == 2


@given(ko=st.text(min_size=1, max_size=40))
def test_what_passes_passes_again_unchanged(ko):
    try:
        once = validation.check(event(name={"ko": ko}))
    except Invalid:
        return
    assert validation.check(once) is not None
    assert validation.check(once) == once
    assert msgspec.json.decode(msgspec.json.encode(once), type=Event) == once


@pytest.mark.parametrize(
    ("kind", "fields", "pointer"),
    [
        (Series, {"name": {}}, "/name"),
        (Series, {"aliases": [{"text": "a\x00"}]}, "/aliases/0/text"),
        (Series, {"aliases": [{"text": "a", "since": "2024-13"}]}, "/aliases/0/since"),
        (Series, {"aliases": [{"text": "a", "until": "then"}]}, "/aliases/0/until"),
        (Series, {"organizations": [{"id": "o", "role": "host"}] * 2}, "/organizations/1"),
        (Program, {"part_of": "n"}, "/part_of"),
        (Program, {"evidence": [{"field": "start", "value": "soon", "source": "s"}]}, "/evidence/0/value"),
        (Program, {"organizations": [{"id": "o", "role": "host"}] * 2}, "/organizations/1"),
        (Organization, {"part_of": "n"}, "/part_of"),
        (Organization, {"name": {"en": "\ud800"}}, "/name/en"),
        (Organization, {"url": "https://x\n"}, "/url"),
    ],
)
def test_a_fault_of_another_noun_is_named_where_it_is(kind, fields, pointer):
    noun = msgspec.convert({"id": "n", "name": {"ko": "이름"}, **fields}, kind)
    assert pointers(validation.check_noun, noun) == [pointer]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"published": "2025-02-30"}, "/published"),
        ({"retrieved": "2025-02-30"}, "/retrieved"),
        ({"retrieved": "٢٠٢٥-٠٢-٠١"}, "/retrieved"),
        ({"title": "공고\n"}, "/title"),
        ({"title": "\x07"}, "/title"),
        ({"note": "\x07"}, "/note"),
    ],
)
def test_a_fault_of_a_source_is_named_where_it_is(fields, pointer):
    assert pointers(validation.check_noun, msgspec.convert({**SOURCE, **fields}, Source)) == [pointer]


def test_sound_nouns_pass():
    source = msgspec.convert({**SOURCE, "published": "2025-10-28T15:45", "retrieved": "2026-09-07"}, Source)
    assert validation.check_noun(source) == source
    series = msgspec.convert(
        {"id": "n", "name": {"ko": "서울콘"}, "aliases": [{"text": "A", "until": "2024"}]}, Series
    )
    assert validation.check_noun(series) == series
