"""Feeds over HTTP: what a subscribed program sees, and what it is told when nothing or something changed."""

import gzip
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.app import create_app
from service.clock import SimulatedClock
from service.settings import Settings

Client = TestClient[Litestar]
PLAIN = {"accept-encoding": "identity"}
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADMIN = "dday_admin000_" + "A" * 43
SUMMIT = {
    "id": "summit-2026",
    "kind": "summit",
    "name": {"ko": "글로벌 벤처투자 서밋", "en": "Global Venture Summit"},
    "start": "2026-04-07T14:00",
    "end": "2026-04-07T18:00",
    "place": {"name": {"ko": "DDP"}, "city": "서울"},
    "tags": ["investment"],
}
CALL = {
    "id": "challenge-2026-call",
    "kind": "application_window",
    "name": {"ko": "스타트업 챌린지 모집", "en": "Startup Challenge: call"},
    "start": "2026-03-02",
    "end": "2026-03-27T18:00",
    "close_rule": "fixed",
}
MONTH = {"id": "seoulcon-2026", "kind": "conference", "name": {"ko": "서울콘 2026"}, "start": "2026-11"}


@pytest.fixture
def filled(client: Client, curator: dict[str, str]) -> Client:
    for event in (SUMMIT, CALL, MONTH):
        put(client, curator, event)
    return client


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Client]:
    """One app with the three events for all tests that only read."""
    folder = tmp_path_factory.mktemp("feeds")
    shutil.copy(migrated, folder / "dday.db")
    settings = Settings(
        database_url=f"sqlite:///{folder}/dday.db", admin_key=ADMIN, rate_limit=0, deliver=False, seeds=None
    )
    with TestClient(create_app(settings, clock=SimulatedClock(NOW))) as client:
        for event in (SUMMIT, CALL, MONTH):
            put(client, {"authorization": f"Bearer {ADMIN}"}, event)
        yield client


def put(client: Client, curator: dict[str, str], event: dict[str, Any]) -> None:
    answer = client.put(f"/v1/events/{event['id']}", json=event, headers=curator)
    assert answer.status_code in (200, 201), answer.text


def fetch(client: Client, path: str, **headers: str) -> Any:
    return client.get(
        path, headers={**PLAIN, **{name.replace("_", "-"): text for name, text in headers.items()}}
    )


def titles(answer: Any) -> list[str]:
    unfolded = answer.text.replace("\r\n ", "")
    return [line[8:] for line in unfolded.split("\r\n") if line.startswith("SUMMARY:")]


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

    assert values(before, "UID")[1] == values(after, "UID")[1]
    assert (values(before, "SEQUENCE"), values(after, "SEQUENCE")) == (["0"], ["1"])
    assert (values(before, "DTSTAMP"), values(after, "DTSTAMP")) == (
        ["20260301T030000Z"],
        ["20260301T040000Z"],
    )
    assert values(after, "SUMMARY") == ["[변경] 글로벌 벤처투자 서밋"]


def test_the_uid_is_the_same_in_every_language_and_style(shown: Client) -> None:
    asked = ("ko/calendar.ics", "en/calendar.ics?profile=rich&detail=min", "ko/events/summit-2026.ics")
    texts = [fetch(shown, f"/feeds/{path}").text for path in asked]
    uids = [
        {line for line in text.split("\r\n") if line.startswith("UID:") and "feed-" not in line}
        for text in texts
    ]
    assert uids[2] <= uids[0] == uids[1]


def test_an_unchanged_feed_is_byte_identical_and_a_304(filled: Client, clock: SimulatedClock) -> None:
    first = fetch(filled, "/feeds/ko/calendar.ics")
    clock.advance(timedelta(hours=3))
    again = fetch(filled, "/feeds/ko/calendar.ics")
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    held = fetch(filled, "/feeds/ko/calendar.ics", if_none_match=first.headers["etag"])
    assert (held.status_code, held.content) == (304, b"")
    for name in ("etag", "last-modified", "cache-control", "vary"):
        assert held.headers[name] == first.headers[name]


