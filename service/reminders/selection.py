"""Which events a webhook is about: the filters of `/v1/events` in the spelling of a JSON body."""

from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from service.catalogue import filters
from service.catalogue.event import Kind, Slug, Status
from service.catalogue.rules import Fault, Invalid

Words = Annotated[str, Meta(min_length=1, max_length=200)]
Instant = Annotated[str, Meta(min_length=4, max_length=40)]
AnyOf = Annotated[tuple[Slug, ...], Meta(max_length=20)]


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The event filters of `/v1/events`, as a JSON body writes them.

    Lists where a query repeats a parameter.
    """

    from_: Instant | None = msgspec.field(default=None, name="from")
    to: Instant | None = None
    kind: tuple[Kind, ...] = ()
    tag: AnyOf = ()
    series: AnyOf = ()
    program: AnyOf = ()
    organization: AnyOf = ()
    city: Annotated[tuple[Words, ...], Meta(max_length=20)] = ()
    status: tuple[Status, ...] = ()
    phase: Annotated[tuple[Words, ...], Meta(max_length=20)] = ()
    part_of: AnyOf = ()
    disputed: bool | None = None
    q: Words | None = None
    updated_since: Instant | None = None

    @property
    def filter(self) -> filters.EventFilter:
        return _compiled(self)

    def faults(self) -> tuple[Fault, ...]:
        """What `/v1/events` would refuse, by pointer into the webhook's body."""
        try:
            filters.parse_filters(_pairs(self))
        except Invalid as invalid:
            return tuple(Fault(pointer=_pointer(fault), detail=fault.detail) for fault in invalid.faults)
        return ()


def _pointer(fault: Fault) -> str:
    return f"/filter/{fault.parameter}" if fault.parameter else "/filter"


def _pairs(selection: Selection) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for field in msgspec.structs.fields(selection):
        value = getattr(selection, field.name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        spelt = ("true" if item is True else "false" if item is False else str(item) for item in values)
        pairs += [(field.encode_name, item) for item in spelt]
    return tuple(pairs)


@lru_cache(maxsize=4096)
def _compiled(selection: Selection) -> filters.EventFilter:
    return filters.parse_filters(_pairs(selection))
