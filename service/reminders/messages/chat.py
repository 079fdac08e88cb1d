"""Says a delivery to a person: one value, from which every chat format is rendered.

Everything in it is plain text; each format keeps texts from being markup in its own way.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from service.catalogue import countdown, date_labels, dates, evidence
from service.catalogue.event import Event, Evidence, Kind, Language, Place, Status, Text
from service.catalogue.view import When
from service.catalogue.vocabulary import STATUSES, pick
from service.catalogue.windows import Phase
from service.reminders import offsets
from service.reminders.messages.phrases import (
    ANCHORS,
    DISABLED_REASONS,
    FIELDS,
    MARKS,
    PHRASES,
    STANDINGS,
    TYPES,
    MessagePhrases,
    Standing,
)
from service.reminders.plan import MessageType, Planned
from service.reminders.replan import LATE, late_seconds
from service.reminders.webhook import Anchor

Tone = Literal["calm", "soon", "change", "over"]
MOST_CHANGES = 8
# Fields whose old and new value are told, the most telling first; of others only that they changed.
TOLD_APART = ("status", "start", "end", "timezone", "place", "name")
# A new event was nothing before, of a deleted one nothing is left to have changed, and what was or is
# internal is nothing that readers may see.
HAVE_A_BEFORE: frozenset[MessageType] = frozenset(
    {"event.updated", "event.rescheduled", "event.postponed", "event.cancelled"}
)
OFF: frozenset[Status] = frozenset({"cancelled", "postponed"})
# Bidirectional overrides would let a title rewrite the words around it; zero-width and control characters
# hide.
_UNSEEN = re.compile("[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class ChatRow(Struct, frozen=True, kw_only=True):
    label: str
    text: str


class ChatLink(Struct, frozen=True, kw_only=True):
    label: str
    url: str


class ChatMessage(Struct, frozen=True, kw_only=True):
    """`headline` is the whole message in one line: "D-7 · 접수 마감 · 2026 스타트업 챌린지"."""

    lang: Language
    tone: Tone
    headline: str
    rows: tuple[ChatRow, ...] = ()
    notes: tuple[str, ...] = ()
    links: tuple[ChatLink, ...] = ()


class ChatEvent(Struct, frozen=True, kw_only=True):
    """The part of an event's document that messages show."""

    id: str
    kind: Kind
    name: Text
    status: Status
    phase: Phase
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
        """The date that a reminder of this anchor is about, as it was written."""
        return evidence.earliest(self.event, "start" if anchor in ("start", "opens") else "end")


_DECODER = msgspec.json.Decoder(ChatEvent)


def reminder(
    planned: Planned, *, document: bytes, lang: Language, page: str | None, now: datetime
) -> ChatMessage:
    """`page` is the event's own page on this service, if it has a public address."""
    event, phrases = read(document), PHRASES[lang]
    standing = _standing(planned, event, {})
    soon: Tone = "soon" if planned.valid_until - now <= timedelta(days=1) else "calm"
    headline = (
        time_left(planned, event, phrases, now=now),
        pick(ANCHORS[planned.anchor or "start"], lang),
        _marked_name(event, standing, lang),
    )
    return ChatMessage(
        lang=lang,
        tone="over" if standing else soon,
        headline=" · ".join(part for part in headline if part),
        rows=_rows(event, phrases),
        notes=(*_notes(planned, event, standing, phrases), *_lateness(planned, phrases, now=now)),
        links=_links(event, phrases, page),
    )


def notice(
    planned: Planned, *, document: bytes, previous: dict[str, object], lang: Language, page: str | None
) -> ChatMessage:
    """`document` is the event after the change; for a deletion as it was before."""
    event, phrases = read(document), PHRASES[lang]
    before = previous if planned.type in HAVE_A_BEFORE else {}
    standing = _standing(planned, event, before)
    over = event.status in OFF or planned.type in ("event.cancelled", "event.postponed", "event.deleted")
    changes = _changes(event, before, phrases)
    # Who reads the headline only is told of one date: of a call when it closes.
    dates_told = ("end", "start") if event.kind == "application_window" else ("start", "end")
    headline = (
        pick(TYPES[planned.type], lang),
        _marked_name(event, standing, lang),
        *[f"{changes[field].label} {changes[field].text}" for field in dates_told if field in changes][:1],
    )
    return ChatMessage(
        lang=lang,
        tone="over" if over else "change",
        headline=" · ".join(headline),
        rows=(*changes.values(), *_rows(event, phrases)),
        notes=_notes(planned, event, standing, phrases),
        links=() if planned.type == "event.deleted" else _links(event, phrases, page),
    )


