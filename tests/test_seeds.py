"""The seeds we ship: in order, complete, and careful about what is not known."""

from pathlib import Path

import pytest

from service.catalogue import seeds
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
