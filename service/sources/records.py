"""What a source said: one item in canonical form, a page of items, and why a body is not one.

Everything here is plain data, so that a page can be decoded in a child process.
No person is in it: adapters leave out names, mail addresses and telephone numbers of people.
"""

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import Literal, Protocol
from urllib.parse import unquote, urlencode

import msgspec

from service.catalogue.event import PartRole

ErrorCode = Literal["quota", "key", "address", "refused", "unavailable", "not_this", "limit"]
ItemStatus = Literal["tentative", "postponed", "rescheduled", "cancelled"]


class SourceError(Exception):
    """A whole answer that is no list of items; nothing may be concluded from it about any item.

    `quota`, `key` and `address` (of our machine) are for an operator; `until` is the first day at the source
    on which asking again makes sense. `refused` and `unavailable` are what the source says of itself,
    `not_this` another format than was asked for, and `limit` a body made to hurt its reader.
    """

    def __init__(self, code: ErrorCode, reason: str, until: date | None = None) -> None:
        super().__init__(reason)
        self.code: ErrorCode = code
        self.reason = reason
        self.until = until


class Organizer(msgspec.Struct, frozen=True, kw_only=True):
    """An organization by the name the source has for it; which of ours it is, the source cannot say."""

    role: PartRole
    name: str


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item at a source: a call with its window, or an event.

    `external_id` has the namespace of whoever gave it (`kstartup:177296`), so that two sources that list
    one item may use one id. `period` is the source's own text of its dates; `start` and `end` (EDTF) are
    set where the source gives them apart, and then `period` only quotes them. `updated` (EDTF) is a day or
    an instant. An item with a window and a date of its own makes two records: the call is `about` the
    external id of the event. `links` are ids and addresses under which others may know it. `doubts` say why
    a person should look before it is published.
    """

    external_id: str
    kind: Literal["call", "event"]
    title: str
    url: str | None = None
    apply_url: str | None = None
    organizations: tuple[Organizer, ...] = ()
    published: date | None = None
    updated: str | None = None
    period: str | None = None
    start: str | None = None
    end: str | None = None
    previous_start: str | None = None
    timezone: str | None = None
    status: ItemStatus | None = None
    about: str | None = None
    place: str | None = None
    city: str | None = None
    country: str | None = None
    online_url: str | None = None
    regions: tuple[str, ...] = ()
    summary: str | None = None
    tags: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    apply_how: tuple[str, ...] = ()
    contact: str | None = None
    links: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is no record: for quarantine. `position` counts from 1 on its page."""

    position: int
    external_id: str | None = None
    reason: str
    raw: str


class SourcePage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. `items` counts what the source listed on it, however many records that makes.

    `total` is how many the source says there are. `whole` is true where the body is the entire list by its
    nature, false where it never is, and null where `total` decides. `next` is the number of the next page.
    """

    records: tuple[Record, ...] = ()
    refused: tuple[Rejected, ...] = ()
    items: int = 0
    total: int | None = None
    whole: bool | None = None
    next: int | None = None
    notes: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a source: an adapter, its address and parameters, and which page.

    `today` is the day in `timezone`, by which missing years are read. With `since` only what the source
    changed from that day on is asked for, if it can tell.
    """

    adapter: str
    address: str
    parameters: dict[str, str] = {}
    timezone: str = "Asia/Seoul"
    today: date
    since: date | None = None
    page: int = 1


class SourceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request without its key, fit to be shown; `addressed` is the only place where the key enters."""

    url: str
    query: tuple[tuple[str, str], ...] = ()
    method: Literal["GET", "POST"] = "GET"
    body: bytes = b""
    accept: str = "*/*"
    key_parameter: str | None = None

    def addressed(self, key: str | None = None) -> str:
        """The address to be asked. A key may be given as the portal shows it, percent-encoded, or decoded."""
        query = list(self.query)
        if self.key_parameter and key:
            query.insert(0, (self.key_parameter, unquote(key) if "%" in key else key))
        if not query:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(query)}"


class Adapter(Protocol):
    """How one kind of source is asked and read. `decode` runs in the child; it raises SourceError."""

    @property
    def name(self) -> str: ...

    @property
    def key_parameter(self) -> str | None: ...

    def request(self, ask: Ask) -> SourceRequest: ...

    def decode(self, body: bytes, content_type: str, ask: Ask) -> SourcePage: ...


class Decoded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child says of a body: a page, or the parts of a SourceError."""

    page: SourcePage | None = None
    code: ErrorCode | None = None
    reason: str = ""
    until: date | None = None


def fingerprint(record: Record) -> str:
    """The canonical hash of what an item says: the same while only stamps, counters or unknown keys move."""
    plain = msgspec.structs.replace(record, updated=None, unknown=())
    return sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def in_scope(record: Record, *, words_in: Iterable[str] = (), words_out: Iterable[str] = ()) -> bool:
    """Whether a source's words let it in: none of those out, and one of those in, if there are any."""
    said = "\n".join((record.title, *record.tags, *record.targets)).casefold()
    wanted = [word.casefold() for word in words_in]
    return not any(word.casefold() in said for word in words_out) and (
        not wanted or any(word in said for word in wanted)
    )
