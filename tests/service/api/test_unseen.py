"""Names that nobody can see and addresses that lead nowhere are refused wherever one is written."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from service.catalogue.validation import is_blank, url_fault
from tests.service.api.conftest import ADMIN, bearer

Client = TestClient[Litestar]
EVENT = {"kind": "application_window", "name": {"ko": "모집"}}
NAMED = {"name": {"ko": "이름"}}
SOURCE = {"title": "보도", "kind": "news"}
HOOK = {"url": "https://receiver.example/", "name": "n"}

# Where a name is written: the request, the fields around the name, and where it stands.
NAMES: list[tuple[str, str, dict[str, Any], str]] = [
    *(
        ("PUT", "/v1/events/e", EVENT, pointer)
        for pointer in (
            *("/name/ko", "/name/en", "/summary/ko", "/close_text", "/edition/label", "/place/name/en"),
            *("/place/city", "/place/address", "/external_ids/kstartup"),
        )
    ),
    *(
        ("PUT", f"/v1/{noun}/n", NAMED, pointer)
        for noun in ("series", "programs", "organizations")
        for pointer in ("/name/ko", "/name/en")
    ),
    *(("PUT", "/v1/sources/n", SOURCE, pointer) for pointer in ("/title", "/publisher", "/note")),
    ("POST", "/v1/webhooks", HOOK, "/name"),
    ("POST", "/v1/keys", {"scopes": ["feeds"]}, "/name"),
    ("POST", "/v1/saved-feeds", {}, "/name"),
    ("POST", "/v1/saved-feeds", {}, "/name/ko"),
]
URLS = [
    *(("PUT", "/v1/events/e", EVENT, pointer) for pointer in ("/url", "/apply_url", "/place/online_url")),
    *(("PUT", f"/v1/{noun}/n", NAMED, "/url") for noun in ("series", "programs", "organizations")),
    ("PUT", "/v1/sources/n", SOURCE, "/url"),
    ("POST", "/v1/webhooks", HOOK, "/url"),
]
# Zero width, direction, Hangul fillers, variation selectors, tags, an empty Braille cell, a lone mark.
UNSEEN = (
    "\u200b", "\u200d\u2060", "\u202e", "\u2066\u2069", "\u3164", "\u115f\u1160", "\uffa0", "\ufe0f",
    "\U000e0100", "\U000e0041", "\u2800", "\u00ad", "\u034f", "\u180e", "\ufeff", "\u0301", " \u00a0\u3000",
)  # fmt: skip
NO_ADDRESS = (
    "https://", "https:///path", "https://?q", "https://:80/", "http://[::1", "http://[v1.a]/",
    "http://[fe80::1%25eth0]/", "http://a..b/", "http://-a.kr/", "http://256.1.1.1/", "http://0x7f.1/", "http://1/",
    "http://%00/", "http://a.kr:99999/", "http://a.kr:0/", "http://a.kr:x/", "http://a.kr\\@b.kr/", "http://\u200b/",
    f"https://{'a' * 64}.kr/", "https://a\uff20b.kr/",
)  # fmt: skip
CREDENTIALS = ("https://u@a.kr/", "https://u:p@a.kr/", "https://@a.kr/", "https://:p@[::1]/")
ADDRESSES = (
    "https://a.kr", "http://a.kr:8080/?q=1|2#part", "https://서울.한국/행사", "https://a.kr/@name", "http://localhost/",
    "https://ko.wikipedia.org/wiki/A@b", "http://127.0.0.1/", "http://[2001:db8::1]:80/", "https://a_b.kr./",
)  # fmt: skip


def with_text(body: dict[str, Any], pointer: str, text: str) -> dict[str, Any]:
    """The body with this text at the pointer, beside what stands there."""
    name, _, rest = pointer.removeprefix("/").partition("/")
    if not rest:
        return {**body, name: text}
    within = body.get(name, {})
    return {**body, name: with_text(within, f"/{rest}", text)}


def pointers(client: Client, method: str, path: str, body: object) -> tuple[int, list[str]]:
    answer = client.request(method, path, json=body, headers=bearer(ADMIN))
    return answer.status_code, [fault["pointer"] for fault in answer.json().get("errors", ())]


@pytest.mark.parametrize(("method", "path", "body", "pointer"), NAMES)
def test_a_name_that_nobody_can_see_is_refused_where_it_stands(
    shared: Client, method: str, path: str, body: dict[str, Any], pointer: str
) -> None:
    for text in ("\u200b\u3164", "\ufe0f", "\u2800"):
        assert pointers(shared, method, path, with_text(body, pointer, text)) == (422, [pointer])


@pytest.mark.parametrize(("method", "path", "body", "pointer"), URLS)
def test_an_address_that_leads_nowhere_or_tells_a_password_is_refused_where_it_stands(
    shared: Client, method: str, path: str, body: dict[str, Any], pointer: str
) -> None:
    for text in ("https://u:p@a.kr/", "http://[::1", "http://a.kr:99999/"):
        assert pointers(shared, method, path, with_text(body, pointer, text)) == (422, [pointer])


def test_a_patch_is_held_to_the_same(client: Client) -> None:
    client.put("/v1/events/e", json=EVENT, headers=bearer(ADMIN))
    for pointer, text in (("/name/ko", "\u3164"), ("/url", "https://u@a.kr/")):
        assert pointers(client, "PATCH", "/v1/events/e", with_text({}, pointer, text)) == (422, [pointer])
    faulty = {"put": {**EVENT, "id": "x", "apply_url": "https://u@a.kr/"}}
    assert pointers(client, "POST", "/v1/events/batch", [faulty]) == (422, ["/0/put/apply_url"])
    cause = client.delete("/v1/events/e?cause=%E2%80%8B", headers=bearer(ADMIN))
    assert (cause.status_code, cause.json()["errors"][0]["parameter"]) == (400, "cause")


def test_whatever_draws_nothing_is_blank() -> None:
    assert [text for text in UNSEEN if not is_blank(text)] == []
    assert [
        text for text in ("가", "a\u200b", "\u3164x", "😀", "·", "\u0e33", "\U000e0041.") if is_blank(text)
    ] == []


def test_an_address_can_be_read_in_one_way_and_tells_no_password() -> None:
    assert [url for url in ADDRESSES if url_fault(url)] == []
    assert [url for url in (*NO_ADDRESS, *CREDENTIALS) if not url_fault(url)] == []
    assert ["password" in (url_fault(url) or "") for url in CREDENTIALS] == [True] * len(CREDENTIALS)
