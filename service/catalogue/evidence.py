"""Who says what about a date, and whether they agree.

Only the best-ranked evidence of a field speaks (preferred, else normal); deprecated evidence is kept and
shown, but speaks no more. Sources of one origin, such as one press release, are one witness.
"""

from collections.abc import Iterable
from datetime import date
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
    return tuple(Dispute(field=field, values=values) for field, values in found if _contradict(field, values))


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


def readings(event: Event, field: DateField) -> tuple[str, ...]:
    """The date as it stands and those disputed beside it, the earliest first; empty where it has none.

    An end before the event begins is nobody's reading but a slip, and left out.
    """
    date: str | None = getattr(event, field)
    values = supported(event, field) if date is not None and len(event.evidence) > 1 else ()
    if date is None or not _contradict(field, values):
        return (date,) if date is not None else ()
    zone = dates.zone(event.timezone)
    bounds = {text: dates.bounds(dates.parse_end(text), zone) for text in (date, *values)}
    if field == "start":
        return tuple(sorted(bounds, key=lambda text: (bounds[text].earliest or dates.MAX_INSTANT, text)))
    latest = {text: bound.latest or dates.MAX_INSTANT for text, bound in bounds.items()}
    opens = next(iter(readings(event, "start")), None)
    begins = dates.bounds(dates.parse(opens), zone).earliest if opens is not None else None
    ends = (text for text in latest if text == date or begins is None or latest[text] > begins)
    return tuple(sorted(ends, key=lambda text: (latest[text], text)))


def earliest(event: Event, field: DateField) -> str | None:
    """The date that badges, orders, feeds and reminders go by: the earliest reading that names a day.

    Who keeps the earliest misses none. Where no reading names a day it is the earliest of all.
    """
    found = readings(event, field)
    return next((text for text in found if dates.names_day(dates.parse_end(text))), next(iter(found), None))


def told(event: Event, field: DateField) -> tuple[Edtf, ...]:
    """The readings of a date for people: without those that another one says as well, or more exactly."""
    found, stands = readings(event, field), getattr(event, field)
    vague = {
        one
        for one in found
        for other in found
        if _names_its_day(other, one)
        and (_is_finer(other, one) or (other == stands and _is_same(other, one)))
    }
    return tuple(dates.parse_end(text) for text in found if text not in vague)


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


def _contradict(field: EvidenceField, values: tuple[str, ...]) -> bool:
    return any(not _compatible(field, one, other) for one, other in combinations(values, 2))


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


def _is_same(one: str, other: str) -> bool:
    """Whether one date is the other with a qualifier."""
    return one != other and one.rstrip("?~%") == other.rstrip("?~%")


def _is_finer(one: str, other: str) -> bool:
    return len(one.rstrip("?~%")) > len(other.rstrip("?~%"))


def _instants_fit(one: Edtf, other: Edtf) -> bool:
    zone = dates.zone("UTC")
    return dates.bounds(one, zone) == dates.bounds(other, zone)


def _masks_fit(one: Edtf, other: Edtf) -> bool:
    """Two masks fit when no digit that both know differs."""
    masks = (edtf.text[:10].rstrip("?~%") for edtf in (one, other))
    return all("X" in pair or pair[0] == pair[1] for pair in zip(*masks, strict=False))
