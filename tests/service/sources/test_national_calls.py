"""What the national lists of calls say, read from payloads in their shapes."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from service.sources.decoding import decoded
from service.sources.records import Ask, Decoded, Record, SourcePage, fingerprint

PAYLOADS = Path(__file__).parent / "payloads"
TODAY = date(2026, 11, 29)


def answer(adapter: str, file: str, **fields: object) -> Decoded:
    ask = msgspec.convert({"adapter": adapter, "address": "", "today": TODAY, **fields}, Ask)
    return decoded((PAYLOADS / file).read_bytes(), "", ask)


def page(adapter: str, file: str, **fields: object) -> SourcePage:
    found = answer(adapter, file, **fields).page
    assert found is not None
    return found


def by_id(found: SourcePage) -> dict[str, Record]:
    return {record.external_id.rpartition("0000")[2]: record for record in found.records}


def test_bizinfo_of_the_portal_reads_six_calls_on_two_pages():
    first = page("bizinfo", "bizinfo-datago/page1.json")
    second = page("bizinfo", "bizinfo-datago/page2.json", page=2)
    assert (first.items, first.total, first.next) == (4, 6, 2)
    assert (second.items, second.total, second.next) == (2, 6, None)


@pytest.mark.parametrize(("file", "items"), [("single", 1), ("empty", 0), ("nodata", 0)])
def test_bizinfo_reads_one_object_and_none_as_complete_lists(file: str, items: int):
    found = page("bizinfo", f"bizinfo-datago/{file}.json")
    assert (found.items, found.total, found.next) == (items, items, None)


@pytest.mark.parametrize(("file", "items"), [("support", 6), ("support-item-list", 2), ("support-object", 1)])
def test_bizinfos_own_list_says_how_many_there_are(file: str, items: int):
    found = page("bizinfo-own", f"bizinfo/{file}.json")
    assert (found.items, found.total, len(found.records)) == (items, 6, items)


def test_bizinfos_own_list_has_periods_regions_and_addresses():
    found = by_id(page("bizinfo-own", "bizinfo/support.json"))
    assert found["127088"].apply_url == "https://www.example.or.kr/apply?bid=1&no=2"
    assert {number for number, record in found.items() if record.regions == ("전국",)} == {"117676", "121153"}
    assert found["126291"].period == "예산 소진시까지"
    assert found["126291"].regions == ("광주", "전남")
    assert found["127088"].contact == "담당부서"
    assert found["127088"].updated == "2026-10-08T15:22"


def test_rss_of_bizinfo_has_the_same_periods_under_other_names():
    other = by_id(page("bizinfo-own", "bizinfo/support.json"))
    for number, record in by_id(page("bizinfo-own", "bizinfo/support.rss.xml")).items():
        assert (record.title, record.period, record.published) == (
            other[number].title,
            other[number].period,
            other[number].published,
        )


def test_views_are_no_news_of_a_call():
    before = by_id(page("bizinfo-own", "bizinfo/support.json"))
    after = by_id(page("bizinfo-own", "bizinfo/support.later.json"))
    same = {n for n in before.keys() & after.keys() if fingerprint(before[n]) == fingerprint(after[n])}
    assert same == {"126191", "117676", "121153", "118729"}
    assert after["126291"].period == "2026-09-07 ~ 2026-10-16"
    assert before.keys() ^ after.keys() == {"127088", "127301"}


def test_k_startup_reads_days_without_hours_and_addresses_with_a_scheme():
    found = page("kstartup", "kstartup/announcements.json")
    assert (found.items, len(found.records), found.whole, found.next) == (6, 6, False, 2)
    league = next(record for record in found.records if record.external_id == "kstartup:177177")
    assert (league.start, league.end) == ("2026-04-22", "2026-05-20")
    assert (league.url or "").startswith("https://www.k-startup.go.kr/")
    assert league.summary == "접수마감은 공고문상 5.20(수) 16:00까지 입니다."
    assert b"Q0lQSEVSVEVYVA" not in msgspec.json.encode(found)
    assert b"0212345678" not in msgspec.json.encode(found)


def test_k_startup_in_xml_says_what_it_says_in_json():
    other = {record.external_id: record for record in page("kstartup", "kstartup/announcements.json").records}
    found = page("kstartup", "kstartup/announcements.xml").records
    assert [fingerprint(record) for record in found] == [
        fingerprint(other[record.external_id]) for record in found
    ]
    assert len(found) == 2


def test_row_numbers_and_blobs_of_k_startup_are_no_news():
    before = {r.external_id: r for r in page("kstartup", "kstartup/announcements.json").records}
    after = {r.external_id: r for r in page("kstartup", "kstartup/announcements.later.json").records}
    same = {k for k in before.keys() & after.keys() if fingerprint(before[k]) == fingerprint(after[k])}
    assert len(same) == 4
    assert after.keys() - before.keys() == {"kstartup:179501"}
    assert after["kstartup:179466"].end == "2026-10-30"


def test_impossible_reversed_and_nameless_announcements_go_to_quarantine():
    found = page("kstartup", "kstartup/bad-records.json")
    assert [(each.position, each.external_id) for each in found.refused] == [
        (1, "kstartup:179466"),
        (2, "kstartup:177296"),
        (3, None),
    ]
    assert [(record.end, record.doubts) for record in found.records] == [(None, ("no_end_stated",))]
    assert "0212345678" not in "".join(each.raw for each in found.refused)


def test_an_empty_page_of_k_startup_is_not_the_whole_list():
    found = page("kstartup", "kstartup/empty.json", page=60)
    assert (found.items, found.total, found.whole) == (0, 28944, False)


@pytest.mark.parametrize(
    ("adapter", "file", "code", "until"),
    [
        ("kstartup", "kstartup/error-22.http200.xml", "quota", date(2026, 11, 30)),
        ("kstartup", "kstartup/error-30.http200.xml", "key", None),
        ("bizinfo", "bizinfo-datago/error-30.http200.xml", "key", None),
        ("bizinfo-own", "bizinfo/no-key.http200.json", "key", None),
        ("bizinfo", "tables/sheet-needs-login.http200.html", "not_this", None),
        ("kstartup", "mss/doctype-bomb.xml", "limit", None),
    ],
)
def test_an_error_that_arrives_as_200_is_an_error(adapter: str, file: str, code: str, until: date | None):
    found = answer(adapter, file)
    assert (found.page, found.code, found.until) == (None, code, until)
