"""What msgspec says of a value, in words for people: which values there are, which form, how long."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import inspect

from service.catalogue.event import SLUG_PATTERN

# What people read instead of a regular expression. Every pattern of a body has its words here.
FORMS = {
    SLUG_PATTERN: "lower-case letters and digits, in words joined by hyphens, such as seoul-forum-2026",
    r"^https?://[^\s]+$": "an address that begins with http:// or https:// and has no spaces",
    r"^[A-Z]{2}$": "two capital letters, such as KR",
    r"^[a-z0-9_.-]{1,40}$": "1 to 40 lower-case letters, digits, dots, hyphens or underscores",
    r"^\d{4}-\d{2}-\d{2}$": "a day, such as 2026-03-31",
    r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day from 00:00 to 23:59, such as 09:00",
}
_LENGTH = re.compile(r"Expected `(?P<type>\w+)` of length (?P<bound>>=|<=) (?P<number>\d+)")
_UNITS = {"str": ("character", "characters"), "array": ("value", "values"), "object": ("entry", "entries")}
_BOUNDS = {">=": "at least", "<=": "at most"}


def said(complaint: str, kind: Any, steps: Sequence[str], *, key: bool = False) -> str:
    """The complaint about the value (or `key`) at `steps` in a `kind`, as a sentence without its stop."""
    if found := _LENGTH.fullmatch(complaint):
        one, more = _UNITS.get(found["type"], ("byte", "bytes"))
        unit = one if found["number"] == "1" else more
        return f"It must have {_BOUNDS[found['bound']]} {found['number']} {unit}"
    if complaint.startswith("Expected `str` matching regex"):
        forms = (FORMS[each] for each in _patterns(kind, steps, key=key) if each in FORMS)
        return f"It must be {form}" if (form := next(forms, None)) else complaint
    if complaint.startswith("Invalid enum value"):
        words = [str(word) for leaf in _at(kind, steps, key=key) for word in _words(leaf)]
        return f"It must be one of {', '.join(words)}" if words else complaint
    return complaint


def _patterns(kind: Any, steps: Sequence[str], *, key: bool) -> Iterator[str]:
    for leaf in _at(kind, steps, key=key):
        if isinstance(leaf, inspect.StrType) and leaf.pattern is not None:
            yield leaf.pattern


def _words(leaf: inspect.Type) -> Sequence[Any]:
    return leaf.values if isinstance(leaf, inspect.LiteralType) else ()


def _at(kind: Any, steps: Sequence[str], *, key: bool) -> list[inspect.Type]:
    """The types that a value at `steps` may have; for a key, the last step is its name."""
    types = list(_plain(inspect.type_info(kind)))
    for index, step in enumerate(steps):
        as_key = key and index == len(steps) - 1
        types = [plain for each in types for inner in _below(each, step, as_key) for plain in _plain(inner)]
    return types


def _below(holder: inspect.Type, step: str, as_key: bool) -> Iterator[inspect.Type]:
    match holder:
        case inspect.StructType():
            yield from (field.type for field in holder.fields if field.encode_name == step)
        case inspect.DictType():
            yield holder.key_type if as_key else holder.value_type
        case inspect.VarTupleType() | inspect.ListType():
            yield holder.item_type


def _plain(found: inspect.Type) -> Iterator[inspect.Type]:
    """Without the unions and remarks around it."""
    if isinstance(found, inspect.Metadata):
        yield from _plain(found.type)
    elif isinstance(found, inspect.UnionType):
        for each in found.types:
            yield from _plain(each)
    else:
        yield found
