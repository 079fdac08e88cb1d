"""Whether two items of sources are one call or event: strictly yes, perhaps, another round of it, or no.

A strict yes needs an identical id or address that belongs to one item only, or the same operator, the same
core name and no contradiction of years, editions, months, places, brackets or other numbers. Likeness of
titles alone decides nothing: every second pair of titles that look alike are two calls.
Measured on labelled pairs in `tests/service/sources/test_links.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from datetime import date
from itertools import pairwise
from typing import Generic, Literal, TypeVar

import msgspec

from service.sources.records import Record
from service.sources.titles import (
    TitleParts,
    foreign_ids,
    operators,
    places_in,
    region,
    title_parts,
    web_address,
)

Verdict = Literal["same", "amends", "round", "candidate", "different"]
Key = TypeVar("Key", bound=Hashable)

# Notices of one call appear near each other: later ones of the same name belong to another round.
NEAR_DAYS = 120
# An extension is announced before the day it extends, or soon after.
AFTER_END_DAYS = 14
SHORT_NAME = 5
CANDIDATE_SCORE = 0.64
COMMON = 150


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """How two items stand to each other; the same whichever comes first.

    `same` and `amends` may be linked without a person: one call, told by two sources, or told anew with the
    words 수정, 연장, 변경 or 정정. `round` is a further window of one program (재공고, 2차, 추가모집).
    `candidate` is for a person. `score` (0 to 1) orders candidates. `signals` name what spoke for it,
    `vetoes` what contradicted.
    """

    verdict: Verdict
    score: float
    signals: tuple[str, ...] = ()
    vetoes: tuple[str, ...] = ()


_ROUNDS = {"year", "edition", "month", "reissue"}
_TIMES = {"start", "end", "time"}
_DOUBTS = {"numbers", "one bracket", "season", "umbrella", "target", "meeting", "one place", "one edition"}


class _Side(msgspec.Struct, frozen=True):
    """What of a record decides sameness, read once."""

    record: Record
    source: str
    title: TitleParts
    operators: frozenset[str]
    governments: frozenset[str]
    ids: frozenset[str]
    addresses: frozenset[str]


def match(a: Record, b: Record) -> Match:
    """How two items stand to each other."""
    return _match(_side(a), _side(b))


def amends(record: Record) -> bool:
    """Whether a notice says by its title that it changes an earlier one."""
    return title_parts(record.title).amends


class LinkIndex(Generic[Key]):
    """Finds, among many records, those that one record may be linked to, without comparing it to all."""

    def __init__(self) -> None:
        self._sides: dict[Key, _Side] = {}
        self._blocks: dict[str, list[Key]] = defaultdict(list)

    def add(self, key: Key, record: Record) -> None:
        """Adds a record; one that is already there is left as it was."""
        if key in self._sides:
            return
        side = _side(record)
        self._sides[key] = side
        for block in _blocks(side):
            self._blocks[block].append(key)

    def matches(self, record: Record, *, without: Key | None = None) -> Iterator[tuple[Key, Match]]:
        """The records that are the same, amended, a round of it or a candidate: the likeliest first."""
        side = _side(record)
        shared: Counter[Key] = Counter()
        for block in _blocks(side):
            keys = self._blocks.get(block, ())
            if len(keys) <= COMMON or block.startswith(("=", "@")):
                shared.update(keys)
        found = [
            (key, _match(side, self._sides[key]))
            for key, blocks in shared.items()
            if blocks > 1 and key != without
        ]
        kept = [(key, verdict) for key, verdict in found if verdict.verdict != "different"]
        yield from sorted(kept, key=lambda item: (-item[1].score, str(item[0])))


def _side(record: Record) -> _Side:
    named, governments = operators(tuple(one.name for one in record.organizations))
    pages = [page for page in (record.url, record.apply_url, *record.links) if page and "/" in page]
    ids = {record.external_id, *(link for link in record.links if "/" not in link)}
    ids = ids.union(*map(foreign_ids, pages))
    addresses = {address for page in pages if (address := web_address(page))}
    return _Side(
        record,
        record.external_id.partition(":")[0],
        title_parts(record.title),
        named,
        governments,
        frozenset(ids),
        frozenset(addresses),
    )


def _blocks(side: _Side) -> set[str]:
    """Keys that two records share if they may be one; a record needs two of them to be compared."""
    core = side.title.core
    exact = {f"@{value}{half}" for value in side.ids | side.addresses for half in "ab"}
    names = {core} if len(core) >= SHORT_NAME else {f"{core}/{operator}" for operator in side.operators}
    name = {f"={one}{half}" for one in names | side.title.aliases if one for half in "ab"}
    return exact | name | {core[at : at + 4] for at in range(len(core) - 3)}


def _match(a: _Side, b: _Side) -> Match:
    vetoes = _vetoes(a, b)
    likeness = _likeness(a.title.core, b.title.core)
    operator = bool(a.operators & b.operators) or (
        not (a.operators or b.operators) and bool(a.governments & b.governments)
    )
    ends = bool(a.record.end) and a.record.end == b.record.end
    exact = bool(a.title.core) and a.title.core == b.title.core
    alias = a.title.core in b.title.aliases or b.title.core in a.title.aliases
    within = exact or _institution_only(a.title, b.title)
    signals = [
        name
        for name, holds in (
            ("id", bool(a.ids & b.ids)),
            ("address", bool(a.addresses & b.addresses)),
            ("operator", operator),
            ("name", exact),
            ("name within", within and not exact),
            ("alias", alias),
            ("end", ends),
        )
        if holds
    ]
    likeness = max(likeness, 0.8 * (within or alias))
    score = round(min(1.0, 0.6 * likeness + 0.25 * operator + 0.15 * ends), 3)
    if "id" in signals or "address" in signals:
        score = max(score, 0.95)
    verdict = _verdict(a, b, signals=signals, vetoes=vetoes, score=score)
    return Match(verdict=verdict, score=score, signals=tuple(signals), vetoes=tuple(vetoes))


def _verdict(a: _Side, b: _Side, *, signals: list[str], vetoes: list[str], score: float) -> Verdict:
    if a.record.kind != b.record.kind:
        return "different"
    known = "id" in signals or "address" in signals
    named = "name" in signals or "name within" in signals
    if vetoes:
        if (
            "name" in signals
            and "operator" in signals
            and _ROUNDS & {*vetoes}
            and {*vetoes} <= _ROUNDS | _TIMES
        ):
            return "round"
        perhaps = {*vetoes} <= _DOUBTS | _TIMES and (score >= CANDIDATE_SCORE or named or "alias" in signals)
        return "candidate" if known or perhaps else "different"
    strict = known or (named and "operator" in signals and _distinctive(a, b, signals))
    if strict and a.title.amends != b.title.amends:
        return "amends"
    if strict and a.source == b.source:
        return "amends" if a.title.amends else ("same" if "id" in signals else "candidate")
    if strict:
        return "same"
    return "candidate" if score >= CANDIDATE_SCORE or named or "alias" in signals else "different"


def _distinctive(a: _Side, b: _Side, signals: list[str]) -> bool:
    """Whether the name says enough: a short one ("데모데이") also needs the same last day."""
    shortest = min(len(a.title.core), len(b.title.core))
    return shortest >= SHORT_NAME or "end" in signals or bool(a.title.aliases & b.title.aliases)


def _institution_only(a: TitleParts, b: TitleParts) -> bool:
    """Whether one name is the other with nothing but the name of an institution in front of it."""
    short, long = sorted((a, b), key=lambda title: (len(title.core), title.core))
    if (len(short.core) < SHORT_NAME and not short.aliases & long.aliases) or not long.core.endswith(
        short.core
    ):
        return False
    extra = long.core[: -len(short.core)]
    ends = (
        "".join(long.words[:count]) for count, word in enumerate(long.words, 1) if word.endswith(_INSTITUTION)
    )
    return bool(short.core) and extra in ends


_INSTITUTION = ("캠퍼스", "센터", "테크노파크", "진흥원", "재단", "협회", "대학교", "진흥공단", "혁신원")


def _vetoes(a: _Side, b: _Side) -> list[str]:
    one, two = a.title, b.title
    vetoes: list[str] = []
    if _disjoint(one.years, two.years) or not (_dated(a, b) and _dated(b, a)):
        vetoes.append("year")
    if _disjoint(one.editions, two.editions) or one.later_round != two.later_round:
        vetoes.append("edition")
    if _disjoint(one.months, two.months):
        vetoes.append("month")
    elif one.months != two.months:
        vetoes.append("season")
    if one.reissue != two.reissue:
        vetoes.append("reissue")
    if (one.places - two.places and two.places - one.places) or _far(a.record.regions, b.record.regions):
        vetoes.append("region")
    elif (one.places ^ two.places) - one.prefix - two.prefix - _seats(a) - _seats(b):
        vetoes.append("one place")
    vetoes += [
        name
        for name, holds in (
            ("one edition", bool(one.editions) != bool(two.editions) and not (one.years and two.years)),
            ("meeting", one.meeting != two.meeting),
            ("umbrella", one.umbrella != two.umbrella),
            ("numbers", one.numbers != two.numbers),
            ("target", _disjoint(one.targets, two.targets)),
        )
        if holds
    ]
    if one.brackets != two.brackets:
        missing = (one.brackets - two.brackets, two.brackets - one.brackets)
        if all(missing):
            vetoes.append("bracket")
        elif not all(inner in _other(one, two, inner) for inner in missing[0] | missing[1]):
            vetoes.append("one bracket")
    if _disjoint(a.operators, b.operators) and (one.core != two.core or one.amends != two.amends):
        vetoes.append("operator")
    return vetoes + _time_vetoes(a, b)


def _seats(side: _Side) -> set[str]:
    """The places in the names of the organizations, which a title may repeat or leave out."""
    return {place for name in side.operators | side.governments for place in places_in(name)}


def _other(one: TitleParts, two: TitleParts, inner: str) -> str:
    """The name of the side that lacks a bracket."""
    return two.core if inner in one.brackets else one.core


def _time_vetoes(a: _Side, b: _Side) -> list[str]:
    published = [side.record.published for side in (a, b) if side.record.published]
    ends = [side.record.end for side in (a, b) if side.record.end]
    if len(published) == 2 and abs((published[0] - published[1]).days) > NEAR_DAYS:
        return ["time"]
    starts = [day for side in (a, b) if (day := _day(side.record.start))]
    apart = abs((starts[0] - starts[1]).days) if len(starts) == 2 else 0
    if apart > NEAR_DAYS:
        return ["time"]
    if apart and a.record.kind == "event":
        return ["start"]
    if len(ends) == 2 and ends[0][:10] != ends[1][:10]:
        amended = a.title.amends or b.title.amends
        if not amended or not (_announced_in_time(a, b) and _announced_in_time(b, a)):
            return ["end"]
    return []


def _announced_in_time(later: _Side, earlier: _Side) -> bool:
    """Whether a notice that amends came before the deadline that it moves was long over."""
    if not later.title.amends or not later.record.published or earlier.title.amends:
        return True
    end = _day(earlier.record.end)
    return end is None or (later.record.published - end).days <= AFTER_END_DAYS


def _day(edtf: str | None) -> date | None:
    try:
        return date.fromisoformat((edtf or "")[:10])
    except ValueError:
        return None


def _disjoint(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a) and bool(b) and not a & b


def _dated(a: _Side, b: _Side) -> bool:
    """Whether the years that `a` names agree with the dates of `b`, which names none."""
    if not a.title.years or b.title.years:
        return True
    stated = {text[:4] for text in (b.record.start, b.record.end) if text and text[:4].isdigit()}
    if b.record.published:
        stated |= {str(b.record.published.year), str(b.record.published.year + 1)}
    return not stated or bool(stated & a.title.years)


def _far(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether two items say they are for different regions; many regions are the whole country."""
    if not (0 < len(a) <= 3 and 0 < len(b) <= 3) or "전국" in (*a, *b):
        return False
    return not {region(one)[:2] for one in a} & {region(one)[:2] for one in b}


def _likeness(a: str, b: str) -> float:
    """Dice's coefficient of the pairs of neighbouring letters."""
    if a == b:
        return 1.0 if a else 0.0
    one, two = Counter(pairwise(a)), Counter(pairwise(b))
    total = one.total() + two.total()
    return 2 * (one & two).total() / total if total else 0.0