def test(*, name: str, lang: Language) -> ChatMessage:
    phrases = PHRASES[lang]
    headline = f"{phrases.test} · {plain(name)}"
    return ChatMessage(lang=lang, tone="calm", headline=headline, notes=(phrases.test_note,))


def as_sample(message: ChatMessage) -> ChatMessage:
    """The message, saying that it is a test."""
    return replace(message, headline=f"{PHRASES[message.lang].test} · {message.headline}")


def disabled(*, name: str, reason: str, lang: Language) -> ChatMessage:
    phrases = PHRASES[lang]
    told = pick(DISABLED_REASONS[reason], lang) if reason in DISABLED_REASONS else reason
    rows = (ChatRow(label=phrases.reason, text=plain(told)),)
    return ChatMessage(lang=lang, tone="over", headline=f"{phrases.disabled} · {plain(name)}", rows=rows)


def plain(text: str) -> str:
    """One line of visible characters."""
    return " ".join(_UNSEEN.sub(" ", text).split())


def read(document: bytes) -> ChatEvent:
    event = _DECODER.decode(document)
    if event.phase == "cancelled" or event.phase == "postponed":
        # It may be so with what it is part of.
        return replace(event, status=event.phase)
    return event


def time_left(planned: Planned, event: ChatEvent, phrases: MessagePhrases, *, now: datetime) -> str:
    """Returns how far away the moment of a reminder is: `D-7`, `D-DAY`, `D+1`, "in 1 h".

    It is counted by the calendar where the event is, at the instant of sending; hours where hours were asked
    for. It counts to the date that the message shows: what is sent again may have moved since it was planned,
    or have lost its date, and then there is nothing to count.
    """
    text = event.date(planned.anchor) if planned.anchor else None
    if text is None:
        return ""
    edtf = dates.parse_end(text)
    if edtf.minute is not None and offsets.parse(planned.before or "PT0S").seconds:
        at = dates.bounds(edtf, dates.zone(event.timezone)).earliest
        if at is not None and timedelta() < at - now < timedelta(days=1):
            # Rounded up to whole minutes: an hour before, sent a second later, is still an hour before.
            minutes = -int((now - at).total_seconds() // 60)
            return phrases.before.format(_duration(minutes, phrases))
    days = countdown.days_left(edtf, timezone=event.timezone, now=now, grace=LATE)
    return "" if days is None else countdown.countdown(days)


def _duration(minutes: int, phrases: MessagePhrases) -> str:
    """The largest two units that are not zero: "1시간 30분", "2 d 4 h"."""
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    counted = ((days, phrases.days), (hour, phrases.hours), (minute, phrases.minutes))
    parts = [unit.format(count) for count, unit in counted if count]
    return " ".join(parts[:2]) or phrases.minutes.format(0)


def _rows(event: ChatEvent, phrases: MessagePhrases) -> tuple[ChatRow, ...]:
    when = ChatRow(label=phrases.when, text=event.when.label.text(phrases.lang))
    where = _where(event.place, phrases.lang)
    return (when, ChatRow(label=phrases.where, text=where)) if where else (when,)


def _where(place: Place | None, lang: Language) -> str:
    if place is None:
        return ""
    name = pick(place.name, lang) if place.name else None
    city = place.city_in(lang)
    parts = (name, city if city != name else None, place.online_url if not name else None)
    return plain(", ".join(part for part in parts if part))


def _standing(planned: Planned, event: ChatEvent, before: dict[str, object]) -> Standing | None:
    """Returns the line that says it is off, or on again; None where the message is about just that."""
    if event.status == "cancelled" or event.status == "postponed":
        return None if planned.type == f"event.{event.status}" else event.status
    return "on_again" if before.get("status") in OFF else None


def _marked_name(event: ChatEvent, standing: Standing | None, lang: Language) -> str:
    """The mark stands before the name, where nothing cuts it off: readers often see the headline only."""
    name = plain(pick(event.name, lang) or event.id)
    return pick(MARKS[standing], lang).format(name) if standing else name


def _notes(
    planned: Planned, event: ChatEvent, standing: Standing | None, phrases: MessagePhrases
) -> tuple[str, ...]:
    """Returns what a reader must know before relying on the date."""
    written = event.date(planned.anchor)
    notes = (
        pick(STANDINGS[standing], phrases.lang) if standing else "",
        phrases.tentative if event.status == "tentative" else "",
        _disputed(event, phrases) if event.disputed else "",
        *date_labels.unsupported(event.event, phrases),
        phrases.uncertain if event.when.uncertain else "",
        phrases.approximate if event.when.approximate else "",
        phrases.some_time if planned.anchor == "closes" and written and "T" not in written else "",
        phrases.may_close_early if event.close_rule in ("until_exhausted", "first_come") else "",
    )
    close_text = (plain(event.close_text),) if event.close_text else ()
    return (*(note for note in notes if note), *close_text)


def _disputed(event: ChatEvent, phrases: MessagePhrases) -> str:
    """Returns the line that says sources disagree, and for dates what they say."""
    disputes = (dispute for dispute in evidence.disputes(event.event) if dispute.field in ("start", "end"))
    said = [_date(value, phrases.lang) for dispute in disputes for value in dispute.values]
    return f"{phrases.disputed}: {' / '.join(said)}" if said else phrases.disputed


def _lateness(planned: Planned, phrases: MessagePhrases, *, now: datetime) -> tuple[str, ...]:
    late = late_seconds(planned, now=now)
    return (phrases.late.format(_duration(late // 60, phrases)),) if late else ()


def _changes(event: ChatEvent, previous: dict[str, object], phrases: MessagePhrases) -> dict[str, ChatRow]:
    """Returns by field from what to what it changed; what reads the same in this language is only named."""
    rows, lang = {}, phrases.lang
    anchors = {"start": "opens", "end": "closes"} if event.kind == "application_window" else {}
    for field in TOLD_APART:
        if field in previous:
            values = (previous[field], getattr(event, field))
            before, after = (_value(field, value, lang) for value in values)
            if event.status == "cancelled" and field in ("start", "end") and values[1] is None:
                after = pick(date_labels.CANCELLED, lang)
            label = ANCHORS[anchors[field]] if field in anchors else FIELDS[field]
            if before != after:
                rows[field] = ChatRow(label=pick(label, lang), text=f"{before} → {after}")
    others = [pick(FIELDS[field], lang) for field in previous if field in FIELDS and field not in rows]
    if others:
        rows["others"] = ChatRow(label=phrases.changed, text=", ".join(others[:MOST_CHANGES]))
    return rows


def _value(field: str, value: object, lang: Language) -> str:
    if field in ("start", "end"):
        return _date(value, lang)
    if field == "place":
        place = value if isinstance(value, Place | None) else msgspec.convert(value, Place)
        return _where(place, lang) or "–"
    if field == "name":
        return plain(pick(value if isinstance(value, Text) else msgspec.convert(value, Text), lang) or "")
    status = STATUSES.get(str(value)) if field == "status" else None
    return pick(status, lang) if status else plain(str(value))


def _date(text: object, lang: Language) -> str:
    if not isinstance(text, str):
        return pick(date_labels.UNDATED, lang)
    return date_labels.date_label(dates.parse_end(text), lang)


def _links(event: ChatEvent, phrases: MessagePhrases, page: str | None) -> tuple[ChatLink, ...]:
    links = ((phrases.apply, event.apply_url), (phrases.more, event.url), (phrases.page, page))
    return tuple(ChatLink(label=label, url=url) for label, url in links if url)


# Neither Slack nor Discord nor Teams says how it counts its limits, so the longer count has to hold: that of
# UTF-16, in which JavaScript counts what is beyond U+FFFF twice.
def cut(text: str, most: int, *, mended: Callable[[str], str] = str) -> str:
    """At most so long, an ellipsis telling that there was more; `mended` takes off what was cut in half."""
    return text if utf16_length(text) <= most else mended(utf16_prefix(text, most - 1)) + "…"


def utf16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def utf16_prefix(text: str, most: int) -> str:
    """The longest beginning of at most so many units."""
    kept = text[:most]
    while utf16_length(kept) > most:
        kept = kept[: -((utf16_length(kept) - most + 1) // 2)]
    return kept
