"""What a message says to a person: one value, from which every chat format is made.

Everything in it is plain text; how to keep a title from being markup is each format's own business.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from service.catalogue import date_labels, dates, evidence
from service.catalogue.event import Event, Evidence, Kind, Language, Place, Status, Text
from service.catalogue.view import When
from service.catalogue.vocabulary import STATUSES, pick
from service.reminders import moments, offsets
from service.reminders.messages import words as wording
from service.reminders.messages.words import Standing, Words
from service.reminders.moments import Moment
from service.reminders.plan import MessageType, Planned
from service.reminders.replan import LATE, late_seconds
from service.reminders.webhook import Anchor

Tone = Literal["calm", "soon", "change", "over"]
MOST_CHANGES = 8
# What is told from what to what, the most telling first; of other fields only that they changed.
TOLD_APART = ("status", "start", "end", "timezone")
# To its readers a new event was nothing before, not undecided, and of a deleted one nothing is left to have
# changed; what was internal before or is so now is not theirs to read.
HAVE_A_BEFORE: frozenset[MessageType] = frozenset(
    {"event.updated", "event.rescheduled", "event.postponed", "event.cancelled"}
)
OFF: frozenset[Status] = frozenset({"cancelled", "postponed"})
# Bidirectional overrides would let a title rewrite the words around it; zero-width and control characters
# hide.
_UNSEEN = re.compile("[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Row(Struct, frozen=True, kw_only=True):
    label: str
    text: str


class Link(Struct, frozen=True, kw_only=True):
    label: str
    url: str


class Message(Struct, frozen=True, kw_only=True):
    """`headline` is the whole thing in one line: "D-7 · 접수 마감 · 2026 스타트업 챌린지"."""

    lang: Language
    tone: Tone
    headline: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def reminder(planned: Planned, *, event: bytes, lang: Language, page: str | None, now: datetime) -> Message:
    """`page` is the event's own page on this service, if it has a public address."""
    shown, words = read(event), wording.WORDS[lang]
    count = countdown(planned, shown, words, now=now)
    anchor = words.anchors[planned.anchor or "start"]
    standing = _standing(planned, shown, {})
    soon: Tone = "soon" if planned.valid_until - now <= timedelta(days=1) else "calm"
    headline = (count, anchor, _marked(_name(shown, lang), standing, words))
    return Message(
        lang=lang,
        tone="over" if standing else soon,
        headline=" · ".join(part for part in headline if part),
        rows=_rows(shown, words, lang),
        notes=(*_notes(planned, shown, standing, words, lang), *_lateness(planned, words, now=now)),
        links=_links(shown, words, page),
    )


def notice(
    planned: Planned,
    *,
    event: bytes,
    previous: dict[str, object],
    lang: Language,
    page: str | None,
) -> Message:
    """`event` as it is after the change; for a deletion as it was before."""
    shown, words = read(event), wording.WORDS[lang]
    before = previous if planned.type in HAVE_A_BEFORE else {}
    standing = _standing(planned, shown, before)
    over = shown.status in OFF or planned.type in ("event.cancelled", "event.postponed", "event.deleted")
    return Message(
        lang=lang,
        tone="over" if over else "change",
        headline=f"{words.types[planned.type]} · {_marked(_name(shown, lang), standing, words)}",
        rows=(*_changes(shown, before, words, lang), *_rows(shown, words, lang)),
        notes=_notes(planned, shown, standing, words, lang),
        links=() if planned.type == "event.deleted" else _links(shown, words, page),
    )


def test(*, name: str, lang: Language) -> Message:
    words = wording.WORDS[lang]
    return Message(lang=lang, tone="calm", headline=f"{words.test} · {plain(name)}", notes=(words.test_note,))


def disabled(*, name: str, reason: str, lang: Language) -> Message:
    words = wording.WORDS[lang]
    rows = (Row(label=words.reason, text=plain(words.reasons.get(reason, reason))),)
    return Message(lang=lang, tone="over", headline=f"{words.disabled} · {plain(name)}", rows=rows)


def plain(text: str) -> str:
    """One line of visible characters."""
    return " ".join(_UNSEEN.sub(" ", text).split())


# FOLDED service/reminders/shown.py: The part of an event's document that messages show.
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


def _name(shown: Shown, lang: Language) -> str:
    return plain(_said(shown.name, lang) or shown.id)


def _said(text: Text, lang: Language) -> str | None:
    """In the language asked for, else in the other: a name is never translated here."""
    return (text.ko or text.en) if lang == "ko" else (text.en or text.ko)


def _rows(shown: Shown, words: Words, lang: Language) -> tuple[Row, ...]:
    label = shown.when.label.ko if lang == "ko" else shown.when.label.en
    where = _where(shown.place, lang)
    rows = [Row(label=words.when, text=label or "")]
    return (*rows, Row(label=words.where, text=where)) if where else tuple(rows)


def _where(place: Place | None, lang: Language) -> str:
    if place is None:
        return ""
    name = _said(place.name, lang) if place.name else None
    parts = (name, place.city if place.city != name else None, place.online_url if not name else None)
    return plain(", ".join(part for part in parts if part))


def _standing(planned: Planned, shown: Shown, before: dict[str, object]) -> Standing | None:
    """That it is off, or on again: what no reader may miss. None where the message is about just that."""
    if shown.status == "cancelled" or shown.status == "postponed":
        return None if planned.type == f"event.{shown.status}" else shown.status
    return "on_again" if before.get("status") in OFF else None


