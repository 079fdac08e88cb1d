"""Two items are linked without a person only if they are one call; what is perhaps one goes to a person."""

import csv
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sources.links import LinkIndex, Match, match
from service.sources.records import Organizer, Record

PAIRS = Path(__file__).parent / "pairs"
ONE_CALL = {"same", "same_changed"}
LINKED = {"same", "amends"}


def record(title: str, organization: str = "", *, id: str = "kstartup:1", **more: object) -> Record:
    organizations = (Organizer(role="operator", name=organization),) if organization else ()
    call = Record(external_id=id, kind="call", title=title, organizations=organizations)
    return msgspec.structs.replace(call, **more)


def side(row: dict[str, str], letter: str) -> Record:
    return record(
        row[f"{letter}_title"],
        row[f"{letter}_org"],
        id=f"{row[f'{letter}_source']}:{row[f'{letter}_id']}",
        start=row[f"{letter}_start"] or None,
        end=row[f"{letter}_end"] or None,
    )


def pairs(name: str) -> Iterator[tuple[dict[str, str], Match]]:
    with (PAIRS / name).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row, match(side(row, "a"), side(row, "b"))


@pytest.mark.parametrize(("name", "recall"), [("labelled.tsv", 0.7), ("made_up.tsv", 0.85)])
def test_no_two_calls_are_linked_and_most_of_one_call_are(name: str, recall: float) -> None:
    linked = {row["id"] for row, found in pairs(name) if found.verdict in LINKED}
    one_call = {row["id"] for row, _ in pairs(name) if row["label"] in ONE_CALL}
    assert linked - one_call == set()
    assert len(linked & one_call) / len(one_call) >= recall


@pytest.mark.parametrize("name", ["labelled.tsv", "made_up.tsv"])
def test_a_changed_notice_amends_and_a_further_window_does_not(name: str) -> None:
    for row, found in pairs(name):
        if row["label"] == "same_changed":
            assert found.verdict == "amends", row["id"]
        if row["label"] == "new_round":
            assert found.verdict in ("round", "candidate"), row["id"]


CALL = "2026년 바다기술 창업 지원사업 참여기업 모집 공고"


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        ("2026년 바다기술 창업지원사업 참가기업 모집공고", "same"),
        ("[부산] 2026년도 「바다기술 창업」 지원사업 참여기업 모집", "same"),
        ("’26년 바다기술 창업 지원사업 참여기업 모집 공고", "same"),
        ("2026년 바다기술 창업 지원사업 참여기업 모집 연장 공고", "amends"),
        ("(정정) 2026년 바다기술 창업 지원사업 참여기업 모집 공고", "amends"),
        ("2026년 바다기술 창업 지원사업 참여기업 모집 추가 공고", "amends"),
        ("2026년 바다기술 창업 지원사업 참여기업 추가모집 공고", "round"),
        ("2026년 바다기술 창업 지원사업 참여기업 모집 재공고", "round"),
        ("2026년 제2차 바다기술 창업 지원사업 참여기업 모집 공고", "round"),
        ("2025년 바다기술 창업 지원사업 참여기업 모집 공고", "round"),
        ("2026년 상반기 바다기술 창업 지원사업 참여기업 모집 공고", "candidate"),
        ("2026년 바다기술 창업 지원사업(심해 분야) 참여기업 모집 공고", "candidate"),
        ("2026년 바다기술 창업 심화과정 지원사업 참여기업 모집 공고", "candidate"),
        ("2026년 창원 바다기술 창업 지원사업 참여기업 모집 공고", "candidate"),
        ("2026년 바다기술 창업 지원사업 시행계획 공고", "candidate"),
        ("2026년 바다기술 창업 지원사업 개최 안내", "candidate"),
        ("바다기술 창업 지원사업 3기 참여기업 모집 공고", "candidate"),
        ("2026년 산림기술 창업 지원사업 참여기업 모집 공고", "different"),
        ("2026년 도시농업 교육", "different"),
    ],
)
def test_a_title_of_the_same_operator_says_what_it_is_to_a_call(title: str, verdict: str) -> None:
    bizinfo = record(title, "부산광역시 / 한국해양기술원", id="bizinfo:PBLN_1")
    assert match(record(CALL, "한국해양기술원"), bizinfo).verdict == verdict


def test_without_the_operator_a_title_equal_to_the_letter_is_for_a_person() -> None:
    assert (
        match(record(CALL, "가나대학교"), record(CALL, "다라대학교", id="bizinfo:1")).verdict == "candidate"
    )


def test_an_id_of_the_other_portal_in_an_address_is_enough() -> None:
    page = "https://www.k-startup.go.kr/web/contents/bizpbanc-ongoing.do?schM=view&pbancSn=177177"
    there = record("혁신창업 모집", id="bizinfo:PBLN_1", apply_url=page)
    assert match(record("올해의 리그 참가자", id="kstartup:177177"), there).verdict == "same"


def test_the_front_page_of_a_portal_says_nothing() -> None:
    home = "https://www.k-startup.go.kr/"
    there = record("혁신창업 모집", id="bizinfo:PBLN_1", apply_url=home)
    assert match(record("올해의 리그 참가자", apply_url=home), there).verdict == "different"


