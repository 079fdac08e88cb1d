"""What a search finds, and how good a match is (docs/decisions/0078-search.md).

A text is searched by its *spelling*: folded words, one space between them, each word a run of Chinese,
Japanese or Korean letters or a run of other letters and digits. Spaces count for nothing: a CJK word is found
wherever its letters follow each other, any other word where a word begins and one ends (art is not in start),
a single syllable where it stands alone. Initials (ㅅㅇㅋ) are found where a word begins.

`levels` is the meaning for sets of events, each a number whose bits are events, so that an index answers it
for a whole catalogue; `rank` asks it about one event.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, groupby, takewhile

import msgspec

from service.catalogue import misspelling, twins
from service.catalogue.event import Event, Organization, Program, Series, Text

_CJK = "\u1100-\u11ff\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
_CJK += "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[^\W_])+")
_IS_CJK = re.compile(rf"[{_CJK}]")
# Letters to Unicode, but typed for a middle dot.
_DOTS = dict.fromkeys(map(ord, "\u318d\u30fb\uff65\u119e"), " ")
_EXCLUDES = re.compile(r"[-\u2212](?=\w)")
_DIGIT = re.compile(r"\d")
_LEADS = re.compile("[\u1100-\u1112]{2,}")
_LEAD_OF = {0xAC00 + index: chr(0x1100 + index // 588) for index in range(19 * 588)}

# A token is a key of an index, and PostgreSQL refuses keys of more than some 2,700 bytes.
LONGEST_TOKEN = 64
# A word and its neighbours are looked for as one word too: K-Startup is also kstartup.
JOINED = 3
# A typing error is forgiven in CJK words of at least so many syllables: of two, each is near too many others.
FEWEST_SYLLABLES = 3

# The levels of a match; with `TYPO` only near words are found.
EXACT, BEGINNING, NAME, LINKED, SUMMARY, TYPO = range(6)
# The prefixes of tokens, by where they stand.
_IN_NAME, _IN_LINKED, _IN_SUMMARY = "n", "l", "s"

Noun = Series | Program | Organization


def normalise(text: str) -> str:
    """The form in which two spellings of one text are equal: NFKC, case folded, single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def spelling(text: str) -> str:
    """Returns the words of a text as they are searched, a space between them; empty if it has none."""
    # NFKC makes letters of dots, and dots of letters: both before and after.
    folded = normalise(text.translate(_DOTS)).translate(_DOTS)
    return " ".join(
        twins.ANY.sub(lambda found: twins.TWINS[found[0]], word) for word in _WORD.findall(folded)
    )


class Searched(msgspec.Struct, frozen=True):
    """The spellings of what is searched of an event: names, names of what it is tied to, summaries."""

    names: tuple[str, ...]
    linked: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()

    def encode(self) -> str:
        return "\n\n".join("\n".join(texts) for texts in msgspec.structs.astuple(self))

    @classmethod
    def decode(cls, text: str) -> "Searched":
        return cls(*(tuple(part.split("\n")) if part else () for part in text.split("\n\n")))


def searched(event: Event, linked: Iterable[str]) -> Searched:
    """Returns what is searched of an event; `linked` are `names_of` what it names."""
    place = event.place
    where = (*_texts(place.name), *place.cities, place.address) if place else ()
    return Searched(
        names=_spellings(_texts(event.name)),
        linked=_spellings((*linked, *where, *event.tags)),
        summaries=_spellings(_texts(event.summary)),
    )


def names_of(noun: Noun) -> tuple[str, ...]:
    """Returns every name of a series, program or organization, its id included: people know KISED."""
    return (*_texts(noun.name), *(alias.text for alias in noun.aliases), noun.id)


def _texts(text: Text | None) -> tuple[str, ...]:
    return tuple(one for one in (text.ko, text.en) if one) if text else ()


def _spellings(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (spelling(text) for text in texts if text))))


