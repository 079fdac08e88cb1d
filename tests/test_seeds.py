"""The seeds we ship: in order, complete, and careful about what is not known."""

from pathlib import Path

import pytest

from service.catalogue import evidence, seeds
from service.catalogue.event import Event, Text
from service.seed_loader import read_articles, read_folder
from service.settings import BUNDLED_SEEDS
from tests.support.bundled_seeds import FILES, SEEDS

EVENTS = {event.id: event for event in SEEDS.events}
PROGRAMS = {program.id: program for program in SEEDS.programs}
ARTICLES = BUNDLED_SEEDS.parent.parent / "shared" / "seeds"

# notes/events.md A2 and A3: what the five articles name.
CONFERENCE = "global-super-gap-tech-conference-2025"
NAMED = {
    "E1": "apec-sme-ministerial-2025",
    "E2": "global-venture-investment-summit-2025",
    "E3": "sme-innovation-network-forum-2025",
    "E4": "climate-tech-startup-summit-2025",
    "E5": "sme-tech-management-expo-2025",
    "E6": "korea-vietnam-bilateral-2025",
    "E7": "mss-press-briefing-2025-09-04",
    "E8": CONFERENCE,
    "E8a": f"{CONFERENCE}-opening",
    "E8b KAIST": f"{CONFERENCE}-kaist-forum",
    "E8b forums": f"{CONFERENCE}-tech-forums",
    "E8c models": f"{CONFERENCE}-foundation-models",
    "E8c inbound": f"{CONFERENCE}-inbound",
    "E8c Saudi": f"{CONFERENCE}-saudi",
    "E8d": f"{CONFERENCE}-side-events",
    "E9": "apec-leaders-meeting-2025",
    "E10": "deep-tech-value-up-meetup-day-2025",
    "E10a": "deep-tech-value-up-tech-protection-mou",
    "E11": "deep-tech-value-up-launch",
    "E12": "zer01ne-day-2024",
    "E13": "ai-startup-linkup-council-2024",
    "E14": "seoul-tech-meetup-council-appointment",
    "E15": "seoul-tech-meetup-first-event",
    "E16 generative": "seoul-tech-meetup-talk-generative-ai",
    "E16 cars": "seoul-tech-meetup-talk-cars-and-ai",
    "E17": "seoulcon-2023",
    "E17a": "seoul-tech-meetup-networking-2023",
    "P6": "seoul-tech-meetup-member-recruiting-2023",
    "M1": "fraunhofer-nexeriatech-proposal",
    "M2": "sme-rnd-budget-2026",
    "M3": "seoul-tech-meetup-divisions-2024",
    "M4": "apec-startup-alliance-launch",
}
SUPPORTED = {
    "P1": "deep-tech-value-up",
    "P2": "ai-startup-level-up",
    "P3": "on-device-ai-challenge",
    "P4 sLLM": "sllm-fabless-support",
    "P4 graduates": "ai-graduate-startup-support",
    "P4 talent": "overseas-ai-talent",
    "P5": "seoul-rnd",
    "P5 round": "seoul-rnd-commercialization",
    "P6": "seoul-tech-meetup",
    "P7": "seoul-tech-meetup-startup-challenge",
    "P8": "next-unicorn-project",
    "P9": "global-inbound-startup",
}


def test_the_seeds_are_in_order() -> None:
    assert seeds.check(FILES, None).faults == ()


@pytest.mark.skipif(not ARTICLES.is_dir(), reason="the articles are not part of the project")
def test_every_quote_is_found_in_its_article() -> None:
    report = seeds.check(FILES, read_articles(ARTICLES))
    assert report.faults == ()
    assert report.counts.quotes >= 60


@pytest.mark.parametrize("label", NAMED)
def test_what_the_articles_name_is_seeded_with_their_words(label: str) -> None:
    quoted = [item.source for item in EVENTS[NAMED[label]].evidence if item.quote]
    if label != "E9":  # named in passing only; the tie to it is quoted at E8
        assert quoted


