"""The small things pages are made of: a text with its language, a link, one event in a list."""

from collections.abc import Container
from datetime import datetime
from typing import Literal

import msgspec

from feeds import text as plain
from service import calendar_clients
from service.calendar_clients import Client, Subscription
from service.catalogue import countdown, dates, evidence
from service.catalogue.event import Event, Language, Text
from service.catalogue.view import Document
from service.catalogue.vocabulary import KINDS, pick
from service.catalogue.windows import Phase
from service.pages.phrases import CLOSE_BADGES, PHASES, PHRASES, PagePhrases

Noun = Literal["events", "series", "programs", "organizations"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A text of the catalogue. `lang` is the language it is in, which may not be the page's."""

    text: str
    lang: Language
    translated: bool = False


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link, with a `note` beside it."""

    said: Said
    href: str
    note: str = ""


Tone = Literal["urgent", "soon", "open", "calm", "unsure", "over"]
URGENT_DAYS = 3


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """`about` says in full what `text` abbreviates; empty where it is said already."""

    text: str
    tone: Tone
    about: str = ""


def badge(event: Event, phase: Phase, *, now: datetime, lang: Language) -> Badge:
    """Returns the badge that counts to the next thing one may miss; only a known day is counted to."""
    phrases = PHRASES[lang]
    if phase in ("open", "closing_soon"):
        days = _days_left(evidence.earliest(event, "end"), event, now)
        if days is None:
            return Badge(text=pick(CLOSE_BADGES[event.close_rule or "unknown"], lang), tone="open")
        tone: Tone = "urgent" if days <= URGENT_DAYS else "soon" if phase == "closing_soon" else "open"
        return _counted(days, tone, (phrases.today_closes, phrases.tomorrow_closes, phrases.to_close))
    days = _days_left(evidence.earliest(event, "start"), event, now) if phase == "upcoming" else None
    if days is None:
        return Badge(text=pick(PHASES[phase], lang), tone=_TONES.get(phase, "calm"))
    if event.is_window:
        return _counted(days, "calm", (phrases.today_opens, phrases.tomorrow_opens, phrases.to_open))
    return _counted(days, "calm", (phrases.today_starts, phrases.tomorrow_starts, phrases.to_start))


_TONES: dict[Phase, Tone] = {
    "ongoing": "open",
    "unknown": "unsure",
    "postponed": "unsure",
    "cancelled": "over",
    "ended": "over",
    "closed": "over",
}


def _days_left(text: str | None, event: Event, now: datetime) -> int | None:
    edtf = dates.parse_end(text) if text else None
    if edtf is None or edtf.qualified:
        return None
    days = countdown.days_left(edtf, timezone=event.timezone, now=now)
    return days if days is not None and days >= 0 else None


def _counted(days: int, tone: Tone, about: tuple[str, str, str]) -> Badge:
    """`about` has the words for today, tomorrow and later."""
    return Badge(text=countdown.countdown(days), tone=tone, about=about[min(days, 2)].format(days))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a list."""

    said: Said
    href: str
    when: str
    kind: str
    city: Said | None
    badge: Badge
    disputed: bool
    closing: Said | None = None
    news: str = ""


class PhasedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event with the phase it is in at the instant of the page."""

    document: Document
    phase: Phase


def said(text: Text, lang: Language) -> Said:
    """The text in the page's language, else in the other."""
    other: Language = "en" if lang == "ko" else "ko"
    spoken = lang if (text.ko if lang == "ko" else text.en) else other
    return Said(text=pick(text, lang), lang=spoken, translated=spoken in text.translated)


def words(text: str, lang: Language) -> Said:
    """A text of our own."""
    return Said(text=text, lang=lang)


def found(text: str | None) -> Said | None:
    """A text that says nothing of its language; its script does."""
    if not text:
        return None
    return Said(text=text, lang="ko" if any("가" <= character <= "힣" for character in text) else "en")


def local(path: str, lang: Language) -> str:
    """The address of a page in a language; Korean ones have no prefix."""
    return path if lang == "ko" else f"/en{path}"


def page_of(noun: Noun, identifier: str, lang: Language) -> str:
    return local(f"/{noun}/{identifier}", lang)


def link(noun: Noun, identifier: str, name: Text, lang: Language, *, note: str = "") -> Link:
    """A link to another page of ours."""
    return Link(said=said(name, lang), href=page_of(noun, identifier, lang), note=note)


def outside(url: str | None) -> str | None:
    """An address of elsewhere if it is http(s), else none: no other scheme gets into a page."""
    return plain.link(url)


def line(seen: PhasedEvent, *, now: datetime, lang: Language, news: str = "") -> Line:
    document, place = seen.document, seen.document.place
    return Line(
        said=said(document.name, lang),
        href=page_of("events", document.id, lang),
        when=document.when.label.text(lang),
        kind=pick(KINDS[document.kind], lang),
        city=found(place.city_in(lang)) if place else None,
        badge=badge(document, seen.phase, now=now, lang=lang),
        disputed=document.disputed,
        closing=found(document.close_text) if seen.phase in AHEAD else None,
        news=news,
    )


AHEAD = ("upcoming", "open", "closing_soon")


# The others stand below, as they take the plain address all the same.
FIRST_CLIENTS: tuple[Client, ...] = ("google", "apple", "outlook")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to subscribe, in the page's language."""

    name: str
    link: str
    sentence: str


class FeedBox(msgspec.Struct, frozen=True, kw_only=True):
    """One feed with the ways to it. `title` says which, `address` is there to be copied, `path` opens it."""

    title: str
    address: str
    path: str
    first: tuple[Way, ...]
    more: tuple[Way, ...]
    note: str = ""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is the page's Korean address, which the others follow from. `feeds` are to be discovered."""

    lang: Language
    path: str
    title: str
    description: str
    base_url: str
    feeds: tuple[FeedBox, ...] = ()
    json_path: str | None = None

    @property
    def say(self) -> PagePhrases:
        return PHRASES[self.lang]

    @property
    def other(self) -> Language:
        return "en" if self.lang == "ko" else "ko"

    def here(self, lang: Language) -> str:
        """This page in a language."""
        return local(self.path, lang)


def feed_box(path: str, *, title: str, lang: Language, base_url: str, large: Container[str] = ()) -> FeedBox:
    """The ways to a feed of ours; Google is none to the `large` ones, which it would not show."""
    feed, too_large = base_url + path, path in large
    found = calendar_clients.subscriptions(feed, title=title, over_budget=too_large)
    ways = [(one.client, _way(one, lang)) for one in found]
    return FeedBox(
        title=title,
        address=feed,
        path=path,
        first=tuple(way for client, way in ways if client in FIRST_CLIENTS),
        more=tuple(way for client, way in ways if client not in FIRST_CLIENTS),
        note=PHRASES[lang].beyond_google if too_large else "",
    )


def _way(found: Subscription, lang: Language) -> Way:
    name, sentence = (
        (found.name.ko, found.sentence.ko) if lang == "ko" else (found.name.en, found.sentence.en)
    )
    return Way(name=name, link=found.link, sentence=sentence)
