"""The index that events are searched by: for each token the events that have it, as bits.

A row of `posting` has the events of one token whose numbers lie in one chunk: few as a list of numbers, many
as a bit for each number. So all events that have a token are one large number in Python, and
`search_terms.levels` combines such for the whole catalogue within a millisecond. `word` has the words that a
typing error may mean. A token `@2025` is that of the events that begin in that year (UTC), `@` that of those
without a known start.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql

from service.catalogue import misspelling, search_terms
from service.catalogue.event import Event, Organization, Program, Series
from service.catalogue.search_terms import Query, Searched, Term
from service.store.sql import EPOCH, among, rows_among
from service.store.tables import noun, posting, word

CHUNK = 8192
# Up to so many events are a list of their places in the chunk, two bytes each; more are a bit for each place.
MOST_LISTED = 128
# Of each word this many letters at either end are kept apart, more than `misspelling.parts` are long.
EDGE = 4
_BYTES = CHUNK // 8
_PLACES = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
_NOT_EMPTY = re.compile(rb"[^\0]", re.DOTALL)


class Found(NamedTuple):
    """The events of each level, the best first, among which are all that match; `has` tells which do."""

    query: Query
    near: tuple[tuple[str, ...], ...]
    levels: tuple[int, ...]

    @property
    def events(self) -> int:
        found = 0
        for some in self.levels:
            found |= some
        return found

    def has(self, searched: str) -> bool:
        if self.query.is_decided and not self.levels[search_terms.TYPO]:
            return True
        return search_terms.has(searched, self.query, self.near)


def find(c: Connection, q: str) -> Found:
    query = search_terms.parse(q)
    near = tuple(_near(c, term) for term in query.terms)
    # All bits; only where nothing but what to exclude is asked for, it matters which events there are.
    everything = -1
    if not query.terms:
        everything = 0
        for bits in years(c).values():
            everything |= bits
    wanted = sorted(token.encode() for token in query.tokens(near))
    having = together(rows_among(c, _POSTINGS, wanted))
    levels = search_terms.levels(query, having, everything=everything, near=near)
    return Found(query=query, near=near, levels=levels)


def years(c: Connection) -> dict[int | None, int]:
    """Returns the events that begin in each year, None for those without a known start."""
    rows = together(c.execute(_YEARS))
    return {int(name[1:]) if name[1:] else None: bits for name, bits in rows.items()}


def numbers(events: int) -> list[int]:
    """Returns the numbers of these events, the lowest first."""
    packed = events.to_bytes((events.bit_length() + 7) // 8, "little")
    return [
        (found.start() << 3) + bit for found in _NOT_EMPTY.finditer(packed) for bit in _PLACES[found[0][0]]
    ]


def tokens(searched: str, *, starts: int | None) -> frozenset[str]:
    """Returns the tokens of an event; `starts` is its earliest start in milliseconds since 1970."""
    year = "" if starts is None else f"{(EPOCH + timedelta(milliseconds=starts)).year:04}"
    return search_terms.tokens(Searched.decode(searched)) | {f"@{year}"}


def searched(c: Connection, events: Sequence[Event]) -> list[str]:
    """Returns what is searched of each event, names of its series, program and organizations included."""
    named = [_named(event) for event in events]
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    for kind, type_ in _TYPES.items():
        ids = {identifier for pairs in named for one, identifier in pairs if one == kind}
        for row in rows_among(c, _NOUNS, sorted(ids), kind=kind):
            names[kind, row.id] = search_terms.names_of(msgspec.json.decode(row.document, type=type_))
    return [
        search_terms.searched(event, [name for pair in pairs for name in names.get(pair, ())]).encode()
        for event, pairs in zip(events, named, strict=True)
    ]


def replace(
    c: Connection, *, before: Mapping[int, frozenset[str]], after: Mapping[int, frozenset[str]]
) -> None:
    """Brings the tokens of these events, by number, from one state to another; writes only what differs."""
    changes: dict[int, dict[bytes, tuple[set[int], set[int]]]] = defaultdict(dict)
    none: frozenset[str] = frozenset()
    for number in before.keys() | after.keys():
        old, new = before.get(number, none), after.get(number, none)
        chunk, place = divmod(number, CHUNK)
        for which, some in enumerate((old - new, new - old)):
            for one in some:
                changes[chunk].setdefault(one.encode(), (set(), set()))[which].add(place)
    added: list[dict[str, object]] = []
    altered: list[dict[str, object]] = []
    removed: list[dict[str, object]] = []
    for chunk, changed in sorted(changes.items()):
        found = rows_among(c, _POSTINGS_OF_CHUNK, sorted(changed), the_chunk=chunk)
        kept = {row.token: row.events for row in found}
        for token in sorted(changed):
            events = _changed(kept.get(token, b""), *changed[token])
            if token not in kept:
                added.append({"the_token": token, "the_chunk": chunk, "the_events": events})
            elif events:
                altered.append({"the_token": token, "the_chunk": chunk, "the_events": events})
            else:
                removed.append({"the_token": token, "the_chunk": chunk})
    for statement, rows in ((_ADD, added), (_CHANGE, altered), (_REMOVE, removed)):
        if rows:
            c.execute(statement, rows)


def learn(c: Connection, searched: Iterable[str]) -> None:
    """Adds the words of events to the vocabulary; one that no event has any more does no harm there."""
    every = sorted({one for text in searched for one in search_terms.vocabulary(Searched.decode(text))})
    known = {row.word for row in rows_among(c, _KNOWN, every)}
    rows = [
        {"word": one, "begins": letters[:EDGE].encode(), "ends": letters[: -EDGE - 1 : -1].encode()}
        for one in every
        if one not in known and (letters := search_terms.letters(one))
    ]
    if rows:
        c.execute(_LEARN, rows)


def together(rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    """Returns the events of each token, from its rows of all chunks."""
    chunks: dict[bytes, dict[int, bytes]] = defaultdict(dict)
    for token, chunk, events in rows:
        chunks[token][chunk] = events
    return {token.decode(): _joined(parts) for token, parts in chunks.items()}


def clear(c: Connection) -> None:
    c.execute(delete(posting))
    c.execute(delete(word))


def packed(places: Iterable[int]) -> bytes:
    """Returns the events of a row, given by their places in the chunk."""
    listed = sorted(places)
    if len(listed) <= MOST_LISTED:
        return struct.pack(f"<{len(listed)}H", *listed)
    bits = bytearray(_BYTES)
    for place in listed:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


_TYPES: dict[str, type[Series] | type[Program] | type[Organization]] = {
    "series": Series,
    "program": Program,
    "organization": Organization,
}


def _named(event: Event) -> tuple[tuple[str, str], ...]:
    groups = (("series", event.series), ("program", event.program))
    organizations = dict.fromkeys(part.id for part in event.organizations)
    return (
        *((kind, identifier) for kind, identifier in groups if identifier),
        *(("organization", identifier) for identifier in organizations),
    )


def _near(c: Connection, term: Term) -> tuple[str, ...]:
    if not term.letters:
        return ()
    first, last = misspelling.parts(term.letters)
    found = set()
    for statement, part in ((_BEGINNING, first), (_ENDING, last[::-1])):
        low = part.encode()
        found |= {row.word for row in c.execute(statement, {"low": low, "high": low + b"\xff"})}
    return term.near(found)


def _joined(parts: Mapping[int, bytes]) -> int:
    bits = bytearray((max(parts) + 1) * _BYTES)
    for chunk, events in parts.items():
        first = chunk * _BYTES
        if len(events) == _BYTES:
            bits[first : first + _BYTES] = events
        else:
            for (place,) in struct.iter_unpack("<H", events):
                bits[first + (place >> 3)] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def _changed(events: bytes, gone: set[int], new: set[int]) -> bytes:
    if len(events) != _BYTES:
        places = {place for (place,) in struct.iter_unpack("<H", events)}
        return packed((places - gone) | new)
    bits = bytearray(events)
    for place in new:
        bits[place >> 3] |= 1 << (place & 7)
    for place in gone:
        bits[place >> 3] &= ~(1 << (place & 7))
    return bytes(bits) if any(bits) else b""


_YEARS = select(posting).where(posting.c.token >= b"@", posting.c.token < b"A")
_POSTINGS = select(posting).where(among(posting.c.token))
_POSTINGS_OF_CHUNK = select(posting).where(among(posting.c.token), posting.c.chunk == bindparam("the_chunk"))
_IS_ROW = (posting.c.token == bindparam("the_token")) & (posting.c.chunk == bindparam("the_chunk"))
_ADD = insert(posting).values(
    token=bindparam("the_token"), chunk=bindparam("the_chunk"), events=bindparam("the_events")
)
_CHANGE = update(posting).where(_IS_ROW).values(events=bindparam("the_events"))
_REMOVE = delete(posting).where(_IS_ROW)
_KNOWN = select(word.c.word).where(among(word.c.word))
# Either dialect's INSERT is written like this.
_LEARN = postgresql.insert(word).on_conflict_do_nothing()
_BEGINNING = select(word.c.word).where(word.c.begins >= bindparam("low"), word.c.begins < bindparam("high"))
_ENDING = select(word.c.word).where(word.c.ends >= bindparam("low"), word.c.ends < bindparam("high"))
_NOUNS = select(noun.c.id, noun.c.document).where(noun.c.kind == bindparam("kind"), among(noun.c.id))
