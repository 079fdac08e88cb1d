"""Merges a seed into the catalogue three ways, field by field.

The base is what the seed said when it was last loaded. What the catalogue holds otherwise a curator has
changed; what the seed says otherwise is news. Pure; `service.seed_loader` reads and writes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from service.catalogue import validation
from service.catalogue.event import Event, Evidence, PreviousDates
from service.catalogue.seed_yaml import Noun


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`noun` is what the catalogue is to hold. Its fields in `applied` come from the seed. Those in `kept` a
    curator changed; those in `contested` stay too, although the seed has news of them."""

    noun: Noun
    applied: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()


def merge(base: Noun | None, here: Noun, seed: Noun) -> Merged:
    """Returns the thing with the news of its seed. Without a base all that differs is contested, and stays.

    Evidence is merged claim by claim, so that a date that comes from the seed brings its evidence along.
    News that contradict what a curator wrote, such as an end before the new start, are contested too.
    """
    before, now, after = _written(base), _written(here), _written(seed)
    if isinstance(seed, Event) and seed.previous_dates is UNSET:
        del after["previous_dates"]  # a file that does not speak of earlier dates takes none back
    ways = _three_ways(before, now, after)
    if "evidence" in ways.contested and base is not None:
        _merge_evidence(ways, before["evidence"], now["evidence"], after["evidence"])
    try:
        noun = _with(here, ways.news)
    except validation.Invalid:
        contested = (*ways.contested, *(name for name in ways.news if name not in ways.contested))
        return Merged(noun=here, kept=tuple(ways.kept), contested=contested)
    return Merged(noun=noun, applied=tuple(ways.news), kept=tuple(ways.kept), contested=tuple(ways.contested))


class _Ways(NamedTuple):
    news: dict[Any, Any]
    kept: list[Any]
    contested: list[Any]


_UNKNOWN = object()


def _three_ways(before: Mapping[Any, Any], now: Mapping[Any, Any], after: Mapping[Any, Any]) -> _Ways:
    ways = _Ways({}, [], [])
    for name, new in after.items():
        old = before.get(name, _UNKNOWN)
        if new == now[name]:
            continue
        if now[name] == old:
            ways.news[name] = new
        else:
            (ways.kept if new == old else ways.contested).append(name)
    return ways


def _merge_evidence(ways: _Ways, *sides: Iterable[Evidence]) -> None:
    """Replaces the verdict on the whole evidence by those on its claims."""
    claims = [_claims(side) for side in sides]
    keys = dict.fromkeys(key for side in (claims[1], *claims) for key in side)
    before, now, after = ({key: side.get(key, ()) for key in keys} for side in claims)
    each = _three_ways(before, now, after)
    if each.news:
        ways.news["evidence"] = tuple(item for key in keys for item in each.news.get(key, now[key]))
    if not each.contested:
        ways.contested.remove("evidence")
        ways.kept.append("evidence")


def _claims(evidence: Iterable[Evidence]) -> dict[tuple[str, str], tuple[Evidence, ...]]:
    """What each source says about each field."""
    claims: dict[tuple[str, str], tuple[Evidence, ...]] = {}
    for item in evidence:
        key = (item.field, item.source)
        claims[key] = (*claims.get(key, ()), item)
    return claims


def _written(noun: Noun | None) -> dict[str, Any]:
    """The fields as somebody wrote them: earlier dates that the store has noted are nobody's change."""
    fields = {} if noun is None else {name: getattr(noun, name) for name in noun.__struct_fields__}
    if isinstance(noun, Event):
        fields["previous_dates"] = tuple(p for p in noun.previous_dates or () if p.until_revision is None)
    return fields


def _with(here: Noun, news: Mapping[str, Any]) -> Noun:
    """The thing with the news, if together they keep the rules."""
    changes = dict(news)
    if isinstance(here, Event):
        told = changes.get("previous_dates")
        changes["previous_dates"] = UNSET if told is None else (*told, *_noted(here, told))
    noun = msgspec.structs.replace(here, **changes)
    return validation.check(noun) if isinstance(noun, Event) else validation.check_noun(noun)


def _noted(here: Event, told: Iterable[PreviousDates]) -> Iterable[PreviousDates]:
    """What the store has noted and the seed does not tell."""
    known = {(each.start, each.end) for each in told}
    return (
        each
        for each in here.previous_dates or ()
        if each.until_revision is not None and (each.start, each.end) not in known
    )