@pytest.mark.parametrize("label", SUPPORTED)
def test_each_program_of_the_articles_is_seeded(label: str) -> None:
    assert SUPPORTED[label] in PROGRAMS


def test_no_date_lacks_evidence() -> None:
    without = [
        (event.id, field)
        for event in SEEDS.events
        for field in ("start", "end")
        if getattr(event, field)
        and not any(e.field == field and e.rank != "deprecated" for e in event.evidence)
    ]
    assert without == []


def test_only_the_five_articles_are_quoted() -> None:
    held = {source.id for source in SEEDS.sources if source.article}
    quoted = {
        item.source for noun in (*SEEDS.events, *SEEDS.programs) for item in noun.evidence if item.quote
    }
    assert len(held) == 5
    assert quoted == held


@pytest.mark.parametrize(
    ("event_id", "start", "end"),
    [
        ("zer01ne-day-2024", "2024-10?", None),
        ("comeup-2025", "2025-12-10", None),
        (f"{CONFERENCE}-tech-forums", "2025-10", None),
        (f"{CONFERENCE}-saudi", "2025-10", None),
        ("fraunhofer-nexeriatech-proposal", "2025-11", None),
        ("seoul-tech-meetup-startup-challenge", None, None),
        ("seoul-tech-meetup-member-recruiting-2023", "2023", None),
        ("sba-scale-up-2022-call", None, "2022-05-28"),
        ("k-startup-grand-challenge-2020-call", None, "2020-06-26"),
    ],
)
def test_what_is_not_known_is_not_seeded(event_id: str, start: str | None, end: str | None) -> None:
    assert (EVENTS[event_id].start, EVENTS[event_id].end) == (start, end)


@pytest.mark.parametrize("program", ["next-unicorn-project", "deep-tech-value-up", "global-inbound-startup"])
def test_no_window_is_made_up_for_a_program_whose_call_is_not_known(program: str) -> None:
    assert [event.id for event in SEEDS.events if event.is_window and event.program == program] == []


def test_meetings_that_are_not_public_stay_internal() -> None:
    internal = {event.id for event in SEEDS.events if event.visibility == "internal"}
    assert internal == {NAMED["E6"], NAMED["E7"]}


def test_every_name_is_given_in_both_languages() -> None:
    named: tuple[tuple[str, Text], ...] = tuple(
        (noun.id, noun.name) for noun in (*SEEDS.events, *SEEDS.programs, *SEEDS.series, *SEEDS.organizations)
    )
    assert [name for name, text in named if not (text.ko and text.en)] == []


def test_a_part_lies_within_what_it_is_part_of_wherever_both_are_known_to_the_day() -> None:
    def days(event: Event) -> tuple[str, str] | None:
        start = (event.start or "")[:10].rstrip("?")
        end = (event.end or event.start or "")[:10].rstrip("?")
        return (start, end) if len(start) == len(end) == 10 else None

    parts = [event for event in SEEDS.events if event.part_of]
    outside = []
    for event in parts:
        whole = EVENTS[event.part_of or ""]
        inner, outer = days(event), days(whole)
        if inner and outer and not (outer[0] <= inner[0] and inner[1] <= outer[1]):
            outside.append((event.id, whole.id))
    assert outside == []


def test_an_edited_seed_is_what_is_read_next(tmp_path: Path) -> None:
    edited = tmp_path / "organizations" / "kaist.yaml"
    edited.parent.mkdir()
    edited.write_text(FILES["organizations/kaist.yaml"], encoding="utf-8")
    before = seeds.parse(read_folder(tmp_path)).organizations
    edited.write_text(FILES["organizations/kaist.yaml"].replace("KAIST", "KAIST Daejeon"), encoding="utf-8")
    after = seeds.parse(read_folder(tmp_path)).organizations
    assert (before[0].name.en, after[0].name.en) == ("KAIST", "KAIST Daejeon")


def claims(event_id: str) -> list[str]:
    return [item.value or "" for item in EVENTS[event_id].evidence if item.field == "claim"]


