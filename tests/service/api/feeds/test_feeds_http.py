"""Feeds over HTTP: what a subscribed program sees, and what it is told when nothing or something changed."""

from datetime import timedelta

import pytest

from service.clock import SimulatedClock
from tests.service.api.feeds.world import CALL, PLAIN, SUMMIT, Client, fetch, put, titles


def test_the_calendar_has_events_and_the_two_edges_of_windows_but_no_months(shown: Client) -> None:
    assert titles(fetch(shown, "/feeds/ko/calendar.ics")) == [
        "접수 시작: 스타트업 챌린지 모집",
        "접수 마감: 스타트업 챌린지 모집",
        "글로벌 벤처투자 서밋",
    ]


def test_events_and_deadlines_part_the_calendar(shown: Client) -> None:
    assert titles(fetch(shown, "/feeds/en/events.ics")) == ["Global Venture Summit"]
    assert titles(fetch(shown, "/feeds/en/deadlines.ics")) == [
        "Opens: Startup Challenge: call",
        "Closes: Startup Challenge: call",
    ]


def test_a_closing_block_ends_at_the_deadline(shown: Client) -> None:
    text = fetch(shown, "/feeds/ko/deadlines.ics").text
    assert "DTSTART:20260327T083000Z\r\nDTEND:20260327T090000Z\r\n" in text


def test_identity_and_revision_follow_the_stored_event(
    filled: Client, curator: dict[str, str], clock: SimulatedClock
) -> None:
    before = fetch(filled, "/feeds/ko/events/summit-2026.ics").text
    clock.advance(timedelta(hours=1))
    put(filled, curator, {**SUMMIT, "start": "2026-04-08T14:00", "end": "2026-04-08T18:00"})
    after = fetch(filled, "/feeds/ko/events/summit-2026.ics").text

    def values(text: str, name: str) -> list[str]:
        return [line.partition(":")[2] for line in text.split("\r\n") if line.startswith(name + ":")]

    assert values(before, "UID") == values(after, "UID") != []
    assert (values(before, "SEQUENCE"), values(after, "SEQUENCE")) == (["0"], ["1"])
    assert (values(before, "DTSTAMP"), values(after, "DTSTAMP")) == (
        ["20260301T030000Z"],
        ["20260301T040000Z"],
    )
    assert values(after, "SUMMARY") == ["[변경] 글로벌 벤처투자 서밋"]


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_prodid_ends_with_the_language_of_the_feed(shown: Client, lang: str) -> None:
    [line] = [
        line for line in fetch(shown, f"/feeds/{lang}/calendar.ics").text.split("\r\n") if "PRODID" in line
    ]
    assert line == f"PRODID:-//Dday//Calendar feeds//{lang.upper()}"


def test_the_uid_is_the_same_in_every_language_and_style(shown: Client) -> None:
    asked = ("ko/calendar.ics", "en/calendar.ics?profile=rich&detail=min", "ko/events/summit-2026.ics")
    texts = [fetch(shown, f"/feeds/{path}").text for path in asked]
    uids = [
        {line for line in text.split("\r\n") if line.startswith("UID:") and "feed-" not in line}
        for text in texts
    ]
    assert uids[2] <= uids[0] == uids[1]


def test_a_write_is_seen_by_the_next_request(filled: Client, curator: dict[str, str]) -> None:
    first = fetch(filled, "/feeds/ko/calendar.ics")
    put(filled, curator, {**SUMMIT, "name": {"ko": "새 이름"}})
    after = fetch(filled, "/feeds/ko/calendar.ics", if_none_match=first.headers["etag"])
    assert (after.status_code, titles(after)[-1]) == (200, "새 이름")


def test_head_is_get_without_the_body(shown: Client) -> None:
    got = fetch(shown, "/feeds/ko/calendar.ics")
    head = shown.head("/feeds/ko/calendar.ics", headers=PLAIN)
    assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(got.headers))


def test_the_headers_of_a_feed(shown: Client) -> None:
    headers = fetch(shown, "/feeds/ko/calendar.ics").headers
    assert headers["content-type"] == "text/calendar; charset=utf-8"
    assert headers["content-disposition"] == 'inline; filename="calendar.ics"'
    assert headers["cache-control"] == "public, max-age=900, stale-if-error=86400"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-language"] == "ko"
    assert 'rel="alternate"' in headers["link"] and "/v1/changes" in headers["link"]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "PROPFIND", "REPORT"])
def test_other_methods_are_a_405_that_lists_ours(shown: Client, method: str) -> None:
    answer = shown.request(method, "/feeds/ko/calendar.ics")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.headers["content-type"] == "application/problem+json"


def test_options_allows_reading_from_any_origin(shown: Client) -> None:
    answer = shown.options("/feeds/ko/calendar.ics")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"


