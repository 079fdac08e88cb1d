import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api import json_body
from service.catalogue.event import Event
from service.errors import Malformed, Problem, TooLarge, Unprocessable, UnsupportedMediaType

EVENT = {"id": "a", "kind": "other", "name": {"ko": "가"}}


def refusal(body: bytes | dict[str, object]) -> Problem:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Problem) as caught:
        json_body.convert(json_body.parse(raw), Event)
    return caught.value


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"evidence": [{"field": "start", "source": "a"}]}, "/evidence/0/value"),
        ({"evidence": [{"field": "start", "source": "a", "value": 5}]}, "/evidence/0/value"),
        ({"name": {"ko": 5}}, "/name/ko"),
        ({"name": {"fr": "x"}}, "/name/fr"),
        ({"name": "x"}, "/name"),
        ({"colour": "red"}, "/colour"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"tags": ["ok", "NOT OK"]}, "/tags/1"),
        ({"external_ids": {"fine": "x", "odd": 1}}, "/external_ids/odd"),
        ({"external_ids": {"fine": "x", "a b": "x"}}, "/external_ids/a b"),
        ({"place": {"geo": {"lat": 91, "lon": 0}}}, "/place/geo/lat"),
        ({"edition": {"number": 1.5}}, "/edition/number"),
        ({"edition": {"number": "1"}}, "/edition/number"),
        ({"kind": "party"}, "/kind"),
    ],
)
def test_a_wrong_value_is_refused_with_a_pointer_to_it(change: dict[str, object], pointer: str) -> None:
    problem = refusal({**EVENT, **change})
    assert (type(problem), [fault.pointer for fault in problem.errors]) == (Unprocessable, [pointer])


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (rb'{"name": {"ko": "a\u0000b"}}', "/name/ko"),
        (rb'{"name": {"ko": "a\u001fb"}}', "/name/ko"),
        (rb'{"name": {"ko": "a\bb"}}', "/name/ko"),
        (rb'{"name": {"ko": "a\rb"}}', "/name/ko"),
        (rb'{"tags": ["x", "\ud800"]}', "/tags/1"),
        (rb'{"tags": ["x", "\udc00\ud800"]}', "/tags/1"),
        (b'{"name": {"ko": "a\x7fb"}}', "/name/ko"),
        (b'{"name": {"ko": "a\xc2\x85b"}}', "/name/ko"),
        (rb'{"na\u0000me": 1}', "/na\0me"),
    ],
)
def test_a_character_no_text_may_hold_is_refused_with_a_pointer_to_it(text: bytes, pointer: str) -> None:
    problem = refusal(text)
    assert (type(problem), [fault.pointer for fault in problem.errors]) == (Unprocessable, [pointer])


@pytest.mark.parametrize(
    "text", ["tab\tand\nline", "emoji 🎉", "\u202eright to left", "back\\bslash", "é", "\u2028"]
)
def test_other_characters_are_kept(text: str) -> None:
    assert json_body.parse(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1} x',
        b"NaN",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"1e400",
        b"9" * 5000,
        b'"\x01"',
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    assert type(refusal(raw)) is Malformed


def test_a_value_just_shallow_enough_to_parse_is_refused_as_the_wrong_type() -> None:
    assert type(refusal(b"[" * 900 + b'"\\u0000"' + b"]" * 900)) is Unprocessable


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "multipart/form-data", "application/jsonp", "application/json; charset=utf-16"],
)
def test_only_json_in_utf_8_is_a_body(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        json_body.check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json_may_name_its_charset(content_type: str) -> None:
    json_body.check_content_type(content_type)


def test_a_body_may_have_as_many_bytes_as_its_limit_and_no_more() -> None:
    json_body.check_length(json_body.LIMIT, json_body.LIMIT)
    with pytest.raises(TooLarge):
        json_body.check_length(json_body.LIMIT + 1, json_body.LIMIT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_json_is_an_event_or_a_problem_with_a_pointer_into_it(value: object) -> None:
    try:
        json_body.convert(json_body.parse(json.dumps(value).encode()), Event)
    except Unprocessable as problem:
        assert all(fault.pointer is not None for fault in problem.errors)
    except Malformed:
        pass


@given(st.binary())
def test_any_bytes_are_json_or_a_problem(raw: bytes) -> None:
    with suppress(Malformed, Unprocessable):
        json_body.parse(raw)


def test_a_body_of_too_many_values_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooLarge):
        json_body.parse(b"[" + b"[]," * 200_000 + b"0]")
