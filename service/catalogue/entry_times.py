"""Where an event stands in a calendar: whole days or instants, and never a day that nobody stated."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from service.catalogue import dates, evidence
from service.catalogue.dates import Edtf
from service.catalogue.event import Event, Language, Text
from service.catalogue.vocabulary import Edge

DAY = timedelta(days=1)
# Programs hide events without length, so an event whose end is not known gets a block, and says so.
BLOCK = timedelta(minutes=60)
CLOSING_BLOCK = timedelta(minutes=30)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """`end` is exclusive. `guessed` is the length shown where none is known."""

    start: date
    end: date
    guessed: timedelta | None = None

    @property
    def timed(self) -> bool:
        return isinstance(self.start, datetime)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A date that was another one before; learning the day of a known month is no move."""

    before: Edtf
    end_before: Edtf | None
    later: bool


def start_of(event: Event) -> Edtf | None:
    return dates.parse(event.start) if event.start else None


def end_of(event: Event) -> Edtf | None:
    return dates.parse_end(event.end) if event.end else None


def is_exact(edtf: Edtf | None) -> bool:
    """Whether it names a day, be it with a question mark."""
    return edtf is not None and edtf.precision in ("day", "minute") and edtf.first is not None


def event_span(event: Event) -> Span | None:
    """The days or hours of anything but a window; None unless its first day is known."""
    start, end = start_of(event), end_of(event)
    if start is None or start.first is None or not is_exact(start):
        return None
    if start.minute is not None:
        return _from_minute(event, start, end)
    return _days(start.first, _last_day(end) if end is not None and is_exact(end) else None)


def opening_span(event: Event) -> Span | None:
    """The day on which a window opens, all day: the hour is in the text."""
    start = start_of(event)
    return _days(start.first) if start is not None and start.first is not None and is_exact(start) else None


def closing_span(event: Event) -> Span | None:
    """The half hour that *ends* at the deadline, which keeps 23:59 and 24:00 on their day; or the whole day.

    Of disputed deadlines the earliest.
    """
    text = evidence.earliest_close(event)
    end = dates.parse_end(text) if text else None
    if end is None or end.first is None or not is_exact(end):
        return None
    if end.minute is None:
        return _days(end.first)
    at = dates.bounds(end, dates.zone(event.timezone)).latest
    if at is None or at - CLOSING_BLOCK < dates.MIN_INSTANT:
        return None
    return Span(start=at - CLOSING_BLOCK, end=at)


def window_span(event: Event) -> Span | None:
    """A bar from the opening to the closing day; None while one of them is unknown, for it would not end."""
    start, text = start_of(event), evidence.earliest_close(event)
    end = dates.parse_end(text) if text else None
    if start is None or start.first is None or end is None or not (is_exact(start) and is_exact(end)):
        return None
    return _days(start.first, end.first)


def month_span(edtf: Edtf | None) -> Span | None:
    """The first of a known month, to hold a place for a day that is not known."""
    known = edtf is not None and edtf.precision == "month" and edtf.first is not None
    return _days(edtf.first) if known and edtf and edtf.first else None


def move_of(event: Event, field: Literal["start", "end"]) -> Move | None:
    """The last change of one of the dates that was no mere refinement."""
    previous = event.previous_dates if isinstance(event.previous_dates, tuple) else ()
    text = event.start if field == "start" else event.end
    for dated in reversed(previous):
        old = dated.start if field == "start" else dated.end
        if old is None or old == text:
            continue
        before, now = dates.parse_end(old), dates.parse_end(text) if text else None
        if now is None or before.first is None or now.first is None or _same(before, now):
            return None
        end = dates.parse_end(dated.end) if dated.end and field == "start" else None
        return Move(before=before, end_before=end, later=_moment(event, now) > _moment(event, before))
    return None


def last_dates(event: Event) -> Event:
    """The event at the dates it had before they were taken away, for one that is postponed or cancelled."""
    previous = event.previous_dates if isinstance(event.previous_dates, tuple) else ()
    if event.start or event.end or not previous:
        return event
    return msgspec.structs.replace(event, start=previous[-1].start, end=previous[-1].end)


