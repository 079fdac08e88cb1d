"""Entries as JSON Feed 1.1; what calendars know and the format has no word for is under `_dday`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from feeds.entry import Entry, Feed, Fragment, Profile
from feeds.text import clean, link, one_line

VERSION = "https://jsonfeed.org/version/1.1"


class Author(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    url: str | None = None


class Calendar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The extension: an all-day `end` is exclusive, as in iCalendar."""

    about: str = "https://github.com/dday-calendar/dday/blob/main/docs/feeds.md"
    when: str = ""
    start: str | None = None
    end: str | None = None
    all_day: bool = False
    timezone: str | None = None
    status: str = ""
    place: str | None = None
    part_of: str | None = None
    sequence: int = 0


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    url: str | None = None
    title: str
    content_text: str
    summary: str | None = None
    image: str | None = None
    date_published: str
    date_modified: str
    authors: tuple[Author, ...] = ()
    tags: tuple[str, ...] = ()
    language: str
    calendar: Calendar = msgspec.field(name="_dday")


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    version: str = msgspec.field(name="version")
    title: str
    home_page_url: str
    feed_url: str | None = None
    description: str
    language: str


ENCODER = msgspec.json.Encoder()


def render(entry: Entry, *, profile: Profile) -> Fragment:
    """One item; JSON has a single profile."""
    body = ENCODER.encode(
        Item(
            id=entry.uid,
            url=link(entry.url),
            title=one_line(entry.title),
            content_text=clean(entry.description).strip() or one_line(entry.title),
            summary=one_line(entry.when) or None,
            image=link(entry.image),
            date_published=instant(entry.created),
            date_modified=instant(entry.updated),
            authors=tuple(Author(name=one_line(o.name), url=link(o.url)) for o in entry.organizers),
            tags=tuple(filter(None, map(one_line, entry.categories))),
            language=entry.language,
            calendar=_calendar(entry),
        )
    )
    return Fragment(body=body, order=newest_first(entry))


def assemble(feed: Feed, bodies: Sequence[bytes], *, zones: frozenset[str]) -> bytes:
    """The feed around its items, newest change first."""
    head = ENCODER.encode(
        Head(
            version=VERSION,
            title=one_line(feed.title),
            home_page_url=link(feed.page) or "",
            feed_url=link(feed.url),
            description=one_line(feed.description),
            language=feed.language,
        )
    )
    return b"".join([head[:-1], b',"items":[', b",\n".join(bodies), b"]}\n"])


def newest_first(entry: Entry) -> tuple[str, str]:
    """A key that sorts the latest change first, ascending as all keys do."""
    return (f"{99_999_999_999 - int(entry.updated.timestamp()):011}", entry.uid)


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _calendar(entry: Entry) -> Calendar:
    return Calendar(
        when=one_line(entry.when),
        start=_moment(entry.start),
        end=_moment(entry.end),
        all_day=entry.start is not None and not entry.timed,
        timezone=entry.zone,
        status=entry.state,
        place=one_line(entry.spot.text) if entry.spot and entry.spot.text else None,
        part_of=entry.parent,
        sequence=entry.sequence,
    )


def _moment(moment: date | None) -> str | None:
    if moment is None:
        return None
    return instant(moment) if isinstance(moment, datetime) else moment.isoformat()
