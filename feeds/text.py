"""What may enter a calendar: text without controls, plain links, bounded tokens.

Everything that reaches a calendar line has been through here: programs show NUL and BEL, and break lines at
more than CR and LF.
"""

import re
import unicodedata
from urllib.parse import quote

# VT, FF, NEL and the Unicode separators break lines in programs that use `splitlines()`.
LINE_BREAKS = re.compile("\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
SURROGATES = re.compile("[\ud800-\udfff]")
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
POP, POP_ISOLATE = "\u202c", "\u2069"
CLOSERS = dict.fromkeys("\u202a\u202b\u202d\u202e", POP) | dict.fromkeys("\u2066\u2067\u2068", POP_ISOLATE)
LINK = re.compile(r"https?://[!#-;=?-\[\]_a-z~]{1,6000}")
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def clean(text: str) -> str:
    """`text` in NFC, line breaks as \\n, without controls (TAB stays); lone surrogates become U+FFFD.

    What sets the direction of letters is closed on its line.
    """
    if text.isascii() and text.isprintable():
        return text
    text = LINE_BREAKS.sub("\n", text)
    text = CONTROLS.sub("", text)
    return closed(unicodedata.normalize("NFC", SURROGATES.sub("\ufffd", text)))


def closed(text: str) -> str:
    """`text` that leaves the direction of what is written behind it alone (Unicode UAX #9).

    Embeddings, overrides and isolates are closed at the end of their line, and what closes nothing goes.
    """
    if text.isascii() or not DIRECTIONS.search(text):
        return text
    return "\n".join(map(_closed_line, text.split("\n")))


def _closed_line(line: str) -> str:
    kept, wanted, isolates = [], list[str](), 0
    for character in line:
        closer = CLOSERS.get(character)
        if closer:
            wanted.append(closer)
            isolates += closer == POP_ISOLATE
        elif character == POP_ISOLATE and isolates:
            # It closes the embeddings inside the isolate too.
            while wanted.pop() != POP_ISOLATE:
                pass
            isolates -= 1
        elif character == POP and wanted[-1:] == [POP]:
            wanted.pop()
        elif character in (POP, POP_ISOLATE):
            continue
        kept.append(character)
    return "".join([*kept, *reversed(wanted)])


def one_line(text: str) -> str:
    """`clean` text on one line, for titles and places."""
    return clean(text).replace("\n", " ").replace("\t", " ").strip()


def link(url: str | None) -> str | None:
    """The address in ASCII if it is an http(s) one without blanks, quotes or controls; never half a link."""
    if url is None or SURROGATES.search(url) or CONTROLS.search(url) or any(map(str.isspace, url)):
        return None
    # Only what is outside ASCII is percent-encoded; `%` itself stays, the address may be encoded already.
    ascii_url = quote(url, safe=PRINTABLE)
    return ascii_url if LINK.fullmatch(ascii_url) else None


def markup(text: str) -> str:
    """`clean` text for XML element content and attribute values.

    XML 1.0 has no way to write U+FFFE and U+FFFF, not even as references.
    """
    return clean(text).replace("\ufffe", "").replace("\uffff", "").translate(MARKUP)


def escaped(text: str) -> str:
    """`text` as an RFC 5545 TEXT value; every backslash is doubled, so none can begin an escape of ours."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\n", "\\n")


CONTINUATION = 0b1100_0000
FIRST_LINE, NEXT_LINE = 75, 74  # octets; a continuation spends one on its leading blank
BACKSLASH, BLANK, TAB = b"\\ \t"


def folded(line: bytes) -> bytes:
    """`line` folded to at most 75 octets, never inside a character or an escape, nor at a blank."""
    if len(line) <= FIRST_LINE:
        return line
    parts, start, room = [], 0, FIRST_LINE
    while len(line) - start > room:
        end = _cut(line, start, start + room)
        parts.append(line[start:end])
        start, room = end, NEXT_LINE
    parts.append(line[start:])
    return b"\r\n ".join(parts)


def _cut(line: bytes, start: int, end: int) -> int:
    # Programs that trim lines lose a blank at the fold; a run longer than half a line is cut all the same.
    floor = end - NEXT_LINE // 2
    while end > floor and (line[end] in (BLANK, TAB) or line[end - 1] in (BLANK, TAB)):
        end -= 1
    while line[end] & CONTINUATION == 0b1000_0000:
        end -= 1
    slashes = 0
    while end - slashes > start and line[end - slashes - 1] == BACKSLASH:
        slashes += 1
    return end - slashes % 2
