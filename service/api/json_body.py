"""Request bodies, decoded strictly: what is refused is refused with a pointer to it.

Litestar's own decoding coerces (`"5"` becomes 5), takes any Content-Type and answers deep nesting or
invalid UTF-8 with a 500 (notes/reliability.md L1-L4, L7), so handlers read their bodies through here.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from service.catalogue.event import SLUG_PATTERN
from service.errors import At, Malformed, TooLarge, Unprocessable, UnsupportedMediaType

T = TypeVar("T")
# Where a value stands: the trail of what holds it, and its index or key there. None is the whole body.
Trail = tuple[Any, int | str] | None

LIMIT = 256 * 1024
BATCH_LIMIT = 4 * 1024 * 1024
SMALL = 32 * 1024
# A decoder cannot be interrupted; four megabytes of brackets would hold everybody up.
MOST_VALUES = 300_000
SECONDS = 30

_JSON_TYPE = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
# What a forbidden character looks like before decoding; the tree is walked only when one may be there.
_SUSPICIOUS = re.compile(rb"\\u(?:00[0189]|007[fF]|[dD][89a-fA-F])|\\[bfr]|\x7f|\xc2[\x80-\x9f]")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_PLACE = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<key>key` in `)?\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_FIELD = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)


def check_content_type(content_type: str | None) -> None:
    """A cross-site form can send text/plain without asking; only application/json is a body here."""
    if content_type is None or not _JSON_TYPE.fullmatch(content_type.strip()):
        found = content_type or "missing"
        raise UnsupportedMediaType(f"The Content-Type is {found}; it must be application/json.")


def check_length(length: int, limit: int) -> None:
    if length > limit:
        raise TooLarge(f"The body has more than {limit // 1024} KiB.")


def parse(raw: bytes) -> Any:
    """The JSON value; its texts hold no control characters but TAB and LF, and no lone surrogates."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise TooLarge(f"The body has more than {MOST_VALUES:,} values.")
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_surrogates(raw)
        raise Malformed(_reason(error)) from None
    if _SUSPICIOUS.search(raw):
        refuse_controls(value)
    return value


def convert(value: Any, kind: type[T], *, below: str = "") -> T:
    """The value, which stands at pointer `below`, as `kind`, without coercion."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        detail, pointer = located(str(error), value, kind)
        raise Unprocessable(errors=[At(detail=detail, pointer=below + pointer)]) from None
    except RecursionError:
        raise Malformed("The body is nested too deep.") from None


def located(message: str, value: Any, kind: Any) -> tuple[str, str]:
    """msgspec's message as a sentence and a JSON pointer: `$.evidence[0].value` is `/evidence/0/value`."""
    found = _PLACE.match(message)
    if found is None:  # pragma: no cover - the pattern takes every text
        return message, ""
    steps = [index or name for index, name in _STEP.findall(found["path"] or "")]
    if "..." in steps:
        place = steps.index("...")
        steps[place : place + 1] = _culprit(message, value, kind, steps[:place])
    if found["key"]:
        steps += _culprit(message, value, kind, steps)
    detail = said(found["detail"], kind, steps, key=bool(found["key"]))
    if field := _FIELD.match(found["detail"]):
        steps.append(field["name"])
    return detail + ".", "".join(f"/{escaped(step)}" for step in steps)


def _culprit(message: str, value: Any, kind: Any, path: list[str]) -> list[str]:
    """msgspec names no key of a mapping: the one that alone brings the same message is at fault."""
    mapping = _at(value, path)
    for key in islice(mapping, 100):
        alone = _replaced(value, path, {key: mapping[key]})
        try:
            msgspec.convert(alone, kind, strict=True)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return [str(key)]
    return []


def _at(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _replaced(value: Any, path: list[str], new: Any) -> Any:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_replaced(v, rest, new) if str(i) == step else v for i, v in enumerate(value)]
    return {k: _replaced(v, rest, new) if k == step else v for k, v in value.items()}


def refuse_controls(value: Any) -> None:
    """Every text and key that holds a forbidden character is told, up to a hundred of them."""
    faults = [
        At(detail=f"Character {_named(text)} is not allowed in text.", pointer=_pointer(trail))
        for trail, text in islice(_forbidden(value), 100)
    ]
    if faults:
        raise Unprocessable(errors=faults)


def _forbidden(value: Any) -> Iterator[tuple[Trail, str]]:
    """A stack of our own, as a body may be 1,000 deep; trails share beginnings, as it may be wide too."""
    pending: list[tuple[Trail, Any]] = [(None, value)]
    while pending:
        trail, node = pending.pop()
        if isinstance(node, str):
            if _FORBIDDEN.search(node):
                yield trail, node
        elif isinstance(node, list):
            pending.extend(((trail, i), child) for i, child in enumerate(node))
        elif isinstance(node, dict):
            for key, child in node.items():
                pending.append(((trail, key), child))
                if _FORBIDDEN.search(key):
                    yield (trail, key), key


def _pointer(trail: Trail) -> str:
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(f"/{escaped(str(step))}")
    return "".join(reversed(steps))


def _refuse_surrogates(raw: bytes) -> None:
    """msgspec refuses half a surrogate pair without saying where; the slow decoder finds the place."""
    if not re.search(rb"\\u[dD][89a-fA-F]", raw):
        return
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return
    refuse_controls(value)


def _named(text: str) -> str:
    found = _FORBIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def escaped(step: str) -> str:
    # RFC 6901 section 3. A lone surrogate in a key cannot be sent back.
    return step.replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "The body is not UTF-8."
    if isinstance(error, RecursionError):
        return "The body is nested too deep."
    return f"{error}."


# FOLDED service/api/complaints.py: What msgspec says of a value, in words for people: which values there are, which form, how long.
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
        words = [str(word) for leaf in _types_at(kind, steps, key=key) for word in _words(leaf)]
        return f"It must be one of {', '.join(words)}" if words else complaint
    return complaint


def _patterns(kind: Any, steps: Sequence[str], *, key: bool) -> Iterator[str]:
    for leaf in _types_at(kind, steps, key=key):
        if isinstance(leaf, inspect.StrType) and leaf.pattern is not None:
            yield leaf.pattern


def _words(leaf: inspect.Type) -> Sequence[Any]:
    return leaf.values if isinstance(leaf, inspect.LiteralType) else ()


def _types_at(kind: Any, steps: Sequence[str], *, key: bool) -> list[inspect.Type]:
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
