"""The texts of an entry: its title, with what changed in front, and the lines of its description."""

from collections.abc import Iterator

from service.catalogue import date_labels, dates
from service.catalogue.dates import Edtf
from service.catalogue.entry_times import Around, Shape, Style
from service.catalogue.event import Event, Language
from service.catalogue.view import Document
from service.catalogue.vocabulary import PHRASES, ROLES, Phrases, pick

MOST_SOURCES = 3


def title(document: Document, shape: Shape, *, around: Around, style: Style) -> str:
    """The name, its edge, the event it is part of, and in front what one must not miss."""
    phrases = PHRASES[style.lang]
    text = _with_parent(document, around, style.lang)
    edge = {"opens": phrases.opens, "closes": phrases.closes, "window": phrases.window}.get(shape.edge, "{}")
    text = edge.format(text)
    if shape.unclear:
        text = phrases.unclear.format(text, _date(shape.unclear, style.lang))
    if document.status == "cancelled":
        return phrases.cancelled.format(text)
    if document.status == "postponed":
        return phrases.postponed.format(text)
    if shape.move:
        extended = shape.edge in ("closes", "window") and shape.move.later
        return (phrases.extended if extended else phrases.moved).format(text)
    return text


def describe(document: Document, shape: Shape, *, around: Around, style: Style) -> str:
    """What changed first, then when, what, who and where to read on; `detail=min` keeps what changed."""
    phrases = PHRASES[style.lang]
    news = list(_news(document, shape, phrases, style.lang))
    if style.detail == "min":
        return "\n".join(news)
    paragraphs = (
        [*news, *_when(document, shape, phrases, style.lang)],
        list(_summary(document, phrases, style.lang)),
        [*_parent(document, around, phrases, style), *_bodies(document, around, style.lang)],
        [*_links(document, phrases, style.base_url), *_sources(document, around, phrases, style.lang)],
    )
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def when_label(document: Document, lang: Language) -> str:
    """The dates in words."""
    words = document.when.label.ko if lang == "ko" else document.when.label.en
    return words if isinstance(words, str) else ""


def _with_parent(document: Document, around: Around, lang: Language) -> str:
    name = pick(document.name, lang)
    parent = around.get(("event", document.part_of)) if document.part_of else None
    context = pick(parent.name, lang) if parent else ""
    return name if not context or context in name else f"{name} - {context}"


def _news(document: Document, shape: Shape, phrases: Phrases, lang: Language) -> Iterator[str]:
    if shape.move:
        yield phrases.moved_from.format(_range(shape.move.before, shape.move.end_before, document, lang))
    if document.status in ("postponed", "cancelled") and document.previous_dates and not document.start:
        last = document.previous_dates[-1]
        start = dates.parse(last.start) if last.start else None
        end = dates.parse_end(last.end) if last.end else None
        yield phrases.was_on.format(_range(start, end, document, lang))
    if document.disputed:
        yield phrases.disputed
    if document.when.uncertain:
        yield phrases.uncertain
    if document.when.approximate:
        yield phrases.approximate


def _when(document: Document, shape: Shape, phrases: Phrases, lang: Language) -> Iterator[str]:
    words = when_label(document, lang)
    yield phrases.applications.format(words) if document.is_window else words
    if document.is_window:
        yield from _closing(document, shape, phrases)
    elif shape.span and shape.span.guessed:
        yield phrases.hour_shown.format(int(shape.span.guessed.total_seconds() // 60))


def _closing(document: Document, shape: Shape, phrases: Phrases) -> Iterator[str]:
    if document.close_text:
        yield phrases.close_text.format(document.close_text)
    if document.when.end_precision is None and document.close_rule in (None, "unknown", "fixed"):
        yield phrases.closing_unknown
    elif document.when.end_precision == "day" and shape.edge != "opens":
        yield phrases.closing_day_only


def _summary(document: Document, phrases: Phrases, lang: Language) -> Iterator[str]:
    if document.summary:
        text = pick(document.summary, lang)
        yield f"{text} {phrases.translated}" if lang in document.summary.translated else text


def _parent(document: Document, around: Around, phrases: Phrases, style: Style) -> Iterator[str]:
    parent = around.get(("event", document.part_of)) if document.part_of else None
    if parent:
        page = f"{style.base_url}/events/{document.part_of}"
        yield f"{phrases.part_of.format(pick(parent.name, style.lang))}: {page}"


def _bodies(document: Document, around: Around, lang: Language) -> Iterator[str]:
    for role, words in ROLES.items():
        named = (around.get(("organization", one.id)) for one in document.organizations if one.role == role)
        names = [pick(body.name, lang) for body in named if body]
        if names:
            yield f"{pick(words, lang)}: {', '.join(names)}"


def _links(document: Document, phrases: Phrases, base_url: str) -> Iterator[str]:
    if document.place and document.place.online_url:
        yield phrases.online.format(document.place.online_url)
    if document.apply_url:
        yield phrases.apply.format(document.apply_url)
    if document.url:
        yield phrases.website.format(document.url)
    yield phrases.page.format(f"{base_url}/events/{document.id}")


def _sources(document: Document, around: Around, phrases: Phrases, lang: Language) -> Iterator[str]:
    cited = dict.fromkeys(item.source for item in document.evidence if dates_the_event(item.field, item.rank))
    named = [body for source in cited if (body := around.get(("source", source)))]
    for body in named[:MOST_SOURCES]:
        yield phrases.source.format(pick(body.name, lang))


def dates_the_event(field: str, rank: str) -> bool:
    """Whether a piece of evidence speaks for the dates; only its source is named in the entry."""
    return field in ("start", "end") and rank != "deprecated"


def _date(edtf: Edtf, lang: Language) -> str:
    return date_labels.korean(edtf) if lang == "ko" else date_labels.english(edtf)


def _range(start: Edtf | None, end: Edtf | None, event: Event, lang: Language) -> str:
    return pick(date_labels.label(start, end, timezone=event.timezone), lang)
