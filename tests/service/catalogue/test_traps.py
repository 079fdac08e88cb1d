"""The eighteen traps of the five articles (notes/events.md A5): what the catalogue makes of each.

They run over the seeds we ship; where nothing is seeded for a trap, over an event of its own.
"""

from datetime import UTC, date, datetime, time

import msgspec
import pytest

from feeds.entry import Entry
from service.catalogue import dates, entries, evidence, search_terms, seeds, validation, view, windows
from service.catalogue.entries import Style
from service.catalogue.event import Event, Evidence, EvidenceField, Source, Text
from service.catalogue.seed_yaml import SeedFault
from tests.support.bundled_seeds import FILES, SEEDS

EVENTS = {event.id: event for event in SEEDS.events}
SERIES = {one.id: one for one in SEEDS.series}
SOURCES = {source.id: source for source in SEEDS.sources}
ORGANIZATIONS = {organization.id: organization for organization in SEEDS.organizations}

MINISTERIAL = EVENTS["apec-sme-ministerial-2025"]
VENTURE_SUMMIT = EVENTS["global-venture-investment-summit-2025"]
NETWORK_FORUM = EVENTS["sme-innovation-network-forum-2025"]
CLIMATE_SUMMIT = EVENTS["climate-tech-startup-summit-2025"]
EXPO = EVENTS["sme-tech-management-expo-2025"]
TECH_CONFERENCE = EVENTS["global-super-gap-tech-conference-2025"]
MEETUP_DAY = EVENTS["deep-tech-value-up-meetup-day-2025"]
SEOULCON_2023 = EVENTS["seoulcon-2023"]
OPENDATA = EVENTS["opendata-ai-challenge-2025-call"]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def said(event: Event, field: EvidenceField, *, source: str | None = None) -> list[Evidence]:
    return [item for item in event.evidence if item.field == field and source in (None, item.source)]


def origins(event: Event, field: EvidenceField, value: str) -> set[str]:
    about = [w for w in evidence.witnesses(event, SOURCES.values()) if (w.field, w.value) == (field, value)]
    return {origin for witness in about for origin in witness.origins}


def kept(event: Event) -> view.Document:
    """The event as the store keeps it and everybody sees it."""
    previous = event.previous_dates or ()
    document = view.document(
        event, previous_dates=previous, revision=1, seq=1, created_at=NOW, updated_at=NOW
    )
    return msgspec.json.decode(document, type=view.Document)


def shown(event: Event) -> tuple[Entry, ...]:
    style = Style(lang="ko", base_url="https://dday.test")
    return entries.entries(kept(event), uid="it@dday.test", around={}, style=style)


def test_c1_two_articles_of_one_press_release_do_not_outvote_the_primary_sources() -> None:
    assert (MINISTERIAL.series, MINISTERIAL.start, MINISTERIAL.end) == (
        "apec-sme-ministerial",
        "2025-09-01",
        "2025-09-05",
    )
    august = [item for item in said(MINISTERIAL, "start") if item.value == "2025-08"]
    assert {item.source for item in august} == {"newstomato-20251028", "etoday-2519215"}
    assert {(item.rank, item.note) for item in august} == {("deprecated", "contradicted_by_primary")}
    assert origins(MINISTERIAL, "start", "2025-08") == {"mss-release-20251028"}


def test_c1_the_accepted_week_has_four_origins_however_many_reprints() -> None:
    september = [item for item in said(MINISTERIAL, "start") if item.value == "2025-09-01"]
    assert "preferred" in {item.rank for item in september}
    assert len(september) == 5
    assert len(origins(MINISTERIAL, "start", "2025-09-01")) == 4


def test_c1_the_wrong_month_stays_visible_and_disputes_nothing() -> None:
    document = kept(MINISTERIAL)
    assert "2025-08" in [item.value for item in document.evidence]
    assert document.disputed is False


def test_c2_a_photo_caption_is_evidence() -> None:
    [caption] = said(VENTURE_SUMMIT, "start", source="edaily-20250904")
    assert caption.quote == "4일 제주 제주국제컨벤션센터(ICC)에서 열린 ‘2025 글로벌 벤처투자 서밋 in APEC’"
    assert VENTURE_SUMMIT.start == "2025-09-04"


