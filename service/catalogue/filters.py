"""Which events somebody asks for; `matches` is the meaning, the store's SQL a fast way to the same answer.

Values of one parameter are alternatives, different parameters must all hold. `from` and `to` ask for an
overlap with `windows.span`: `lo < to and hi > from`. A missing bound is open on its side, and an event
without any bound is in no range.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec

from service.catalogue import dates, evidence, search_terms, validation, windows
from service.catalogue.dates import Bounds
from service.catalogue.event import SLUG_PATTERN, Event, Kind, Status, Visibility
from service.catalogue.validation import Fault, refuse
from service.catalogue.windows import Phase, Step

MOST_VALUES = 50
LONGEST_QUERY = 200
LONGEST_VALUE = 300
# A date in a range means that whole day where the catalogue is at home.
HOME = dates.zone("Asia/Seoul")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_SLUG = re.compile(SLUG_PATTERN)
_CHOICES = {"kind": get_args(Kind), "status": get_args(Status), "phase": get_args(Phase)}
_SLUGS = ("tag", "series", "program", "organization", "part_of")
MANY = (*_CHOICES, *_SLUGS, "city")
_INSTANTS = ("from", "to", "updated_since")
_SWITCHES = ("disputed", "unsupported")
_ONCE = (*_INSTANTS, *_SWITCHES, "q")
NAMES = frozenset((*MANY, *_ONCE))

_NO_INSTANT = "it is neither a date (2025-09-05) nor an instant with its zone (2025-09-05T05:00:00Z)"
LOST_PLUS = "a + in an address means a space: write it as %2B, 2025-09-05T14:00:00%2B09:00"

Place = Callable[[str, int, str], Fault]


class EventFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """The events asked for; the empty filter asks for all public ones. Instants are UTC, in milliseconds.

    No filter that strangers write has a `visibility`.
    """

    from_: datetime | None = None
    to: datetime | None = None
    kind: tuple[Kind, ...] = ()
    tag: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    organization: tuple[str, ...] = ()
    city: tuple[str, ...] = ()
    status: tuple[Status, ...] = ()
    phase: tuple[Phase, ...] = ()
    part_of: tuple[str, ...] = ()
    disputed: bool | None = None
    unsupported: bool | None = None
    q: str | None = None
    updated_since: datetime | None = None
    visibility: tuple[Visibility, ...] = ("public",)


class FilterBody(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"from_": "from"},
):
    """The filters as JSON, as a webhook carries them: dates or instants, one value or a list."""

    from_: str | None = None
    to: str | None = None
    kind: tuple[Kind, ...] | Kind = ()
    tag: tuple[str, ...] | str = ()
    series: tuple[str, ...] | str = ()
    program: tuple[str, ...] | str = ()
    organization: tuple[str, ...] | str = ()
    city: tuple[str, ...] | str = ()
    status: tuple[Status, ...] | Status = ()
    phase: tuple[Phase, ...] | Phase = ()
    part_of: tuple[str, ...] | str = ()
    disputed: bool | None = None
    unsupported: bool | None = None
    q: str | None = None
    updated_since: str | None = None


def parse_filters(params: Iterable[tuple[str, str]]) -> EventFilter:
    """Read query parameters, or `Invalid` with a fault for each bad one; `NAMES` are those it knows."""
    given: dict[str, list[str]] = {}
    for name, value in params:
        given.setdefault(name, []).append(value)
    return _read(given, lambda name, _, detail: Fault(parameter=name, detail=detail))


def read_filter(body: FilterBody, *, pointer: str = "/filter") -> EventFilter:
    """Read filters from JSON that stands at `pointer`."""
    lists = set()
    given: dict[str, Sequence[str]] = {}
    for name in NAMES:
        value = getattr(body, "from_" if name == "from" else name)
        if isinstance(value, bool):
            given[name] = ("true" if value else "false",)
        elif isinstance(value, str):
            given[name] = (value,)
        elif value:
            given[name] = value
            lists.add(name)

    def place(name: str, index: int, detail: str) -> Fault:
        return Fault(pointer=f"{pointer}/{name}" + (f"/{index}" if name in lists else ""), detail=detail)

    return _read(given, place)


def matches(
    event: Event,
    filters: EventFilter,
    *,
    steps: tuple[Step, ...],
    disputed: bool,
    updated_at: datetime,
    now: datetime,
    searched: str | None = None,
) -> bool:
    """Whether the event is asked for; `steps`, `disputed` and `updated_at` are what is derived of it.

    `searched` is what the store keeps of it for searches; without it names of what it names are not searched.
    """
    return (
        _has_facets(event, filters)
        and (filters.disputed is None or filters.disputed == disputed)
        and (filters.unsupported is None or filters.unsupported == bool(evidence.unsupported(event)))
        and (filters.updated_since is None or updated_at >= filters.updated_since)
        and (not filters.phase or windows.phase_at(steps, now) in filters.phase)
        and ((filters.from_ is None and filters.to is None) or overlaps(windows.span(event), filters))
        and (filters.q is None or _is_found(event, filters.q, searched))
    )


def overlaps(span: Bounds, filters: EventFilter) -> bool:
    """Whether a span of time lies in the range asked for, at least in part."""
    if filters.from_ is None and filters.to is None:
        return True
    lo, hi = span.earliest, span.latest
    if lo is None and hi is None:
        return False
    begins_before = lo is None or filters.to is None or lo < filters.to
    ends_after = hi is None or filters.from_ is None or hi > filters.from_
    return begins_before and ends_after


def _is_found(event: Event, q: str, searched: str | None) -> bool:
    known = search_terms.Searched.decode(searched) if searched is not None else None
    texts = known or search_terms.searched(event, ())
    return search_terms.rank(texts, search_terms.parse(q)) is not None


def _has_facets(event: Event, filters: EventFilter) -> bool:
    cities = event.place.cities if event.place else ()
    return (
        event.visibility in filters.visibility
        and (not filters.kind or event.kind in filters.kind)
        and (not filters.status or event.status in filters.status)
        and (not filters.series or event.series in filters.series)
        and (not filters.program or event.program in filters.program)
        and (not filters.part_of or event.part_of in filters.part_of)
        and (not filters.tag or any(tag in filters.tag for tag in event.tags))
        and (not filters.organization or any(one.id in filters.organization for one in event.organizations))
        and (not filters.city or any(city in filters.city for city in cities))
    )


def _read(given: Mapping[str, Sequence[str]], place: Place) -> EventFilter:
    faults: list[Fault] = []
    read: dict[str, Any] = {}
    for name, values in given.items():
        wrong = [place(name, index, detail) for index, detail in _faults(name, values)]
        faults += wrong
        if not wrong:
            read["from_" if name == "from" else name] = _value(name, values)
    begin, end = read.get("from_"), read.get("to")
    if begin is not None and end is not None and end <= begin:
        faults.append(place("to", 0, "the range ends before it begins"))
    refuse(faults)
    return EventFilter(**read)


def _faults(name: str, values: Sequence[str]) -> Iterator[tuple[int, str]]:
    if name not in NAMES:
        yield 0, "there is no such parameter"
    elif name in _ONCE and len(values) > 1:
        yield 1, "it can be given once only"
    elif len(values) > MOST_VALUES:
        yield MOST_VALUES, f"at most {MOST_VALUES} values"
    else:
        for index, value in enumerate(values):
            detail = _fault(name, value)
            if detail is not None:
                yield index, detail


def _fault(name: str, value: str) -> str | None:
    longest = LONGEST_QUERY if name == "q" else LONGEST_VALUE
    if len(value) > longest:
        return f"at most {longest} characters"
    if (detail := validation.character_fault(value)) is not None:
        return detail
    if name in _CHOICES:
        return None if value in _CHOICES[name] else f"it is one of {', '.join(_CHOICES[name])}"
    if name in _SLUGS:
        return None if _SLUG.fullmatch(value) else "it is not an id: lower-case letters, digits and hyphens"
    if name in _INSTANTS:
        return _instant(value, end=name == "to")[1]
    if name in _SWITCHES:
        return None if value in ("true", "false") else "it is true or false"
    return None if name == "city" or not search_terms.parse(value).is_empty else "there is no word in it"


def _value(name: str, values: Sequence[str]) -> object:
    if name in _INSTANTS:
        return _instant(values[0], end=name == "to")[0]
    if name in _SWITCHES:
        return values[0] == "true"
    if name == "q":
        return values[0]
    # Events are kept in NFC, so that equal is equal.
    return tuple(dict.fromkeys(unicodedata.normalize("NFC", value) for value in values))


def _instant(text: str, *, end: bool) -> tuple[datetime, None] | tuple[None, str]:
    """A date or an instant of a range, or what is wrong with it. A date that ends a range lies within it."""
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return (dates.day_end(day, HOME) if end else dates.day_start(day, HOME)), None
        found = _INSTANT.fullmatch(text)
        if found is None:
            return None, LOST_PLUS if has_lost_plus(text) else _NO_INSTANT
        instant = datetime.fromisoformat(
            f"{found[1]}{(found[2] or ':00')[:10]}{found[3]}".replace("Z", "+00:00")
        )
        return _whole(instant.astimezone(UTC)), None
    except (ValueError, OverflowError):
        return None, "there is no such date or time"


def has_lost_plus(text: str) -> bool:
    """Whether it would be an instant, had the + of its zone not become a space on the way."""
    return " " in text and _INSTANT.fullmatch(text.replace(" ", "+")) is not None


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