def test_what_the_articles_claim_beside_dates_is_kept() -> None:
    assert claims("global-venture-investment-summit-2025") == [
        "17개국 77개 해외기관, 60여개 국내 투자기관 등 총 147개 기관",
        "250여명 참석",
        "국내 벤처투자 행사 가운데 단일행사로는 역대 최대 규모",
    ]
    assert claims("apec-sme-ministerial-2025") == ["중기부가 2017년 출범한 뒤 처음 여는 다자간 국제 행사"]
    assert "130명 참석" in claims("deep-tech-value-up-meetup-day-2025")
    assert claims("ai-startup-level-up-announcement")[1:] == [
        "우수한 AI 서비스를 조달청 혁신제품으로 지정",
        "AI가 필요한 제조 중소기업의 수요 조사",
    ]
    assert "팹리스 제품을 사는 기업에 줄 싱글런 제작" in claims("sllm-fabless-support-selection")
    assert claims("seoul-tech-meetup-council-appointment")[1:] == [
        "리드기업 21개에 협의체의 필요성을 설명하고 참여를 끌어냄",
        "사단법인으로 바꾸어 자립하는 것이 목표",
    ]


def test_the_numbers_of_editions_are_those_that_sources_count() -> None:
    counted = {e.id: e.edition.number for e in SEEDS.events if e.edition and e.edition.number is not None}
    assert counted == {
        "apec-sme-ministerial-2025": 31,
        "climate-tech-startup-summit-2025": 4,
        "comeup-2020": 2,
        "comeup-2021": 3,
        "global-super-gap-tech-conference-2025": 3,
        "k-startup-grand-challenge-2018-call": 3,
        "seoulcon-2023": 1,
        "seoulcon-2025": 3,
        "sme-tech-management-expo-2024": 25,
        "sme-tech-management-expo-2025": 26,
        "try-everything-2023": 5,
    }


def test_nobody_is_named_who_is_in_no_source() -> None:
    roles = {part.role: part.id for part in EVENTS["seoul-tech-meetup-first-event"].organizations}
    assert roles == {"participant": "seoul-city"}


@pytest.mark.parametrize("talk", ["cars-and-ai", "generative-ai"])
def test_a_day_between_two_others_is_its_year_and_the_bounds_are_told(talk: str) -> None:
    event = EVENTS[f"seoul-tech-meetup-talk-{talk}"]
    assert event.start == "2023"
    assert event.summary is not None
    assert "6월 16일" in (event.summary.ko or "") and "12월 27일" in (event.summary.ko or "")
    assert claims(event.id) == ["2023-06-16 위촉식 이후, 2023-12-27 기사 이전"]


def test_addresses_are_those_that_sources_give() -> None:
    calls = {event.id: event.apply_url for event in SEEDS.events if event.apply_url}
    assert set(calls.values()) == {"https://www.k-startup.go.kr"}
    assert len(calls) == 8
    assert all(any("K-스타트업" in claim for claim in claims(call)) for call in calls)
    assert {event.id: event.url for event in SEEDS.events if event.url} == {
        "apec-leaders-meeting-2025": "https://www.apec2025.kr",
        "apec-sme-ministerial-2025": "https://asmemm2025.kr",
        "apec-sme-ministerial-2025-meeting": "https://asmemm2025.kr",
        "challenge-k-startup-2024-notice": "https://www.k-startup.go.kr",
        "challenge-k-startup-2025-leagues": "https://eiec.kdi.re.kr/policy/materialView.do?num=262916",
        "challenge-k-startup-2025-notice": "https://eiec.kdi.re.kr/policy/materialView.do?num=262916",
        "innopolis-deep-tech-challenge-2025-call": "https://www.innopolis.or.kr",
        "sme-innovation-network-forum-2025": "https://www.iljarihub.or.kr/wesc/bbs/B0000005/view.do"
        "?menuNo=200004&nttId=27783",
        "sme-tech-management-expo-2025": "https://www.k-innoshow.com",
    }


def test_no_date_of_the_seeds_lacks_evidence() -> None:
    assert [event.id for event in SEEDS.events if evidence.unsupported(event)] == []
