"""Private addresses of saved feeds: what subscribers get, when the owner changes, moves or ends them."""

import gzip
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from sqlalchemy import update

from service.clock import SimulatedClock
from service.logs import JsonLines
from service.store.tables import saved_feed
from tests.service.api.conftest import ADMIN, bearer, settings_in
from tests.service.api.feeds.test_feeds_in_trouble import ruin
from tests.service.api.feeds.world import NOW, PLAIN, SUMMIT, Client, fetch, put, titles
from tests.support.app import create_app

KEY = bearer(ADMIN)
ROUTE = "/v1/saved-feeds"
NOBODYS = "/feeds/p/abcdefgh_" + "A" * 43 + "/x.ics"
MOVED = "이 캘린더의 주소가 바뀌었습니다"


def place(urls: dict[str, str], suffix: str = "ics") -> str:
    return urls[suffix].removeprefix("http://127.0.0.1:8000")


def saved(client: Client, **fields: Any) -> tuple[str, str]:
    """The route of a new saved feed and its address."""
    body = {"name": {"ko": "우리 팀", "en": "Our team"}, **fields}
    answer = client.post(ROUTE, json=body, headers=KEY)
    assert answer.status_code == 201, answer.text
    return f"{ROUTE}/{answer.json()['id']}", place(answer.json()["urls"])


def rotated(client: Client, route: str, overlap: str = "P90D") -> str:
    answer = client.post(f"{route}/rotate", json={"overlap": overlap}, headers=KEY)
    assert answer.status_code == 200, answer.text
    return place(answer.json()["urls"])


def secret(address: str) -> str:
    """The part of the token that is kept nowhere."""
    return address.split("/")[3].split("_", 1)[1]


def test_an_address_shows_the_selection_with_its_options_under_its_name(filled: Client) -> None:
    _, address = saved(filled, lang="en", filter={"kind": "application_window"}, options={"windows": "bar"})
    answer = fetch(filled, address)
    assert titles(answer) == ["Open: Startup Challenge: call"]
    assert "X-WR-CALNAME:Our team\r\n" in answer.text
    for suffix, kind in (("json", "application/feed+json"), ("atom", "application/atom+xml")):
        other = fetch(filled, address.replace(".ics", f".{suffix}"))
        assert (other.status_code, other.headers["content-type"].partition(";")[0]) == (200, kind)


def test_the_headers_of_a_private_feed(filled: Client) -> None:
    _, address = saved(filled)
    headers = fetch(filled, address).headers
    assert headers["cache-control"] == "private, max-age=900"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["content-disposition"] == 'inline; filename="our-team.ics"'
    for answer in (fetch(filled, address), fetch(filled, NOBODYS), filled.options(address)):
        assert [name for name in answer.headers if name.startswith("access-control-")] == []
    assert filled.options(address).headers["allow"] == "GET, HEAD, OPTIONS"
    assert filled.put(address).status_code == 405


def test_a_korean_name_is_in_the_file_name_and_its_address_stays_short(filled: Client) -> None:
    _, address = saved(filled, name="창업팀 2026!")
    assert address.endswith("/calendar.ics")
    disposition = fetch(filled, address).headers["content-disposition"]
    assert disposition == (
        "inline; filename=\"calendar.ics\"; filename*=UTF-8''%EC%B0%BD%EC%97%85%ED%8C%80-2026.ics"
    )


def test_an_address_has_at_most_200_characters_whatever_the_name(filled: Client) -> None:
    for name in ("가" * 200, "x" * 200, "é" * 200):
        assert len("https://dday.example.org") + len(saved(filled, name=name)[1]) <= 200


def test_capitals_and_a_slash_behind_an_address_lead_to_the_feed(filled: Client) -> None:
    _, address = saved(filled)
    plain = fetch(filled, address)
    folder, _, name = address.rpartition("/")
    for other in (f"{address}/", f"{folder}/{name.upper()}", address.replace("/feeds/p/", "/Feeds/P/")):
        assert fetch(filled, other).content == plain.content
    assert fetch(filled, address.upper()).status_code == 404