def tokens(event: Searched) -> frozenset[str]:
    """Returns the keys of an event in an index, from which `levels` tells how it matches."""
    found: set[str] = set()
    for name in event.names:
        found.add(_exact(name))
        found.update(f"{_IN_NAME}^{head}" for head in _heads(name))
    for where, texts in ((_IN_NAME, event.names), (_IN_LINKED, event.linked)):
        found.update(f"{where}{token}" for text in texts for token in (*_tokens(text), *_leads(text)))
    found.update(f"{_IN_SUMMARY}{token}" for text in event.summaries for token in _tokens(text))
    return frozenset(found)


def vocabulary(event: Searched) -> frozenset[str]:
    """Returns the words in its names, and in those of what it is tied to, that a typing error may mean."""
    texts = (*event.names, *event.linked)
    words = {word for text in texts for _, run in _runs(text) for word in _joined(run, 2)}
    return frozenset(
        word
        for word in words
        if len(word) <= LONGEST_TOKEN
        and not _DIGIT.search(word)
        and len(letters(word)) >= misspelling.LETTERS_AN_ERROR - 1
    )


def letters(word: str) -> str:
    """The letters of a word, those of each Korean syllable apart."""
    return unicodedata.normalize("NFD", word)


class Word(msgspec.Struct, frozen=True, dict=True):
    """A word of a query. `tokens` are those of every event that has it; the pattern tells who has."""

    text: str

    @cached_property
    def is_cjk(self) -> bool:
        return _IS_CJK.match(self.text) is not None

    @cached_property
    def is_leads(self) -> bool:
        return _LEADS.fullmatch(self.text) is not None

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        if self.is_leads:
            return (f"~{self.text[:3]}",)
        return tuple(_pairs(self.text)) if self.is_cjk else (self.text[:LONGEST_TOKEN],)

    @property
    def is_decided(self) -> bool:
        """Whether whoever has its token has the word."""
        longest = 3 if self.is_leads else 2 if self.is_cjk else LONGEST_TOKEN - 1
        return len(self.text) <= longest

    def stands_in(self, texts: str) -> bool:
        """Whether it stands in an encoded `Searched`; initials only in its names."""
        if self.is_leads:
            leads = texts.rpartition("\n\n")[0].translate(_LEAD_OF)
            return _stand(self.text, leads, ends=False) is not None
        if self.is_cjk and len(self.text) > 1:
            return self.text in texts.replace(" ", "")
        return _stand(self.text, texts) is not None


class Term(msgspec.Struct, frozen=True):
    """A word of a query, which stands as any of these: by itself, or as one with its neighbours."""

    word: Word
    alternatives: tuple[Word, ...]

    @property
    def letters(self) -> str:
        """The letters of which some may be wrong; none where errors are not forgiven."""
        text, fewest = self.word.text, FEWEST_SYLLABLES if self.word.is_cjk else 0
        if self.word.is_leads or not fewest <= len(text) <= LONGEST_TOKEN or _DIGIT.search(text):
            return ""
        found = letters(text)
        return found if misspelling.errors(found) else ""

    def near(self, words: Iterable[str]) -> tuple[str, ...]:
        """Returns those of the words that this one may be meant for."""
        mine, own = self.letters, self.word.text
        if not mine:
            return ()
        return tuple(sorted(one for one in words if one != own and misspelling.is_near(mine, letters(one))))

    def stands_in(self, texts: str) -> bool:
        return any(one.stands_in(texts) for one in self.alternatives)


