"""Query strings, read strictly (unknown, repeated and unreadable parameters are refused by name), and the
parameters of a list of events."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

from service.api.operations import CURSOR_PARAMETER, LANG_PARAMETER, LIMIT_PARAMETER, Parameter
from service.catalogue.event import SLUG_PATTERN, Kind, Status, Visibility
from service.catalogue.filters import LONGEST_QUERY, LONGEST_VALUE, EventFilter, parse_filters
from service.catalogue.validation import Invalid
from service.catalogue.windows import Phase
from service.errors import At, BadParameters, Located
from service.store.listing import SORTS, Sort

C = TypeVar("C", bound=str)
Pairs = tuple[tuple[str, str], ...]

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST = 500
_SLUG = {"type": "string", "pattern": SLUG_PATTERN, "maxLength": LONGEST_VALUE}
_WHEN = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


def _any_of(name: str, description: str, schema: dict[str, Any]) -> Parameter:
    about = f"{description} Repeat it for any of several."
    return Parameter(name=name, description=about, schema=schema, many=True)


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _enum(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


FILTER_PARAMETERS = (
    Parameter(
        name="from",
        description="Only what may still go on at or after this; a date is its whole day in Seoul.",
        schema=_WHEN,
    ),
    Parameter(
        name="to", description="Only what may begin before this; a date is meant to its end.", schema=_WHEN
    ),
    _any_of("kind", "The kind of event.", _enum(get_args(Kind))),
    _any_of("tag", "A tag.", _SLUG),
    _any_of("series", "The series it is an edition of.", _SLUG),
    _any_of("program", "The program it belongs to.", _SLUG),
    _any_of("organization", "An organization that plays a part.", _SLUG),
    _any_of("city", "The city it is held in, as written.", _text(LONGEST_VALUE)),
    _any_of("status", "The status.", _enum(get_args(Status))),
    _any_of("phase", "The phase now.", _enum(get_args(Phase))),
    _any_of("part_of", "The event it is part of.", _SLUG),
    Parameter(name="disputed", description="Whether sources disagree.", schema={"type": "boolean"}),
    Parameter(
        name="unsupported",
        description="Whether it has a date that none of its evidence supports.",
        schema={"type": "boolean"},
    ),
    Parameter(
        name="q",
        description="Words that each stand in some name or summary, or in a name of its series, program, "
        "organizations, place or tags. Spaces do not matter, initials (ㅅㅇㅋ) and small typing errors are "
        "forgiven, -word excludes.",
        schema=_text(LONGEST_QUERY),
    ),
    Parameter(name="updated_since", description="Only what changed at or after this.", schema=_WHEN),
)
SORT_PARAMETER = Parameter(
    name="sort",
    description="The order; `-` reverses it. Unknown dates come last. By default relevance if q is given.",
    schema=_enum(SORTS),
)
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
VISIBILITY_PARAMETER = _any_of(
    "visibility",
    "Who may see it; all by default. What is not `public` takes a key with the scope `catalogue`.",
    _enum(VISIBILITIES),
)
LIST_PARAMETERS = (
    *FILTER_PARAMETERS,
    VISIBILITY_PARAMETER,
    SORT_PARAMETER,
    LIMIT_PARAMETER,
    CURSOR_PARAMETER,
    LANG_PARAMETER,
)
_FILTERS = frozenset(parameter.name for parameter in FILTER_PARAMETERS)


def pairs_of(raw: bytes) -> Pairs:
    """Returns the parameters in the order they were sent."""
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
    """Refuses a parameter the operation does not know, and a second value where only one can be meant."""
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
    """Returns what each function reads, or raises the faults of all, so that a caller mends them at once."""
    values: list[Any] = []
    faults: list[Located] = []
    for read in reads:
        try:
            values.append(read())
        except BadParameters as error:
            faults += error.errors
    if faults:
        raise BadParameters(errors=faults)
    return values


def value(pairs: Pairs, name: str) -> str | None:
    return next((text for key, text in pairs if key == name), None)


def whole(pairs: Pairs, parameter: Parameter) -> int:
    """Returns a whole number within the bounds that the parameter's schema publishes."""
    text, schema = value(pairs, parameter.name), parameter.schema
    least, most = schema["minimum"], schema["maximum"]
    if text is None:
        default: int = schema["default"]
        return default
    if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
        return int(text)
    fault = At(detail=f"It must be a whole number from {least} to {most}.", parameter=parameter.name)
    raise BadParameters(errors=[fault])


def choice(text: str, allowed: Sequence[C], *, name: str, words: str | None = None) -> C:
    """Returns the value of the parameter `name`; BadParameters, with `words`, unless it is allowed."""
    for known in allowed:
        if known == text:
            return known
    detail = f"It must be {words or 'one of ' + ', '.join(allowed)}."
    raise BadParameters(errors=[At(detail=detail, parameter=name)])


def filters_of(pairs: Pairs) -> EventFilter:
    """Returns the event filters among the parameters; BadParameters names each that is wrong."""
    try:
        return parse_filters(pair for pair in pairs if pair[0] in _FILTERS)
    except Invalid as invalid:
        raise BadParameters(errors=invalid.faults) from None


def visibility_of(pairs: Pairs) -> tuple[Visibility, ...]:
    given = (text for name, text in pairs if name == "visibility")
    return tuple(choice(text, VISIBILITIES, name="visibility") for text in given)


def sort_of(pairs: Pairs) -> Sort:
    searches = value(pairs, "q") is not None
    sort = choice(value(pairs, "sort") or ("relevance" if searches else "start"), SORTS, name="sort")
    if sort == "relevance" and not searches:
        raise BadParameters(
            errors=[At(detail="Relevance is that to a search: give q too.", parameter="sort")]
        )
    return sort
