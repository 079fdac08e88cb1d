"""Content lines and components of foreign iCalendar, within limits that hold before anything is understood.

Not icalendar's parser: it has no limits, takes a `str` without a line break for the path of a file, and reads
an escaped backslash before an `n` as a line break.
"""

import re
from collections.abc import Iterator

import msgspec

from feeds.text import CONTROLS

MOST_BYTES = 5 * 1024 * 1024
MOST_COMPONENTS = 5_000
MOST_DEPTH = 4
MOST_LINES = 200_000
LONGEST_LINE = 256 * 1024
MOST_PARAMETERS = 50

_HEAD = re.compile(
    r"([A-Za-z0-9-]{1,100})((?:;[A-Za-z0-9-]{1,100}=(?:\"[^\"]*\"|[^\";:,]*)(?:,(?:\"[^\"]*\"|[^\";:,]*))*)*):"
)
_PARAMETER = re.compile(r";([A-Za-z0-9-]+)=((?:\"[^\"]*\"|[^\";:])*)")


class TooMuch(ValueError):
    """The whole input is refused: nobody can say what such a file means, only what it costs."""


class Line(msgspec.Struct, frozen=True):
    """One unfolded property: name in upper case, parameters (names in upper case), the value as it stands."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be read, and where; the rest was."""

    line: int
    uid: str | None = None
    detail: str


class Block(msgspec.Struct, kw_only=True):
    """One component inside the calendar with its own lines; those of its parts are not kept."""

    name: str
    number: int
    lines: list[Line]
    faults: list[Fault]


class Scan(msgspec.Struct, kw_only=True):
    """The calendar's own properties, its components, and the lines that are none."""

    head: list[Line]
    blocks: list[Block]
    faults: list[Fault]


def scan(data: bytes) -> Scan:
    """Cut a calendar into components. TooMuch beyond the limits, or when it is no calendar at all."""
    if len(data) > MOST_BYTES:
        raise TooMuch(f"The calendar has more than {MOST_BYTES // 1024 // 1024} MiB.")
    found, count = Scan(head=[], blocks=[], faults=[]), 0
    path: list[str] = []
    for number, text in unfolded(data):
        mark, _, name = text.partition(":")
        kind = mark.upper()
        if kind == "BEGIN":
            count += 1
            _refuse_bombs(count, len(path))
            path.append(name.strip().upper())
            if len(path) == 2:
                found.blocks.append(Block(name=path[1], number=number, lines=[], faults=[]))
        elif kind == "END":
            if not path or path.pop() != name.strip().upper():
                raise TooMuch(f"Line {number}: END:{name[:40]} closes what is not open.")
        else:
            _add(found, path, number, text)
    if not found.blocks and not found.head:
        raise TooMuch("This is not a calendar.")
    return found


def unfolded(data: bytes) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, each with the number of its first.

    Bytes that are no UTF-8 become U+FFFD, controls go: a value may be shown to people.
    """
    parts: list[bytes] = []
    size = first = 0
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if number > MOST_LINES:
            raise TooMuch(f"The calendar has more than {MOST_LINES} lines.")
        line = raw.removesuffix(b"\r")
        if line[:1] in (b" ", b"\t") and parts:
            parts.append(line[1:])
            size += len(line)
        else:
            if parts:
                yield first, _text(parts)
            parts, first, size = [line], number, len(line)
        if size > LONGEST_LINE:
            raise TooMuch(f"Line {first} is longer than {LONGEST_LINE} bytes.")
    if parts:
        yield first, _text(parts)


def _text(parts: list[bytes]) -> str:
    # Joined before decoding: a fold may stand inside a character.
    return CONTROLS.sub("", b"".join(parts).decode("utf-8", "replace"))


def _refuse_bombs(count: int, depth: int) -> None:
    if count > MOST_COMPONENTS:
        raise TooMuch(f"The calendar has more than {MOST_COMPONENTS} components.")
    if depth >= MOST_DEPTH:
        raise TooMuch(f"Components are nested more than {MOST_DEPTH} deep.")


def _add(found: Scan, path: list[str], number: int, text: str) -> None:
    if not text.strip():
        return
    line = _line(number, text)
    if len(path) == 1:
        target, faults = found.head, found.faults
    elif len(path) == 2:
        target, faults = found.blocks[-1].lines, found.blocks[-1].faults
    else:
        return
    if line is None:
        faults.append(Fault(line=number, detail=f"This is no property: {text[:60]!r}."))
    else:
        target.append(line)


def _line(number: int, text: str) -> Line | None:
    head = _HEAD.match(text)
    if head is None:
        return None
    parameters = {name.upper(): value.replace('"', "") for name, value in _PARAMETER.findall(head[2])}
    if len(parameters) > MOST_PARAMETERS:
        return None
    return Line(number, head[1].upper(), parameters, text[head.end() :])