class Query(msgspec.Struct, frozen=True, dict=True):
    """What is searched for: every term, and none of the excluded groups of terms as a whole."""

    text: str
    terms: tuple[Term, ...]
    excluded: tuple[tuple[Term, ...], ...]

    @property
    def is_empty(self) -> bool:
        return not self.terms and not self.excluded

    @cached_property
    def is_decided(self) -> bool:
        """Whether who has the tokens of a term has the term."""
        terms = (*self.terms, *(term for group in self.excluded for term in group))
        return all(word.is_decided for term in terms for word in term.alternatives)

    @cached_property
    def exact(self) -> str:
        return _exact(self.text)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        return tuple(f"{_IN_NAME}^{head}" for head in sorted(_heads(self.text)))

    def tokens(self, near: Sequence[Sequence[str]]) -> frozenset[str]:
        """Returns all keys that `levels` asks for, with `near` words of each term."""
        terms = (*self.terms, *(term for group in self.excluded for term in group))
        words = [word for term in terms for word in term.alternatives]
        words += [Word(word) for some in near for word in some]
        wheres = (_IN_NAME, _IN_LINKED, _IN_SUMMARY)
        every = {f"{where}{token}" for word in words for token in word.tokens for where in wheres}
        return frozenset((*every, *self.heads, self.exact))


@lru_cache(maxsize=256)
def parse(q: str) -> Query:
    """Reads a query: words, those to exclude with a hyphen before them."""
    parts = normalise(q.translate(_DOTS)).split()
    excluded = [_EXCLUDES.sub("", part, count=1) for part in parts if _EXCLUDES.match(part)]
    text = spelling(" ".join(part for part in parts if not _EXCLUDES.match(part)))
    groups = (_terms(spelling(part)) for part in excluded)
    return Query(text=text, terms=_terms(text), excluded=tuple(group for group in groups if group))


def _terms(text: str) -> tuple[Term, ...]:
    words, terms = text.split(), []
    for index, word in enumerate(words):
        alternatives = [word]
        for first in range(max(0, index - JOINED + 1), index + 1):
            for last in range(max(index, first + 1), min(first + JOINED, len(words))):
                some = words[first : last + 1]
                if _may_join(some):
                    alternatives.append("".join(some))
        terms.append(Term(Word(word), tuple(Word(one) for one in dict.fromkeys(alternatives))))
    return tuple(terms)


def _may_join(words: Sequence[str]) -> bool:
    """Whether words may stand as one that are not found singly then: of longer CJK words each is."""
    cjk = [Word(word).is_cjk for word in words]
    return not any(cjk) or (all(cjk) and any(len(word) == 1 for word in words))


def levels(
    query: Query, events: Mapping[str, int], *, everything: int, near: Sequence[Sequence[str]]
) -> tuple[int, ...]:
    """Returns the events of each level, the best first, no event twice; `has` decides who really matches.

    `events` are those that have a token, `near` the words of the vocabulary that are near each term.
    """

    def covered(word: Word, wheres: str) -> int:
        found = everything
        for token in word.tokens:
            having = 0
            for where in wheres:
                having |= events.get(where + token, 0)
            found &= having
        return found

    def any_of(words: Iterable[Word], wheres: str) -> int:
        found = 0
        for word in words:
            found |= covered(word, wheres)
        return found

    excluded = 0
    for group in query.excluded:
        if all(word.is_decided for term in group for word in term.alternatives):
            having = everything
            for term in group:
                having &= any_of(term.alternatives, "nls")
            excluded |= having
    kept = everything & ~excluded
    by_level = dict.fromkeys((NAME, LINKED, SUMMARY, TYPO), kept)
    for term, words in zip(query.terms, near, strict=True):
        for level, wheres in ((NAME, "n"), (LINKED, "nl"), (SUMMARY, "nls")):
            by_level[level] &= any_of(term.alternatives, wheres)
        right = any_of(term.alternatives, "nls")
        by_level[TYPO] &= right | any_of(map(Word, words), "nl")
    beginning = 0
    for head in query.heads:
        beginning |= events.get(head, 0)
    found: list[int] = []
    taken = 0
    for some in (by_level[NAME] & events.get(query.exact, 0), by_level[NAME] & beginning, *by_level.values()):
        found.append(some & ~taken)
        taken |= some
    return tuple(found)


