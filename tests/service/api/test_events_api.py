"""Events over HTTP, from making one to finding it again."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from tests.service.api.conftest import ADMIN, bearer

Client = TestClient[Litestar]
Headers = dict[str, str]
Put = Callable[..., Any]

FORUM = {
    "kind": "forum",
    "name": {"ko": "지속가능 포럼", "en": "Sustainability Forum"},
    "start": "2026-04-01",
    "end": "2026-04-02",
    "tags": ["ai"],
}


@pytest.fixture
def put(client: Client, curator: Headers) -> Put:
    def put_event(event_id: str = "forum-2026", *, headers: Headers | None = None, **change: Any) -> Any:
        body = {**FORUM, **change}
        return client.put(f"/v1/events/{event_id}", json=body, headers={**curator, **(headers or {})})

    return put_event


SUMMIT = {
    "kind": "summit",
    "name": {"ko": "서울서밋"},
    "start": "2026-03-02",
    "end": None,
    "tags": [],
    "place": {"city": "서울"},
}
CALL = {
    "kind": "application_window",
    "name": {"ko": "모집"},
    "start": "2026-03-05",
    "end": "2026-03-27T18:00",
    "tags": [],
}


@pytest.fixture(scope="module")
def stocked(shared: Client) -> Iterator[Callable[..., Any]]:
    """Three events, for tests that only read, or are refused; to be called as an HTTP client with a key."""
    key = bearer(ADMIN)
    written = {"forum-2026": FORUM, "summit": SUMMIT, "call": CALL}
    for event_id, event in written.items():
        assert shared.put(f"/v1/events/{event_id}", json=event, headers=key).status_code == 201
    yield lambda method, path, **more: shared.request(method, path, headers=key, **more)
    for event_id in written:
        shared.delete(f"/v1/events/{event_id}", headers=key)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def faults(answer: Any) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {
        fault.get("pointer", fault.get("parameter")): fault["detail"] for fault in answer.json()["errors"]
    }


def test_a_put_creates_and_a_get_shows_what_was_created(client: Client, put: Put) -> None:
    created = put()
    assert (created.status_code, created.headers["location"]) == (201, "/v1/events/forum-2026")
    shown = client.get("/v1/events/forum-2026")
    assert (shown.status_code, shown.content) == (200, created.content)
    assert shown.headers["etag"] == created.headers["etag"]


def test_an_event_has_every_field_of_the_contract_in_its_order(client: Client, put: Put) -> None:
    shown = put().json()
    assert shown["when"]["label"] == {"ko": "2026년 4월 1일(수) ~ 2일(목)", "en": "Wed, 1 – Thu, 2 Apr 2026"}
    derived = ["when", "disputed", "unsupported", "revision", "seq", "created_at", "updated_at", "phase"]
    assert list(shown)[-8:] == derived
    assert (shown["phase"], shown["disputed"], shown["revision"]) == ("upcoming", False, 1)
    assert shown["unsupported"] == ["start", "end"]
    assert shown["when"]["earliest"] == "2026-03-31T15:00:00Z"


def test_the_first_examples_of_the_guide_bring_their_evidence(client: Client, curator: Headers) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    examples = re.findall(r"curl -s -X PUT localhost:8000(\S+) .*?-d '(.*?)'\n", guide, re.DOTALL)
    answers = {path: client.put(path, json=json.loads(body), headers=curator) for path, body in examples}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/v1/sources/our-notice": 201,
        "/v1/events/our-demo-day": 201,
    }
    assert answers["/v1/events/our-demo-day"].json()["unsupported"] == []


def test_evidence_that_says_another_day_is_told_and_can_be_put_back(
    client: Client, curator: Headers, put: Put
) -> None:
    source = {"title": "안내", "kind": "news"}
    assert client.put("/v1/sources/notice", json=source, headers=curator).status_code == 201
    said = [{"field": "start", "value": "2026-04-02", "source": "notice"}]
    told = put(evidence=said, end=None).json()
    assert (told["disputed"], told["unsupported"]) == (False, ["start"])
    assert client.put("/v1/events/forum-2026", json=told, headers=curator).status_code == 200
    entry = client.get("/feeds/en/events/forum-2026.ics").text.replace("\r\n ", "")
    assert "STATUS:TENTATIVE\r\n" in entry
    assert "All sources say otherwise: Start Thu\\, 2 Apr 2026" in entry
    page = client.get("/en/events/forum-2026", headers={"accept": "text/html"}).text
    assert "<li>All sources say otherwise: Start Thu, 2 Apr 2026</li>" in page
    assert put(evidence=said, start="2026-04-02", end=None).json()["unsupported"] == []
    assert "STATUS:CONFIRMED\r\n" in client.get("/feeds/en/events/forum-2026.ics").text


def test_of_disputed_dates_the_earliest_sorts_counts_and_reminds_and_all_are_shown(
    client: Client, curator: Headers, put: Put
) -> None:
    for source in SOURCES:
        body = {"title": source, "kind": "news"}
        assert client.put(f"/v1/sources/{source}", json=body, headers=curator).status_code == 201

    def said(field: str, *days: str) -> list[dict[str, str]]:
        return [{"field": field, "value": day, "source": s} for day, s in zip(days, SOURCES, strict=True)]

    call = {"kind": "application_window", "start": "2026-02-20", "tags": []}
    put("disputed", **call, end="2026-03-20", evidence=said("end", "2026-03-05", "2026-03-20"))
    put("plain", **call, end="2026-03-10")
    forum = {"start": "2026-03-20", "end": None}
    put("disputed-forum", **forum, evidence=said("start", "2026-03-05", "2026-03-20"))
    put("plain-forum", start="2026-03-10", end=None)

    # The clock of the client stands on 1 March.
    assert ids(client.get("/v1/events?kind=application_window&sort=end")) == ["disputed", "plain"]
    assert ids(client.get("/v1/events?kind=application_window&sort=-end")) == ["plain", "disputed"]
    assert ids(client.get("/v1/events?kind=forum")) == ["disputed-forum", "plain-forum"]
    # It may still go on until the later one.
    for sort in ("start", "end", "-end", "updated"):
        found = ids(client.get(f"/v1/events?kind=application_window&from=2026-03-15&sort={sort}"))
        assert found == ["disputed"], sort
    shown = client.get("/v1/events/disputed").json()
    assert shown["when"]["label"]["en"] == "Fri, 20 Feb – Thu, 5 or Fri, 20 Mar 2026"
    assert (shown["phase"], shown["when"]["latest"]) == ("closing_soon", "2026-03-20T15:00:00Z")
    page = client.get("/en/", headers={"accept": "text/html"}).text
    assert re.findall(r'href="/en/events/([\w-]+)"', page)[:2] == ["disputed", "plain"]
    assert ">D-4<" in page and "Thu, 5 or Fri, 20 Mar 2026" in page
    feed = client.get("/feeds/en/calendar.ics").text
    assert "DTSTART;VALUE=DATE:20260305" in feed and "DTSTART;VALUE=DATE:20260320" not in feed


SOURCES = ("first", "second")


@pytest.mark.parametrize("asked", ["true", "false"])
def test_feeds_and_lists_find_the_same_unsupported_events(
    client: Client, curator: Headers, put: Put, asked: str
) -> None:
    source = {"title": "안내", "kind": "news"}
    client.put("/v1/sources/notice", json=source, headers=curator)
    said = [{"field": "start", "value": "2026-04-01", "source": "notice"}]
    put("bare", end=None)
    put("backed", end=None, evidence=said)
    found = {"true": ["bare"], "false": ["backed"]}[asked]
    assert ids(client.get(f"/v1/events?unsupported={asked}")) == found
    feed = client.get(f"/feeds/ko/calendar.json?unsupported={asked}").json()
    assert [item["url"].rpartition("/")[2] for item in feed["items"]] == found


def test_a_put_replaces_whole_and_counts_a_revision(put: Put) -> None:
    put(summary={"ko": "요약"})
    replaced = put(start="2026-04-03", end="2026-04-04")
    assert replaced.status_code == 200
    body = replaced.json()
    assert (body["revision"], body["summary"]) == (2, None)
    assert body["previous_dates"] == [{"start": "2026-04-01", "end": "2026-04-02", "until_revision": 1}]


def test_a_put_that_changes_nothing_makes_no_revision(put: Put) -> None:
    first = put()
    again = put()
    assert (again.status_code, again.content) == (200, first.content)


def test_what_a_get_shows_can_be_put_back(client: Client, put: Put, curator: Headers) -> None:
    put()
    put(start="2026-03-31")
    for lang in ("", "?lang=ko", "?lang=en"):
        shown = client.get(f"/v1/events/forum-2026{lang}").json()
        back = client.put("/v1/events/forum-2026", json=shown, headers=curator)
        assert (back.status_code, back.json()["revision"]) == (200, 2), back.text


def test_a_get_edited_and_put_back_keeps_the_history_of_its_dates(
    client: Client, put: Put, curator: Headers
) -> None:
    put()
    put(start="2026-03-31")
    edited = {**client.get("/v1/events/forum-2026").json(), "start": "2026-03-30"}
    back = client.put("/v1/events/forum-2026", json=edited, headers=curator)
    assert [d["start"] for d in back.json()["previous_dates"]] == ["2026-04-01", "2026-03-31"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("when", None),
        ("phase", "open"),
        ("disputed", True),
        ("unsupported", []),
        ("revision", 7),
        ("seq", 0),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("updated_at", None),
    ],
)
def test_a_derived_field_cannot_be_set(stocked: Callable[..., Any], field: str, value: object) -> None:
    refused = stocked("PUT", "/v1/events/forum-2026", json={**FORUM, field: value})
    assert (refused.status_code, list(faults(refused))) == (422, [f"/{field}"])


def test_an_altered_derived_date_is_refused(client: Client, put: Put) -> None:
    when = {**put().json()["when"], "precision": "month"}
    refused = put(when=when)
    assert (refused.status_code, list(faults(refused))) == (422, ["/when"])


def test_a_post_makes_an_id(client: Client, curator: Headers) -> None:
    created = client.post("/v1/events", json=FORUM, headers=curator)
    assert created.status_code == 201
    assert client.get(created.headers["location"]).json() == created.json()
    assert created.headers["location"] == f"/v1/events/{created.json()['id']}"


def test_a_post_does_not_take_an_id(client: Client, curator: Headers) -> None:
    refused = client.post("/v1/events", json={**FORUM, "id": "mine"}, headers=curator)
    assert (refused.status_code, list(faults(refused))) == (422, ["/id"])


def test_the_id_of_a_put_is_that_of_its_path(put: Put) -> None:
    assert put(id="forum-2026").status_code == 201
    refused = put(id="other")
    assert (refused.status_code, list(faults(refused))) == (422, ["/id"])


def test_a_path_that_is_no_slug_cannot_be_put(put: Put) -> None:
    refused = put("Not-A-Slug")
    assert (refused.status_code, list(faults(refused))) == (422, ["/id"])


def test_a_patch_changes_only_what_it_names(client: Client, put: Put, curator: Headers) -> None:
    before = put(summary={"ko": "요약", "en": "Summary"}, url="https://example.org/").json()
    patch = {"summary": {"en": None}, "url": None, "tags": ["ai", "green"], "place": {"city": "서울"}}
    after = client.patch("/v1/events/forum-2026", json=patch, headers=curator).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"summary", "url", "tags", "place", "revision", "seq"}
    assert (after["summary"], after["url"], after["tags"]) == ({"ko": "요약"}, None, ["ai", "green"])


def test_a_patched_date_remembers_the_one_before(client: Client, put: Put, curator: Headers) -> None:
    put()
    after = client.patch("/v1/events/forum-2026", json={"start": "2026-03-30"}, headers=curator).json()
    assert [d["start"] for d in after["previous_dates"]] == ["2026-04-01"]


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"end": "2026-03-01"}, "/end"),
        ({"id": "other"}, "/id"),
        ({"id": None}, "/id"),
        ({"colour": "red"}, "/colour"),
        ({"revision": 9}, "/revision"),
        ([], ""),
        ("text", ""),
    ],
)
def test_a_patched_event_is_held_to_the_same_rules(
    stocked: Callable[..., Any], patch: object, pointer: str
) -> None:
    refused = stocked("PATCH", "/v1/events/forum-2026", json=patch)
    assert (refused.status_code, list(faults(refused))) == (422, [pointer]), refused.text


def test_what_is_not_there_is_neither_shown_patched_nor_deleted(client: Client, curator: Headers) -> None:
    answers = [
        client.get("/v1/events/none"),
        client.patch("/v1/events/none", json={}, headers=curator),
        client.delete("/v1/events/none", headers=curator),
        client.get("/v1/events/none/revisions"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


def test_a_deleted_event_is_gone_and_its_history_is_not(client: Client, put: Put, curator: Headers) -> None:
    put()
    deleted = client.delete("/v1/events/forum-2026?cause=double", headers=curator)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get("/v1/events/forum-2026").status_code == 404
    history = client.get("/v1/events/forum-2026/revisions").json()["items"]
    assert [(entry["op"], entry["revision"]) for entry in history] == [("put", 1), ("delete", 2)]
    assert history[1]["cause"] == "double"


def test_a_revision_says_what_changed_from_what_to_what_and_why(
    client: Client, put: Put, curator: Headers
) -> None:
    put()
    client.patch("/v1/events/forum-2026?cause=moved", json={"start": "2026-03-31"}, headers=curator)
    last = client.get("/v1/events/forum-2026/revisions").json()["items"][-1]
    start = next(change for change in last["changes"] if change["field"] == "start")
    assert start == {"field": "start", "before": "2026-04-01", "after": "2026-03-31"}
    assert (last["cause"], last["at"]) == ("moved", "2026-03-01T03:00:00Z")


def test_a_write_names_the_version_it_means(client: Client, put: Put, curator: Headers) -> None:
    first = put().headers["etag"]
    assert put(headers={"if-match": first}, tags=["b"]).status_code == 200
    for refused in (
        put(headers={"if-match": first}, tags=["c"]),
        put("new", headers={"if-match": "*"}),
        client.patch("/v1/events/forum-2026", json={}, headers={**curator, "if-match": first}),
        client.delete("/v1/events/forum-2026", headers={**curator, "if-match": f"W/{first}"}),
    ):
        assert (refused.status_code, refused.json()["type"]) == (412, "/problems/precondition-failed")
    there = put(headers={"if-none-match": "*"})
    assert (there.status_code, there.json()["title"]) == (412, "It exists already")
    assert put("new", headers={"if-none-match": "*"}).status_code == 201
    assert client.delete("/v1/events/new", headers={**curator, "if-match": "*"}).status_code == 204


def test_a_phase_that_moved_on_is_no_reason_to_refuse_a_write(
    client: Client, put: Put, clock: SimulatedClock
) -> None:
    put()
    etag = client.get("/v1/events/forum-2026").headers["etag"]
    clock.advance(timedelta(days=31))
    assert client.get("/v1/events/forum-2026").headers["etag"] != etag
    assert put(headers={"if-match": etag}, tags=["b"]).status_code == 200


def test_a_write_names_the_copy_it_has_read_and_not_only_its_numbers(client: Client, put: Put) -> None:
    put()
    for lang in ("", "?lang=ko", "?lang=en"):
        read = client.get(f"/v1/events/forum-2026{lang}").headers["etag"]
        numbers, _, digest = read.rpartition(".")
        other = f'{numbers}.{digest[:-2]}{"0" if digest[-2] != "0" else "1"}"'
        for refused in (other, f'{numbers}."', f'{numbers}.{"0" * 24}"', f"W/{read}"):
            assert put(headers={"if-match": refused}).status_code == 412
        assert put(headers={"if-none-match": other}).status_code == 200
        assert put(headers={"if-none-match": f"W/{read}"}).status_code == 412
        assert put(headers={"if-match": f"{other}, {read}"}).status_code == 200
        lines = [("if-none-match", other), ("if-none-match", read)]
        assert client.get(f"/v1/events/forum-2026{lang}", headers=lines).status_code == 304


def test_a_copy_that_only_the_clock_has_aged_can_be_put_back_whole(
    client: Client, put: Put, curator: Headers, clock: SimulatedClock
) -> None:
    window = {"kind": "application_window", "start": "2026-03-05", "end": "2026-03-20", "close_rule": "fixed"}
    put(**window)
    path, phases = "/v1/events/forum-2026", []
    copies = []
    for days in (0, 6, 11, 6):
        clock.advance(timedelta(days=days))
        copies.append(client.get(path))
        phases.append(copies[-1].json()["phase"])
    assert phases == ["upcoming", "open", "closing_soon", "closed"]
    for copy in copies:
        headers = {**curator, "if-match": copy.headers["etag"]}
        back = client.put(path, json=copy.json(), headers=headers)
        assert (back.status_code, back.json()["revision"]) == (200, 1)
    # Of the next revision nobody has a copy from before.
    put(**window, tags=["b"])
    assert client.put(path, json=copies[-1].json(), headers=headers).status_code == 412


def test_a_copy_that_a_change_of_its_source_has_aged_is_out_of_date(
    client: Client, put: Put, curator: Headers
) -> None:
    source = {"title": "공고", "kind": "official_notice", "retrieved": "2026-01-05"}
    client.put("/v1/sources/notice", json=source, headers=curator)
    said = {"field": "start", "value": "2026-01-01", "source": "notice"}
    window = {"kind": "application_window", "start": "2026-01-01", "close_rule": "until_exhausted"}
    before = put(**window, evidence=[said])
    assert before.json()["phase"] == "unknown"
    client.put("/v1/sources/notice", json={**source, "retrieved": "2026-02-28"}, headers=curator)
    after = client.get("/v1/events/forum-2026")
    assert (after.json()["phase"], after.json()["revision"]) == ("open", 1)
    for read, status in ((before, 412), (after, 200)):
        headers = {"if-match": read.headers["etag"]}
        assert put(**window, evidence=[said], headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/v1/events/forum-2026", "/v1/events", "/v1/changes", "/v1/openapi.json"])
def test_who_has_it_already_is_not_sent_it_again(client: Client, put: Put, path: str) -> None:
    put()
    etag = client.get(path).headers["etag"]
    for held in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = client.get(path, headers={"if-none-match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(path, headers={"if-none-match": '"x"'}).status_code == 200


def test_a_list_changes_its_tag_when_an_event_in_it_changes(client: Client, put: Put) -> None:
    put()
    before = client.get("/v1/events").headers["etag"]
    put(tags=["b"])
    assert client.get("/v1/events").headers["etag"] != before


def test_lang_keeps_the_labels_of_one_language(client: Client, put: Put) -> None:
    put()
    [item] = client.get("/v1/events?lang=ko").json()["items"]
    assert list(item["when"]["label"]) == ["ko"]
    assert list(client.get("/v1/events/forum-2026?lang=en").json()["when"]["label"]) == ["en"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["summit", "call", "forum-2026"]),
        ("?kind=summit", ["summit"]),
        ("?kind=summit&kind=forum", ["summit", "forum-2026"]),
        ("?kind=summit&tag=ai", []),
        ("?tag=ai", ["forum-2026"]),
        ("?from=2026-04-02", ["forum-2026"]),
        ("?to=2026-03-10", ["summit", "call"]),
        ("?from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00%2B09:00", ["call"]),
        ("?phase=open", []),
        ("?phase=upcoming&status=scheduled", ["summit", "call", "forum-2026"]),
        ("?disputed=true", []),
        ("?disputed=false&city=서울", ["summit"]),
        ("?unsupported=true", ["summit", "call", "forum-2026"]),
        ("?unsupported=false", []),
        ("?q=서울", ["summit"]),
        ("?q=서밋", ["summit"]),
        ("?q=forum%20sustainability", ["forum-2026"]),
        ("?q=sustain", []),
        ("?sort=-start", ["forum-2026", "call", "summit"]),
        ("?sort=end", ["summit", "call", "forum-2026"]),
        ("?updated_since=2026-03-02", []),
    ],
)
def test_filters_find_what_they_say(stocked: Callable[..., Any], query: str, found: list[str]) -> None:
    assert ids(stocked("GET", f"/v1/events{query}")) == found


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("colour=red", ["colour"]),
        ("colour=red&size=5", ["colour", "size"]),
        ("from=yesterday", ["from"]),
        ("from=2026-13-01", ["from"]),
        ("from=2026-04-02&to=2026-04-01", ["to"]),
        ("kind=party", ["kind"]),
        ("phase=soon", ["phase"]),
        ("status=", ["status"]),
        ("disputed=maybe", ["disputed"]),
        ("unsupported=maybe", ["unsupported"]),
        ("tag=NOT%20A%20SLUG", ["tag"]),
        ("sort=name", ["sort"]),
        ("sort=start&sort=end", ["sort"]),
        ("limit=0", ["limit"]),
        ("limit=201", ["limit"]),
        ("limit=ten", ["limit"]),
        ("lang=jp", ["lang"]),
        ("cursor=garbage", ["cursor"]),
        ("sort=relevance", ["sort"]),
        ("q=-", ["q"]),
        ("q=", ["q"]),
        ("q=a&q=b", ["q"]),
        ("updated_since=now", ["updated_since"]),
        ("kind=party&sort=name&limit=0&cursor=x&lang=jp", ["kind", "sort", "limit", "cursor", "lang"]),
    ],
)
def test_a_wrong_parameter_is_named(shared: Client, query: str, parameters: list[str]) -> None:
    refused = shared.get(f"/v1/events?{query}")
    assert (refused.status_code, list(faults(refused))) == (400, parameters), refused.text


@pytest.mark.parametrize(
    "sort", ["start", "-start", "end", "-end", "updated", "-updated", "relevance&q=포럼", "start&q=포럼"]
)
def test_pages_show_every_event_once(client: Client, put: Put, clock: SimulatedClock, sort: str) -> None:
    names = [f"e{n}" for n in range(7)]
    for n, name in enumerate(names):
        put(name, start=None if n == 3 else f"2026-04-{n % 3 + 1:02}", end=None)
        clock.advance(timedelta(seconds=1))
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/v1/events?sort={sort}&limit=2{cursor}")
        seen += ids(page)
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"
    assert sorted(seen) == names
    assert seen == ids(client.get(f"/v1/events?sort={sort}"))


def test_the_best_match_comes_first_unless_another_order_is_asked_for(client: Client, put: Put) -> None:
    for name, text, start in (
        ("typo", "딥테코 컨퍼런스", "2026-04-01"),
        ("inside", "글로벌 딥테크 컨퍼런스", "2026-04-02"),
        ("beginning", "딥 테크 컨퍼런스 서울", "2026-04-03"),
        ("exact", "딥테크 콘퍼런스", "2026-04-04"),
        ("newer", "2026 글로벌 딥테크 컨퍼런스", "2026-04-05"),
        ("other", "바이오 포럼", "2026-04-06"),
    ):
        put(name, name={"ko": text}, start=start, end=None)
    put(
        "summary",
        name={"ko": "바이오 포럼"},
        summary={"ko": "딥테크 컨퍼런스와 함께"},
        start="2026-04-07",
        end=None,
    )
    ranked = ["exact", "beginning", "newer", "inside", "summary", "typo"]
    assert ids(client.get("/v1/events?q=딥테크컨퍼런스")) == ranked
    assert ids(client.get("/v1/events?q=딥테크 컨퍼런스&sort=relevance")) == ranked
    assert ids(client.get("/v1/events?q=딥테크 컨퍼런스&sort=start")) == [
        *("typo", "inside", "beginning", "exact", "newer", "summary")
    ]
    assert ids(client.get("/v1/events?q=딥테크 컨퍼런스 -글로벌")) == [
        "exact",
        "beginning",
        "summary",
        "typo",
    ]


def test_feeds_and_webhooks_find_what_a_list_finds(client: Client, curator: Headers, put: Put) -> None:
    agency = {"name": {"ko": "창업진흥원"}, "aliases": [{"text": "창진원"}]}
    assert client.put("/v1/organizations/kised", json=agency, headers=curator).status_code == 201
    put("ours", organizations=[{"id": "kised", "role": "host"}])
    put("other", name={"ko": "바이오 데이"})
    hook = {"url": "https://example.org/h", "name": "h", "reminders": [{"anchor": "start", "before": "P7D"}]}
    for q in ("창진원", "창업 진흥원", "창업진훙원", "KISED", "ㅊㅇㅈㅎㅇ", "-바이오"):
        assert ids(client.get("/v1/events", params={"q": q})) == ["ours"], q
        feed = client.get("/feeds/ko/calendar.json", params={"q": q, "ahead": "P9Y", "past": "P9Y"})
        assert len(feed.json()["items"]) == 1, q
        made = client.post("/v1/webhooks", json={**hook, "filter": {"q": q}}, headers=bearer(ADMIN)).json()
        upcoming = client.get(f"/v1/webhooks/{made['id']}/upcoming?days=400", headers=bearer(ADMIN)).json()
        rows = [*upcoming["items"], *upcoming["not_planned"]]
        assert {row["event"] for row in rows if row.get("reason") != "filtered"} == {"ours"}, q


def test_a_cursor_is_bound_to_its_filters(client: Client, put: Put) -> None:
    put("a")
    put("b")
    cursor = client.get("/v1/events?limit=1&tag=ai").json()["next"]
    assert ids(client.get(f"/v1/events?tag=ai&limit=5&cursor={cursor}")) == ["b"]
    for other in (f"cursor={cursor}", f"tag=ai&sort=end&cursor={cursor}", f"tag=ai&cursor={cursor[:-1]}"):
        refused = client.get(f"/v1/events?{other}")
        assert (refused.status_code, list(faults(refused))) == (400, ["cursor"])
    assert client.get(f"/v1/series?cursor={cursor}").status_code == 400