def _marked(name: str, standing: Standing | None, words: Words) -> str:
    """Before the name, where nothing cuts it off: often a reader sees no more than the headline."""
    return words.marks[standing].format(name) if standing else name


def _notes(
    planned: Planned, shown: Shown, standing: Standing | None, words: Words, lang: Language
) -> tuple[str, ...]:
    certainty = _certainty(planned, shown, words, lang)
    return (words.standings[standing], *certainty) if standing else certainty


def _certainty(planned: Planned, shown: Shown, words: Words, lang: Language) -> tuple[str, ...]:
    """How sure it is: what a reader must know before relying on the date."""
    text = shown.date(planned.anchor) or ""
    closing = planned.anchor == "closes"
    facts = (
        (shown.status == "tentative", words.tentative),
        (shown.disputed, _disputed(shown, words, lang)),
        (shown.when.uncertain, words.uncertain),
        (shown.when.approximate, words.approximate),
        (closing and bool(text) and "T" not in text, words.some_time),
        (shown.close_rule in ("until_exhausted", "first_come"), words.may_close_early),
    )
    said = [note for holds, note in facts if holds]
    return (*said, plain(shown.close_text)) if shown.close_text else tuple(said)


def _disputed(shown: Shown, words: Words, lang: Language) -> str:
    """That sources disagree, and about dates what they say."""
    disputes = (each for each in evidence.disputes(shown.event) if each.field in ("start", "end"))
    said = [_date(value, lang) for each in disputes for value in each.values]
    return f"{words.disputed}: {' / '.join(said)}" if said else words.disputed


def _lateness(planned: Planned, words: Words, *, now: datetime) -> tuple[str, ...]:
    late = late_seconds(planned, now=now)
    return (words.late(late // 60),) if late else ()


def _changes(shown: Shown, previous: dict[str, object], words: Words, lang: Language) -> tuple[Row, ...]:
    rows = []
    for field in TOLD_APART:
        if field in previous:
            before, after = (_value(field, value, lang) for value in (previous[field], getattr(shown, field)))
            rows.append(Row(label=words.fields[field], text=f"{before} → {after}"))
    others = [words.fields[field] for field in previous if field in words.fields and field not in TOLD_APART]
    if others:
        rows.append(Row(label=words.changed, text=", ".join(others[:MOST_CHANGES])))
    return tuple(rows)


def _value(field: str, value: object, lang: Language) -> str:
    if field in ("start", "end"):
        return _date(value, lang)
    word = STATUSES.get(str(value)) if field == "status" else None
    return pick(word, lang) if word else plain(str(value))


def _date(text: object, lang: Language) -> str:
    if not isinstance(text, str):
        return date_labels.UNDATED.ko if lang == "ko" else date_labels.UNDATED.en
    edtf = dates.parse_end(text)
    return date_labels.korean(edtf) if lang == "ko" else date_labels.english(edtf)


def _links(shown: Shown, words: Words, page: str | None) -> tuple[Link, ...]:
    wanted = ((words.apply, shown.apply_url), (words.more, shown.url), (words.page, page))
    return tuple(Link(label=label, url=url) for label, url in wanted if url)


# FOLDED service/reminders/countdown.py: How far away the moment of a reminder is, in a word: `D-7`, `D-DAY`, `D+1`, "in 1 h".
def countdown(planned: Planned, shown: Shown, words: Words, *, now: datetime) -> str:
    """By the calendar where the event is, at the instant of sending; hours where hours were asked for.

    Counted to the date that the message shows: what is sent again may have moved since it was planned, or
    have lost its date, and then there is nothing to count.
    """
    if planned.anchor is None:
        return ""
    found = moments.moment(shown.event, planned.anchor)
    if not isinstance(found, Moment):
        return ""
    left = found.at - now
    hourly = found.clock is not None and offsets.parse(planned.before or "PT0S").seconds > 0
    if hourly and timedelta(0) < left < timedelta(days=1):
        return words.before(_minutes(left))
    if -LATE <= left <= timedelta(0):
        return "D-DAY"  # 24:00 belongs to the day it ends, also a tick later
    return _days(planned, shown, found, now=now)


def _days(planned: Planned, shown: Shown, found: Moment, *, now: datetime) -> str:
    """To the day as it was written: `2026-03-27T24:00` is the 27th, as on the pages."""
    day = dates.parse_end(shown.date(planned.anchor) or "").first or found.day
    days = (day - now.astimezone(found.zone).date()).days
    return f"D-{days}" if days > 0 else f"D+{-days}" if days else "D-DAY"


def _minutes(left: timedelta) -> int:
    """Rounded up to whole minutes: an hour before, sent a second later, is still an hour before."""
    return -int(-left.total_seconds() // 60)


# FOLDED service/reminders/lengths.py: How long a text is to those who count in UTF-16, as JavaScript does: what is beyond U+FFFF counts twice.
# FOLDED service/reminders/lengths.py:
# FOLDED service/reminders/lengths.py: Neither Slack nor Discord nor Teams says how it counts its limits, so the longer count has to hold.
def cut(text: str, most: int, *, mended: Callable[[str], str] = str) -> str:
    """At most so long, an ellipsis telling that there was more; `mended` takes off what was cut in half."""
    return text if units(text) <= most else mended(start(text, most - 1)) + "…"


def units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def start(text: str, most: int) -> str:
    """Its longest beginning of at most so many units."""
    kept = text[:most]
    while units(kept) > most:
        kept = kept[: -((units(kept) - most + 1) // 2)]
    return kept
