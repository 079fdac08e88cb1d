"""The part of an event's document that messages show."""

import msgspec
from msgspec import Struct

from service.catalogue.event import Event, Evidence, Kind, Place, Status, Text
from service.catalogue.view import When
from service.reminders import moments
from service.reminders.rules import Anchor


class Shown(Struct, frozen=True, kw_only=True):
    id: str
    kind: Kind
    name: Text
    status: Status
    timezone: str
    when: When
    disputed: bool
    start: str | None = None
    end: str | None = None
    close_rule: str | None = None
    close_text: str | None = None
    place: Place | None = None
    url: str | None = None
    apply_url: str | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def event(self) -> Event:
        """As much of the event as its dates need."""
        return Event(
            id=self.id,
            kind=self.kind,
            name=self.name,
            start=self.start,
            end=self.end,
            timezone=self.timezone,
            evidence=self.evidence,
        )

    def date(self, anchor: Anchor | None) -> str | None:
        """The date that a reminder is about, as it was written."""
        if anchor in ("start", "opens"):
            return self.start
        return moments.deadline(self.event) if anchor == "closes" else self.end


_DECODER = msgspec.json.Decoder(Shown)


def read(document: bytes) -> Shown:
    return _DECODER.decode(document)
