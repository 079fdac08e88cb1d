"""The evidence of an event as it is shown: by field and value, with who said it and how many on their own."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from service.catalogue import date_labels, dates, evidence
from service.catalogue.event import Evidence, EvidenceField, Language, Rank, Source
from service.catalogue.view import Document
from service.catalogue.vocabulary import FIELDS, STATUSES, pick
from service.pages import phrases
from service.pages.components import Said, found, outside
from service.pages.phrases import PHRASES

DATED: tuple[EvidenceField, ...] = ("start", "end", "contains")


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """One source that says so. `href` is null where the source has no address."""

    title: Said
    href: str | None
    about: str
    quote: str | None
    note: Said | None
    same_origin: bool


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One value and everybody behind it."""

    value: str
    raw: str
    rank: Rank
    rank_word: str
    witnesses: str
    citations: tuple[Citation, ...]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Everything said about one field; `disputed` where the best of it contradicts itself."""

    name: str
    disputed: bool
    statements: tuple[Statement, ...]


def fields(document: Document, sources: Mapping[str, Source], *, lang: Language) -> tuple[Field, ...]:
    """In the order of the model; of a field the best-ranked values first."""
    disputed = {dispute.field for dispute in evidence.disputes(document)}
    made = []
    for field in FIELDS:
        about = [item for item in document.evidence if item.field == field]
        if about:
            name = pick(FIELDS[field], lang)
            statements = tuple(_statements(about, sources, lang))
            made.append(Field(name=name, disputed=field in disputed, statements=statements))
    return tuple(made)


def disputes(document: Document, lang: Language) -> tuple[str, ...]:
    """A sentence for each field in dispute, with all that is said for it."""
    return tuple(
        f"{pick(FIELDS[dispute.field], lang)}: "
        + " ↔ ".join(value_words(dispute.field, value, lang) for value in dispute.values)
        for dispute in evidence.disputes(document)
    )


def value_words(field: EvidenceField, value: str, lang: Language) -> str:
    """A date in words, a code by its name, anything else as it is."""
    table = {"status": STATUSES, "close_rule": phrases.CLOSE_RULES}.get(field, {})
    if value in table:
        return pick(table[value], lang)
    if field not in DATED:
        return value
    return date_labels.date_label(dates.parse_end(value), lang)


_ORDER: Mapping[Rank, int] = {"preferred": 0, "normal": 1, "deprecated": 2}


def _statements(
    about: Sequence[Evidence], sources: Mapping[str, Source], lang: Language
) -> Iterator[Statement]:
    groups: dict[tuple[str | None, Rank], list[Evidence]] = {}
    for item in about:
        groups.setdefault((item.value, item.rank), []).append(item)
    for (value, rank), items in sorted(groups.items(), key=lambda group: _ORDER[group[0][1]]):
        origins = [_origin(item.source, sources) for item in items]
        yield Statement(
            value=value_words(items[0].field, value, lang) if value is not None else "—",
            raw=value or "",
            rank=rank,
            rank_word=pick(phrases.RANKS[rank], lang),
            witnesses=_witnesses(len(set(origins)), lang),
            citations=tuple(
                _citation(item, sources, lang, same_origin=origins[index] in origins[:index])
                for index, item in enumerate(items)
            ),
        )


def _witnesses(count: int, lang: Language) -> str:
    say = PHRASES[lang]
    return say.witnesses_one if count == 1 else say.witnesses.format(count)


def _origin(source: str, sources: Mapping[str, Source]) -> str:
    return (sources[source].origin or source) if source in sources else source


def _citation(
    item: Evidence, sources: Mapping[str, Source], lang: Language, *, same_origin: bool
) -> Citation:
    source = sources.get(item.source)
    if source is None:
        title, href, about = Said(text=item.source, lang="en"), None, ""
    else:
        title = Said(text=source.title, lang=source.language)
        href, about = outside(source.url), _about(source, lang)
    return Citation(
        title=title,
        href=href,
        about=about,
        quote=item.quote,
        note=_note(item.note, lang),
        same_origin=same_origin,
    )


def _about(source: Source, lang: Language) -> str:
    say = PHRASES[lang]
    parts = [source.publisher or "", pick(phrases.SOURCES[source.kind], lang)]
    if source.published:
        parts.append(say.published.format(value_words("start", source.published, lang)))
    if source.retrieved:
        parts.append(say.retrieved.format(value_words("start", source.retrieved, lang)))
    return " · ".join(part for part in parts if part)


def _note(note: str | None, lang: Language) -> Said | None:
    if note is None:
        return None
    known = phrases.NOTES.get(note)
    if known is not None:
        return Said(text=pick(known, lang), lang=lang)
    return found(note)
