"""What a noun of the catalogue must satisfy beyond its types; every fault is told at once, with its place."""

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import idna
import msgspec

from service.catalogue import dates
from service.catalogue.dates import Edtf, EdtfError, ZoneError
from service.catalogue.event import Alias, Event, Evidence, Organization, Program, Series, Source, Text

NounT = TypeVar("NounT", bound=Series | Program | Organization | Source)
Reader = Callable[[str], Edtf]

# Outside these years something is mistyped, and arithmetic by days would leave the calendar.
FIRST_YEAR, LAST_YEAR = 1000, 9998
# /feeds/ko/<name>.ics is also the feed of a series, program or organization of that id.
FEED_NAMES = ("calendar", "events", "deadlines")
_READERS: dict[str, Reader] = {"start": dates.parse, "end": dates.parse_end, "contains": dates.parse}


def check(event: Event) -> Event:
    """The event in its normal form (close rule filled in, texts in NFC), or `Invalid` with all its faults."""
    event = normalise(event)
    refuse(
        [
            *text_faults(event),
            *_when(event),
            *_closing(event),
            *_repeated("/tags", event.tags),
            *_repeated("/organizations", event.organizations),
            *_repeated("/related", event.related),
            *_repeated("/evidence", [(e.field, e.value, e.source, e.quote) for e in event.evidence]),
            *_to_itself(event),
            *_evidence(event.evidence),
            *_previous(event),
        ]
    )
    return event


def check_noun(noun: NounT) -> NounT:
    """Returns the noun in its normal form; raises `Invalid` with every fault, as `check` does."""
    noun = normal_form(noun)
    faults = list(text_faults(noun))
    if isinstance(noun, Source):
        faults += _source(noun)
    else:
        faults += _aliases(noun.aliases)
    if isinstance(noun, (Program, Organization)) and noun.part_of == noun.id:
        faults.append(Fault(pointer="/part_of", detail="it cannot be part of itself"))
    if not isinstance(noun, Source) and noun.id in FEED_NAMES:
        faults.append(Fault(pointer="/id", detail="a feed of all events has this name; choose another"))
    if isinstance(noun, (Series, Program)):
        faults += _repeated("/organizations", noun.organizations)
    if isinstance(noun, Program):
        faults += _evidence(noun.evidence)
    refuse(faults)
    return noun


