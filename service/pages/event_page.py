"""The page of one event, put into phrases."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec

from feeds import jsonld
from feeds.entry import Entry
from service.catalogue import date_labels, dates, entry_times
from service.catalogue.dates import Edtf
from service.catalogue.entries import STATES, Around, Style, entries, has_a_day
from service.catalogue.event import Edition, Event, Language, Place, PreviousDates
from service.catalogue.view import Document
from service.catalogue.vocabulary import FIELDS, KINDS, ROLES, pick
from service.pages import evidence_box, phrases
from service.pages.components import (
    Badge,
    Frame,
    Line,
    Link,
    Said,
    badge,
    feed_box,
    line,
    link,
    outside,
    said,
)
from service.pages.components import found as text_of
from service.pages.components import words as ours
from service.pages.evidence_box import Field
from service.pages.queries import EventMaterial

COARSE = ("month", "year", "decade", "century", "unknown")


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the facts: texts, or links, below one name."""

    name: str
    texts: tuple[Said, ...] = ()
    links: tuple[Link, ...] = ()


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """Dates that once held, and until when."""

    dates: str
    until: str


class Ties(msgspec.Struct, frozen=True, kw_only=True):
    """Events that belong to this one in one way."""

    title: str
    lines: tuple[Line, ...]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    name: Said
    other_name: Said | None
    kind: str
    badge: Badge
    when: str
    notices: tuple[str, ...]
    disputes: tuple[str, ...]
    summary: Said | None
    facts: tuple[Fact, ...]
    actions: tuple[Link, ...]
    files: tuple[Link, ...]
    fields: tuple[Field, ...]
    previous: tuple[Earlier, ...]
    groups: tuple[Ties, ...]
    updated: str
    jsonld: str


def page(found: EventMaterial, *, now: datetime, lang: Language, base_url: str) -> EventPage:
    document = found.seen.document
    name = said(document.name, lang)
    frame = _frame(document, name.text, lang, base_url)
    return EventPage(
        frame=frame,
        name=name,
        other_name=_other_name(document, name),
        kind=pick(KINDS[document.kind], lang),
        badge=badge(document, found.seen.phase, now=now, lang=lang),
        when=document.when.label.text(lang),
        notices=tuple(_notices(document, frame)),
        disputes=evidence_box.disputes(document, lang),
        summary=said(document.summary, lang) if document.summary else None,
        facts=tuple(_facts(found, frame)),
        actions=tuple(_actions(document, frame)),
        files=tuple(_files(document, frame)),
        fields=evidence_box.fields(document, found.sources, lang=lang),
        previous=tuple(_previous(document, one, frame) for one in document.previous_dates),
        groups=tuple(_groups(found, frame, now)),
        updated=frame.say.updated.format(_day(document.updated_at, lang), document.revision),
        jsonld=node(
            document,
            uid=found.uid,
            around=found.around,
            parent=found.parent.document if found.parent else None,
            lang=lang,
            base_url=base_url,
        ),
    )


def _frame(document: Document, name: str, lang: Language, base_url: str) -> Frame:
    box = feed_box(_feed(document, lang), title=name, lang=lang, base_url=base_url)
    summary = pick(document.summary, lang) if document.summary else ""
    return Frame(
        lang=lang,
        path=f"/events/{document.id}",
        title=name,
        description=" · ".join(part for part in (document.when.label.text(lang), summary) if part)[:300],
        base_url=base_url,
        # A feed that would be empty is not to be found: whoever adds it waits for nothing.
        feeds=(box,) if has_a_day(document, Style(lang=lang, base_url=base_url)) else (),
        json_path=f"/v1/events/{document.id}",
    )


def _feed(document: Document, lang: Language) -> str:
    return f"/feeds/{lang}/events/{document.id}.ics"


def _other_name(document: Document, shown: Said) -> Said | None:
    other = said(document.name, "en" if shown.lang == "ko" else "ko")
    return other if other.lang != shown.lang else None


def _day(instant: datetime, lang: Language) -> str:
    edtf = dates.parse(instant.astimezone(dates.zone("Asia/Seoul")).date().isoformat())
    return date_labels.date_label(edtf, lang)


def _notices(document: Document, frame: Frame) -> Iterator[str]:
    say, when = frame.say, document.when
    yield from (getattr(say, document.status),) if document.status != "scheduled" else ()
    yield from (say.disputed,) if document.disputed else ()
    yield from date_labels.unsupported(document, say)
    yield from (say.uncertain,) if when.uncertain else ()
    yield from (say.approximate,) if when.approximate else ()
    if document.is_window and when.end_precision == "day":
        yield say.closing_day_only
    if (
        document.is_window
        and when.end_precision is None
        and document.close_rule in (None, "unknown", "fixed")
    ):
        yield say.closing_unknown
    yield from () if frame.feeds else (say.no_day,)


