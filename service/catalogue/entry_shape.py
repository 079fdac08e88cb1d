"""How an event shows in a calendar: what the reader asked for, and which lines follow from it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from service.catalogue import entry_times
from service.catalogue.dates import Edtf
from service.catalogue.entry_times import Move, Span
from service.catalogue.entry_words import Edge
from service.catalogue.event import Event, Language, Text

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
    start, move = entry_times.start_of(event), entry_times.move_of(event, "start")
    if span := entry_times.event_span(event):
        yield Shape(edge=edge, span=span, move=move)
    elif style.placeholders and (span := entry_times.month_span(start)):
        yield Shape(edge=edge, span=span, unclear=start)


def _window(event: Event, style: Style) -> Iterator[Shape]:
    bar = entry_times.window_span(event) if style.windows in ("bar", "both") else None
    if bar:
        move = entry_times.move_of(event, "end") or entry_times.move_of(event, "start")
        yield Shape(edge="window", span=bar, move=move)
    # A bar that would have no end shows as the edge that is known.
    if style.windows in ("edges", "both") or not bar:
        yield from _edges(event, style)


def _edges(event: Event, style: Style) -> Iterator[Shape]:
    start, end = entry_times.start_of(event), entry_times.end_of(event)
    known: tuple[tuple[Edge, Span | None, Edtf | None, Move | None], ...] = (
        ("opens", entry_times.opening_span(event), start, entry_times.move_of(event, "start")),
        ("closes", entry_times.closing_span(event), end, entry_times.move_of(event, "end")),
    )
    for edge, span, edtf, move in known:
        if span:
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, move=move)
        elif style.placeholders and (span := entry_times.month_span(edtf)):
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, unclear=edtf)
