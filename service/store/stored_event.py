"""An event as the store holds it, and how it is read from its row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from service.catalogue import view, windows
from service.catalogue.event import Event
from service.catalogue.windows import Step
from service.store.sql import instant

COLUMNS = ("id", "uid", "document", "steps", "revision", "seq", "updated_at")
_STEPS = msgspec.json.Decoder(tuple[Step, ...])


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its derived fields. `uid` is its identity in calendars: minted once, never given twice,
    so an event made anew under the id of a deleted one is another event to a calendar."""

    id: str
    uid: str
    document: bytes
    steps: tuple[Step, ...]
    revision: int
    seq: int
    updated_at: datetime

    @property
    def event(self) -> Event:
        """The document as a value; decoding it costs more than finding it."""
        return view.event_of(self.document)

    def phase(self, now: datetime) -> windows.Phase:
        return windows.phase_at(self.steps, now)

    def body(self, now: datetime) -> bytes:
        """The JSON to send: the stored document with its phase at this instant."""
        return view.with_phase(self.document, self.phase(now))


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    stored: Stored
    outcome: Literal["created", "changed", "unchanged"]


def stored(values: Sequence[Any]) -> Stored:
    """From the values of COLUMNS, in their order."""
    id, uid, document, steps, revision, seq, updated_at = values
    return Stored(
        id=id,
        uid=uid,
        document=document,
        steps=_STEPS.decode(steps),
        revision=revision,
        seq=seq,
        updated_at=instant(updated_at),
    )


def encode_steps(steps: tuple[Step, ...]) -> str:
    return msgspec.json.encode(steps).decode()


def decode_steps(text: str) -> tuple[Step, ...]:
    return _STEPS.decode(text)
