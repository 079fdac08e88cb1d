"""Every kind of fault a curator can make is found, and found at its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import seeds
from service.catalogue.seed_yaml import SeedFault

SOURCE = """\
id: paper
title: A paper
kind: news
article: paper.txt
"""
ORGANIZATION = """\
id: host
name:
  en: The host
"""
EVENT = """\
id: fair
kind: exhibition
name:
  ko: 박람회
# The paper is plain about it.
start: 2025-09-04
end: 2025-09-05
organizations:
  - id: host
    role: host
evidence:
  - field: start
    value: 2025-09-04
    source: paper
    quote: opens on the 4th
  - field: end
    value: 2025-09-05
    source: paper
"""
ARTICLES = {"paper.txt": "The fair opens on the 4th and closes a day later."}
SOUND = {"sources/paper.yaml": SOURCE, "organizations/host.yaml": ORGANIZATION, "events/fair.yaml": EVENT}


def faults(changes: dict[str, str], articles: dict[str, str] | None = ARTICLES) -> list[tuple[str, int, str]]:
    found = seeds.check({**SOUND, **changes}, articles).faults
    return [(fault.path, fault.line, fault.detail) for fault in found]


def edited(before: str, after: str, path: str = "events/fair.yaml") -> dict[str, str]:
    assert before in SOUND[path]
    return {path: SOUND[path].replace(before, after, 1)}


def test_sound_seeds_have_no_faults() -> None:
    report = seeds.check(SOUND, ARTICLES)
    assert report.faults == ()
    assert report.counts == seeds.Counts(
        sources=1, organizations=1, series=0, programs=0, events=1, evidence=2, quotes=1
    )


def test_a_fault_reads_as_editors_jump_to_it() -> None:
    assert str(SeedFault(path="events/fair.yaml", line=7, detail="no")) == "events/fair.yaml:7: no"


# What is replaced in the sound event, by what, the line of the fault and what it says.
FAULTS = {
    "broken YAML": ("kind: exhibition", "kind: [", 4, "not YAML"),
    "control character": ("kind: exhibition", "kind: \x07", 2, "not YAML"),
    "not UTF-8": ("kind: exhibition", "kind: \udcff", 2, "not UTF-8"),
    "odd tag": ("kind: exhibition", "kind: !!binary aGk=", 2, "has no place"),
    "duplicate key": ("end: 2025", "start: 2025-09-04\nend: 2025", 7, "'start' is given twice"),
    "duplicate inner key": ("  ko: 박람회", "  ko: 박람회\n  ko: 전시", 5, "'ko' is given twice"),
    "file name is not the id": ("id: fair", "id: fare", 1, "the file is named 'fair'"),
    "unknown kind": ("kind: exhibition", "kind: fair", 2, "Invalid enum value 'fair'"),
    "unknown field": ("end: 2025-09-05", "ends: 2025-09-05", 7, "unknown field `ends`"),
    "missing field": ("    role: host\n", "", 9, "missing required field `role`"),
    "wrong type": ("start: 2025-09-04\n", "start: [2025]\n", 6, "Expected `str | null`"),
    "impossible date": ("start: 2025-09-04\n", "start: 2025-09-31\n", 6, "2025-09-31"),
    "unknown zone": ("end: 2025-09-05", "end: 2025-09-05\ntimezone: Asia/Soul", 8, "Asia/Soul"),
    "no name": ("  ko: 박람회", "  ko: null", 3, "needs Korean"),
    "unknown organization": ("  - id: host", "  - id: hosts", 9, "no organizations/hosts.yaml"),
    "unknown source": (
        "    source: paper\n    quote",
        "    source: papers\n    quote",
        14,
        "no sources/papers.yaml",
    ),
    "unknown series": ("end: 2025-09-05", "end: 2025-09-05\nseries: fairs", 8, "no series/fairs.yaml"),
    "unknown program": ("end: 2025-09-05", "end: 2025-09-05\nprogram: aid", 8, "no programs/aid.yaml"),
    "unknown whole": ("end: 2025-09-05", "end: 2025-09-05\npart_of: week", 8, "no events/week.yaml"),
    "unknown relation": (
        "organizations:",
        "related:\n  - relation: about\n    event: week\norganizations:",
        10,
        "no events/week.yaml",
    ),
    "date without evidence": ("    value: 2025-09-04", "    value: 2025-09-03", 6, "says start 2025-09-04"),
    "coarser evidence": ("    value: 2025-09-04", "    value: 2025-09", 6, "says start 2025-09-04"),
    "unsure evidence": ("    value: 2025-09-04", "    value: 2025-09-04?", 6, "says start 2025-09-04"),
    "deprecated evidence": ("    quote", "    rank: deprecated\n    quote", 6, "says start 2025-09-04"),
    "earlier date without evidence": (
        "organizations:",
        "previous_dates:\n  - start: 2025-09-01\n    end: null\norganizations:",
        9,
        "ever said start 2025-09-01",
    ),
    "a number that nobody counts": (
        "end: 2025-09-05",
        'end: 2025-09-05\nedition:\n  label: "2025"\n  number: 3',
        10,
        "counts this as number 3",
    ),
    "words not in the article": ("opens on the 4th", "opens  on the 4th", 15, "not in paper.txt"),
    "long quote": ("opens on the 4th", "o" * 121, 15, "length <= 120"),
}


@pytest.mark.parametrize(("before", "after", "line", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_at_its_line(before: str, after: str, line: int, says: str) -> None:
    [(path, at, detail)] = faults(edited(before, after))
    assert (path, at) == ("events/fair.yaml", line)
    assert says in detail


def test_a_file_that_cannot_be_read_is_not_also_missed_by_those_that_name_it() -> None:
    [(path, line, _detail)] = faults({"sources/paper.yaml": SOURCE.replace("kind: news", "kind: gossip")})
    assert (path, line) == ("sources/paper.yaml", 3)


def test_reversed_dates_are_found_at_the_end() -> None:
    changes = {"events/fair.yaml": EVENT.replace("2025-09-05", "2025-09-03")}
    [(path, line, _detail)] = faults(changes)
    assert (path, line) == ("events/fair.yaml", 7)


def test_all_faults_of_a_file_are_told_at_once() -> None:
    changes = edited("kind: exhibition", "kind: fair\ncolour: red")
    changes["events/fair.yaml"] = (
        changes["events/fair.yaml"]
        .replace("role: host", "role: guest")
        .replace("  - field: end\n", "  - field: finish\n")
    )
    assert [line for _, line, _ in faults(changes)] == [2, 3, 11, 17]


def test_faults_in_several_items_of_a_list_keep_their_lines() -> None:
    changes = {
        "events/fair.yaml": EVENT.replace("field: start", "field: first").replace("field: end", "field: last")
    }
    assert [line for _, line, _ in faults(changes)] == [12, 16]


def test_the_same_evidence_twice_is_one_too_many() -> None:
    again = "  - field: end\n    value: 2025-09-05\n    source: paper\n"
    [(path, line, _detail)] = faults({"events/fair.yaml": EVENT + again})
    assert (path, line) == ("events/fair.yaml", 19)


def test_a_closer_claim_carries_a_coarser_date() -> None:
    changes = edited("start: 2025-09-04", "start: 2025-09")
    assert faults(changes) == []


def test_without_the_articles_the_words_of_a_quote_are_taken_on_trust() -> None:
    assert faults(edited("opens on the 4th", "opened on the 4th"), None) == []


def test_only_a_source_that_names_its_article_can_be_quoted() -> None:
    [(path, line, detail)] = faults({"sources/paper.yaml": SOURCE.replace("article: paper.txt\n", "")}, None)
    assert (path, line) == ("events/fair.yaml", 15)
    assert "names no article" in detail


def test_an_article_that_is_not_there_is_named_where_it_is_claimed() -> None:
    found = faults({}, {})
    assert ("sources/paper.yaml", 4, "there is no article paper.txt") in found


@pytest.mark.parametrize("path", ["fair.yaml", "events/fair.yml", "event/fair.yaml", "events/2025/fair.yaml"])
def test_a_seed_has_its_place(path: str) -> None:
    [(at, line, detail)] = faults({path: EVENT})
    assert (at, line) == (path, 1)
    assert "<folder>/<id>.yaml" in detail


def test_events_that_are_part_of_each_other_are_told_once_for_each_circle() -> None:
    first = EVENT.replace("end: 2025-09-05\n", "end: 2025-09-05\npart_of: week\n", 1)
    second = first.replace("id: fair", "id: week").replace("part_of: week", "part_of: fair")
    [(_path, line, detail)] = faults({"events/fair.yaml": first, "events/week.yaml": second})
    assert line == 8
    assert detail in (
        "is part of itself: week -> fair -> week",
        "is part of itself: fair -> week -> fair",
    )


def test_events_may_name_each_other_as_related() -> None:
    first = EVENT + "related:\n  - relation: co_located_with\n    event: week\n"
    second = first.replace("id: fair", "id: week").replace("event: week", "event: fair")
    assert faults({"events/fair.yaml": first, "events/week.yaml": second}) == []


def test_a_program_by_nomination_has_no_window() -> None:
    program = "id: aid\nname:\n  en: Aid\nselection: nomination\n"
    window = EVENT.replace("kind: exhibition", "kind: application_window\nprogram: aid")
    [(path, line, detail)] = faults({"programs/aid.yaml": program, "events/fair.yaml": window})
    assert (path, line) == ("events/fair.yaml", 3)
    assert "nomination" in detail


NOT_SEEDS = {
    "empty": "",
    "a list": "- a list",
    "words": "just words",
    "two documents": "id: fair\n---\nid: fair",
    "brackets without end": "[" * 100_000,
    "lists in lists": "- " * 100_000,
    "mappings in mappings": "".join("  " * depth + "a:\n" for depth in range(500)),
    "an alias": "id: &a fair\nkind: *a",
    "an alias inside itself": "id: &a [*a]",
}


@pytest.mark.parametrize("text", NOT_SEEDS.values(), ids=NOT_SEEDS)
def test_what_is_no_seed_at_all_is_one_fault_and_no_crash(text: str) -> None:
    [(path, _line, _detail)] = faults({"events/fair.yaml": text})
    assert path == "events/fair.yaml"


@given(start=st.integers(0, len(EVENT)), length=st.integers(0, 60), text=st.text(max_size=20))
def test_no_edit_of_a_seed_makes_the_check_fail(start: int, length: int, text: str) -> None:
    seeds.check({**SOUND, "events/fair.yaml": EVENT[:start] + text + EVENT[start + length :]}, ARTICLES)


@pytest.mark.parametrize("written", ["2025-09-04", "'2025-09-04'", '"2025-09-04"'])
def test_a_date_stays_text_however_it_is_written(written: str) -> None:
    parsed = seeds.parse(edited("start: 2025-09-04", f"start: {written}") | SOUND_BUT_EVENT)
    assert parsed.events[0].start == "2025-09-04"


@pytest.mark.parametrize(("written", "country"), [("NO", "NO"), ("KR", "KR")])
def test_norway_stays_a_country(written: str, country: str) -> None:
    parsed = seeds.parse(
        edited("organizations:", f"place:\n  country: {written}\norganizations:") | SOUND_BUT_EVENT
    )
    assert parsed.events[0].place is not None
    assert parsed.events[0].place.country == country


def test_a_year_a_number_and_a_boolean_are_read_as_their_fields_want() -> None:
    more = "edition:\n  label: 2025\n  number: 3\nplace:\n  city: 제주\n  inherited: true\nevidence:"
    counted = "\n  - field: edition\n    value: 3\n    source: paper"
    parsed = seeds.parse(edited("evidence:", more + counted) | SOUND_BUT_EVENT)
    [event] = parsed.events
    assert event.edition is not None
    assert (event.edition.label, event.edition.number) == ("2025", 3)
    assert event.place is not None
    assert event.place.inherited is True


SOUND_BUT_EVENT = {path: text for path, text in SOUND.items() if path != "events/fair.yaml"}


def test_nothing_is_parsed_while_there_are_faults() -> None:
    with pytest.raises(seeds.BadSeeds) as caught:
        seeds.parse({**SOUND, **edited("id: fair", "id: fare")})
    assert [fault.line for fault in caught.value.faults] == [1]


def test_wholes_come_before_their_parts() -> None:
    part = EVENT.replace("id: fair", "id: a-day").replace(
        "end: 2025-09-05\n", "end: 2025-09-05\npart_of: fair\n", 1
    )
    parsed = seeds.parse({**SOUND, "events/a-day.yaml": part})
    assert [event.id for event in parsed.events] == ["fair", "a-day"]


def test_two_seeds_that_would_have_one_feed_are_named() -> None:
    twin = {"programs/host.yaml": "id: host\nname:\n  en: The host's\n"}
    detail = "programs/host.yaml has this id, and its feed this name; choose another"
    assert faults(twin) == [("organizations/host.yaml", 1, detail)]


def test_a_name_that_nobody_can_see_and_an_address_with_a_password_are_found_at_their_lines() -> None:
    unseen = "it is blank; leave it out or write something that can be seen"
    assert faults(edited("ko: 박람회", "ko: \u3164\u200b")) == [("events/fair.yaml", 4, unseen)]
    found = faults(edited("kind: news", "kind: news\nurl: https://u:p@a.kr/", "sources/paper.yaml"))
    assert [(path, line, detail[:28]) for path, line, detail in found] == [
        ("sources/paper.yaml", 4, "it carries a user name or a ")
    ]
