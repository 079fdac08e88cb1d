"""Who says what about a date, and whether they agree.

Only the best-ranked evidence of a field speaks (preferred, else normal); deprecated evidence is kept and
shown, but speaks no more. Sources of one origin, such as one press release, are one witness.
"""

from collections.abc import Iterable
from datetime import date, datetime
from itertools import combinations

from msgspec import Struct

from service.catalogue import dates, search_terms
from service.catalogue.dates import Edtf, EdtfError
from service.catalogue.event import DateField, Event, EvidenceField, Rank, Source

# The fields that can have one value only. An event has many names, organizations and days it `contains`.
DATES: tuple[DateField, ...] = ("start", "end")
_SINGLE: tuple[EvidenceField, ...] = ("start", "end", "status", "place", "edition", "close_rule")


class Dispute(Struct, frozen=True, kw_only=True):
    """A field for which sources of equal standing support values that cannot all be true."""

    field: EvidenceField
    values: tuple[str, ...]


class Unsupported(Struct, frozen=True, kw_only=True):
    """A date that no evidence supports. `said` is what all of it says instead, if anything."""

    field: DateField
    said: tuple[str, ...]


class Witnessed(Struct, frozen=True, kw_only=True):
    """One value of one field and the independent origins that state it."""

    field: EvidenceField
    value: str | None
    rank: Rank
    origins: tuple[str, ...]


def disputed(event: Event) -> bool:
    """Whether sources of equal standing contradict each other about this event."""
    return bool(disputes(event))


def disputes(event: Event) -> tuple[Dispute, ...]:
    """Every field in dispute with all the values that are supported for it, in the order of the evidence."""
    if len(event.evidence) < 2:
        return ()
    found = ((field, supported(event, field)) for field in _SINGLE)
    return tuple(
        Dispute(field=field, values=values)
        for field, values in found
        if any(not _compatible(field, one, other) for one, other in combinations(values, 2))
    )


def supported(event: Event, field: EvidenceField) -> tuple[str, ...]:
    """The distinct values that the best-ranked evidence supports for a field."""
    about = [item for item in event.evidence if item.field == field and item.rank != "deprecated"]
    best = [item for item in about if item.rank == "preferred"] or about
    return tuple(dict.fromkeys(item.value for item in best if item.value is not None))


def unsupported(event: Event) -> tuple[Unsupported, ...]:
    """The dates that no evidence supports: none speaks of them, or all of it says another or no day.

    Evidence as fine as the day supports it, whatever the hour; of two hours both must be the same.
    """
    found = []
    for field in DATES:
        date: str | None = getattr(event, field)
        values = supported(event, field) if event.evidence else ()
        if date is None or any(_names_its_day(value, date) for value in values):
            continue
        contradict = values and not any(_one_day_fits(value, date) for value in values)
        found.append(Unsupported(field=field, said=values if contradict else ()))
    return tuple(found)


def contradicted(event: Event) -> bool:
    """Whether there is a date of which all evidence says another day."""
    return any(item.said for item in unsupported(event))


def witnesses(event: Event, sources: Iterable[Source]) -> tuple[Witnessed, ...]:
    """Each value of each field with the origins behind it; two articles of one origin count once."""
    origin = {source.id: source.origin or source.id for source in sources}
    said: dict[tuple[EvidenceField, str | None, Rank], list[str]] = {}
    for item in event.evidence:
        said.setdefault((item.field, item.value, item.rank), []).append(origin.get(item.source, item.source))
    return tuple(
        Witnessed(field=field, value=value, rank=rank, origins=tuple(dict.fromkeys(origins)))
        for (field, value, rank), origins in said.items()
    )


def earliest_close(event: Event) -> str | None:
    """The end a careful reader keeps: the earliest of those in dispute, else the end as it stands."""
    return next(iter(closes(event)), None)


def closes(event: Event) -> tuple[str, ...]:
    """The end as it stands and those disputed beside it, the earliest first; empty without any."""
    disputed = (text for item in disputes(event) if item.field == "end" for text in item.values)
    texts = dict.fromkeys(text for text in (event.end, *disputed) if text is not None)
    return tuple(sorted(texts, key=lambda text: _closes(text, event.timezone)))


def last_seen(event: Event, sources: Iterable[Source]) -> date | None:
    """The newest day on which a source that still speaks was looked at, else was published."""
    speaking = {item.source for item in event.evidence if item.rank != "deprecated"}
    days = (_seen(source) for source in sources if source.id in speaking)
    return max((day for day in days if day is not None), default=None)


def _seen(source: Source) -> date | None:
    if source.retrieved is not None:
        return date.fromisoformat(source.retrieved)
    published = dates.parse(source.published) if source.published else None
    return published.first if published and published.precision in ("day", "minute") else None


def _closes(text: str, timezone: str) -> tuple[datetime, str]:
    latest = dates.bounds(dates.parse_end(text), dates.zone(timezone)).latest
    return (latest or dates.MAX_INSTANT, text)


def _compatible(field: EvidenceField, one: str, other: str) -> bool:
    if field in ("start", "end"):
        return _one_day_fits(one, other)
    if field == "edition":
        numbers = [[c for c in text if c.isdigit()] for text in (one, other)]
        if all(numbers):
            return numbers[0] == numbers[1]
    first, second = search_terms.normalise(one), search_terms.normalise(other)
    return first in second or second in first


def _one_day_fits(one: str, other: str) -> bool:
    try:
        first, second = dates.parse_end(one), dates.parse_end(other)
    except EdtfError:
        return one == other
    if first.minute is not None and second.minute is not None:
        return _instants_fit(first, second)
    return _masks_fit(first, second)


def _names_its_day(value: str, date: str) -> bool:
    """Whether evidence says this day, month or year, and not only a longer time that it lies in."""
    if not _one_day_fits(value, date):
        return False
    said, given = (text[:10].rstrip("?~%") for text in (value, date))
    return len(said) >= len(given) and all(
        mine != "X" or theirs == "X" for mine, theirs in zip(said, given, strict=False)
    )


def _instants_fit(one: Edtf, other: Edtf) -> bool:
    zone = dates.zone("UTC")
    return dates.bounds(one, zone) == dates.bounds(other, zone)


def _masks_fit(one: Edtf, other: Edtf) -> bool:
    """Two masks fit when no digit that both know differs."""
    masks = (edtf.text[:10].rstrip("?~%") for edtf in (one, other))
    return all("X" in pair or pair[0] == pair[1] for pair in zip(*masks, strict=False))