def test_an_address_that_two_rounds_share_is_for_a_person_or_a_round() -> None:
    page = "https://www.example.or.kr/apply?id=20260077"
    first, second = (
        record(f"2026년 바다기술 {n}기 모집", "바다원", id=f"{n}:1", apply_url=page) for n in (1, 2)
    )
    assert match(first, second).verdict == "round"


def test_other_last_days_are_for_a_person_unless_a_notice_says_it_changes_them() -> None:
    first = record(CALL, "바다원", end="2026-03-02", published=date(2026, 2, 1))
    other = record(CALL, "바다원", id="bizinfo:1", end="2026-03-09", published=date(2026, 2, 20))
    assert match(first, other).verdict == "candidate"
    longer = msgspec.structs.replace(other, title=f"{CALL}(연장)")
    assert match(first, longer).verdict == "amends"
    late = msgspec.structs.replace(longer, published=date(2026, 5, 1), end="2026-06-01")
    assert match(first, late).verdict == "candidate"


def test_a_name_in_latin_letters_in_brackets_is_for_a_person() -> None:
    tips = record("팁스(TIPS) 운영사 모집 공고", "창업진흥원", id="bizinfo:PBLN_1")
    assert match(record("TIPS 참여기업 모집", "창업진흥원"), tips).verdict == "candidate"


def test_an_event_of_one_name_on_other_days_is_for_a_person() -> None:
    first = record("창업 네트워킹 데이", "바다원", kind="event", start="2026-12-01T14:00")
    assert match(first, msgspec.structs.replace(first, external_id="luma:1")).verdict == "same"
    later = msgspec.structs.replace(first, external_id="luma:1", start="2026-12-08T14:00")
    assert match(first, later).verdict == "candidate"


def test_one_source_that_lists_a_name_twice_is_for_a_person() -> None:
    assert match(record(CALL, "바다원"), record(CALL, "바다원", id="kstartup:2")).verdict == "candidate"


TITLE = (
    "2025년 2026년 [부산] (서울) 제2차 3기 4월 하반기 재공고 연장 수정 추가모집 바다기술 창업 로봇 데모데이 "
    "(TIPS) 「전환」 지원사업 참여기업 모집 공고 소상공인 100개사"
)
WORDS = st.sampled_from(TITLE.split())
DAYS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 12, 31)))
RECORDS = st.builds(
    lambda words, source, number, operator, published, end, text: Record(
        external_id=f"{source}:{number}",
        kind="call",
        title=" ".join(words) + text,
        organizations=(Organizer(role="operator", name=operator),),
        published=published,
        end=end.isoformat() if end else None,
    ),
    st.lists(WORDS, max_size=8),
    st.sampled_from(["bizinfo", "kstartup"]),
    st.integers(1, 3),
    st.sampled_from(["창업진흥원", "부산광역시 / 바다원", "바다원"]),
    DAYS,
    DAYS,
    st.text(max_size=6),
)


@given(RECORDS, RECORDS)
def test_it_makes_no_difference_which_comes_first(a: Record, b: Record) -> None:
    assert match(a, b) == match(b, a)


@given(RECORDS, RECORDS)
def test_what_contradicts_is_never_linked(a: Record, b: Record) -> None:
    found = match(a, b)
    assert not (found.vetoes and found.verdict in LINKED)


@settings(max_examples=30)
@given(st.lists(RECORDS, max_size=12), RECORDS)
def test_the_index_finds_every_link_that_a_comparison_of_all_finds(known: list[Record], new: Record) -> None:
    index: LinkIndex[int] = LinkIndex()
    for key, one in enumerate(known):
        index.add(key, one)
    linked = {key for key, found in index.matches(new) if found.verdict in {*LINKED, "round"}}
    expected = {key for key, one in enumerate(known) if match(one, new).verdict in {*LINKED, "round"}}
    assert linked == expected


@pytest.mark.timed
@pytest.mark.campaign(minutes=1)
def test_thirty_thousand_and_fifteen_hundred_records_are_linked_within_half_a_minute() -> None:
    subjects = [a + b for a in ("해양", "산림", "로봇", "우주") for b in ("기술", "소재", "제조", "유통")]
    index: LinkIndex[str] = LinkIndex()
    began = time.process_time()
    for number in range(30_000):
        title = f"2026년 {subjects[number % 16]} {number:x}가{number % 977}나 육성사업 참여기업 모집 공고"
        index.add(f"k{number}", record(title, f"기관{number % 300}", id=f"kstartup:{number}"))
    found = 0
    for number in range(0, 30_000, 20):
        title = f"[부산] 2026년 {subjects[number % 16]} {number:x}가{number % 977}나 육성 사업 참가기업 모집"
        new = record(title, f"부산광역시 / 기관{number % 300}", id=f"bizinfo:{number}")
        found += next(iter(index.matches(new)))[0] == f"k{number}"
    assert found == 1_500
    assert time.process_time() - began < 30