def has(text: str, query: Query, near: Sequence[Sequence[str]]) -> bool:
    """Whether an encoded `Searched` that `levels` found has every term and nothing excluded."""
    named = text.rpartition("\n\n")[0]
    for term, words in zip(query.terms, near, strict=True):
        if not term.stands_in(text) and not any(_stands_near(word, named) for word in words):
            return False
    return not any(all(term.stands_in(text) for term in group) for group in query.excluded)


def rank(event: Searched, query: Query) -> int | None:
    """Returns how good a match is, the smaller the better; None for none."""
    words = vocabulary(event) if any(term.letters for term in query.terms) else ()
    near = [term.near(words) for term in query.terms]
    if not has(event.encode(), query, near):
        return None
    found = levels(query, dict.fromkeys(tokens(event), 1), everything=1, near=near)
    return found.index(1) if 1 in found else None


def _stands_near(word: str, texts: str) -> bool:
    """Whether a word of the vocabulary stands there, as one or as two."""
    found = _stand(word, texts)
    return found is not None and found.count(" ") <= 1


def _stand(word: str, texts: str, *, ends: bool = True) -> str | None:
    """Returns the place where letters stand from the beginning of a word on, and to the end of one."""
    if word not in texts.replace(" ", ""):
        return None
    places = [found[0] for found in _pattern(word, ends=ends).finditer(texts)]
    return min(places, key=len, default=None)


@lru_cache(maxsize=1024)
def _pattern(text: str, *, ends: bool) -> re.Pattern[str]:
    return re.compile(r"(?<!\S)" + " ?".join(map(re.escape, text)) + r"(?!\S)" * ends)


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yields the words of a spelling that follow each other in one kind of script, and whether it is CJK."""
    for is_cjk, words in groupby(text.split(), key=lambda word: _IS_CJK.match(word) is not None):
        yield is_cjk, list(words)


def _joined(words: Sequence[str], most: int) -> Iterator[str]:
    for first in range(len(words)):
        for last in range(first + 1, min(first + most, len(words)) + 1):
            yield "".join(words[first:last])


def _pairs(word: str) -> Iterator[str]:
    return (word[index : index + 2] for index in range(max(1, len(word) - 1)))


def _tokens(text: str) -> Iterator[str]:
    for is_cjk, words in _runs(text):
        if is_cjk:
            together = "".join(words)
            yield from _pairs(together) if len(together) > 1 else ()
            yield from (word for word in words if len(word) == 1)
        else:
            yield from (word[:LONGEST_TOKEN] for word in _joined(words, JOINED))


def _leads(text: str) -> Iterator[str]:
    """Yields the first two and three initials from each beginning of a word on."""
    for is_cjk, words in _runs(text):
        if is_cjk:
            initials, begin = "".join(words).translate(_LEAD_OF), 0
            for word in words:
                ends = (end for end in (begin + 2, begin + 3) if end <= len(initials))
                yield from (f"~{initials[begin:end]}" for end in ends)
                begin += len(word)


def _heads(text: str) -> frozenset[str]:
    """Returns the tokens of how a name begins, before and after a year or another number in front."""
    found: set[str] = set()
    for is_cjk, words in _runs(text):
        if is_cjk:
            together = "".join(words)
            initials = together.translate(_LEAD_OF)
            leads = (f"~{initials[:size]}" for size in (2, 3))
            return frozenset((*found, words[0][:2], together[:2], *leads))
        numbers = len(list(takewhile(str.isdigit, words)))
        for begin in {0, numbers}:
            found.update(head[:LONGEST_TOKEN] for head in accumulate(words[begin : begin + JOINED]))
        if numbers < len(words):
            break
    return frozenset(found)


def _exact(text: str) -> str:
    return f"{_IN_NAME}={zlib.crc32(text.replace(' ', '').encode()):x}"
