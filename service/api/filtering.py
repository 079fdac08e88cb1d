"""The event filters as query parameters: how they are published, and how a list reads them."""

from typing import Any, Literal, get_args

from service.api import queries
from service.api.operations import CURSOR_PARAMETER, LANG_PARAMETER, LIMIT_PARAMETER, Parameter
from service.api.queries import Pairs
from service.catalogue.event import SLUG_PATTERN, Kind, Status
from service.catalogue.faults import Invalid
from service.catalogue.filters import LONGEST_QUERY, LONGEST_VALUE, EventFilter, parse_filters
from service.catalogue.windows import Phase
from service.errors import At, BadParameters

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
    wanted = queries.value(pairs, "sort") or "start"
    for sort in get_args(Sort):
        if sort == wanted:
            chosen: Sort = sort
            return chosen
    detail = f"It must be one of {', '.join(get_args(Sort))}."
    raise BadParameters(errors=[At(detail=detail, parameter="sort")])
