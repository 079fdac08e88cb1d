"""Characters: the normal form of every text we keep, and those no text may hold.

Control characters break iCalendar lines, XML and PostgreSQL alike, so they stop at the door. Bidirectional
controls stay: right-to-left names need them.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from service.catalogue.event import Text
from service.catalogue.faults import Fault, Invalid

StructT = TypeVar("StructT", bound=msgspec.Struct)

# C0 and C1 but tab and line feed, DEL, halves of surrogate pairs, and the two code points XML forbids.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BROKEN_LINE = re.compile("[\t\n]")
# Texts a person writes at length; every other one is a name, an address or a code and stays on one line.
_MANY_LINES = frozenset({"ko", "en", "note", "quote"})
# A quote is an exact substring of its source, so not one of its code points may change.
_VERBATIM = frozenset({"quote"})


def normal_form(noun: StructT) -> StructT:
    """The same in Unicode NFC, quotes excepted; lengths hold in the new form too, or `Invalid`."""
    normal = _normal(noun)
    if normal is noun:
        return noun
    try:
        return msgspec.convert(msgspec.to_builtins(normal), type(noun))
    except msgspec.ValidationError as error:
        raise Invalid([fault_of(error)]) from error


def faults(noun: msgspec.Struct) -> Iterator[Fault]:
    """Characters that may not be, and texts in neither language."""
    for pointer, name, value in _walk(noun, "", ""):
        if isinstance(value, Text):
            yield from _languages(value, pointer)
        else:
            yield from _characters(value, pointer, many_lines=name in _MANY_LINES)


def character_fault(text: str, *, many_lines: bool = False) -> str | None:
    """What is wrong with the characters of a text, if anything."""
    found = _REFUSED.search(text) or (None if many_lines else _BROKEN_LINE.search(text))
    if found is not None:
        return f"the character U+{ord(found[0]):04X} at position {found.start()} is not allowed"
    return "it is blank; leave it out or write something" if not text.strip() else None


def fault_of(error: msgspec.ValidationError) -> Fault:
    """What msgspec says about a field, with its path as a JSON pointer."""
    message, _, path = str(error).partition(" - at `")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", path)
    return Fault(pointer="".join(f"/{name or index}" for name, index in steps), detail=message)


def pointer_step(key: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _languages(text: Text, pointer: str) -> Iterator[Fault]:
    if text.ko is None and text.en is None:
        yield Fault(pointer=pointer, detail="a text needs Korean (ko), English (en) or both")
    for index, language in enumerate(text.translated):
        if (text.ko if language == "ko" else text.en) is None:
            yield Fault(pointer=f"{pointer}/translated/{index}", detail=f"there is no text in {language}")
        elif language in text.translated[:index]:
            yield Fault(pointer=f"{pointer}/translated/{index}", detail=f"{language} is named twice")


def _characters(text: str, pointer: str, *, many_lines: bool) -> Iterator[Fault]:
    detail = character_fault(text, many_lines=many_lines)
    if detail is not None:
        yield Fault(pointer=pointer, detail=detail)


def _walk(value: object, pointer: str, name: str) -> Iterator[tuple[str, str, str | Text]]:
    if isinstance(value, str):
        yield pointer, name, value
    elif isinstance(value, msgspec.Struct):
        if isinstance(value, Text):
            yield pointer, name, value
        for field in value.__struct_fields__:
            yield from _walk(getattr(value, field), pointer + pointer_step(field), field)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}", name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(key, pointer + pointer_step(key), name)
            yield from _walk(item, pointer + pointer_step(key), name)


def _normal(value: StructT) -> StructT:
    changed = {}
    for field in value.__struct_fields__:
        before = getattr(value, field)
        after = before if field in _VERBATIM else _normal_value(before)
        if after is not before:
            changed[field] = after
    return msgspec.structs.replace(value, **changed) if changed else value


def _normal_value(value: object) -> object:
    if isinstance(value, str):
        return value if unicodedata.is_normalized("NFC", value) else unicodedata.normalize("NFC", value)
    if isinstance(value, msgspec.Struct):
        return _normal(value)
    if isinstance(value, tuple):
        items = tuple(_normal_value(item) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, dict):
        pairs = {key: _normal_value(item) for key, item in value.items()}
        return value if all(pairs[key] is value[key] for key in value) else pairs
    return value
