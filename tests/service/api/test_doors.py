"""The small pure parts of the door: queries, tags, tokens, rates, merge patches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api import queries, responses, tokens
from service.api.event_edits import merged
from service.api.middleware import RateLimiter
from service.api.operations import LIMIT_PARAMETER
from service.api.responses import Precondition, StoredVersion
from service.api.tokens import Cursors, LogPlace, ResponseCipher
from service.errors import BadParameters, PreconditionFailed, TokenExpired

VERSION = StoredVersion(revision=3, seq=1041)
TAG, EARLIER = (responses.etag_of_version(VERSION, body) for body in (b"body", b"with another phase"))
THREE = (TAG, EARLIER)


def faults(raw: bytes, **known: frozenset[str]) -> list[str | None]:
    with pytest.raises(BadParameters) as caught:
        queries.check(queries.pairs_of(raw), **known)
    return [fault.parameter for fault in caught.value.errors]


def test_unknown_and_repeated_parameters_are_named() -> None:
    known = {"single": frozenset({"limit"}), "many": frozenset({"tag"})}
    assert faults(b"tag=a&tag=b&limit=1&limit=2&colour=red", **known) == ["limit", "colour"]


@pytest.mark.parametrize("raw", [b"q=%ff", b"q=\xff", b"q=%00", b"q=%C2%85", b"&".join([b"a=1"] * 501)])
def test_a_query_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(BadParameters):
        queries.pairs_of(raw)


@pytest.mark.parametrize("text", ["0", "201", "-1", "1.0", "", "５", "1e2", "9" * 40])
def test_a_limit_is_a_whole_number_within_bounds(text: str) -> None:
    with pytest.raises(BadParameters):
        queries.whole((("limit", text),), LIMIT_PARAMETER)


@pytest.mark.parametrize("held", [TAG, f"W/{TAG}", f'"x", {TAG}', "*", f' W/"y" ,W/{TAG}'])
def test_a_copy_that_is_this_one_is_recognised(held: str) -> None:
    assert responses.holds(held, TAG)


@pytest.mark.parametrize("held", [None, "", '"x"', TAG.strip('"'), '"*"', 'W/"x", "y"', '"'])
def test_another_copy_is_not(held: str | None) -> None:
    assert not responses.holds(held, TAG)


@pytest.mark.parametrize("match", [TAG, "*", f'"x", {TAG}', EARLIER])
def test_a_write_that_names_the_stored_version_passes(match: str) -> None:
    Precondition(match=match).check(THREE)


@pytest.mark.parametrize(
    ("asked", "current"),
    [
        (Precondition(match=f"W/{TAG}"), THREE),
        (Precondition(match='"2.1000.x"'), THREE),
        (Precondition(match='"3.1040.x"'), THREE),
        (Precondition(match='"3.1041.other-hash"'), THREE),
        (Precondition(match="garbage"), THREE),
        (Precondition(match="*"), None),
        (Precondition(match=TAG), None),
        (Precondition(none_match="*"), THREE),
        (Precondition(none_match=f"W/{TAG}"), THREE),
    ],
)
def test_a_write_that_means_another_version_does_not(
    asked: Precondition, current: tuple[str, ...] | None
) -> None:
    with pytest.raises(PreconditionFailed):
        asked.check(current)


CURSORS = Cursors(b"k" * 32)


@given(st.integers(0, 10**12), st.text(max_size=20))
def test_a_cursor_says_what_was_written_into_it(position: int, binding: str) -> None:
    cursor = CURSORS.write(position, bound_to=binding)
    assert CURSORS.read(cursor, int, bound_to=binding) == position


@given(st.data())
def test_a_cursor_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    cursor = CURSORS.write((1, "seoulcon"), bound_to="list")
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda c: c != cursor[place]))
    with pytest.raises(BadParameters):
        CURSORS.read(cursor[:place] + other + cursor[place + 1 :], tuple, bound_to="list")


@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(BadParameters):
        CURSORS.read(text, int, bound_to="list")


def test_a_cursor_belongs_to_one_list_and_one_service() -> None:
    cursor = CURSORS.write(7, bound_to="kind=forum")
    with pytest.raises(BadParameters):
        CURSORS.read(cursor, int, bound_to="kind=summit")
    with pytest.raises(BadParameters):
        Cursors(b"x" * 32).read(cursor, int, bound_to="kind=forum")


def test_a_change_token_says_where_its_reader_is() -> None:
    place = LogPlace(seq=41, mark=2**62 - 1)
    assert tokens.change_place(tokens.change_token("abc", place), instance="abc") == place


# What the version before marks wrote at 1 in the log of the database abc.
OLD_TOKEN = "YWJjLjEuMGVhZWI2YzM"


@pytest.mark.parametrize("token", [tokens.change_token("other", LogPlace(1, 1)), OLD_TOKEN])
def test_a_token_of_another_database_or_of_an_older_version_is_expired(token: str) -> None:
    with pytest.raises(TokenExpired):
        tokens.change_place(token, instance="abc")


@given(st.text())
def test_garbage_is_no_token(text: str) -> None:
    with pytest.raises(BadParameters):
        tokens.change_place(text, instance="abc")


def test_a_sealed_answer_opens_only_with_its_key_and_for_its_owner() -> None:
    cipher = ResponseCipher(b"k" * 32)
    sealed = cipher.encrypt(b"dday_secret", owner="me")
    assert b"secret" not in sealed
    assert cipher.decrypt(sealed, owner="me") == b"dday_secret"
    assert cipher.decrypt(sealed, owner="you") is None
    assert ResponseCipher(b"x" * 32).decrypt(sealed, owner="me") is None


def test_a_caller_may_use_up_a_minute_at_once_and_then_waits() -> None:
    rates = RateLimiter(2)
    assert [rates.wait("a", now=0.0) for _ in range(3)] == [0, 0, 30]
    assert rates.wait("b", now=0.0) == 0
    assert [rates.wait("a", now=30.0), rates.wait("a", now=30.0)] == [0, 30]


def test_what_cost_more_than_was_left_is_owed() -> None:
    rates = RateLimiter(60)
    rates.spend("a", 90.0, now=0.0)
    assert [rates.wait("a", now=0.0, cost=0), rates.wait("a", now=31.0, cost=0)] == [31, 0]
    assert [rates.wait("b", now=0.0, cost=0) for _ in range(99)] == [0] * 99
    RateLimiter(0).spend("a", 90.0, now=0.0)


def test_no_rate_counts_nothing() -> None:
    assert [RateLimiter(0).wait("a", now=0.0) for _ in range(5)] == [0] * 5


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_merge_as_the_rfc_says(target: object, patch: object, result: object) -> None:
    assert merged(target, patch) == result
