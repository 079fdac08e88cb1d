"""Words to search by: whole words where scripts put spaces, pairs of syllables where they do not.

A word is a run of Chinese, Japanese or Korean letters, or a run of other letters and digits; `서울콘2025` is
two. A CJK word is found inside a longer one (서울 in 서울콘), a single syllable only where it stands alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from service.catalogue.event import Event, Text

_CJK = "\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
_CJK += "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"(?P<cjk>[{_CJK}]+)|(?:(?![{_CJK}])[^\W_])+")

# Stands in no text, is part of no word, and joins nothing: many texts are searched as one.
_BETWEEN = "\0"
# A token is a key of an index, and PostgreSQL refuses keys of more than some 2,700 bytes.
LONGEST_TOKEN = 64


def normalise(text: str) -> str:
    """The form in which two spellings of one text are equal: NFKC, case folded, single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def tokens(text: str) -> frozenset[str]:
    """Returns the search tokens of a text."""
    return frozenset(token for word in _words(text) for token in _pieces(*word))


def event_tokens(event: Event) -> frozenset[str]:
    """Returns the search tokens of an event: of its names and summaries in both languages."""
    return frozenset().union(*(tokens(text) for text in searched(event.name, event.summary)))


def query_tokens(query: str) -> frozenset[str]:
    """Every event that `contains` the query has all of these in its `event_tokens`, not conversely."""
    return tokens(query)


class Word(NamedTuple):
    letters: str
    cjk: bool


def undecided(query: str) -> tuple[Word, ...]:
    """The words of the query that an event may lack although it has all of their tokens."""
    return tuple(word for word in _words(query) if word.letters not in _pieces(*word))


def contains(event: Event, query: str) -> bool:
    """Whether every word of the query stands in any name or summary of the event."""
    return stand_in(_words(query), searched(event.name, event.summary))


def stand_in(words: Iterable[Word], texts: Sequence[str]) -> bool:
    """Whether each of the words stands in any of the texts."""
    whole = normalise(_BETWEEN.join(texts))
    return all(_found(word, whole) for word in words)


def searched(name: Text, summary: Text | None) -> tuple[str, ...]:
    """The texts of an event that a search looks into."""
    texts = (name, summary) if summary else (name,)
    return tuple(text for both in texts for text in (both.ko, both.en) if text)


def _found(word: Word, text: str) -> bool:
    if word.letters not in text:
        return False
    # CJK letters stand in a text only as part of a CJK word.
    return (word.cjk and len(word.letters) > 1) or word in _runs(text)


def _words(text: str) -> Iterator[Word]:
    return _runs(normalise(text))


def _runs(normalised: str) -> Iterator[Word]:
    for found in _WORD.finditer(normalised):
        yield Word(found[0], found["cjk"] is not None)


def _pieces(word: str, cjk: bool) -> Iterator[str]:
    if cjk and len(word) > 1:
        yield from (word[i : i + 2] for i in range(len(word) - 1))
    else:
        yield word[:LONGEST_TOKEN]