def normalise(event: Event) -> Event:
    """Texts in NFC, and for a window its close rule spelt out: fixed if it has an end, else unknown."""
    event = normal_form(event)
    if event.is_window and event.close_rule is None:
        return msgspec.structs.replace(event, close_rule="fixed" if event.end is not None else "unknown")
    return event


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong: where (a JSON pointer into the body, or a query parameter) and what."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Invalid(Exception):
    """Input that breaks the rules; carries every fault found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


def refuse(faults: Sequence[Fault]) -> None:
    """Raise if there is anything to raise."""
    if faults:
        raise Invalid(faults)


def _when(event: Event) -> Iterator[Fault]:
    start, faults = _date("/start", event.start, dates.parse)
    yield from faults
    end, faults = _date("/end", event.end, dates.parse_end)
    yield from faults
    try:
        zone = dates.zone(event.timezone)
    except ZoneError as error:
        yield Fault(pointer="/timezone", detail=str(error))
        return
    if start is not None and end is not None and _reversed(start, end, zone):
        yield Fault(pointer="/end", detail=f"the end {end.text} is before the start {start.text}")


def _date(pointer: str, text: object, read: Reader) -> tuple[Edtf | None, tuple[Fault, ...]]:
    if not isinstance(text, str):
        return None, ()
    try:
        edtf = read(text)
    except EdtfError as error:
        return None, (Fault(pointer=pointer, detail=str(error)),)
    if edtf.first and edtf.last and not FIRST_YEAR <= edtf.first.year <= edtf.last.year <= LAST_YEAR:
        return None, (Fault(pointer=pointer, detail=f"the year is to be {FIRST_YEAR} to {LAST_YEAR}"),)
    return edtf, ()


def _reversed(start: Edtf, end: Edtf, zone: ZoneInfo) -> bool:
    """Whether no instant the end allows comes at or after the first instant of the start."""
    earliest, latest = dates.bounds(start, zone).earliest, dates.bounds(end, zone).latest
    if earliest is None or latest is None:
        return False
    if end.minute is not None:
        return latest < earliest
    # A day's latest is exclusive; comparing days too, because a zone may have skipped the only one.
    return latest <= earliest and (end.last or date.max) < (start.first or date.min)


def _closing(event: Event) -> Iterator[Fault]:
    for name in ("close_rule", "close_text"):
        if not event.is_window and getattr(event, name) is not None:
            yield Fault(pointer=f"/{name}", detail="only an application window closes by a rule")
    if event.is_window and event.close_rule == "fixed" and event.end is None:
        yield Fault(pointer="/close_rule", detail="a fixed close needs an end")


def _repeated(pointer: str, items: Sequence[Hashable]) -> Iterator[Fault]:
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if item in seen:
            yield Fault(pointer=f"{pointer}/{index}", detail=f"it repeats {pointer}/{seen[item]}")
        else:
            seen[item] = index


def _to_itself(event: Event) -> Iterator[Fault]:
    if event.part_of == event.id:
        yield Fault(pointer="/part_of", detail="it cannot be part of itself")
    for index, related in enumerate(event.related):
        if related.event == event.id:
            yield Fault(pointer=f"/related/{index}/event", detail="it cannot be related to itself")


def _evidence(evidence: Sequence[Evidence]) -> Iterator[Fault]:
    for index, item in enumerate(evidence):
        reader = _READERS.get(item.field)
        if reader is not None:
            yield from _date(f"/evidence/{index}/value", item.value, reader)[1]


def _previous(event: Event) -> Iterator[Fault]:
    for index, item in enumerate(event.previous_dates or ()):
        yield from _date(f"/previous_dates/{index}/start", item.start, dates.parse)[1]
        yield from _date(f"/previous_dates/{index}/end", item.end, dates.parse_end)[1]


def _aliases(aliases: Sequence[Alias]) -> Iterator[Fault]:
    for index, alias in enumerate(aliases):
        yield from _date(f"/aliases/{index}/since", alias.since, dates.parse)[1]
        yield from _date(f"/aliases/{index}/until", alias.until, dates.parse_end)[1]


def _source(source: Source) -> Iterator[Fault]:
    yield from _date("/published", source.published, dates.parse)[1]
    if source.retrieved is not None:
        edtf, faults = _date("/retrieved", source.retrieved, dates.parse)
        yield from faults
        if edtf is not None and edtf.precision != "day":
            yield Fault(pointer="/retrieved", detail="write the day we looked as YYYY-MM-DD")


# Control characters break iCalendar lines, XML and PostgreSQL alike, so they are refused. Bidirectional
# controls stay: right-to-left names need them.
StructT = TypeVar("StructT", bound=msgspec.Struct)

# C0 and C1 but tab and line feed, DEL, halves of surrogate pairs, and the two code points XML forbids.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BROKEN_LINE = re.compile("[\t\n]")
# Texts a person writes at length; every other one is a name, an address or a code and stays on one line.
_MANY_LINES = frozenset({"ko", "en", "note", "quote"})
_URLS = frozenset({"url", "apply_url", "online_url"})
# Unicode's Default_Ignorable_Code_Point (Hangul fillers, variation selectors and the like), and the empty
# Braille cell: letters and symbols by their category, which draw nothing.
_DRAWS_NOTHING = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn"})
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# WHATWG's "ends in a number": such a host is an IPv4 address or nothing.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# A quote is an exact substring of its source, so not one of its code points may change.
_VERBATIM = frozenset({"quote"})


def normal_form(noun: StructT) -> StructT:
    """Returns the noun in Unicode NFC, quotes excepted; raises `Invalid` if a text is too long then."""
    normal = _normal(noun)
    if normal is noun:
        return noun
    try:
        return msgspec.convert(msgspec.to_builtins(normal), type(noun))
    except msgspec.ValidationError as error:
        raise Invalid([fault_of(error)]) from error


def text_faults(noun: msgspec.Struct) -> Iterator[Fault]:
    """Characters that may not be, texts in neither language, and addresses that lead nowhere."""
    for pointer, name, value in _walk(noun, "", ""):
        if isinstance(value, Text):
            yield from _languages(value, pointer)
        else:
            detail = character_fault(value, many_lines=name in _MANY_LINES)
            if detail is None and name in _URLS:
                detail = url_fault(value)
            if detail is not None:
                yield Fault(pointer=pointer, detail=detail)


def character_fault(text: str, *, many_lines: bool = False) -> str | None:
    """Returns what is wrong with the characters of a text, if anything."""
    found = _REFUSED.search(text) or (None if many_lines else _BROKEN_LINE.search(text))
    if found is not None:
        return f"the character U+{ord(found[0]):04X} at position {found.start()} is not allowed"
    return "it is blank; leave it out or write something that can be seen" if is_blank(text) else None


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: blanks, controls, fillers, and marks without a letter below."""
    return not any(
        unicodedata.category(each) not in _UNSEEN and not _DRAWS_NOTHING.match(each) for each in text
    )


def url_fault(text: str) -> str | None:
    """Returns what is wrong with an http(s) address that people will follow, if anything.

    What programs may read in different ways, such as a backslash or 0x7f.1, is no address.
    """
    try:
        parts = urlsplit(text)
        if "@" in parts.netloc:
            return "it carries a user name or a password: leave out what stands before the @"
        host = parts.hostname or ""
        is_read = _is_name(host) if "[" not in parts.netloc else "%" not in host and bool(IPv6Address(host))
        is_address = is_read and parts.port != 0 and "\\" not in text
    except ValueError:
        is_address = False
    return None if is_address else "it cannot be read as an address: check its host and its port"


def _is_name(text: str) -> bool:
    """Whether it is a name, or four decimal numbers; raises ValueError for some that are neither."""
    name = (text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return bool(IPv4Address(name))
    return len(name) <= 253 and all(map(_LABEL.fullmatch, labels))


def fault_of(error: msgspec.ValidationError) -> Fault:
    """Returns msgspec's message as a fault, with a JSON pointer."""
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