def test_a_write_is_seen_by_the_next_request(filled: Client, curator: dict[str, str]) -> None:
    first = fetch(filled, "/feeds/ko/calendar.ics")
    put(filled, curator, {**SUMMIT, "name": {"ko": "새 이름"}})
    after = fetch(filled, "/feeds/ko/calendar.ics", if_none_match=first.headers["etag"])
    assert (after.status_code, titles(after)[-1]) == (200, "새 이름")


def test_a_deletion_moves_last_modified(filled: Client, curator: dict[str, str]) -> None:
    first = fetch(filled, "/feeds/ko/calendar.ics")
    assert filled.delete("/v1/events/summit-2026", headers=curator).status_code == 204
    after = fetch(filled, "/feeds/ko/calendar.ics", if_modified_since=first.headers["last-modified"])
    assert (after.status_code, len(titles(after))) == (200, 2)


def test_the_last_modified_is_never_later_than_now(filled: Client, curator: dict[str, str]) -> None:
    fetch(filled, "/feeds/ko/calendar.ics")
    put(filled, curator, {**SUMMIT, "name": {"ko": "새 이름"}})
    assert fetch(filled, "/feeds/ko/calendar.ics").headers["last-modified"] == "Sun, 01 Mar 2026 03:00:00 GMT"


def test_if_none_match_decides_before_if_modified_since(shown: Client) -> None:
    first = fetch(shown, "/feeds/ko/calendar.ics")
    date, tag = first.headers["last-modified"], first.headers["etag"]
    path = "/feeds/ko/calendar.ics"
    assert fetch(shown, path, if_none_match='"other"', if_modified_since=date).status_code == 200
    assert (
        fetch(shown, path, if_none_match=tag, if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT").status_code
        == 304
    )
    assert fetch(shown, path, if_none_match=f'"other", W/{tag}').status_code == 304
    assert fetch(shown, path, if_none_match="*").status_code == 304


@pytest.mark.parametrize("date", ["yesterday", "", "32 Foo 2026", "Sat, 99 Jan 2026 00:00:00 GMT", "0", "é"])
def test_a_bad_date_is_ignored(shown: Client, date: str) -> None:
    headers = {**PLAIN, "if-modified-since": date.encode()}
    assert shown.get("/feeds/ko/calendar.ics", headers=headers).status_code == 200  # type: ignore[arg-type]


def test_a_date_in_the_future_says_nothing(shown: Client) -> None:
    path = "/feeds/ko/calendar.ics"
    assert fetch(shown, path, if_modified_since="Sun, 01 Mar 2026 02:00:00 GMT").status_code == 200
    assert fetch(shown, path, if_modified_since="Sun, 01 Mar 2026 03:00:00 GMT").status_code == 304
    assert fetch(shown, path, if_modified_since="Mon, 01 Mar 2027 03:00:00 GMT").status_code == 200


def test_gzip_is_another_representation_of_the_same_bytes(shown: Client) -> None:
    plain = fetch(shown, "/feeds/ko/calendar.ics")
    with shown.stream("GET", "/feeds/ko/calendar.ics", headers={"accept-encoding": "br, gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert int(packed.headers["content-length"]) == len(body)
    for tag in (packed.headers["etag"], plain.headers["etag"]):
        assert fetch(shown, "/feeds/ko/calendar.ics", if_none_match=tag).status_code == 304


@pytest.mark.parametrize(
    ("accept", "agent"),
    [
        ("gzip;q=0", "x"),
        ("identity", "x"),
        ("br", "x"),
        ("gzip", "Microsoft.Exchange/15.20 (Windows NT 10.0)"),
    ],
)
def test_gzip_is_sent_only_to_those_who_can_read_it(shown: Client, accept: str, agent: str) -> None:
    answer = shown.get("/feeds/ko/calendar.ics", headers={"accept-encoding": accept, "user-agent": agent})
    assert "content-encoding" not in answer.headers


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


def test_an_event_leaves_when_the_day_moves_on(filled: Client, clock: SimulatedClock) -> None:
    path = "/feeds/ko/calendar.ics?past=P30D"
    before = fetch(filled, path)
    clock.advance(timedelta(days=40))
    after = fetch(filled, path, if_modified_since=before.headers["last-modified"])
    assert (after.status_code, titles(after)) == (
        200,
        ["접수 마감: 스타트업 챌린지 모집", "글로벌 벤처투자 서밋"],
    )


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