def test_c3_a_sum_that_does_not_add_up_is_kept_as_it_is_claimed() -> None:
    [claim, *_] = said(VENTURE_SUMMIT, "claim")
    assert claim.value == "17개국 77개 해외기관, 60여개 국내 투자기관 등 총 147개 기관"
    assert claim.quote == "17개국의 77개 해외기관, 60여개 국내 투자기관 등 총 147개 기관"


def test_c4_a_day_without_month_and_year_is_dated_by_another_source_and_stays_inferred() -> None:
    starts = {item.source: item.value for item in said(MEETUP_DAY, "start")}
    assert starts == {"mydaily-20250312": "XXXX-XX-12", "metro-20250312500436": "2025-03-12?"}
    assert MEETUP_DAY.start == "2025-03-12?"
    when = view.when(MEETUP_DAY)
    assert (when.precision, when.uncertain) == ("day", True)
    assert not evidence.disputed(MEETUP_DAY)


def test_c4_without_that_source_the_twelfth_has_no_bounds() -> None:
    alone = msgspec.structs.replace(MEETUP_DAY, start="XXXX-XX-12")
    when = view.when(alone)
    assert (when.precision, when.earliest, when.latest) == ("unknown", None, None)
    assert [entry.start for entry in shown(alone)] == [None]


@pytest.mark.parametrize(
    ("event", "article", "day", "start", "end"),
    [
        (NETWORK_FORUM, "edaily-20250904", "2025-09-04?", "2025-09-03", "2025-09-04"),
        (CLIMATE_SUMMIT, "edaily-20250904", "2025-09-04?", "2025-09-04", "2025-09-06"),
        (SEOULCON_2023, "itdonga-20231227", "2023-12-30", "2023-12-30", "2024-01-01"),
    ],
    ids=["E3", "E4", "E17"],
)
def test_c5_the_one_day_an_article_shows_is_neither_start_nor_end(
    event: Event, article: str, day: str, start: str, end: str
) -> None:
    [seen] = said(event, "contains", source=article)
    assert seen.value == day
    assert said(event, "start", source=article) == said(event, "end", source=article) == []
    assert (event.start, event.end) == (start, end)
    assert not evidence.disputed(event)


def test_c6_a_venue_is_not_taken_over_from_the_event_around_it() -> None:
    assert MINISTERIAL.place is not None
    assert NETWORK_FORUM.place is not None
    assert NETWORK_FORUM.place.name != MINISTERIAL.place.name
    assert NETWORK_FORUM.place.inherited is False
    assert [item.value for item in said(NETWORK_FORUM, "place")] == ["그랜드조선 제주 한라홀"]


def test_c6_a_part_without_a_venue_of_its_own_has_none_or_says_that_it_is_inherited() -> None:
    assert kept(EVENTS["apec-sme-innovation-forum-2025"]).place is None
    meeting = kept(EVENTS["apec-sme-ministerial-2025-meeting"])
    assert meeting.place is not None
    assert meeting.place.inherited is True


def test_c7_what_was_reported_beats_what_was_planned_and_both_are_kept() -> None:
    starts = [(item.value, item.rank, item.note) for item in said(EXPO, "start")]
    assert starts == [("2025-09-01", "normal", "planned"), ("2025-09-04", "preferred", "reported")]
    assert (EXPO.start, EXPO.end) == ("2025-09-04", "2025-09-05")
    assert not evidence.disputed(EXPO)


@pytest.mark.parametrize(
    ("series", "edition", "name", "alias"),
    [
        (
            "global-venture-investment-summit",
            "global-venture-investment-summit-2024",
            "K-글로벌 벤처캐피탈 서밋 2024",
            ("K-글로벌 벤처캐피탈 서밋", None, "2024"),
        ),
        (
            "global-super-gap-tech-conference",
            "global-super-gap-tech-conference-2023",
            "2023 DIPS 1000+ 테크 컨퍼런스",
            ("DIPS 1000+ 테크 컨퍼런스", None, "2023"),
        ),
    ],
)
def test_c8_a_renamed_series_keeps_its_names_with_their_time_and_editions_keep_theirs(
    series: str, edition: str, name: str, alias: tuple[str, str | None, str | None]
) -> None:
    assert EVENTS[edition].series == series
    assert EVENTS[edition].name.ko == name
    assert alias in [(one.text, one.since, one.until) for one in SERIES[series].aliases]


