"""The small things pages are made of: a text with its language, a link, one event in a list."""

from datetime import datetime
from typing import Literal

import msgspec

from feeds import text as plain
from service.catalogue.entry_text import when_label
from service.catalogue.event import Language, Text
from service.catalogue.view import Document
from service.catalogue.vocabulary import pick
from service.catalogue.windows import Phase
from service.pages.countdown import Badge, badge
from service.pages.words import KINDS

Noun = Literal["events", "series", "programs", "organizations"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A text of the catalogue. `lang` is the language it is in, which may not be the page's."""

    text: str
    lang: Language
    translated: bool = False


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on. `note` stands beside it."""

    said: Said
    href: str
    note: str = ""


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


class Seen(msgspec.Struct, frozen=True, kw_only=True):
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


def line(seen: Seen, *, now: datetime, lang: Language, news: str = "") -> Line:
    document, place = seen.document, seen.document.place
    return Line(
        said=said(document.name, lang),
        href=page_of("events", document.id, lang),
        when=when_label(document, lang),
        kind=pick(KINDS[document.kind], lang),
        city=found(place.city) if place else None,
        badge=badge(document, seen.phase, now=now, lang=lang),
        disputed=document.disputed,
        closing=found(document.close_text) if seen.phase in AHEAD else None,
        news=news,
    )


AHEAD = ("upcoming", "open", "closing_soon")
