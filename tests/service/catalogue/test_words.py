"""Search words: 서울 is in 서울콘, art is not in start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import search_terms
from service.catalogue.event import Event, Text

LETTERS = st.text(alphabet="서울콘밋업a1b -·É🎈ßㄱ東京ー", max_size=12)


def event(ko: str = "x", en: str | None = None, summary: str | None = None) -> Event:
    return Event(id="e", kind="other", name=Text(ko=ko, en=en), summary=Text(ko=summary) if summary else None)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("서울콘", {"서울", "울콘"}),
        ("서울콘2025", {"서울", "울콘", "2025"}),
        ("2025년 9월", {"2025", "년", "9", "월"}),
        ("K-Startup", {"k", "startup"}),
        ("ＡＰＥＣ 中小企業", {"apec", "中小", "小企", "企業"}),
        ("Straße", {"strasse"}),
        ("…!? _", set()),
        ("x" * 5000, {"x" * 64}),
    ],
)
def test_tokens_of_a_text(text, tokens):
    assert search_terms.tokens(text) == tokens


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("서울", True),
        ("서밋", True),
        ("글로벌벤처", False),
        ("글로벌 벤처투자", True),
        ("울콘", True),
        ("summit", True),
        ("SUMMIT", True),
        ("summ", False),
        ("apec summit", True),
        ("apec jeju", True),
        ("apec busan", False),
        ("콘", False),
        ("콘 서울", False),
        ("2025", True),
        ("202", False),
        ("", True),
    ],
)
def test_every_word_of_a_query_stands_in_some_name_or_summary(query, found):
    one = event("2025 글로벌 벤처투자 서밋 서울콘", "Global Venture Summit in APEC", "Jeju에서")
    assert search_terms.contains(one, query) == found


def test_a_single_syllable_is_found_where_it_stands_alone():
    assert search_terms.contains(event("빛 축제"), "빛")
    assert not search_terms.contains(event("빛고을"), "빛")


@given(ko=LETTERS.filter(len), en=st.none() | LETTERS.filter(len), summary=st.none() | LETTERS, query=LETTERS)
def test_the_index_leads_to_every_event_that_contains_the_query(ko, en, summary, query):
    one = event(ko, en, summary)
    if search_terms.contains(one, query):
        assert search_terms.query_tokens(query) <= search_terms.event_tokens(one)


def test_tokens_decide_about_words_that_are_one_token():
    assert search_terms.undecided("서울 콘 summit 2025") == ()
    assert [word.letters for word in search_terms.undecided("서울콘2025 " + "x" * 65)] == ["서울콘", "x" * 65]


@given(ko=LETTERS.filter(len), summary=st.none() | LETTERS, query=LETTERS)
def test_tokens_and_the_words_they_leave_undecided_say_what_contains_says(ko, summary, query):
    one = event(ko, summary=summary)
    texts = search_terms.searched(one.name, one.summary)
    by_index = search_terms.query_tokens(query) <= search_terms.event_tokens(one)
    assert (
        by_index and search_terms.stand_in(search_terms.undecided(query), texts)
    ) == search_terms.contains(one, query)


@given(ko=LETTERS.filter(len), summary=st.none() | LETTERS, query=LETTERS)
def test_what_the_index_need_not_say_is_said_by_the_words_themselves(ko, summary, query):
    one = event(ko, summary=summary)
    texts = search_terms.searched(one.name, one.summary)
    certain = search_terms.query_tokens(query) <= search_terms.event_tokens(one)
    assert (certain and search_terms.stand_in(search_terms.undecided(query), texts)) == search_terms.contains(
        one, query
    )


@given(text=st.text(max_size=40))
def test_every_text_is_found_by_itself(text):
    assert search_terms.contains(event(text or "x"), text)
    assert search_terms.normalise(search_terms.normalise(text)) == search_terms.normalise(text)
    assert all(0 < len(token) <= search_terms.LONGEST_TOKEN for token in search_terms.tokens(text))
