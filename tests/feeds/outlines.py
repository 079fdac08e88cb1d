"""Whether a rendered calendar has exactly the lines it should have; as a program it tries all nasty texts.

Says faults instead of asserting: it also runs under `python -O`.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from xml.etree import ElementTree as ET

import msgspec

from feeds import jsonld
from feeds.entry import Alarm, Entry, Feed, Organizer, Spot
from feeds.formats import document
from tests.feeds.samples import ENTRY, FEED, NASTY

IDENTITY = {"UID", "DTSTAMP", "SEQUENCE", "CREATED", "LAST-MODIFIED", "RELATED-TO"}
CONTENT = {"DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "LOCATION", "GEO", "URL", "CATEGORIES", "STATUS"}
LOOK = {"TRANSP", "COLOR", "IMAGE", "CONFERENCE", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-ALLDAYEVENT"}
KNOWN = (
    IDENTITY
    | CONTENT
    | LOOK
    | {
        *(
            "ACTION",
            "TRIGGER",
            "BEGIN",
            "END",
            "VERSION",
            "PRODID",
            "CALSCALE",
            "NAME",
            "X-WR-CALNAME",
            "X-WR-CALDESC",
            "X-WR-TIMEZONE",
        ),
        *("REFRESH-INTERVAL", "X-PUBLISHED-TTL", "SOURCE", "TZID", "TZOFFSETFROM", "TZOFFSETTO", "RRULE"),
    }
)


def outline_faults(data: bytes, written: Sequence[Entry]) -> list[str]:
    return list(_faults(data, written))


def _faults(data: bytes, written: Sequence[Entry]) -> Iterator[str]:
    if (
        not data.endswith(b"\r\n")
        or b"\n" in data.replace(b"\r\n", b"")
        or b"\r" in data.replace(b"\r\n", b"")
    ):
        yield "a bare line break"
    for line in data.removesuffix(b"\r\n").split(b"\r\n"):
        if len(line) > 75:
            yield f"a line of {len(line)} octets"
        if (len(line) - len(line.rstrip(b"\\"))) % 2:
            yield "a fold inside an escape"
        if "\ufffd" in line.decode("utf-8", "replace") and "\ufffd".encode() not in line:
            yield "a fold inside a character"
    names = [line.partition(b":")[0].partition(b";")[0].decode() for line in unfolded(data)]
    parts = data.count(b"BEGIN:STANDARD\r\n") + data.count(b"BEGIN:DAYLIGHT\r\n")
    expected = 1 + 1 + parts + len(written) + sum(len(entry.alarms) for entry in written)
    if not names.count("BEGIN") == names.count("END") == expected:
        yield f"{names.count('BEGIN')} components instead of {expected}"
    yield from (f"an injected {name}" for name in set(names) - KNOWN)


def unfolded(data: bytes) -> list[bytes]:
    return data.replace(b"\r\n ", b"").removesuffix(b"\r\n").split(b"\r\n")


def filled_with(text: str) -> tuple[Feed, Entry]:
    """A feed and an entry with this text wherever a text can be."""
    entry = msgspec.structs.replace(
        ENTRY,
        title=text,
        description=text,
        when=text,
        spot=Spot(text=text, name=text, online=text),
        url=text,
        image=text,
        categories=(text, text + "x"),
        organizers=(Organizer(name=text, url=text),),
        alarms=(Alarm(trigger=timedelta(days=-1), text=text),),
    )
    return msgspec.structs.replace(FEED, title=text, description=text, url=text, page=text), entry


def faults_of(feed: Feed, entry: Entry) -> list[str]:
    """Of every format."""
    faults = []
    for profile in ("plain", "rich"):
        faults += outline_faults(document("ics", feed, [entry], profile=profile), [entry])
    ET.fromstring(document("atom", feed, [entry]))  # noqa: S314
    if len(msgspec.json.decode(document("json", feed, [entry]))["items"]) != 1:
        faults.append("JSON Feed has not one item")
    if b"</" in jsonld.render(entry):
        faults.append("JSON-LD can end its script")
    return faults


if __name__ == "__main__":
    for nasty in NASTY:
        for fault in faults_of(*filled_with(nasty)):
            print(f"{nasty!r}: {fault}")
