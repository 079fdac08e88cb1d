"""Request bodies, decoded strictly: what is refused is refused with a pointer to it, in words for people.

Litestar's own decoding coerces (`"5"` becomes 5), takes any Content-Type and answers deep nesting or
invalid UTF-8 with a 500 (notes/reliability.md L1-L4, L7), so handlers read their bodies through here.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from service.catalogue.event import SLUG_PATTERN
from service.errors import At, Malformed, TooLarge, Unprocessable, UnsupportedMediaType
from service.reminders import offsets

T = TypeVar("T")
# Where a value stands: the trail of what holds it, and its index or key there. None is the whole body.
Trail = tuple[Any, int | str] | None

LIMIT = 256 * 1024
BATCH_LIMIT = 4 * 1024 * 1024
SMALL = 32 * 1024
# A decoder cannot be interrupted; four megabytes of brackets would hold everybody up.
MOST_VALUES = 300_000
SECONDS = 30

# What people read instead of a regular expression. Every pattern of a body has its words here.
FORMS = {
    SLUG_PATTERN: "lower-case letters and digits, in words joined by hyphens, such as seoul-forum-2026",
    r"^https?://[^\s]+$": "an address that begins with http:// or https:// and has no spaces",
    r"^[A-Z]{2}$": "two capital letters, such as KR",
    r"^[a-z0-9_.-]{1,40}$": "1 to 40 lower-case letters, digits, dots, hyphens or underscores",
    r"^\d{4}-\d{2}-\d{2}$": "a day, such as 2026-03-31",
    r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day from 00:00 to 23:59, such as 09:00",
}
_JSON_TYPE = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
# What a forbidden character looks like before decoding; the tree is walked only when one may be there.
_SUSPICIOUS = re.compile(rb"\\u(?:00[0189]|007[fF]|[dD][89a-fA-F])|\\[bfr]|\x7f|\xc2[\x80-\x9f]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# How msgspec words a fault: `Expected … - at `$.a[0]``.
_MESSAGE = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<key>key` in `)?\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_FIELD = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)
_LENGTH = re.compile(r"Expected `(?P<type>\w+)` of length (?P<bound>>=|<=) (?P<number>\d+)")
_UNITS = {"str": ("character", "characters"), "array": ("value", "values"), "object": ("entry", "entries")}
_BOUNDS = {">=": "at least", "<=": "at most"}


def check_content_type(content_type: str | None) -> None:
    """Refuses all but application/json: a cross-site form can send text/plain without asking."""
    if content_type is None or not _JSON_TYPE.fullmatch(content_type.strip()):
        named = content_type or "missing"
        raise UnsupportedMediaType(f"The Content-Type is {named}; it must be application/json.")


def check_length(length: int, limit: int) -> None:
    if length > limit:
        raise TooLarge(f"The body has more than {limit // 1024} KiB.")


def parse(raw: bytes) -> Any:
    """Returns the JSON value; its texts hold no control characters but TAB and LF, and no lone surrogates."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise TooLarge(f"The body has more than {MOST_VALUES:,} values.")
    try:
        value = msgspec.json.decode(raw)
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise Malformed("The body is nested too deep.") from None
    except msgspec.DecodeError as error:
        _refuse_surrogates(raw)
        raise Malformed(f"{error}.") from None
    if _SUSPICIOUS.search(raw):
        _refuse_controls(value)
    return value