def test_c8_the_forum_of_the_plan_was_a_name_for_a_few_months_only() -> None:
    plan = [one for one in SERIES["global-venture-investment-summit"].aliases if "포럼" in one.text]
    assert [(one.since, one.until) for one in plan] == [("2025", "2025-05")]


@pytest.mark.parametrize("spelling", ["글로벌 초격차 테크 컨퍼런스", "글로벌 초격차 테크 콘퍼런스"])
def test_c9_both_spellings_name_the_same_series(spelling: str) -> None:
    named = [
        one.id
        for one in SEEDS.series
        if search_terms.normalise(spelling)
        in map(search_terms.normalise, [one.name.ko or "", *(alias.text for alias in one.aliases)])
    ]
    assert named == ["global-super-gap-tech-conference"]


def test_c9_a_former_name_is_an_alias_with_its_end() -> None:
    former = {alias.text: alias.until for alias in ORGANIZATIONS["sba"].aliases}
    assert former["서울산업진흥원"] == "2023"


def test_c9_both_counters_are_told_of_the_one_ministerial() -> None:
    assert MINISTERIAL.name.ko == "제31차 APEC 중소기업 장관회의"
    assert [item.value for item in said(MINISTERIAL, "name")] == ["제31회 APEC 중소기업 장관회의"]
    assert MINISTERIAL.edition is not None
    assert MINISTERIAL.edition.number == 31


def test_c9_a_misprint_stays_in_the_quote_and_out_of_the_name() -> None:
    pitches = EVENTS["global-super-gap-tech-conference-2025-vc-membership-ir"]
    assert "초격자" in (pitches.evidence[0].quote or "")
    assert pitches.name.ko == "초격차 VC 멤버십 IR"


@pytest.mark.parametrize(
    ("edition", "label", "last_day"),
    [
        ("seoulcon-2023", "2023", "2024-01-01"),
        ("seoulcon-2024", "2024", "2025-01-01"),
        ("seoulcon-2025", "2025", "2026-01-01"),
    ],
)
def test_c10_the_label_of_an_edition_is_not_the_year_it_ends_in(
    edition: str, label: str, last_day: str
) -> None:
    event = EVENTS[edition]
    assert event.edition is not None
    assert (event.edition.label, event.end) == (label, last_day)


def test_c11_a_cancelled_part_leaves_the_event_scheduled() -> None:
    countdown = EVENTS["seoulcon-2024-countdown"]
    assert countdown.part_of == "seoulcon-2024"
    assert (countdown.status, EVENTS["seoulcon-2024"].status) == ("cancelled", "scheduled")
    [decision] = said(countdown, "status")
    assert SOURCES[decision.source].published == "2024-12-30T11:56"
    assert [entry.status for entry in shown(countdown)] == ["cancelled"]


def test_c12_an_article_may_be_older_than_what_it_tells_in_the_past_tense() -> None:
    partnership = EVENTS["deep-tech-value-up-partnership-day-2025"]
    [told] = said(partnership, "start", source="asiae-2025120919310336067")
    published = SOURCES[told.source].published
    assert published is not None
    assert published < (told.value or "") == partnership.start == "2025-12-10"
    assert told.rank == "normal"


def test_c13_the_date_stamp_of_an_unknown_mirror_moves_nothing() -> None:
    conference = EVENTS["global-super-gap-tech-conference-2024"]
    [stamped] = said(conference, "start", source="terradarcobaleno-1182729")
    assert (SOURCES[stamped.source].kind, SOURCES[stamped.source].published) == ("mirror", "2025-11-26")
    assert (stamped.value, stamped.rank) == ("2025-11-26", "deprecated")
    assert conference.start == "2024-11-26"
    assert evidence.last_seen(conference, SOURCES.values()) == date(2024, 11, 26)
    assert not evidence.disputed(conference)


