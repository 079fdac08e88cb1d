"""An event as the world sees it: what was written, and what follows from it.

Documents are encoded once, at the write, without their phase, which depends on the hour; it is spliced in
when they are read.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.catalogue import date_labels, dates, evidence, windows
from service.catalogue.dates import Edtf, Precision
from service.catalogue.event import DateField, Event, Language, PreviousDates
from service.catalogue.windows import Halt, Phase


class DateLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date in words, in Korean and in English; `?lang=` leaves one of them."""

    ko: str | UnsetType = UNSET
    en: str | UnsetType = UNSET

    def text(self, lang: Language) -> str:
        text = self.ko if lang == "ko" else self.en
        return "" if text is UNSET else text


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the dates say. `earliest` and `latest` bound the whole event, `latest` being exclusive.

    `precision` speaks of a window's close and of any other event's start. `all_day` means that all its known
    dates are days, without a time of day.
    """

    precision: Precision
    earliest: datetime | None
    latest: datetime | None
    all_day: bool
    label: DateLabel
    start_precision: Precision | None
    end_precision: Precision | None
    uncertain: bool
    approximate: bool


class Document(Event, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What the store keeps of an event: everything but its phase."""

    previous_dates: Annotated[tuple[PreviousDates, ...], Meta(max_length=50)] = ()
    when: When
    disputed: bool
    # What earlier versions wrote into the log has none.
    unsupported: tuple[DateField, ...] = ()
    revision: Annotated[int, Meta(ge=1)]
    seq: Annotated[int, Meta(ge=1)]
    created_at: datetime
    updated_at: datetime


class View(Document, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What the service sends for an event."""

    phase: Phase


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Document)
_FIELDS = Event.__struct_fields__
# Quotes inside JSON strings are escaped, so only the key itself can match, and our labels hold no quotes.
_LABEL = re.compile(rb'"label":\{("ko":"[^"]*"),("en":"[^"]*")\}')
_KEEP: dict[Language, bytes] = {"ko": rb'"label":{\1}', "en": rb'"label":{\2}'}


def document(
    event: Event,
    *,
    previous_dates: Sequence[PreviousDates],
    revision: int,
    seq: int,
    created_at: datetime,
    updated_at: datetime,
) -> bytes:
    """The event as JSON, without its phase; the same event gives the same bytes."""
    written = {field: getattr(event, field) for field in _FIELDS}
    written["previous_dates"] = tuple(previous_dates)
    return _ENCODER.encode(
        Document(
            **written,
            when=when(event),
            disputed=evidence.disputed(event),
            unsupported=tuple(item.field for item in evidence.unsupported(event)),
            revision=revision,
            seq=seq,
            created_at=_to_millisecond(created_at),
            updated_at=_to_millisecond(updated_at),
        )
    )


def with_phase(document: bytes, phase: Phase) -> bytes:
    """The document as it is sent; of what is cancelled nothing is said to be announced yet."""
    if phase == "cancelled":
        words = as_it_stands(document, phase).when.label
        label = b'"label":' + _ENCODER.encode(words)
        document = _LABEL.sub(lambda _: label, document)
    return b'%b,"phase":"%b"}' % (document[:-1], phase.encode())


def with_language(document: bytes, lang: Language) -> bytes:
    """The document, or many of them in one text, with the labels of one language only."""
    return _LABEL.sub(_KEEP[lang], document)


def as_it_stands(document: bytes, halt: Halt | None) -> Document:
    """The document as it is shown to people: off where what it is part of is."""
    kept = _DECODER.decode(document)
    if halt is None:
        return kept
    standing = msgspec.structs.replace(kept, status=halt)
    words = date_labels.event_label(standing)
    label = DateLabel(ko=words.ko, en=words.en)
    return msgspec.structs.replace(standing, when=msgspec.structs.replace(kept.when, label=label))


def event_of(document: bytes) -> Event:
    """The event as it was written, from a document without its phase."""
    kept = _DECODER.decode(document)
    return Event(**{field: getattr(kept, field) for field in _FIELDS})


def derived_anew(kept: bytes) -> bytes:
    """The document with everything that follows from the event as this version derives it."""
    old = _DECODER.decode(kept)
    return document(
        event_of(kept),
        previous_dates=old.previous_dates,
        revision=old.revision,
        seq=old.seq,
        created_at=old.created_at,
        updated_at=old.updated_at,
    )


def names(event: Event) -> tuple[str, ...]:
    """Returns the events that this one names."""
    return (*((event.part_of,) if event.part_of else ()), *(tie.event for tie in event.related))


def public(event: Event, hidden: Collection[str]) -> Event | None:
    """Returns the event as everybody sees it, without the names of `hidden` events; None if it is not public.

    It is the same object where nothing has to be left out.
    """
    if not event.is_public:
        return None
    if not any(name in hidden for name in names(event)):
        return event
    related = tuple(tie for tie in event.related if tie.event not in hidden)
    if event.part_of not in hidden:
        return msgspec.structs.replace(event, related=related)
    place = event.place and msgspec.structs.replace(event.place, inherited=False)
    return msgspec.structs.replace(event, part_of=None, related=related, place=place)


def when(event: Event) -> When:
    """Returns what the dates of an event say, never more than they do."""
    start, end = (
        dates.parse_end(text) if (text := evidence.earliest(event, field)) is not None else None
        for field in evidence.DATES
    )
    known = [dates.parse_end(text) for field in evidence.DATES for text in evidence.readings(event, field)]
    bounds = windows.bounds(event)
    words = date_labels.event_label(event)
    return When(
        precision=_precision(end or start if event.is_window else start),
        earliest=bounds.earliest,
        latest=bounds.latest,
        all_day=bool(known) and all(edtf.precision == "day" for edtf in known),
        label=DateLabel(ko=words.ko, en=words.en),
        start_precision=start.precision if start else None,
        end_precision=end.precision if end else None,
        uncertain=any(edtf.uncertain for edtf in known),
        approximate=any(edtf.approximate for edtf in known),
    )


def _precision(edtf: Edtf | None) -> Precision:
    return edtf.precision if edtf is not None else "unknown"


def _to_millisecond(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