def convert(value: Any, kind: type[T], *, below: str = "") -> T:
    """Returns the value, which stands at pointer `below`, as `kind`, without coercion."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        detail, pointer = _located(str(error), value, kind)
        raise Unprocessable(errors=[At(detail=detail, pointer=below + pointer)]) from None
    except RecursionError:
        raise Malformed("The body is nested too deep.") from None


def overlap(text: str, *, longest: timedelta, too_long: str, unreadable: str | None = None) -> timedelta:
    """Returns the `overlap` of a rotation, an ISO 8601 duration of at most `longest`.

    `unreadable` stands for what the parser says of a text that is no duration.
    """
    try:
        duration = offsets.parse(text).longest
    except offsets.OffsetError as error:
        raise Unprocessable(errors=[At(detail=unreadable or str(error), pointer="/overlap")]) from None
    if duration > longest:
        raise Unprocessable(errors=[At(detail=too_long, pointer="/overlap")])
    return duration


def escaped(step: str) -> str:
    """Returns one step of a JSON pointer (RFC 6901 section 3). A lone surrogate cannot be sent back."""
    return step.replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()


def _refuse_controls(value: Any) -> None:
    """Raises Unprocessable with every text and key that holds a forbidden character, up to a hundred."""
    faults = [
        At(detail=f"Character {_code_point(text)} is not allowed in text.", pointer=_pointer(trail))
        for trail, text in islice(_forbidden(value), 100)
    ]
    if faults:
        raise Unprocessable(errors=faults)


def _forbidden(value: Any) -> Iterator[tuple[Trail, str]]:
    """Uses its own stack, as a body may be 1,000 deep; trails share beginnings, as it may be wide too."""
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


def _code_point(text: str) -> str:
    found = _FORBIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def _refuse_surrogates(raw: bytes) -> None:
    """Names the place of half a surrogate pair, which msgspec refuses without saying where."""
    if not _SURROGATE.search(raw):
        return
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return
    _refuse_controls(value)


def _located(message: str, value: Any, kind: Any) -> tuple[str, str]:
    """Returns msgspec's message as a sentence and a JSON pointer: `$.a[0].b` is `/a/0/b`."""
    found = _MESSAGE.match(message)
    if found is None:  # pragma: no cover - the pattern takes every text
        return message, ""
    path = [index or name for index, name in _STEP.findall(found["path"] or "")]
    if "..." in path:
        place = path.index("...")
        path[place : place + 1] = _culprit(message, value, kind, path[:place])
    if found["key"]:
        path += _culprit(message, value, kind, path)
    sentence = _worded(found["detail"], kind, path, key=bool(found["key"])) + "."
    if field := _FIELD.match(found["detail"]):
        path.append(field["name"])
    return sentence, "".join(f"/{escaped(step)}" for step in path)


def _culprit(message: str, value: Any, kind: Any, path: list[str]) -> list[str]:
    """Finds the key of a mapping, which msgspec does not name: the one that alone brings the same message."""
    mapping = value
    for step in path:
        mapping = mapping[int(step)] if isinstance(mapping, list) else mapping[step]
    for key in islice(mapping, 100):
        try:
            msgspec.convert(_replaced(value, path, {key: mapping[key]}), kind, strict=True)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return [str(key)]
    return []


def _replaced(value: Any, path: list[str], new: Any) -> Any:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_replaced(v, rest, new) if str(i) == step else v for i, v in enumerate(value)]
    return {k: _replaced(v, rest, new) if k == step else v for k, v in value.items()}


def _worded(detail: str, kind: Any, path: Sequence[str], *, key: bool) -> str:
    """Returns what msgspec says of the value (or `key`) at `path` in a `kind`, in words for people."""
    if found := _LENGTH.fullmatch(detail):
        one, more = _UNITS.get(found["type"], ("byte", "bytes"))
        unit = one if found["number"] == "1" else more
        return f"It must have {_BOUNDS[found['bound']]} {found['number']} {unit}"
    if detail.startswith("Expected `str` matching regex"):
        patterns = (t.pattern for t in _types_at(kind, path, key=key) if isinstance(t, inspect.StrType))
        form = next((FORMS[pattern] for pattern in patterns if pattern in FORMS), None)
        return f"It must be {form}" if form else detail
    if detail.startswith("Invalid enum value"):
        literals = (t for t in _types_at(kind, path, key=key) if isinstance(t, inspect.LiteralType))
        words = [str(word) for literal in literals for word in literal.values]
        return f"It must be one of {', '.join(words)}" if words else detail
    return detail


def _types_at(kind: Any, path: Sequence[str], *, key: bool) -> list[inspect.Type]:
    """Returns the types that a value at `path` may have; for a key, the last step is its name."""
    types = list(_unwrapped(inspect.type_info(kind)))
    for index, step in enumerate(path):
        as_key = key and index == len(path) - 1
        types = [leaf for t in types for inner in _below(t, step, as_key) for leaf in _unwrapped(inner)]
    return types


def _below(holder: inspect.Type, step: str, as_key: bool) -> Iterator[inspect.Type]:
    match holder:
        case inspect.StructType():
            yield from (field.type for field in holder.fields if field.encode_name == step)
        case inspect.DictType():
            yield holder.key_type if as_key else holder.value_type
        case inspect.VarTupleType() | inspect.ListType():
            yield holder.item_type


def _unwrapped(found: inspect.Type) -> Iterator[inspect.Type]:
    """Yields the type without unions and metadata around it."""
    if isinstance(found, inspect.Metadata):
        yield from _unwrapped(found.type)
    elif isinstance(found, inspect.UnionType):
        for member in found.types:
            yield from _unwrapped(member)
    else:
        yield found