# One article, two dates: its sub-headline closes the call on the 25th, its body on the 27th.
TWO_CLOSES = validation.check(
    Event(
        id="a-call-2023",
        kind="application_window",
        name=Text(ko="어느 지원사업 모집"),
        start="2023-03-28",
        end="2023-04-27",
        evidence=(
            Evidence(field="start", value="2023-03-28", source="kbmaeil"),
            Evidence(field="end", value="2023-04-25", source="kbmaeil", note="sub-headline: 내달 25일까지"),
            Evidence(field="end", value="2023-04-27", source="kbmaeil", note="body: 다음달 27일까지"),
        ),
    )
)


def test_c14_a_headline_and_a_body_that_differ_are_a_dispute_that_shows_both() -> None:
    assert evidence.disputes(TWO_CLOSES) == (
        evidence.Dispute(field="end", values=("2023-04-25", "2023-04-27")),
    )
    assert kept(TWO_CLOSES).disputed is True
    [first, second] = [
        w for w in evidence.witnesses(TWO_CLOSES, [Source(id="kbmaeil", title="기사", kind="news")])
        if w.field == "end"
    ]  # fmt: skip
    assert first.origins == second.origins == ("kbmaeil",)


def test_c14_a_calendar_carries_the_earlier_close_and_marks_it_tentative() -> None:
    assert evidence.earliest(TWO_CLOSES, "end") == "2023-04-25"
    closes = shown(TWO_CLOSES)[-1]
    assert (closes.start, closes.status) == (date(2023, 4, 25), "tentative")


def test_c14_between_the_two_closes_nobody_is_told_that_it_is_open() -> None:
    steps = windows.phase_steps(TWO_CLOSES, seen=None)
    between = dates.local_instant(date(2023, 4, 26), time(12), dates.zone("Asia/Seoul"))
    assert windows.phase_at(steps, between) == "unknown"


def test_c15_an_extended_deadline_is_a_revision_and_no_conflict() -> None:
    assert (OPENDATA.start, OPENDATA.end) == ("2025-11-06", "2025-11-30")
    assert not evidence.disputed(OPENDATA)
    document = kept(OPENDATA)
    assert [(one.start, one.end) for one in document.previous_dates] == [("2025-11-06", "2025-11-26")]
    earlier = [item for item in said(OPENDATA, "end") if item.value == "2025-11-26"]
    assert {item.rank for item in earlier} == {"deprecated"}


def test_c16_the_notice_and_the_window_are_two_intervals() -> None:
    notice, call = EVENTS["dcp-ecosystem-2026-notice"], EVENTS["dcp-ecosystem-2026-call"]
    assert (notice.kind, notice.start, notice.end) == ("milestone", "2026-01-08", "2026-04-07")
    assert (call.kind, call.start, call.end) == ("application_window", "2026-02-20", "2026-04-07")
    assert notice.program == call.program == "deep-tech-challenge-project"


def test_c17_a_paragraph_printed_twice_is_one_piece_of_evidence() -> None:
    for noun in (*SEEDS.events, *SEEDS.programs):
        pieces = [(item.field, item.value, item.source, item.quote) for item in noun.evidence]
        assert len(pieces) == len(set(pieces)), noun.id


def test_c17_giving_it_twice_is_refused() -> None:
    twice = FILES["events/korea-vietnam-bilateral-2025.yaml"] + (
        "  - field: start\n    value: 2025-09-04?\n    source: edaily-20250904\n"
        "    quote: 이날 오전 있던 베트남과의 양자면담에서\n"
    )
    report = seeds.check({**FILES, "events/korea-vietnam-bilateral-2025.yaml": twice}, None)
    assert [(type(fault), fault.path) for fault in report.faults] == [
        (SeedFault, "events/korea-vietnam-bilateral-2025.yaml")
    ]


def test_c18_a_side_event_in_another_city_is_affiliated_and_not_a_part() -> None:
    summit = EVENTS["apec-leaders-meeting-2025"]
    assert TECH_CONFERENCE.part_of is None
    ties = [(tie.relation, tie.event) for tie in TECH_CONFERENCE.related if tie.event == summit.id]
    assert ties == [("affiliated_with", "apec-leaders-meeting-2025")]
    assert TECH_CONFERENCE.place is not None
    assert summit.place is not None
    assert (TECH_CONFERENCE.place.cities[0], summit.place.cities[0]) == ("서울", "경주")
    assert (TECH_CONFERENCE.end or "") < (summit.start or "")
