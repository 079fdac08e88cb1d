"""Query strings, read strictly: unknown, repeated and unreadable parameters are refused by name."""

import re
from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

from service.api.operations import CURSOR_PARAMETER, LANG_PARAMETER, LIMIT_PARAMETER, Parameter
from service.catalogue.event import SLUG_PATTERN, Kind, Status
from service.catalogue.filters import LONGEST_QUERY, LONGEST_VALUE, EventFilter, parse_filters
from service.catalogue.validation import Invalid
from service.catalogue.windows import Phase
from service.errors import At, BadParameters, Located

Pairs = tuple[tuple[str, str], ...]

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST = 500


def pairs_of(raw: bytes) -> Pairs:
    """The parameters in the order they were sent."""
    if not raw:
        return ()
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except UnicodeDecodeError:
        raise BadParameters("The query string is not UTF-8.") from None
    except ValueError:
        raise BadParameters(f"The query string has more than {_MOST} parameters.") from None
    faults = [
        At(detail="It holds a control character.", parameter=_FORBIDDEN.sub("?", name)[:100])
        for name, value in pairs
        if _FORBIDDEN.search(name) or _FORBIDDEN.search(value)
    ]
    if faults:
        raise BadParameters(errors=faults)
    return tuple(pairs)


def check(pairs: Pairs, *, single: frozenset[str], many: frozenset[str]) -> None:
    """Refuse what the operation does not know, and a second value where only one can be meant."""
    faults, seen = [], set()
    for name, _ in pairs:
        if name not in single and name not in many:
            known = ", ".join(sorted(single | many)) or "none"
            faults.append(At(detail=f"Unknown parameter. Known here: {known}.", parameter=name[:100]))
        elif name in seen and name in single:
            faults.append(At(detail="Given more than once.", parameter=name))
        seen.add(name)
    if faults:
        raise BadParameters(errors=faults)


def together(*reads: Callable[[], Any]) -> list[Any]:
    """What each of them reads; or every fault of all, so that a caller mends them at once."""
    found: list[Any] = []
    faults: list[Located] = []
    for read in reads:
        try:
            found.append(read())
        except BadParameters as error:
            faults += error.errors
    if faults:
        raise BadParameters(errors=faults)
    return found


def value(pairs: Pairs, name: str) -> str | None:
    return next((text for key, text in pairs if key == name), None)


def whole(pairs: Pairs, name: str, *, default: int, most: int, least: int = 1) -> int:
    """A whole number within bounds, `limit=50`."""
    text = value(pairs, name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
        return int(text)
    fault = At(detail=f"It must be a whole number from {least} to {most}.", parameter=name)
    raise BadParameters(errors=[fault])


# FOLDED service/api/filtering.py: The event filters as query parameters: how they are published, and how a list reads them.
Sort = Literal["start", "-start", "end", "-end", "updated", "-updated"]

_SLUG = {"type": "string", "pattern": SLUG_PATTERN, "maxLength": LONGEST_VALUE}
_WHEN = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


def _any_of(name: str, description: str, schema: dict[str, Any]) -> Parameter:
    return Parameter(
        name=name, description=f"{description} Repeat it for any of several.", schema=schema, many=True
    )


FILTER_PARAMETERS = (
    Parameter(
        name="from",
        description="Only what may still go on at or after this; a date is its whole day in Seoul.",
        schema=_WHEN,
    ),
    Parameter(
        name="to", description="Only what may begin before this; a date is meant to its end.", schema=_WHEN
    ),
    _any_of("kind", "The kind of event.", {"type": "string", "enum": list(get_args(Kind))}),
    _any_of("tag", "A tag.", _SLUG),
    _any_of("series", "The series it is an edition of.", _SLUG),
    _any_of("program", "The program it belongs to.", _SLUG),
    _any_of("organization", "An organization that plays a part.", _SLUG),
    _any_of(
        "city",
        "The city it is held in, as written.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE},
    ),
    _any_of("status", "The status.", {"type": "string", "enum": list(get_args(Status))}),
    _any_of("phase", "The phase now.", {"type": "string", "enum": list(get_args(Phase))}),
    _any_of("part_of", "The event it is part of.", _SLUG),
    Parameter(name="disputed", description="Whether sources disagree.", schema={"type": "boolean"}),
    Parameter(
        name="q",
        description="Words that each stand in some name or summary; 서울 is found in 서울콘.",
        schema={"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY},
    ),
    Parameter(
        name="updated_since",
        description="Only what changed at or after this.",
        schema=_WHEN,
    ),
)
SORT_PARAMETER = Parameter(
    name="sort",
    description="The order; `-` reverses it. Unknown dates come last.",
    schema={"type": "string", "enum": list(get_args(Sort)), "default": "start"},
)
LIST_PARAMETERS = (*FILTER_PARAMETERS, SORT_PARAMETER, LIMIT_PARAMETER, CURSOR_PARAMETER, LANG_PARAMETER)
_FILTERS = frozenset(parameter.name for parameter in FILTER_PARAMETERS)


def filters_of(pairs: Pairs) -> EventFilter:
    """The filters among them; BadParameters names each that is wrong."""
    try:
        return parse_filters(pair for pair in pairs if pair[0] in _FILTERS)
    except Invalid as invalid:
        raise BadParameters(errors=invalid.faults) from None


def sort_of(pairs: Pairs) -> Sort:
    wanted = value(pairs, "sort") or "start"
    for sort in get_args(Sort):
        if sort == wanted:
            chosen: Sort = sort
            return chosen
    detail = f"It must be one of {', '.join(get_args(Sort))}."
    raise BadParameters(errors=[At(detail=detail, parameter="sort")])
