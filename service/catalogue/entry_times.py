"""Computes where an event stands in a calendar: whole days or instants, never a day that nobody stated."""

from datetime import date, datetime, timedelta

import msgspec

from service.catalogue import dates, evidence, windows
from service.catalogue.dates import Edtf
from service.catalogue.event import DateField, Event
from service.catalogue.view import Document

DAY = timedelta(days=1)
# Calendar programs hide events without length, so an event whose end is not known gets a block, and says so.
BLOCK = timedelta(minutes=60)
EDGE_BLOCK = timedelta(minutes=30)
# A call that may be used up within minutes of its opening.
MINUTE_MATTERS = ("first_come", "until_exhausted")
KEPT_AFTER_END, KEPT_AT_LEAST, KEPT_AT_MOST = timedelta(days=7), timedelta(days=7), timedelta(days=30)
FAR = 9999
# How long a title says that a date moved.
TOLD_FOR = timedelta(days=30)


class EntrySpan(msgspec.Struct, frozen=True, kw_only=True):
    """Whole days or instants; `end` is exclusive. `guessed` is the length shown where none is known, and
    `stated` is then what is known of the end, such as its month."""

    start: date
    end: date
    guessed: timedelta | None = None
    stated: Edtf | None = None

    @property
    def timed(self) -> bool:
        return isinstance(self.start, datetime)


class MovedDate(msgspec.Struct, frozen=True, kw_only=True):
    """A date before it moved, and whether it moved to a later one."""

    field: DateField
    before: Edtf
    end_before: Edtf | None
    later: bool


def leaves_at(document: Document) -> datetime | None:
    """When a cancelled event is dropped from feeds: a week after its end or a month after it was cancelled,
    whichever is first, but never before it has been shown as cancelled for a week."""
    if document.status != "cancelled":
        return None
    at_most = document.updated_at + KEPT_AT_MOST
    latest = document.when.latest or document.when.earliest
    soonest = min(latest + KEPT_AFTER_END, at_most) if latest and latest.year < FAR else at_most
    return max(soonest, document.updated_at + KEPT_AT_LEAST)


def start_of(event: Event) -> Edtf | None:
    """The start; of disputed ones the earliest counts."""
    text = evidence.earliest(event, "start")
    return dates.parse(text) if text else None


def end_of(event: Event) -> Edtf | None:
    """The end; of disputed ones the earliest counts."""
    text = evidence.earliest(event, "end")
    return dates.parse_end(text) if text else None


def is_exact(edtf: Edtf | None) -> bool:
    return edtf is not None and dates.names_day(edtf)


def event_span(event: Event) -> EntrySpan | None:
    """The days or hours of anything but a window; None unless its first day is known."""
    start, end = start_of(event), end_of(event)
    if start is None or start.first is None or not is_exact(start):
        return None
    if start.minute is not None:
        return _timed_span(event, start, end)
    return _day_span(start.first, _last_day(end) if end is not None and is_exact(end) else None)


def opening_span(event: Event) -> EntrySpan | None:
    """The half hour from its minute where the first to come win; else the day, and the text has the hour."""
    start = start_of(event)
    if start is None or start.first is None or not is_exact(start):
        return None
    at = dates.bounds(start, dates.zone(event.timezone)).earliest if start.minute is not None else None
    if at is None or event.close_rule not in MINUTE_MATTERS:
        return _day_span(start.first)
    return EntrySpan(start=at, end=at + EDGE_BLOCK)


def closing_span(event: Event) -> EntrySpan | None:
    """The half hour that *ends* at the deadline, which keeps 23:59 and 24:00 on their day; or that day."""
    end = end_of(event)
    if end is None or end.first is None or not is_exact(end):
        return None
    if end.minute is None:
        return _day_span(end.first)
    at = dates.bounds(end, dates.zone(event.timezone)).latest
    if at is None or at - EDGE_BLOCK < dates.MIN_INSTANT:
        return None
    return EntrySpan(start=at - EDGE_BLOCK, end=at)


def window_span(event: Event) -> EntrySpan | None:
    """A bar from the opening to the closing day; None while one of them is unknown."""
    start, end = start_of(event), end_of(event)
    if start is None or start.first is None or end is None or not (is_exact(start) and is_exact(end)):
        return None
    return _day_span(start.first, _last_day(end))


