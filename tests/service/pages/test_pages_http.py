"""Pages over HTTP: what they hold, how they are kept, where they lead."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.catalogue import vocabulary
from service.catalogue.event import (
    CloseRule,
    Event,
    EvidenceField,
    Kind,
    Language,
    OrganizationKind,
    PartRole,
    ProgramKind,
    Rank,
    Relation,
    SelectionMode,
    SourceKind,
    Status,
    Text,
)
from service.catalogue.windows import Phase
from service.pages import phrases
from service.pages.components import local
from service.pages.phrases import PHRASES
from service.store import events
from tests.service.pages.conftest import ADMIN, NOW, SEEDS
from tests.service.pages.html_reader import Read, read

Client = TestClient[Litestar]
GOLDEN = Path(__file__).parents[2] / "golden" / "pages"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HIDDEN = {event.id for event in SEEDS.events if event.visibility == "internal"}
PAGES = (
    "/",
    "/en/",
    "/events/seoulcon-2025",
    "/en/series/seoulcon",
    "/programs/next-unicorn-project",
    "/organizations/mss",
)


def page(client: Client, path: str) -> Read:
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
    return read(answer.text)


@pytest.mark.parametrize(
    "path", ["/events/apec-sme-ministerial-2025", "/en/events/opendata-ai-challenge-2025-call"]
)
def test_a_page_matches_its_golden_file(seeded: Client, path: str) -> None:
    """`GOLDEN=write pytest …` writes it anew; review the diff."""
    html = re.sub(r"/static/(\w+)-\w{16}", r"/static/\1", seeded.get(path).text)
    file = GOLDEN / (path.strip("/").replace("/", "-") + ".html")
    if os.environ.get("GOLDEN") == "write":
        file.write_text(html, "utf-8")
    assert html == file.read_text("utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_asked_for_again_and_sent_once(seeded: Client, path: str) -> None:
    first = seeded.get(path)
    etag = first.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    again = seeded.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    head = seeded.head(path)
    assert (head.status_code, head.content, head.headers) == (200, b"", first.headers)
    assert first.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PAGES)
def test_no_script_runs_and_nothing_comes_from_elsewhere(seeded: Client, path: str) -> None:
    answer = seeded.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "script-src" not in policy
    found = read(answer.text)
    assert set(found.values("script", "type")) <= {"application/ld+json"}
    assert found.values("script", "src") == []
    assert [name for _, name, _ in found.attributes if name.startswith("on") or name == "style"] == []


@pytest.mark.parametrize("path", ["/", "/events/seoulcon-2025", "/series/seoulcon"])
def test_each_language_names_itself_and_the_other(seeded: Client, path: str) -> None:
    english = f"/en{path}"
    for address, lang in ((path, "ko"), (english, "en")):
        found = page(seeded, address)
        assert found.values("html", "lang") == [lang]
        named = dict(zip(found.values("link", "hreflang"), alternates(found), strict=True))
        assert named == {
            "ko": f"https://dday.example{path}",
            "en": f"https://dday.example{english}",
            "x-default": f"https://dday.example{path}",
        }


def alternates(found: Read) -> list[str]:
    return [link for link in found.values("link", "href") if not re.search(r"\.ics|/v1/|/static/", link)][1:]


def test_headings_and_landmarks_are_in_order(seeded: Client) -> None:
    for path in PAGES:
        found = page(seeded, path)
        assert found.headings.count("h1") == 1 and found.headings[0] == "h1", path
        levels = [int(heading[1]) for heading in found.headings]
        assert all(after <= before + 1 for before, after in pairwise(levels)), path
        tags = [tag for tag, _ in found.shape]
        assert [tags.count(tag) for tag in ("main", "nav")] == [1, 1]
        ids = [value for _, name, value in found.attributes if name == "id"]
        assert len(ids) == len(set(ids))


def test_a_subscriber_finds_the_feed(seeded: Client) -> None:
    html = seeded.get("/en/series/seoulcon").text
    assert (
        '<link rel="alternate" type="text/calendar" title="SeoulCon" '
        'href="https://dday.example/feeds/en/seoulcon.ics">'
    ) in html
    assert "webcal://dday.example/feeds/en/seoulcon.ics" in html
    assert "Changes show after 4 to 24 hours" in html


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_a_calendar_is_offered_exactly_where_it_has_an_entry(seeded: Client, lang: Language) -> None:
    empty = set()
    for event in SEEDS.events:
        if event.id in HIDDEN:
            continue
        feed = f"/feeds/{lang}/events/{event.id}.ics"
        found = page(seeded, local(f"/events/{event.id}", lang))
        has_entry = "BEGIN:VEVENT" in seeded.get(feed).text
        assert (feed in found.values("a", "href")) == has_entry, event.id
        assert ("text/calendar" in found.values("link", "type")) == has_entry, event.id
        assert (PHRASES[lang].no_day in found.text) == (not has_entry), event.id
        empty |= set() if has_entry else {event.id}
    assert {"seoul-tech-meetup-first-event", "zer01ne-day-2024"} <= empty


def test_the_json_ld_says_what_is_known_and_no_more(seeded: Client) -> None:
    [script] = page(seeded, "/en/events/apec-sme-ministerial-2025").scripts
    node = json.loads(script)
    known = {name: node[name] for name in ("@context", "@type", "name", "url", "startDate", "endDate")}
    assert known == {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": "31st APEC SME Ministerial Meeting",
        "url": "https://dday.example/events/apec-sme-ministerial-2025",
        "startDate": "2025-09-01",
        "endDate": "2025-09-05",
    }
    assert node["eventStatus"] == "https://schema.org/EventScheduled"
    assert [body["name"] for body in node["organizer"]] == ["Ministry of SMEs and Startups"]


@pytest.mark.parametrize("event", SEEDS.events, ids=lambda event: event.id)
def test_the_json_ld_of_every_seed_has_no_date_that_nobody_stated(seeded: Client, event: Any) -> None:
    if event.id in HIDDEN:
        assert seeded.get(f"/events/{event.id}", headers=BROWSER).status_code == 404
        return
    [script] = page(seeded, f"/events/{event.id}").scripts
    node = json.loads(script)
    for written, told in ((event.start, node.get("startDate")), (event.end, node.get("endDate"))):
        day = re.fullmatch(r"(\d{4}-\d\d-\d\d)(T\d\d:\d\d)?[?~%]?", written or "")
        if day is None:
            assert told is None
        elif "24:00" not in written:
            assert told is not None and told.startswith(day[1] + (day[2] or ""))


def test_every_link_of_every_page_leads_somewhere(seeded: Client) -> None:
    seen: set[str] = set()
    ahead = ["/"]
    while ahead:
        path = ahead.pop().partition("#")[0]
        if path in seen:
            continue
        seen.add(path)
        if re.match(r"/(v1|feeds)/.*/|/docs|/v1/events/", path) and not path.startswith("/docs"):
            continue
        answer = seeded.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html") and path != "/docs":
            ahead += [link for link in read(answer.text).links if link.startswith("/")]
    events = {f"/events/{event.id}" for event in SEEDS.events if event.id not in HIDDEN}
    groups = {f"/series/{one.id}" for one in SEEDS.series} | {f"/programs/{one.id}" for one in SEEDS.programs}
    assert (events | groups) - seen == set()
    assert not {f"/events/{name}" for name in HIDDEN} & seen
    # A sample of the many files that every event has twice.
    for path in [path for path in sorted(seen) if re.match(r"/(v1|feeds)/", path)][::9]:
        assert seeded.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path", ["/events/none", "/en/events/none", "/series/none", "/nowhere", "/events/..%2f", "/events/A%00"]
)
def test_a_browser_gets_a_page_that_says_there_is_none(seeded: Client, path: str) -> None:
    answer = seeded.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    lang = "en" if path.startswith("/en/") else "ko"
    assert read(answer.text).values("html", "lang") == [lang]


def test_a_program_gets_a_problem_for_an_address_that_is_none(seeded: Client) -> None:
    for path, accept in (("/nowhere", "*/*"), ("/v1/nowhere", BROWSER["accept"])):
        answer = seeded.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_pages_take_no_other_method_and_any_query(seeded: Client) -> None:
    refused = seeded.post("/events/seoulcon-2025")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert seeded.get("/?utm_source=mail&utm_source=x").status_code == 200


def test_the_style_sheet_keeps_for_a_year_under_a_name_of_its_content(seeded: Client) -> None:
    [style] = [link for link in read(seeded.get("/").text).values("link", "href") if ".css" in link]
    answer = seeded.get(style)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert seeded.get("/static/style-0000000000000000.css").status_code == 404


def test_a_change_shows_at_once(empty: Client) -> None:
    bearer = {"authorization": f"Bearer {ADMIN}"}
    event = {"kind": "showcase", "name": {"ko": "데모데이"}, "start": "2025-09-01"}
    assert empty.put("/v1/events/demo", json=event, headers=bearer).status_code == 201
    before = empty.get("/events/demo")
    assert "2025년 9월 1일(월)" in before.text and "D-12" in before.text
    empty.put("/v1/events/demo", json={**event, "start": "2025-09-03"}, headers=bearer)
    after = empty.get("/events/demo", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200 and "D-14" in after.text
    assert "<del>2025년 9월 1일(월)</del>" in after.text


def test_sources_that_disagree_are_shown_as_such(empty: Client) -> None:
    bearer = {"authorization": f"Bearer {ADMIN}"}
    for name in ("a", "b"):
        source = {"title": f"Source {name}", "kind": "news", "url": f"https://{name}.example/"}
        assert empty.put(f"/v1/sources/{name}", json=source, headers=bearer).status_code == 201
    said = [
        {"field": "end", "value": "2025-08-27", "source": "a"},
        {"field": "end", "value": "2025-08-25", "source": "b", "quote": "8월 25일까지"},
        {"field": "end", "value": "2025-08-20", "source": "b", "rank": "deprecated"},
    ]
    call = {"kind": "application_window", "name": {"ko": "모집"}, "start": "2025-08-01", "end": "2025-08-27"}
    assert empty.put("/v1/events/call", json={**call, "evidence": said}, headers=bearer).status_code == 201
    html = empty.get("/en/events/call").text
    # Of two deadlines the earlier one is counted to.
    assert "D-5" in html and "Sources disagree" in html
    assert "End: Wed, 27 Aug 2025 ↔ Mon, 25 Aug 2025" in html
    assert "<s>Wed, 20 Aug 2025</s>" in html and "8월 25일까지" in html


def test_of_a_cancelled_call_nothing_is_to_be_announced(empty: Client) -> None:
    bearer = {"authorization": f"Bearer {ADMIN}"}
    call = {"kind": "application_window", "name": {"en": "A call"}, "close_rule": "to_be_announced"}
    assert empty.put("/v1/events/call", json=call, headers=bearer).status_code == 201
    assert "to be announced" in page(empty, "/en/events/call").text
    off = {**call, "status": "cancelled"}
    assert empty.put("/v1/events/call", json=off, headers=bearer).status_code == 200
    assert "to be announced" not in page(empty, "/en/events/call").text


def test_a_call_without_a_closing_day_says_so_and_counts_to_none(empty: Client) -> None:
    bearer = {"authorization": f"Bearer {ADMIN}"}
    source = {"title": "Notice", "kind": "official_notice", "retrieved": "2025-08-19"}
    empty.put("/v1/sources/notice", json=source, headers=bearer)
    call = {
        "kind": "application_window",
        "name": {"en": "Voucher"},
        "start": "2025-08-01",
        "close_rule": "until_exhausted",
        "close_text": "예산 소진시까지",
        "evidence": [{"field": "start", "value": "2025-08-01", "source": "notice"}],
    }
    assert empty.put("/v1/events/voucher", json=call, headers=bearer).status_code == 201
    home = page(empty, "/en/")
    assert "until used up" in home.text and "예산 소진시까지" in home.text
    assert not re.search(r"D-\d", home.text.replace("D-day", ""))


@pytest.mark.parametrize(
    ("codes", "table"),
    [
        (Kind, vocabulary.KINDS),
        (Status, vocabulary.STATUSES),
        (PartRole, vocabulary.ROLES),
        (EvidenceField, vocabulary.FIELDS),
        (Phase, phrases.PHASES),
        (Rank, phrases.RANKS),
        (SourceKind, phrases.SOURCES),
        (CloseRule, phrases.CLOSE_RULES),
        (CloseRule, phrases.CLOSE_BADGES),
        (Relation, phrases.RELATIONS),
        (Relation, phrases.RELATED_BY),
        (ProgramKind, phrases.PROGRAMS),
        (SelectionMode, phrases.SELECTIONS),
        (OrganizationKind, phrases.ORGANIZATIONS),
    ],
)
def test_every_code_of_the_model_has_its_word(codes: Any, table: dict[str, Any]) -> None:
    assert set(get_args(codes)) == set(table)


def test_google_is_not_offered_a_feed_that_it_would_not_show(empty: Client) -> None:
    """130 events with names of 3,200 letters are too much, even without descriptions."""

    def of_google(path: str) -> list[str]:
        links = (unquote(link) for link in page(empty, path).links if "calendar.google" in link)
        return [link.rpartition("/")[2].partition(".")[0] for link in links]

    key = {"authorization": f"Bearer {ADMIN}"}
    program = {"id": "long", "kind": "other", "name": {"ko": "긴 이름"}}
    assert empty.put("/v1/programs/long", json=program, headers=key).status_code == 201
    assert (of_google("/"), of_google("/programs/long")) == (["deadlines", "events", "calendar"], ["long"])
    event = Event(id="x", kind="forum", name=Text(ko="긴 이름 " * 800), program="long", start="2025-09-01")
    many = [msgspec.structs.replace(event, id=f"x-{number}") for number in range(130)]
    empty.app.state.service.store.write(lambda c: events.put_many(c, many, now=NOW, cause="test"))
    assert (of_google("/"), of_google("/programs/long")) == (["deadlines"], [])
    assert PHRASES["en"].beyond_google in page(empty, "/en/programs/long").text