def _from_minute(event: Event, start: Edtf, end: Edtf | None) -> Span | None:
    zone = dates.zone(event.timezone)
    begins, first = dates.bounds(start, zone).earliest, start.first
    if begins is None or first is None:
        return None
    if end is None or not is_exact(end) or (end.minute is None and end.first == first):
        return Span(start=begins, end=min(begins + BLOCK, dates.MAX_INSTANT), guessed=BLOCK)
    finishes = dates.bounds(end, zone).latest
    if end.minute is not None and finishes is not None and begins < finishes <= begins + DAY:
        return Span(start=begins, end=finishes)
    if end.minute is not None and finishes == begins:
        return Span(start=begins, end=min(begins + BLOCK, dates.MAX_INSTANT), guessed=BLOCK)
    return _days(first, _last_day(end))


def _last_day(end: Edtf) -> date | None:
    """The last day an end still touches: an end at 00:00 belongs to the day before."""
    if (
        end.first is None
        or end.minute is None
        or end.next_day
        or (end.minute.hour, end.minute.minute) != (0, 0)
    ):
        return end.first
    return end.first - DAY if end.first > date.min else end.first


def _days(first: date, last: date | None = None) -> Span | None:
    final = max(first, last or first)
    # RFC 5545 3.6.1: an all-day DTEND is exclusive, so a one-day event ends tomorrow.
    return Span(start=first, end=final + DAY) if final < date.max else None


def _same(before: Edtf, now: Edtf) -> bool:
    """Whether one may be the other, told more or less exactly."""
    if before.minute is not None and now.minute is not None:
        return (before.first, before.minute, before.next_day) == (now.first, now.minute, now.next_day)
    either = (before.first and dates.allows(now, before.first)) or (
        now.first and dates.allows(before, now.first)
    )
    return bool(either)


def _moment(event: Event, edtf: Edtf) -> datetime:
    return dates.bounds(edtf, dates.zone(event.timezone)).latest or dates.MAX_INSTANT


# FOLDED service/catalogue/entry_shape.py: How an event shows in a calendar: what the reader asked for, and which lines follow from it.
NounName = Literal["event", "organization", "source"]


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """How a reader wants events shown; `base_url` is where our pages are."""

    lang: Language
    base_url: str
    windows: Literal["edges", "bar", "both", "none"] = "edges"
    alarms: tuple[timedelta, ...] = ()
    cancelled: Literal["keep", "mark", "drop"] = "keep"
    placeholders: bool = False
    levels: Literal["parent", "child", "all"] = "all"
    detail: Literal["full", "min"] = "full"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Something an entry names: the event it is part of (with its UID), an organization, a source."""

    name: Text
    updated_at: datetime
    uid: str | None = None
    url: str | None = None


Around = Mapping[tuple[NounName, str], Named]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One line before it has words. Without a span no calendar can show it, a news feed can."""

    edge: Edge
    suffix: str = ""
    span: Span | None = None
    unclear: Edtf | None = None
    move: Move | None = None


def shapes(event: Event, style: Style) -> tuple[Shape, ...]:
    """The lines of one event; a single one without a span where no day is known."""
    if event.is_window and style.windows == "none":
        return ()
    found = tuple(_window(event, style) if event.is_window else _event(event, style))
    return found or (Shape(edge="event"),)


def _event(event: Event, style: Style) -> Iterator[Shape]:
    edge: Edge = "milestone" if event.kind == "milestone" else "event"
    start, move = start_of(event), move_of(event, "start")
    if span := event_span(event):
        yield Shape(edge=edge, span=span, move=move)
    elif style.placeholders and (span := month_span(start)):
        yield Shape(edge=edge, span=span, unclear=start)


def _window(event: Event, style: Style) -> Iterator[Shape]:
    bar = window_span(event) if style.windows in ("bar", "both") else None
    if bar:
        move = move_of(event, "end") or move_of(event, "start")
        yield Shape(edge="window", span=bar, move=move)
    # A bar that would have no end shows as the edge that is known.
    if style.windows in ("edges", "both") or not bar:
        yield from _edges(event, style)


def _edges(event: Event, style: Style) -> Iterator[Shape]:
    start, end = start_of(event), end_of(event)
    known: tuple[tuple[Edge, Span | None, Edtf | None, Move | None], ...] = (
        ("opens", opening_span(event), start, move_of(event, "start")),
        ("closes", closing_span(event), end, move_of(event, "end")),
    )
    for edge, span, edtf, move in known:
        if span:
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, move=move)
        elif style.placeholders and (span := month_span(edtf)):
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, unclear=edtf)