def month_span(edtf: Edtf | None) -> EntrySpan | None:
    """The first day of a known month, which holds the place of a day that is not known."""
    return _day_span(edtf.first) if edtf and edtf.precision == "month" and edtf.first else None


def move_of(event: Event, field: DateField) -> MovedDate | None:
    """The last move of a date; to learn the day of a known month is no move."""
    text = event.start if field == "start" else event.end
    for previous in reversed(event.previous_dates or ()):
        old = previous.start if field == "start" else previous.end
        if old is None or old == text:
            continue
        before, now = dates.parse_end(old), dates.parse_end(text) if text else None
        if now is None or before.first is None or now.first is None or _may_be_same(before, now):
            return None
        end = dates.parse_end(previous.end) if previous.end and field == "start" else None
        later = _latest(event, now) > _latest(event, before)
        return MovedDate(field=field, before=before, end_before=end, later=later)
    return None


def told_until(event: Event, field: DateField, *, moved_at: datetime) -> datetime | None:
    """Returns until when a title says that this date moved: its new day, or 30 days. None if it did not."""
    if move_of(event, field) is None:
        return None
    if event.is_window:
        edge = start_of(event) if field == "start" else end_of(event)
        over = _latest(event, edge) if edge else dates.MAX_INSTANT
    else:
        over = windows.bounds(event).latest or dates.MAX_INSTANT
    return min(over, moved_at + TOLD_FOR)


def last_dates(event: Event) -> Event:
    """The event at the last days that were known of it, for one that is postponed or cancelled.

    Where its dates were taken away, or are a month now, it stands where people have it in their calendars.
    The edges of a window are dates of their own; the end of anything else goes with its start.
    """
    previous = tuple(reversed(event.previous_dates or ()))
    starts = (start_of(event), *(_parsed(each.start) for each in previous))
    ends = (end_of(event), *(_parsed(each.end) for each in previous))
    start = next((n for n, edtf in enumerate(starts) if is_exact(edtf)), 0)
    end = next((n for n, edtf in enumerate(ends) if is_exact(edtf)), 0) if event.is_window else start
    if not start and not end:
        return event
    # What sources say of today's dates says nothing of those.
    silent = {name for name, n in (("start", start), ("end", end)) if n}
    return msgspec.structs.replace(
        event,
        start=previous[start - 1].start if start else event.start,
        end=previous[end - 1].end if end else event.end,
        evidence=tuple(each for each in event.evidence if each.field not in silent),
    )


def _parsed(text: str | None) -> Edtf | None:
    return dates.parse_end(text) if text else None


def _timed_span(event: Event, start: Edtf, end: Edtf | None) -> EntrySpan | None:
    zone = dates.zone(event.timezone)
    begins, first = dates.bounds(start, zone).earliest, start.first
    if begins is None or first is None:
        return None
    block = EntrySpan(start=begins, end=min(begins + BLOCK, dates.MAX_INSTANT), guessed=BLOCK, stated=end)
    if end is None or not is_exact(end):
        return block
    if end.minute is None:
        return block if end.first == first else _day_span(first, _last_day(end))
    finishes = dates.bounds(end, zone).latest
    if finishes is not None and begins < finishes <= begins + DAY:
        return EntrySpan(start=begins, end=finishes)
    return block if finishes == begins else _day_span(first, _last_day(end))


def _last_day(end: Edtf) -> date | None:
    """The last day an end still touches: an end at 00:00 belongs to the day before."""
    at_midnight = (
        end.minute is not None and not end.next_day and (end.minute.hour, end.minute.minute) == (0, 0)
    )
    if end.first is None or not at_midnight or end.first == date.min:
        return end.first
    return end.first - DAY


def _day_span(first: date, last: date | None = None) -> EntrySpan | None:
    final = max(first, last or first)
    # RFC 5545 3.6.1: an all-day DTEND is exclusive, so a one-day event ends tomorrow.
    return EntrySpan(start=first, end=final + DAY) if final < date.max else None


def _may_be_same(before: Edtf, now: Edtf) -> bool:
    """Whether one may be the other, stated more or less exactly."""
    if before.minute is not None and now.minute is not None:
        return (before.first, before.minute, before.next_day) == (now.first, now.minute, now.next_day)
    return bool(
        (before.first and dates.allows(now, before.first)) or (now.first and dates.allows(before, now.first))
    )


def _latest(event: Event, edtf: Edtf) -> datetime:
    return dates.bounds(edtf, dates.zone(event.timezone)).latest or dates.MAX_INSTANT
