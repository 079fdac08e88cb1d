"""Feeds in the OpenAPI document say what the code that reads and answers them does."""

import re
from typing import Any

import pytest

from feeds.formats import FORMATS
from service.api import feed_operations
from service.catalogue import filters
from service.feedcache import request
from service.feedcache.request import OPTIONS, OneOf
from tests.service.api.conftest import ADMIN, bearer
from tests.service.api.feeds.world import SUMMIT, Client, fetch

PATHS = feed_operations.paths()


def query(path: str) -> dict[str, Any]:
    return {each["name"]: each for each in PATHS[path]["get"]["parameters"] if each["in"] == "query"}


def ignored(query: str) -> tuple[str, ...]:
    found = request.parse("/feeds/ko/calendar.ics", query.encode())
    assert found is not None
    return found.ignored


def test_the_document_of_the_service_has_every_feed(shared: Client) -> None:
    documented = shared.get("/v1/openapi.json").json()["paths"]
    assert {path: entry for path, entry in documented.items() if path.startswith("/feeds/")} == PATHS


def test_the_options_of_the_document_are_those_the_reader_knows() -> None:
    assert set(query(feed_operations.PUBLIC)) == set(OPTIONS) | filters.NAMES
    assert set(query(feed_operations.SINGLE)) == set(OPTIONS) | filters.NAMES
    assert set(query(feed_operations.PRIVATE)) == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_the_document_allows_is_what_the_reader_takes(name: str) -> None:
    schema = query(feed_operations.PUBLIC)[name]["schema"]
    words = schema.get("enum", [])
    pattern = re.compile(schema.get("items", schema).get("pattern", "$^"))
    for text in (*words, "P7D", "P18M", "PT2H", "nonsense", "2"):
        allowed = text in words or pattern.search(text) is not None
        assert (text, ignored(f"{name}={text}")) == (text, () if allowed else (name,))
    read = OPTIONS[name]
    assert not isinstance(read, OneOf) or tuple(words) == read.words


@pytest.mark.parametrize("name", OPTIONS)
def test_a_stated_default_asks_for_the_same_feed(name: str) -> None:
    schema = query(feed_operations.PUBLIC)[name]["schema"]
    stated = f"{name}={schema['default']}" if "default" in schema else ""
    assert request.parse("/feeds/ko/calendar.ics", stated.encode()) == request.parse(
        "/feeds/ko/calendar.ics", b""
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_feed_has_a_stated_content_type_and_only_stated_headers(shown: Client, suffix: str) -> None:
    stated = PATHS[feed_operations.PUBLIC]["get"]["responses"]
    answer = fetch(shown, f"/feeds/ko/calendar.{suffix}?nonsense=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] in stated["200"]["content"]
    assert {name for name in stated["200"]["headers"] if name not in answer.headers} == {"X-Dday-Notice"}
    held = fetch(shown, f"/feeds/ko/calendar.{suffix}?nonsense=1", if_none_match=answer.headers["etag"])
    assert held.status_code == 304
    assert {name for name in stated["304"]["headers"] if name not in held.headers} == {"X-Dday-Notice"}
    dated = fetch(shown, f"/feeds/ko/calendar.{suffix}", if_modified_since=answer.headers["last-modified"])
    assert dated.status_code == 304


def test_one_event_is_a_calendar_and_nothing_else(shown: Client) -> None:
    stated = PATHS[feed_operations.SINGLE]["get"]["responses"]
    answer = fetch(shown, f"/feeds/ko/events/{SUMMIT['id']}.ics")
    assert [answer.headers["content-type"]] == list(stated["200"]["content"])
    assert fetch(shown, f"/feeds/ko/events/{SUMMIT['id']}.json").status_code == 404


def test_a_private_feed_answers_as_stated_and_410_when_it_is_over(client: Client) -> None:
    stated = PATHS[feed_operations.PRIVATE]["get"]["responses"]
    made = client.post("/v1/saved-feeds", json={"name": "우리"}, headers=bearer(ADMIN)).json()
    places = {suffix: re.sub(r"^https?://[^/]+", "", url) for suffix, url in made["urls"].items()}
    answers = {suffix: fetch(client, place) for suffix, place in places.items()}
    assert [each.headers["content-type"] for each in answers.values()] == list(stated["200"]["content"])
    client.delete(f"/v1/saved-feeds/{made['id']}", headers=bearer(ADMIN))
    never = re.sub(r"/p/[^/]+", f"/p/nobody00_{'A' * 43}", places["ics"])
    refused = [fetch(client, places["ics"]), fetch(client, never)]
    assert [each.status_code for each in refused] == [410, 404]
    for each in refused:
        content = stated[str(each.status_code)]["content"]
        assert [each.headers["content-type"].partition(";")[0]] == list(content)
