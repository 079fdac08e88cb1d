"""An event as the store holds it, and how it is read from its row."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, bindparam, select

from service.catalogue import evidence, view, windows
from service.catalogue.event import Event, Source, Visibility
from service.catalogue.view import Document
from service.catalogue.windows import Halt, Member, Step
from service.store.sql import among, instant, rows_among
from service.store.tables import event, noun

COLUMNS = (
    *("id", "uid", "document", "steps", "revision", "seq", "updated_at", "visibility", "shown"),
    *("turns", "turned_at", "searched"),
)
_STEPS = msgspec.json.Decoder(tuple[Step, ...])


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its derived fields. `uid` is its identity in calendars: minted once, never given twice,
    so an event made anew under the id of a deleted one is another event to a calendar.

    `shown` is the document as everybody sees it, where that is another one. `turns` counts how often it was
    taken along by what it is part of, or released; `turned_at` is the last. `searched` is what searches read,
    encoded: it follows the names of what the event names, without a revision.
    """

    id: str
    uid: str
    document: bytes
    steps: tuple[Step, ...]
    revision: int
    seq: int
    updated_at: datetime
    searched: str
    visibility: Visibility = "public"
    shown: bytes | None = None
    turns: int = 0
    turned_at: datetime | None = None

    @property
    def halt(self) -> Halt | None:
        """Whether it is off, by itself or with what it is part of."""
        return windows.halted(self.steps)

    @property
    def standing(self) -> Document:
        """The document with the status that readers are told."""
        return view.as_it_stands(self.document, self.halt)

    @property
    def public(self) -> "Stored | None":
        """The event as everybody sees it; None of one that is not public."""
        if self.visibility != "public" or self.shown is None:
            return self if self.visibility == "public" else None
        version = _VERSION.decode(self.shown)
        return msgspec.structs.replace(
            self, document=self.shown, shown=None, revision=version.revision, seq=version.seq
        )

    @property
    def event(self) -> Event:
        """The document as a value; decoding it costs more than finding it."""
        return view.event_of(self.document)

    def phase(self, now: datetime) -> windows.Phase:
        return windows.phase_at(self.steps, now)

    def body(self, now: datetime) -> bytes:
        """The JSON to send: the stored document with its phase at this instant."""
        return view.with_phase(self.document, self.phase(now))

    def bodies(self, now: datetime) -> Iterator[bytes]:
        """Every JSON sent for this revision until now, the newest first: its phase moves with the clock."""
        for phase in windows.phases_until(self.steps, now):
            yield view.with_phase(self.document, phase)


class _Version(msgspec.Struct, frozen=True):
    """The numbers in a document: what nobody else sees does not count there."""

    revision: int
    seq: int


_VERSION = msgspec.json.Decoder(_Version)


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    stored: Stored
    outcome: Literal["created", "changed", "unchanged"]


def stored(values: Sequence[Any]) -> Stored:
    """From the values of COLUMNS, in their order."""
    id, uid, document, steps, revision, seq, updated_at, visibility, shown, turns, turned_at, searched = (
        values
    )
    return Stored(
        id=id,
        uid=uid,
        document=document,
        steps=_STEPS.decode(steps),
        revision=revision,
        seq=seq,
        updated_at=instant(updated_at),
        visibility=visibility,
        shown=shown,
        turns=turns,
        turned_at=None if turned_at is None else instant(turned_at),
        searched=searched,
    )


def decode_steps(text: str) -> tuple[Step, ...]:
    return _STEPS.decode(text)


def encode_steps(steps: tuple[Step, ...]) -> str:
    return msgspec.json.encode(steps).decode()


_SOURCES = select(noun.c.document).where(
    noun.c.kind == "source", noun.c.id.in_(bindparam("ids", expanding=True))
)


def last_seen(c: Connection, written: Sequence[Event]) -> dict[str, date | None]:
    """For each event the newest day one of its sources was looked at: what its phases depend on."""
    cited = {said.source for event in written for said in event.evidence}
    sources = _read_sources(c, sorted(cited))
    return {
        event.id: evidence.last_seen(
            event, [sources[said.source] for said in event.evidence if said.source in sources]
        )
        for event in written
    }


def _read_sources(c: Connection, identifiers: Sequence[str]) -> dict[str, Source]:
    if not identifiers:
        return {}
    rows = c.execute(_SOURCES, {"ids": identifiers})
    sources = (msgspec.json.decode(row.document, type=Source) for row in rows)
    return {source.id: source for source in sources}


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands before a write; `public` is what everybody sees of it."""

    number: int
    created_at: datetime
    status_seq: int
    event: Event
    public: Event | None
    stored: Stored

    @property
    def member(self) -> Member:
        return member_of(self.event, self.status_seq)


def member_of(written: Event, status_seq: int) -> Member:
    """Returns an event as its parts see it."""
    return Member(
        id=written.id,
        status=written.status,
        status_seq=status_seq,
        visibility=written.visibility,
        part_of=written.part_of,
    )


_OWN = ("number", "created_at", "status_seq")
_CURRENT = select(*(event.c[name] for name in (*COLUMNS, *_OWN))).where(among(event.c.id))


def read_current(c: Connection, identifiers: Sequence[str]) -> dict[str, Current]:
    """Returns those that exist, by id."""
    return {row.id: _current(row) for row in rows_among(c, _CURRENT, identifiers)}


def _current(row: Any) -> Current:
    kept = stored(row[: -len(_OWN)])
    written, seen = kept.event, kept.public
    return Current(
        number=row.number,
        created_at=instant(row.created_at),
        status_seq=row.status_seq,
        event=written,
        public=None if seen is None else written if kept.shown is None else seen.event,
        stored=kept,
    )
