"""A search: 초격차테크 finds 초격차 테크, ㅅㅇㅋ and 서울컨 find 서울콘, art is not in start."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue import misspelling, search_terms
from service.catalogue.event import Alias, Event, Organization, Place, Text
from service.catalogue.search_terms import BEGINNING, EXACT, LINKED, NAME, SUMMARY, TYPO
from service.catalogue.twins import TWINS

LETTERS = st.text(alphabet="서울콘밋업a1b -·ㆍÉ🎈ßㄱㅅ東京ー쳐", max_size=12)
MSS = Organization(
    id="mss",
    name=Text(ko="중소벤처기업부", en="Ministry of SMEs and Startups"),
    aliases=(Alias(text="중기부"), Alias(text="MSS")),
)
CONFERENCE = Event(
    id="e",
    kind="conference",
    name=Text(ko="2025 글로벌 초격차 테크 컨퍼런스", en="Global Deep-Tech Conference 2025 by K-Startup"),
    summary=Text(ko="기후·에너지를 다루는 이틀"),
    place=Place(name=Text(ko="워커힐호텔 비스타홀"), city="서울"),
    tags=("open-innovation",),
)
SEOULCON = Event(id="s", kind="exhibition", name=Text(ko="서울콘", en="SeoulCon"))


def rank(event: Event, query: str) -> int | None:
    texts = search_terms.searched(event, search_terms.names_of(MSS))
    return search_terms.rank(texts, search_terms.parse(query))


def named(ko: str, query: str) -> int | None:
    return rank(Event(id="n", kind="other", name=Text(ko=ko)), query)


@pytest.mark.parametrize(
    ("query", "level"),
    [
        ("2025글로벌초격차테크컨퍼런스", EXACT),
        ("global deeptech conference 2025 by kstartup", EXACT),
        ("글로벌", BEGINNING),
        ("global", BEGINNING),
        ("2025 글로벌", BEGINNING),
        ("초격차테크", NAME),
        ("초격차 테크", NAME),
        ("테크 초격차", NAME),
        ("격차테", NAME),
        ("콘퍼런스", NAME),
        ("콘 퍼런스", None),
        ("deeptech", NAME),
        ("DEEP TECH", NAME),
        ("deep‐tech", NAME),
        ("k startup", NAME),
        ("K-Startup", NAME),
        ("kstartup", NAME),
        ("startup", NAME),
        ("start", None),
        ("art", None),
        ("202", None),
        ("콘", None),
        ("ㅊㄱㅊ", NAME),
        ("ㄱㄹㅂㅊㄱㅊ", BEGINNING),
        ("ㄱㅊㅌ", None),
        ("중기부", LINKED),
        ("중소벤처 기업부", LINKED),
        ("중소벤쳐기업부", LINKED),
        ("mss", LINKED),
        ("ㅈㄱㅂ", LINKED),
        ("워커힐", LINKED),
        ("서울", LINKED),
        ("open innovation", LINKED),
        ("초격차 중기부", LINKED),
        ("기후", SUMMARY),
        ("기후ㆍ에너지", SUMMARY),
        ("초격차 기후", SUMMARY),
        ("ㄱㅎㅇ", None),
        ("컨퍼런쓰", TYPO),
        ("confrence", TYPO),
        ("conferecne", TYPO),
        ("중소벤처기엎부", TYPO),
        ("초격챠테크", TYPO),
        ("confrnc", None),
        ("2026", None),
        ("초격차 -기후", None),
        ("초격차 -서밋", NAME),
        ("초격차 -중기부", None),
        ("-deep-tech", None),
        ("-서밋", NAME),
        ("초격차 -컨퍼런쓰", NAME),
        ("초격차 - 기후", SUMMARY),
    ],
)
def test_how_well_a_query_matches_a_conference(query, level):
    assert rank(CONFERENCE, query) == level
    assert rank(CONFERENCE, unicodedata.normalize("NFD", query)) == level


@pytest.mark.parametrize(
    ("query", "level"),
    [
        *(
            ("서울콘", EXACT),
            ("서울 콘", EXACT),
            ("seoul con", EXACT),
            ("서울", BEGINNING),
            ("ㅅㅇㅋ", BEGINNING),
        ),
        *(("ㅅㅇ", BEGINNING), ("울콘", NAME), ("서울컨", TYPO), ("셔울콘", TYPO), ("서울콘2", None)),
        *(("seolcon", TYPO), ("seoulkon", TYPO), ("seuolcon", TYPO), ("soulkon", None), ("서율컨", None)),
    ],
)
def test_how_well_a_query_matches_seoulcon(query, level):
    assert rank(SEOULCON, query) == level


@pytest.mark.parametrize(
    ("name", "query"),
    [
        *(("딥테크", "딥 테크"), ("DeepTech", "deep tech"), ("K·뷰티", "k뷰티"), ("서울ㆍ부산", "서울·부산")),
        *(
            ("빛축제", "빛 축제"),
            ("ＡＰＥＣ 中小企業", "apec中小企業"),
            ("Straße", "strasse"),
        ),
        *(
            ("디지털・헬스", "디지털 헬스"),
            ("디지털헬스", "디지털ㆍ헬스"),
            ("스타트업", "스타트 업"),
            ("AI", "A I"),
        ),
    ],
)
def test_spellings_of_one_name_find_each_other(name, query):
    assert named(name, query) in (EXACT, BEGINNING)
    assert named(query, name) in (EXACT, BEGINNING)


def test_a_word_is_found_by_all_of_its_letters_however_many():
    assert [named("x" * 200, "x" * 200), named("x" * 5000, "x" * 200)] == [EXACT, None]


def test_a_single_syllable_is_found_where_it_stands_alone():
    assert [named(name, "빛") for name in ("빛 축제", "빛고을", "축제의 빛")] == [BEGINNING, None, NAME]


def test_a_word_of_two_syllables_is_near_none():
    assert [named("공주 축제", query) for query in ("광주", "공주")] == [None, BEGINNING]


@pytest.mark.parametrize(("spelled", "standard"), TWINS.items())
def test_twins_find_each_other(spelled, standard):
    assert named(f"글로벌 {spelled}", standard) == NAME
    assert named(f"글로벌{standard}", spelled) == NAME
    assert search_terms.spelling(standard) == standard


def test_syllables_that_stand_apart_are_no_word():
    assert named("글로 로벌 서밋", "글로벌 서밋") is None


@given(
    ko=LETTERS.filter(len), summary=st.none() | LETTERS, query=LETTERS, linked=st.lists(LETTERS, max_size=2)
)
def test_what_is_kept_of_an_event_is_what_was_searched(ko, summary, query, linked):
    event = Event(id="e", kind="other", name=Text(ko=ko), summary=Text(ko=summary) if summary else None)
    texts = search_terms.searched(event, linked)
    assert search_terms.Searched.decode(texts.encode()) == texts
    assert search_terms.spelling(search_terms.spelling(ko)) == search_terms.spelling(ko)


@given(text=st.text(max_size=40))
def test_every_text_is_found_by_itself_but_for_what_it_excludes(text):
    query = search_terms.parse(text)
    if query.terms and not query.excluded:
        assert named(text, text) == EXACT
    assert search_terms.normalise(search_terms.normalise(text)) == search_terms.normalise(text)
    keys = search_terms.tokens(
        search_terms.searched(Event(id="e", kind="other", name=Text(ko=text or "x")), ())
    )
    assert all(len(key) <= search_terms.LONGEST_TOKEN + 2 for key in keys)


@given(
    word=st.text("abcde", min_size=5, max_size=9), place=st.integers(0, 8), letter=st.sampled_from("abcdex")
)
def test_a_word_with_one_wrong_letter_is_near_whichever_it_is(word, place, letter):
    place %= len(word)
    changed, added = word[:place] + letter + word[place + 1 :], word[:place] + letter + word[place:]
    left_out = word[:place] + word[place + 1 :]
    assert all(misspelling.is_near(word, other) for other in (word, changed, added, left_out))
    assert not misspelling.is_near(word, word[::-1] + "yz")