def test_the_readable_end_of_an_address_may_be_anything(filled: Client) -> None:
    _, address = saved(filled)
    folder = address.rpartition("/")[0]
    assert fetch(filled, f"{folder}/renamed-since.ics").content == fetch(filled, address).content


def test_nothing_in_a_private_feed_tells_its_address(filled: Client) -> None:
    _, address = saved(filled)
    for suffix in ("ics", "json", "atom"):
        answer = fetch(filled, address.replace(".ics", f".{suffix}"))
        assert secret(address) not in answer.text.replace("\r\n ", "")
        assert all(secret(address) not in value for value in answer.headers.values())
        assert "/feeds/" not in answer.text and "SOURCE" not in answer.text


def test_conditions_head_and_gzip_are_as_for_public_feeds(filled: Client, clock: SimulatedClock) -> None:
    _, address = saved(filled)
    first = fetch(filled, address)
    clock.advance(timedelta(hours=3))
    assert fetch(filled, address).content == first.content
    held = fetch(filled, address, if_none_match=first.headers["etag"])
    assert (held.status_code, held.content) == (304, b"")
    for name in ("etag", "last-modified", "cache-control", "vary"):
        assert held.headers[name] == first.headers[name]
    assert fetch(filled, address, if_modified_since=first.headers["last-modified"]).status_code == 304
    head = filled.head(address, headers=PLAIN)
    assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(first.headers))
    with filled.stream("GET", address, headers={"accept-encoding": "gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert (packed.headers["content-encoding"], gzip.decompress(body)) == ("gzip", first.content)


def test_a_changed_selection_reaches_subscribers_at_the_same_address(filled: Client) -> None:
    route, address = saved(filled, filter={"kind": "summit"})
    first = fetch(filled, address)
    change = {"filter": {"kind": "application_window"}, "options": {"windows": "bar"}}
    assert filled.patch(route, json=change, headers=KEY).status_code == 200
    for condition in ({"if_none_match": "etag"}, {"if_modified_since": "last-modified"}):
        headers = {name: first.headers[value] for name, value in condition.items()}
        after = fetch(filled, address, **headers)
        assert (after.status_code, titles(after)) == (200, ["접수: 스타트업 챌린지 모집"])
    named = filled.patch(route, json={"name": "새 이름", "lang": "en"}, headers=KEY)
    assert named.status_code == 200
    assert "X-WR-CALNAME:새 이름\r\n" in fetch(filled, address).text


def test_an_edit_of_an_event_is_seen_by_the_next_request(filled: Client) -> None:
    _, address = saved(filled, filter={"kind": "summit"})
    first = fetch(filled, address)
    put(filled, KEY, {**SUMMIT, "name": {"ko": "새 이름"}})
    after = fetch(filled, address, if_none_match=first.headers["etag"])
    assert (after.status_code, titles(after)) == (200, ["새 이름"])


def test_subscribers_set_options_and_only_the_owner_filters(filled: Client) -> None:
    put(filled, KEY, {**SUMMIT, "status": "cancelled"})
    _, address = saved(filled, filter={"kind": "summit"}, options={"detail": "min"})
    plain = fetch(filled, address)
    assert "STATUS:CANCELLED" in plain.text
    marked = fetch(filled, f"{address}?cancelled=mark")
    assert "STATUS:CONFIRMED" in marked.text and "x-dday-ignored" not in marked.headers
    other = fetch(filled, f"{address}?kind=forum&tag=ai&windows=sideways&colour=red&a%0db=1")
    assert (other.status_code, other.content) == (200, plain.content)
    assert other.headers["x-dday-ignored"] == "colour, kind, tag, unreadable, windows"


def test_what_a_later_version_does_not_know_is_left_out_and_named(filled: Client) -> None:
    route, address = saved(filled, filter={"kind": "summit"})
    document = {
        "name": {"ko": "팀"},
        "lang": "ko",
        "filter": {"kind": ["summit", "ball"], "tag": "investment", "mood": "good"},
        "options": {"windows": "sideways", "colour": "red", "detail": "min"},
    }
    with_bad = msgspec.json.encode(document).decode()
    its = saved_feed.c.id == route.rpartition("/")[2]
    filled.app.state.service.store.write(
        lambda c: c.execute(update(saved_feed).where(its).values(document=with_bad, version=2))
    )
    answer = fetch(filled, address)
    assert (answer.status_code, titles(answer)) == (200, ["글로벌 벤처투자 서밋"])
    assert answer.headers["x-dday-ignored"] == "colour, kind, mood, windows"


def test_internal_events_are_in_nobodys_feed(filled: Client) -> None:
    _, address = saved(filled, filter={"kind": "summit"})
    assert len(titles(fetch(filled, address))) == 1
    put(filled, KEY, {**SUMMIT, "visibility": "internal"})
    assert titles(fetch(filled, address)) == []


def test_a_replaced_address_says_so_over_every_day_until_it_ends(filled: Client) -> None:
    route, old = saved(filled, filter={"kind": "summit"})
    first = fetch(filled, old)
    new = rotated(filled, route, "P2D")
    after = fetch(filled, old, if_modified_since=first.headers["last-modified"])
    assert (after.status_code, titles(after)) == (200, [MOVED, "글로벌 벤처투자 서밋"])
    assert "DTSTART;VALUE=DATE:20260301\r\nDTEND;VALUE=DATE:20260304\r\n" in after.text
    assert secret(new) not in after.text.replace("\r\n ", "")
    for suffix in ("json", "atom"):
        assert MOVED in fetch(filled, old.replace(".ics", f".{suffix}")).text
    assert fetch(filled, new).content.replace(b"\r\n ", b"").count(b"SUMMARY") == 1


def test_a_replaced_address_is_gone_after_its_overlap_and_for_good(
    filled: Client, clock: SimulatedClock
) -> None:
    route, old = saved(filled)
    new = rotated(filled, route, "PT24H")
    clock.advance(timedelta(hours=24) - timedelta(milliseconds=1))
    held = fetch(filled, old)
    assert held.status_code == 200
    clock.advance(timedelta(milliseconds=1))
    answer = fetch(filled, old, if_none_match=held.headers["etag"])
    assert (answer.status_code, answer.headers["content-type"]) == (410, "application/problem+json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "/problems/gone",
        "title": "This is no longer here",
        "status": 410,
        "detail": "This address of a feed is no longer in use. Ask whoever gave it to you for the new one.",
    }
    head = filled.head(old, headers=PLAIN)
    assert (head.status_code, head.content) == (410, b"")
    assert fetch(filled, new).status_code == 200
    clock.advance(timedelta(days=3650))
    assert fetch(filled, old).status_code == 410


@pytest.mark.parametrize("end", ["rotate", "delete"])
def test_a_leaked_address_ends_at_once_also_for_who_has_a_copy(filled: Client, end: str) -> None:
    route, old = saved(filled)
    _, other = saved(filled)
    tag = fetch(filled, old).headers["etag"]
    if end == "rotate":
        new = rotated(filled, route, "PT0S")
    else:
        assert filled.delete(route, headers=KEY).status_code == 204
    # Another address is asked for first: what it learns of the store must not vouch for this one.
    assert fetch(filled, other).status_code == 200
    assert [fetch(filled, old, if_none_match=tag).status_code for _ in range(3)] == [410, 410, 410]
    if end == "rotate":
        assert fetch(filled, new).status_code == 200


def test_a_second_rotation_shortens_but_never_prolongs_the_life_of_older_addresses(
    filled: Client, clock: SimulatedClock
) -> None:
    route, first = saved(filled)
    second = rotated(filled, route, "P10D")
    third = rotated(filled, route, "P30D")
    clock.advance(timedelta(days=10))
    assert [fetch(filled, each).status_code for each in (first, second, third)] == [410, 200, 200]
    fourth = rotated(filled, route, "P1D")
    assert "DTEND;VALUE=DATE:20260313" in fetch(filled, second).text
    clock.advance(timedelta(days=1))
    codes = [fetch(filled, each).status_code for each in (second, third, fourth)]
    assert codes == [410, 410, 200]


def test_another_process_notices_an_ended_address_within_five_seconds(
    tmp_path: Path, migrated: Path, request: pytest.FixtureRequest
) -> None:
    more = {"database_url": request.getfixturevalue("pg_url"), "secret_key": "ab" * 32}
    settings = settings_in(tmp_path, migrated, **more)
    with (
        TestClient(create_app(settings, clock=SimulatedClock(NOW))) as first,
        TestClient(create_app(settings, clock=SimulatedClock(NOW))) as second,
    ):
        route, old = saved(first)
        assert (fetch(first, old).status_code, fetch(second, old).status_code) == (200, 200)
        rotated(first, route, "PT0S")
        began = time.monotonic()
        while fetch(second, old).status_code != 410:
            assert time.monotonic() - began < 5
            time.sleep(0.05)
        assert fetch(first, old).status_code == 410


def test_a_dead_address_is_answered_without_the_store(filled: Client) -> None:
    route, old = saved(filled)
    _, other = saved(filled)
    rotated(filled, route, "PT0S")
    assert fetch(filled, old).status_code == 410
    ruin(filled)
    time.sleep(0.6)
    assert fetch(filled, old).status_code == 410
    # Whether a living one still lives nobody can say now.
    assert fetch(filled, other).status_code == 503


@pytest.mark.parametrize(
    "path",
    [
        NOBODYS,
        NOBODYS.replace("x.ics", "y.json"),
        "/feeds/p/short/x.ics",
        "/feeds/p/",
        "/feeds/p",
        "/feeds/p/abcdefgh_" + "A" * 44 + "/x.ics",
        "/feeds/p/abcdefgh_" + "A" * 43,
        "/feeds/p/abcdefgh_" + "A" * 43 + "/x.csv",
        "/feeds/p/abcdefgh_" + "A" * 43 + "/x/y.ics",
        "/feeds/p/abcdefgh_" + "A" * 42 + "%00/x.ics",
    ],
)
def test_an_address_there_never_was_is_one_404_that_tells_nothing(shown: Client, path: str) -> None:
    answer, usual = fetch(shown, path), fetch(shown, NOBODYS)
    if path != "/feeds/p":
        assert (answer.content, dict(answer.headers)) == (usual.content, dict(usual.headers))
    assert (answer.status_code, usual.json()["type"]) == (404, "/problems/no-such-feed")


def test_a_token_that_is_nearly_right_is_a_404(filled: Client) -> None:
    _, address = saved(filled)
    token = address.split("/")[3]
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    answer = fetch(filled, address.replace(token, wrong))
    assert answer.content == fetch(filled, NOBODYS).content


def test_robots_may_read_so_that_google_calendar_does(shown: Client) -> None:
    assert fetch(shown, "/robots.txt").text == "User-agent: *\nAllow: /\n"


def test_no_token_is_kept_in_the_open(filled: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The canary: not in the database, its log, answers kept for a repeated request, our log, the metrics."""
    caplog.set_level(logging.DEBUG)
    headers = KEY | {"idempotency-key": "once"}
    made = filled.post(ROUTE, json={"name": "팀"}, headers=headers).json()
    route, old = f"{ROUTE}/{made['id']}", place(made["urls"])
    new = rotated(filled, route)
    for address in (old, new):
        for _ in range(2):
            assert fetch(filled, address).status_code == 200
        filled.put(address)
        fetch(filled, f"/{address}")
    service = filled.app.state.service
    folder = Path(service.settings.database_url.removeprefix("sqlite:///")).parent
    assert {"dday.db", "dday.db-wal"} <= {file.name for file in folder.iterdir()}
    stored = b"".join(file.read_bytes() for file in folder.iterdir())
    views = fetch(filled, "/metrics").text + filled.get(route, headers=KEY).text
    # Litestar's test client logs its own requests, as httpx does for any client.
    logged = "".join(JsonLines().format(record) for record in caplog.records if record.name != "httpx")
    for address in (old, new):
        assert secret(address).encode() not in stored
        assert secret(address) not in views + logged


def test_a_failure_is_logged_without_the_token(filled: Client, caplog: pytest.LogCaptureFixture) -> None:
    _, address = saved(filled)
    assert fetch(filled, address).status_code == 200
    ruin(filled)
    time.sleep(0.6)
    assert fetch(filled, f"{address}?cancelled=mark").status_code == 503
    logged = "".join(record.getMessage() + str(record.exc_text) for record in caplog.records)
    assert secret(address) not in logged
