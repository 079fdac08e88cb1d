"""The small vocabulary of a calendar: what one line in somebody's calendar shows, and the feed around it."""

from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

Status = Literal["tentative", "confirmed", "cancelled"]
State = Literal["scheduled", "rescheduled", "postponed", "cancelled"]
Profile = Literal["plain", "rich"]
Language = Literal["ko", "en"]


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A place: `text` is the one line calendars show, the parts are for schema.org."""

    text: str | None = None
    name: str | None = None
    address: str | None = None
    city: str | None = None
    country: str | None = None
    geo: tuple[float, float] | None = None
    online: str | None = None


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A reminder inside the calendar; `trigger` is negative before what it is `related` to."""

    trigger: timedelta
    text: str
    related: Literal["start", "end"] = "start"


class Organizer(msgspec.Struct, frozen=True, kw_only=True):
    """A body behind the event, by its name in the feed's language."""

    name: str
    url: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line in a calendar. Dates mean whole days; `end` is exclusive; instants are aware.

    `start` is None when no day is known: calendars leave such an entry out, news formats list it.
    `sequence` and `updated` must grow with every change of anything else here, or programs keep the old one.
    """

    uid: str
    sequence: int
    created: datetime
    updated: datetime
    title: str
    start: date | None = None
    end: date | None = None
    zone: str | None = None
    when: str = ""
    description: str = ""
    spot: Spot | None = None
    url: str | None = None
    categories: tuple[str, ...] = ()
    status: Status = "confirmed"
    busy: bool = False
    parent: str | None = None
    color: str | None = None
    alarms: tuple[Alarm, ...] = ()
    language: Language = "ko"
    state: State = "scheduled"
    previous_start: date | None = None
    organizers: tuple[Organizer, ...] = ()
    image: str | None = None

    @property
    def timed(self) -> bool:
        return isinstance(self.start, datetime)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a feed. `modified` is when the feed last changed, deletions included.

    An empty `url` is a secret one: the feed does not say where it is.
    """

    uid: str
    title: str
    description: str
    language: Language
    zone: str
    url: str
    page: str
    modified: datetime
    refresh: timedelta = timedelta(hours=6)
    color: str | None = None


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """One entry rendered in one format: its bytes, and what the document around it must know."""

    body: bytes
    order: tuple[str, str]
    zone: str | None = None


class EntryError(ValueError):
    """An entry that no calendar could show rightly, such as an instant without a zone."""
