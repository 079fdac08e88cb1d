"""Drafts as files: what a calendar says anew is known by UID and SEQUENCE, and curators' words stay."""

from textwrap import dedent

import pytest

from service.catalogue import seeds
from service.importers import child
from service.importers.draft_files import compared
from service.importers.drafts import Choices
from tests.feeds.test_foreign_ical import calendar, event

FIRST = "DTSTART;VALUE=DATE:20270210"
SOURCE = "id: expo\ntitle: Expo calendar\nkind: official_notice\n"


def meeting(*lines: str, uid: str = "a", start: str = FIRST) -> bytes:
    return event("SUMMARY:Demo day", *lines, uid=uid, start=start)


def reading(*parts: bytes, files=None, source="expo", **choices):
    chosen = Choices(timezone="Asia/Seoul", source=source, **choices)
    answer = child.result(calendar(*parts), chosen)
    return compared(answer.drafts, files or {}, source=source, expand=chosen.expand)


def written(found, files=None):
    return {**(files or {}), **{each.path: each.text for each in found if each.text is not None}}


def outcomes(found):
    return [(each.outcome, each.path, each.detail) for each in found]


def test_a_file_of_a_draft_with_a_source_is_a_seed():
    files = written(
        reading(
            meeting("DTEND;VALUE=DATE:20270213", "STATUS:CANCELLED", "LOCATION:DDP", "GEO:37;127"),
            meeting("ORGANIZER;CN=중기부:mailto:a@b.kr", uid="b", start="DTSTART:20270211T010000Z"),
        )
    )
    report = seeds.check(
        {"sources/expo.yaml": SOURCE, **{f"events/{path}": text for path, text in files.items()}}, None
    )
    # The organizer is a claim of the calendar; which organization it is, it cannot say.
    assert (report.faults, report.counts.events, report.counts.evidence) == ((), 2, 5)
    [first, *_] = files.values()
    assert first.partition("\n")[2] == dedent(
        """\
        id: demo-day-2027
        kind: other
        name:
          en: Demo day
        status: cancelled
        start: '2027-02-10'
        end: '2027-02-12'
        timezone: Asia/Seoul
        place:
          name:
            en: DDP
          geo:
            lat: 37.0
            lon: 127.0
        external_ids:
          ical: a
        evidence:
        - field: start
          value: '2027-02-10'
          source: expo
          note: DTSTART;VALUE=DATE:20270210
        - field: end
          value: '2027-02-12'
          source: expo
          note: DTEND;VALUE=DATE:20270213
        - field: status
          value: cancelled
          source: expo
          note: STATUS:CANCELLED
        """
    )


def test_what_is_new_changed_unchanged_and_gone_is_known_by_uid():
    files = written(reading(meeting(), meeting(uid="b", start="DTSTART:20270301"), meeting(uid="c")))
    found = reading(
        meeting("SEQUENCE:1", start="DTSTART;VALUE=DATE:20270212"),
        meeting(uid="b", start="DTSTART:20270301"),
        meeting(uid="d", start="DTSTART:20270401"),
        files=files,
    )
    paths = {each.uid: each.path for each in found}
    assert outcomes(found) == [
        ("changed", "demo-day-2027.yaml", "start 2027-02-10 → 2027-02-12, external_ids, evidence"),
        ("unchanged", paths["b"], ""),
        ("new", paths["d"], ""),
        ("gone", paths["c"], "the calendar has it no more"),
    ]
    assert len(set(paths.values())) == 4
    assert [each.outcome for each in reading(meeting(), files=written(found, files))] == [
        "older",
        "gone",
        "gone",
        "gone",
    ]


def test_what_a_curator_edited_is_told_and_kept_until_it_says_what_the_calendar_says():
    [(path, text)] = written(reading(meeting())).items()
    mine = {
        "demo.yaml": text.replace("id: demo-day-2027", "id: demo").replace("kind: other", "kind: showcase")
    }
    assert outcomes(reading(meeting(), files=mine)) == [("unchanged", "demo.yaml", "")]
    moved = meeting("SEQUENCE:2", start="DTSTART;VALUE=DATE:20270215")
    assert [(each.text, each.detail) for each in reading(moved, files=mine)] == [
        (
            None,
            "edited by hand and kept; the calendar now says start 2027-02-10 → 2027-02-15, "
            "ical.sequence 0 → 2",
        )
    ]
    taken_over = mine["demo.yaml"].replace("2027-02-10", "2027-02-15")
    taken_over = taken_over.replace("  ical: a\n", "  ical: a\n  ical.sequence: '2'\n")
    assert outcomes(reading(moved, files={"demo.yaml": taken_over})) == [("unchanged", "demo.yaml", "")]
    assert path == "demo-day-2027.yaml"


def test_a_file_about_something_else_is_never_overwritten():
    other = {"demo-day-2027.yaml": "id: demo-day-2027\nkind: other\nname:\n  en: Mine\n", "broken.yaml": ":"}
    [found] = reading(meeting(), files=other)
    assert found.outcome == "new"
    assert found.path.startswith("demo-day-2027-")
    again = reading(meeting(), files=written([found], other))
    assert outcomes(again) == [("unchanged", found.path, "")]


def test_a_file_of_another_calendar_is_not_gone_and_not_overwritten():
    theirs = written(reading(meeting(), source="theirs"))
    assert outcomes(reading(meeting(uid="b"), files=theirs))[1:] == []
    moved = meeting(start="DTSTART;VALUE=DATE:20270215")
    assert [each.outcome for each in reading(moved, files=theirs)] == ["edited"]


def test_what_could_not_be_drafted_is_not_gone():
    files = written(reading(meeting()))
    assert reading(event("SUMMARY:Demo day", start="DTSTART:soon"), files=files) == ()


@pytest.mark.parametrize("source", [None, "expo"])
def test_dates_of_one_uid_are_files_of_their_own(source):
    series = meeting("RRULE:FREQ=WEEKLY;COUNT=3")
    files = written(reading(series, source=source, expand=True))
    assert sorted(files) == [f"demo-day-2027-02-{day}.yaml" for day in (10, 17, 24)]
    assert {each.outcome for each in reading(series, files=files, source=source)} == {"unchanged"}
    fewer = meeting("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;VALUE=DATE:20270217")
    again = reading(fewer, files=files, source=source, expand=True)
    assert [(each.outcome, each.path[-7:-5]) for each in again if each.outcome == "gone"] == [("gone", "17")]
