"""Every field's negative test: what each refuses, and that the answer points to it."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.catalogue.event import Event, Organization, Program, Series, Source
from tests.service.api.conftest import ADMIN, bearer

Client = TestClient[Litestar]

EVENT = {"kind": "application_window", "name": {"ko": "모집"}, "start": "2026-03-02", "end": "2026-03-27"}
LONG = "x" * 301
SAID = {"field": "start", "value": "2026-03-02", "source": "s"}

# field -> [(value, where the answer points)]
EVENTS: dict[str, list[tuple[Any, str]]] = {
    "id": [(5, "/id"), ("Not A Slug", "/id"), ("a--b", "/id"), ("x" * 101, "/id"), ("trailing\n", "/id")],
    "kind": [("party", "/kind"), (None, "/kind"), (["forum"], "/kind")],
    "name": [
        (None, "/name"),
        ("모집", "/name"),
        ({}, "/name"),
        ({"ko": ""}, "/name/ko"),
        ({"ko": "x" * 5001}, "/name/ko"),
        ({"ko": "a\u0000b"}, "/name/ko"),
        ({"ko": "a\u009fb"}, "/name/ko"),
        ({"jp": "募集"}, "/name/jp"),
        ({"ko": "가", "translated": ["fr"]}, "/name/translated/0"),
        ({"ko": "가", "translated": ["en"]}, "/name/translated/0"),
    ],
    "summary": [({"en": 5}, "/summary/en"), ({"en": "\x07"}, "/summary/en"), ({}, "/summary")],
    "status": [("moved", "/status"), (None, "/status")],
    "start": [
        (20260302, "/start"),
        ("2026-02-30", "/start"),
        ("2026-13", "/start"),
        ("0000", "/start"),
        ("2026-03-02T24:00", "/start"),
        ("2026-03-02T18:60", "/start"),
        ("2026-03-02T18:00:00Z", "/start"),
        ("2026-03-02T18:00?", "/start"),
        ("tomorrow", "/start"),
        ("202", "/start"),
    ],
    "end": [
        ("2026-03-01", "/end"),
        ("2026-02-29", "/end"),
        ("2026-03-27T24:01", "/end"),
        ("2026-03-27T25:00", "/end"),
    ],
    "timezone": [
        ("Asia/Nowhere", "/timezone"),
        ("localtime", "/timezone"),
        ("posixrules", "/timezone"),
        ("Asia", "/timezone"),
        ("../etc/passwd", "/timezone"),
        ("x" * 300, "/timezone"),
        (None, "/timezone"),
        ("", "/timezone"),
    ],
    "close_rule": [("later", "/close_rule"), (5, "/close_rule")],
    "close_text": [("", "/close_text"), (LONG, "/close_text"), ("a\nb", "/close_text")],
    "series": [("NO", "/series"), ("no-such-series", "/series"), (5, "/series")],
    "edition": [
        ({"number": 0}, "/edition/number"),
        ({"number": 10_001}, "/edition/number"),
        ({"number": "4"}, "/edition/number"),
        ({"label": ""}, "/edition/label"),
        ("2026", "/edition"),
    ],
    "program": [("no-such-program", "/program"), ([], "/program")],
    "part_of": [("no-such-event", "/part_of"), ("negative", "/part_of"), (0, "/part_of")],
    "related": [
        ({}, "/related"),
        ([{"relation": "about", "event": "no-such-event"}], "/related/0/event"),
        ([{"relation": "likes", "event": "a"}], "/related/0/relation"),
        ([{"relation": "about"}], "/related/0/event"),
        ([{"relation": "about", "event": "negative"}], "/related/0/event"),
        ([{"relation": "about", "event": "a"}] * 51, "/related"),
    ],
    "place": [
        ({"country": "kr"}, "/place/country"),
        ({"geo": {"lat": 91, "lon": 0}}, "/place/geo/lat"),
        ({"geo": {"lat": 0, "lon": -181}}, "/place/geo/lon"),
        ({"geo": {"lat": 0}}, "/place/geo/lon"),
        ({"online_url": "javascript:alert(1)"}, "/place/online_url"),
        ({"city": ""}, "/place/city"),
        ({"address": 5}, "/place/address"),
        ({"inherited": 1}, "/place/inherited"),
        ({"planet": "earth"}, "/place/planet"),
        ("서울", "/place"),
    ],
    "organizations": [
        ([{"id": "nobody", "role": "host"}], "/organizations/0/id"),
        ([{"id": "nobody", "role": "king"}], "/organizations/0/role"),
        (["nobody"], "/organizations/0"),
    ],
    "tags": [
        (["AI"], "/tags/0"),
        (["ai", "ai"], "/tags/1"),
        ("ai", "/tags"),
        ([5], "/tags/0"),
        (["a"] * 51, "/tags"),
    ],
    "url": [("example.org", "/url"), ("ftp://example.org", "/url"), ("https://a b", "/url"), (5, "/url")],
    "apply_url": [("javascript:alert(1)", "/apply_url"), ("https://" + "x" * 2000, "/apply_url")],
    "external_ids": [
        ({"a b": "x"}, "/external_ids/a b"),
        ({"k": ""}, "/external_ids/k"),
        ({"k": 5}, "/external_ids/k"),
        ([], "/external_ids"),
        ({f"k{n}": "x" for n in range(21)}, "/external_ids"),
    ],
    "visibility": [("secret", "/visibility")],
    "evidence": [
        ([{**SAID, "source": "no-such-source"}], "/evidence/0/source"),
        ([{**SAID, "value": "spring"}], "/evidence/0/value"),
        ([{**SAID, "field": "weather"}], "/evidence/0/field"),
        ([{**SAID, "rank": "best"}], "/evidence/0/rank"),
        ([{**SAID, "quote": "x" * 121}], "/evidence/0/quote"),
        ([{**SAID, "note": ""}], "/evidence/0/note"),
        ([{"field": "start", "source": "s"}], "/evidence/0/value"),
        ([5], "/evidence/0"),
    ],
    "previous_dates": [
        ([{"start": "2026-02-30", "end": None}], "/previous_dates/0/start"),
        ([{"start": None}], "/previous_dates/0/end"),
        ([{"start": None, "end": None, "until_revision": 0}], "/previous_dates/0/until_revision"),
        (None, "/previous_dates"),
    ],
}

NAMED = {"name": [(None, "/name"), ({}, "/name"), ({"ko": "\x00"}, "/name/ko")], "id": [("NO", "/id")]}
ALIAS = [([{"text": ""}], "/aliases/0/text"), ([{"text": "a", "since": "once"}], "/aliases/0/since")]
URL = [("nowhere", "/url")]
PART = [([{"id": "nobody", "role": "host"}], "/organizations/0/id")]
NOUNS: dict[str, tuple[type, dict[str, Any], dict[str, list[tuple[Any, str]]]]] = {
    "series": (
        Series,
        {"name": {"ko": "가"}},
        {**NAMED, "summary": [(5, "/summary")], "aliases": ALIAS, "organizations": PART, "url": URL},
    ),
    "programs": (
        Program,
        {"name": {"ko": "가"}},
        {
            **NAMED,
            "summary": [({}, "/summary")],
            "kind": [("gift", "/kind")],
            "selection": [("lottery", "/selection")],
            "aliases": ALIAS,
            "organizations": PART,
            "part_of": [("nothing", "/part_of"), ("negative", "/part_of")],
            "url": URL,
            "evidence": [([{**SAID, "source": "no-such-source"}], "/evidence/0/source")],
        },
    ),
    "organizations": (
        Organization,
        {"name": {"ko": "가"}},
        {
            **NAMED,
            "kind": [("club", "/kind")],
            "aliases": ALIAS,
            "part_of": [("nothing", "/part_of"), ("negative", "/part_of")],
            "url": URL,
        },
    ),
    "sources": (
        Source,
        {"title": "가", "kind": "news"},
        {
            "id": [("NO", "/id")],
            "title": [(None, "/title"), ("", "/title"), (LONG, "/title"), ("a\nb", "/title")],
            "kind": [("rumour", "/kind")],
            "publisher": [("", "/publisher")],
            "url": URL,
            "published": [("long ago", "/published"), ("2026-02-30", "/published")],
            "retrieved": [("2026-02-30", "/retrieved"), ("2026", "/retrieved"), (5, "/retrieved")],
            "origin": [("NO", "/origin")],
            "language": [("fr", "/language")],
            "article": [("", "/article")],
            "note": [("", "/note")],
        },
    ),
}

CASES = [("events", EVENT, field, *case) for field, cases in EVENTS.items() for case in cases] + [
    (room, base, field, *case)
    for room, (_, base, fields) in NOUNS.items()
    for field, cases in fields.items()
    for case in cases
]


@pytest.mark.parametrize(
    ("room", "base", "field", "value", "pointer"),
    CASES,
    ids=[f"{room}-{field}-{str(value)[:20]!a}" for room, _, field, value, _ in CASES],
)
def test_a_wrong_value_is_a_422_that_points_to_it(
    shared: Client, room: str, base: dict[str, Any], field: str, value: object, pointer: str
) -> None:
    answer = shared.put(f"/v1/{room}/negative", json={**base, field: value}, headers=bearer(ADMIN))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
        answer.text
    )
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


def test_every_field_has_a_negative_test() -> None:
    assert set(EVENTS) == set(Event.__struct_fields__)
    for noun, _, fields in NOUNS.values():
        assert set(fields) == set(noun.__struct_fields__)


def test_all_faults_of_an_event_are_told_at_once(shared: Client) -> None:
    wrong = {
        **EVENT,
        "start": "2026-02-30",
        "end": "2026-13-01",
        "timezone": "Asia/Nowhere",
        "tags": ["a", "a"],
    }
    answer = shared.put("/v1/events/negative", json=wrong, headers=bearer(ADMIN))
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {
        "/start",
        "/end",
        "/timezone",
        "/tags/1",
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": ["admin"]}, "/name"),
        ({"name": "", "scopes": ["admin"]}, "/name"),
        ({"name": "a"}, "/scopes"),
        ({"name": "a", "scopes": []}, "/scopes"),
        ({"name": "a", "scopes": ["god"]}, "/scopes/0"),
        ({"name": "a", "scopes": ["admin", "admin"]}, "/scopes"),
        ({"name": "a", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "a", "scopes": ["admin"], "expires_at": "2030-01-01"}, "/expires_at"),
        ({"name": "a", "scopes": ["admin"], "expires_at": 0}, "/expires_at"),
        ({"name": "a", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"name": "a", "scopes": ["admin"], "key": "mine"}, "/key"),
    ],
)
def test_a_wrong_key_is_a_422_that_points_to_the_fault(shared: Client, body: object, pointer: str) -> None:
    answer = shared.post("/v1/keys", json=body, headers=bearer(ADMIN))
    assert (answer.status_code, [f["pointer"] for f in answer.json()["errors"]]) == (422, [pointer])


@pytest.mark.parametrize(
    ("steps", "pointers"),
    [
        ({}, [""]),
        ([], [""]),
        ([{"delete": "a"}] * 1001, [""]),
        ([5], ["/0"]),
        ([{}], ["/0"]),
        ([{"put": {}, "delete": "a"}], ["/0"]),
        ([{"delete": "NO"}], ["/0/delete"]),
        ([{"delete": "no-such-event"}], ["/0/delete"]),
        (
            [{"put": {**EVENT, "id": "b"}}, {"put": 5}, {"put": {**EVENT, "id": "c", "end": "x" * 9}}],
            ["/1/put", "/2/put/end"],
        ),
        ([{"put": {**EVENT, "id": "b", "revision": 3}}], ["/0/put/revision"]),
        ([{"put": {**EVENT, "id": "b", "series": "nothing"}}], ["/0/put/series"]),
        ([{"put": {**EVENT, "id": "b"}}, {"put": {**EVENT, "id": "b"}}], ["/1/put/id"]),
        ([{"put": EVENT}], ["/0/put/id"]),
        ([{"put": {**EVENT, "id": "batch"}}], ["/0/put/id"]),
    ],
)
def test_a_wrong_batch_says_which_step(shared: Client, steps: object, pointers: list[str]) -> None:
    answer = shared.post("/v1/events/batch", json=steps, headers=bearer(ADMIN))
    assert (answer.status_code, [f["pointer"] for f in answer.json()["errors"]]) == (422, pointers), (
        answer.text
    )
    assert shared.get("/v1/events/b").status_code == 404
