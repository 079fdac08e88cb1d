"""What a program is told when it has a copy already, and in which coding it gets a new one."""

import gzip
from datetime import timedelta

import pytest

from service.clock import SimulatedClock
from tests.service.api.feeds.world import PLAIN, SUMMIT, Client, fetch, put, titles


def test_an_unchanged_feed_is_byte_identical_and_a_304(filled: Client, clock: SimulatedClock) -> None:
    first = fetch(filled, "/feeds/ko/calendar.ics")
    clock.advance(timedelta(hours=3))
    again = fetch(filled, "/feeds/ko/calendar.ics")
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    held = fetch(filled, "/feeds/ko/calendar.ics", if_none_match=first.headers["etag"])
    assert (held.status_code, held.content) == (304, b"")
    for name in ("etag", "last-modified", "cache-control", "vary"):
        assert held.headers[name] == first.headers[name]


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


def test_an_event_leaves_when_the_day_moves_on(filled: Client, clock: SimulatedClock) -> None:
    path = "/feeds/ko/calendar.ics?past=P30D"
    before = fetch(filled, path)
    clock.advance(timedelta(days=40))
    after = fetch(filled, path, if_modified_since=before.headers["last-modified"])
    assert (after.status_code, titles(after)) == (
        200,
        ["접수 마감: 스타트업 챌린지 모집", "글로벌 벤처투자 서밋"],
    )