def test_a_bad_parameter_is_ignored_and_named(shown: Client) -> None:
    plain = fetch(shown, "/feeds/ko/calendar.ics")
    bad = "windows=sideways&from=2026-02-30&kind=party&colour=red&past=forever&alarms=P1D,soon&x%0d%0ay=1"
    answer = fetch(shown, f"/feeds/ko/calendar.ics?{bad}")
    assert (answer.status_code, answer.content) == (200, plain.content)
    assert answer.headers["x-dday-ignored"] == "alarms, colour, from, kind, past, unreadable, windows"


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/ko/nothing.ics",
        "/feeds/fr/calendar.ics",
        "/feeds/ko/calendar.csv",
        "/feeds/ko/calendar",
        "/feeds/",
        "/feeds/ko/events/nothing.ics",
        "/feeds/ko/events/summit-2026.json",
        "/feeds/ko/../calendar.ics",
        "/feeds/ko/a%00b.ics",
    ],
)
def test_a_feed_that_cannot_be_is_a_404_problem(shown: Client, path: str) -> None:
    answer = fetch(shown, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_internal_events_are_in_no_feed(filled: Client, curator: dict[str, str]) -> None:
    put(filled, curator, {**SUMMIT, "visibility": "internal"})
    assert len(titles(fetch(filled, "/feeds/ko/calendar.ics"))) == 2
    assert fetch(filled, "/feeds/ko/events/summit-2026.ics").status_code == 404


def test_a_feed_of_one_program(filled: Client, curator: dict[str, str]) -> None:
    program = {"id": "challenge", "name": {"ko": "스타트업 챌린지"}}
    assert filled.put("/v1/programs/challenge", json=program, headers=curator).status_code == 201
    put(filled, curator, {**CALL, "program": "challenge"})
    answer = fetch(filled, "/feeds/ko/challenge.ics")
    assert len(titles(answer)) == 2
    assert "X-WR-CALNAME:디데이: 스타트업 챌린지\r\n" in answer.text


def test_a_new_name_of_an_organization_reaches_the_feed(filled: Client, curator: dict[str, str]) -> None:
    for name in ("중기부", "중소벤처기업부"):
        body = {"id": "mss", "name": {"ko": name}}
        assert filled.put("/v1/organizations/mss", json=body, headers=curator).status_code in (200, 201)
        if name == "중기부":
            put(filled, curator, {**SUMMIT, "organizations": [{"id": "mss", "role": "host"}]})
        assert f"주최: {name}" in fetch(filled, "/feeds/ko/calendar.ics").text.replace("\r\n ", "")


def test_filters_select_as_they_do_in_the_list(shown: Client) -> None:
    assert titles(fetch(shown, "/feeds/ko/calendar.ics?tag=investment")) == ["글로벌 벤처투자 서밋"]
    assert titles(fetch(shown, "/feeds/ko/calendar.ics?q=챌린지&windows=bar")) == [
        "접수: 스타트업 챌린지 모집"
    ]
    assert titles(fetch(shown, "/feeds/ko/events.ics?kind=application_window")) == []


def test_an_empty_feed_is_a_calendar_with_its_zone(client: Client) -> None:
    text = fetch(client, "/feeds/ko/calendar.ics").text
    assert (text.count("BEGIN:VTIMEZONE"), text.count("BEGIN:VEVENT")) == (1, 0)


def test_robots_may_read_everything(shown: Client) -> None:
    assert fetch(shown, "/robots.txt").text == "User-agent: *\nAllow: /\n"


def test_json_feed_and_atom_list_the_same_entries(shown: Client) -> None:
    feed = fetch(shown, "/feeds/ko/calendar.json")
    assert feed.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert {item["title"] for item in feed.json()["items"]} == {
        "접수 시작: 스타트업 챌린지 모집",
        "접수 마감: 스타트업 챌린지 모집",
        "글로벌 벤처투자 서밋",
        "서울콘 2026",
    }
    atom = fetch(shown, "/feeds/ko/calendar.atom")
    assert (atom.headers["content-type"], atom.text.count("<entry>")) == (
        "application/atom+xml; charset=utf-8",
        4,
    )


def test_the_list_of_feeds_gives_sizes_and_ways_to_subscribe(shown: Client) -> None:
    answer = shown.get("/v1/feeds")
    items = {(item["lang"], item["name"]): item for item in answer.json()["items"]}
    assert list(items) == [
        (lang, name) for lang in ("ko", "en") for name in ("calendar", "events", "deadlines")
    ]
    calendar = items["ko", "calendar"]
    body = fetch(shown, "/feeds/ko/calendar.ics").content
    assert (calendar["entries"], calendar["bytes"], calendar["shortened"]) == (3, len(body), False)
    assert [way["client"] for way in calendar["subscribe"]][:2] == ["google", "apple"]


def test_the_list_of_feeds_comes_in_pages(shown: Client) -> None:
    first = shown.get("/v1/feeds?limit=4").json()
    second = shown.get("/v1/feeds", params={"limit": 4, "cursor": first["next"]}).json()
    assert (len(first["items"]), len(second["items"]), second["next"]) == (4, 2, None)
    assert {item["lang"] for item in shown.get("/v1/feeds?lang=en").json()["items"]} == {"en"}
    refused = shown.get("/v1/feeds?limit=0&cursor=x&lang=jp").json()
    assert [fault["parameter"] for fault in refused["errors"]] == ["limit", "cursor", "lang"]


@pytest.mark.parametrize(
    "address",
    [
        "/feeds/ko/calendar.ICS",
        "/Feeds/KO/Calendar.ics",
        "/feeds/ko/calendar.ics/",
        "/FEEDS/ko/calendar.ics//",
    ],
)
def test_capitals_and_a_slash_behind_an_address_lead_to_the_feed(filled: Client, address: str) -> None:
    assert filled.get(address).content == filled.get("/feeds/ko/calendar.ics").content