def _facts(found: EventMaterial, frame: Frame) -> Iterator[Fact]:
    document, say, lang = found.seen.document, frame.say, frame.lang
    if document.when.precision in COARSE:
        yield _fact(say.precision, pick(phrases.PRECISIONS[document.when.precision], lang), lang)
    # Of what is cancelled nothing is to be announced.
    is_awaited = document.status != "cancelled" or document.close_rule != "to_be_announced"
    if document.is_window and is_awaited:
        yield _fact(
            pick(FIELDS["close_rule"], lang),
            pick(phrases.CLOSE_RULES[document.close_rule or "unknown"], lang),
            lang,
        )
    if words_of := text_of(document.close_text):
        yield Fact(name=say.close_text, texts=(words_of,))
    yield from _place(document.place, frame)
    yield from _roles(found, frame)
    if found.parent:
        above = found.parent.document
        yield Fact(name=say.part_of, links=(link("events", above.id, above.name, lang),))
    if found.series:
        yield Fact(name=say.series_one, links=(link("series", found.series.id, found.series.name, lang),))
    if document.edition and (document.edition.label or document.edition.number):
        yield _fact(pick(FIELDS["edition"], lang), _edition(document.edition, frame), lang)
    if found.program:
        yield Fact(name=say.program, links=(link("programs", found.program.id, found.program.name, lang),))
    if document.tags:
        yield _fact(say.tags, ", ".join(document.tags), lang)


def _fact(name: str, text: str, lang: Language) -> Fact:
    return Fact(name=name, texts=(ours(text, lang),))


def _edition(edition: Edition, frame: Frame) -> str:
    count = frame.say.edition_number.format(edition.number) if edition.number is not None else ""
    return " · ".join(part for part in (edition.label, count) if part)


def _place(place: Place | None, frame: Frame) -> Iterator[Fact]:
    if place is None:
        return
    texts = [said(place.name, frame.lang)] if place.name else []
    texts += [part for part in (text_of(place.address), text_of(place.city_in(frame.lang))) if part]
    # "서울 광진구" needs no "서울" of its own.
    shown = [
        one for index, one in enumerate(texts) if not any(one.text in other.text for other in texts[:index])
    ]
    if shown:
        yield Fact(name=pick(FIELDS["place"], frame.lang), texts=tuple(shown))
    if online := outside(place.online_url):
        yield Fact(name=frame.say.online, links=(Link(said=Said(text=online, lang="en"), href=online),))


def _roles(found: EventMaterial, frame: Frame) -> Iterator[Fact]:
    for role, name in ROLES.items():
        bodies = (
            found.organizations.get(one.id) for one in found.seen.document.organizations if one.role == role
        )
        links = tuple(link("organizations", body.id, body.name, frame.lang) for body in bodies if body)
        if links:
            yield Fact(name=pick(name, frame.lang), links=links)


def _actions(document: Document, frame: Frame) -> Iterator[Link]:
    for text, url in ((frame.say.apply, document.apply_url), (frame.say.website, document.url)):
        if href := outside(url):
            yield Link(said=ours(text, frame.lang), href=href)


def _files(document: Document, frame: Frame) -> Iterator[Link]:
    say, lang = frame.say, frame.lang
    if frame.feeds:
        yield Link(said=ours(say.add, lang), href=_feed(document, lang))
    yield Link(said=ours("JSON", lang), href=f"/v1/events/{document.id}")
    yield Link(said=ours(say.history, lang), href=f"/v1/events/{document.id}/revisions")


def _previous(document: Document, dated: PreviousDates, frame: Frame) -> Earlier:
    text = date_labels.previous_label(dated, timezone=document.timezone, lang=frame.lang)
    until = dated.until_revision
    since = frame.say.previous_at.format(until) if until else frame.say.previous_before
    return Earlier(dates=text, until=since)


def _groups(found: EventMaterial, frame: Frame, now: datetime) -> Iterator[Ties]:
    say, lang = frame.say, frame.lang
    for title, seen in (
        (say.sub_events, found.children),
        (say.calls, found.calls),
        (say.editions, found.editions),
    ):
        if seen:
            yield Ties(title=title, lines=tuple(line(one, now=now, lang=lang) for one in seen))
    if found.ties:
        related = tuple(
            line(tie.seen, now=now, lang=lang, news=_relation(tie.relation, tie.backward, lang))
            for tie in found.ties
        )
        yield Ties(title=say.related, lines=related)


def _relation(relation: str, backward: bool, lang: Language) -> str:
    return pick((phrases.RELATED_BY if backward else phrases.RELATIONS)[relation], lang)


DAY = timedelta(days=1)


def node(
    document: Document, *, uid: str, around: Around, parent: Document | None, lang: Language, base_url: str
) -> str:
    """JSON that is safe inside a <script>."""
    entry = _entry(document, uid=uid, around=around, lang=lang, base_url=base_url)
    above = _entry(parent, uid=uid, around={}, lang=lang, base_url=base_url) if parent else None
    return jsonld.render(entry, super_event=above).decode()


def _entry(document: Document, *, uid: str, around: Around, lang: Language, base_url: str) -> Entry:
    style = Style(lang=lang, base_url=base_url, windows="bar")
    entry = entries(document, uid=uid, around=around, style=style)[0]
    dated = entry_times.last_dates(document) if document.status in STATES else document
    start, end = entry_times.start_of(dated), entry_times.end_of(dated)
    last = _moment(dated, end)
    return msgspec.structs.replace(
        entry,
        title=pick(document.name, lang),
        description=pick(document.summary, lang) if document.summary else "",
        start=_moment(dated, start),
        # A day that ends an entry lies within it here, and without it there.
        end=last + DAY if last is not None and not isinstance(last, datetime) else last,
        zone=document.timezone,
    )


def _moment(event: Event, edtf: Edtf | None) -> date | None:
    """A day, or a minute as an instant; nothing coarser."""
    if edtf is None or not entry_times.is_exact(edtf):
        return None
    return edtf.first if edtf.minute is None else dates.bounds(edtf, dates.zone(event.timezone)).latest
