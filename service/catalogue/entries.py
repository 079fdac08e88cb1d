"""Turns events into calendar entries with their texts (`notes/icalendar.md` section 6).

A window shows as its two edges, so that weeks of an open call do not fill a calendar; a month is not a day;
a cancelled event stays long enough to be seen as cancelled. An entry depends on the event, on the names
around it and on the style, never on the time of day.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from feeds.entry import Alarm, Entry, Organizer, Spot, State, Status
from feeds.text import closed
from service.catalogue import date_labels, entry_times, evidence
from service.catalogue.dates import Edtf
from service.catalogue.entry_times import EntrySpan, MovedDate
from service.catalogue.event import DateField, Event, Language, PartRole, PreviousDates, Text
from service.catalogue.view import Document
from service.catalogue.vocabulary import KINDS, MARKS, ROLES, Phrase, SharedPhrases, pick

# Counts the changes of what is written for an unchanged event. It is part of SEQUENCE, as some programs keep
# an entry until SEQUENCE grows; LAST-MODIFIED is then at least TEMPLATE_SINCE.
TEMPLATE = 0
TEMPLATE_SINCE: datetime | None = None
MORNING = timedelta(hours=9)
MOST_SOURCES = 3
STATES: dict[str, State] = {"postponed": "postponed", "cancelled": "cancelled"}
# Those who make the event happen; speakers and exhibitors would fill the entry.
NAMED_ROLES: tuple[PartRole, ...] = ("host", "organizer", "co_organizer", "operator")

NounName = Literal["event", "organization", "source"]
Edge = Literal["event", "milestone", "opens", "closes", "window"]
# CSS3 names, the only ones RFC 7986 COLOR takes.
COLORS: dict[Edge, str] = {
    "event": "royalblue",
    "milestone": "darkorange",
    "opens": "seagreen",
    "closes": "crimson",
    "window": "darkkhaki",
}


class EntryPhrases(SharedPhrases):
    moved_mark = Phrase("[변경] {}", "[moved] {}")
    extended_mark = Phrase("[연장] {}", "[extended] {}")
    unclear = Phrase("[날짜 미정] {} ({})", "[date tbc] {} ({})")
    opens = Phrase("접수 시작: {}", "Opens: {}")
    closes = Phrase("접수 마감: {}", "Closes: {}")
    window = Phrase("접수: {}", "Open: {}")
    moved_from = Phrase("일정이 바뀌었습니다. 이전: {}", "Moved from {}")
    was_on = Phrase("원래 일정: {}", "Was planned for {}")
    disputed = Phrase(
        "출처마다 날짜가 다릅니다. 확인이 필요합니다.", "Sources disagree about the date; please check."
    )
    closing_unknown = Phrase("마감일 미발표", "Closing date not announced")
    close_text = Phrase("마감: {}", "Closes: {}")
    hour_shown = Phrase(
        "종료 시각은 발표되지 않아 {}분으로 표시합니다.",
        "The time of its end has not been announced; {} minutes are shown.",
    )
    end_is_coarse = Phrase(
        "알려진 끝이 {}뿐이어서 {}분으로 표시합니다.", "Of its end only {} is known; {} minutes are shown."
    )
    end_is_start = Phrase(
        "시작과 끝이 같은 시각이어서 {}분으로 표시합니다.",
        "It begins and ends at the same time; {} minutes are shown.",
    )
    applications = Phrase("접수: {}", "Applications: {}")
    part_of = Phrase("{}의 일부", "Part of {}")
    apply_at = Phrase("신청: {}", "Apply: {}")
    page = Phrase("자세히: {}", "More: {}")
    online = Phrase("온라인: {}", "Online: {}")
    source = Phrase("출처: {}", "Source: {}")


PHRASES: Mapping[Language, EntryPhrases] = {"ko": EntryPhrases("ko"), "en": EntryPhrases("en")}


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
    tz: Literal["local", "utc"] = "local"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Something an entry names: the event it is part of (with its UID), an organization, a source."""

    name: Text
    updated_at: datetime
    uid: str | None = None
    url: str | None = None


Around = Mapping[tuple[NounName, str], Named]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One entry before it has texts. Without a span no calendar can show it, a news feed can."""

    edge: Edge
    suffix: str = ""
    span: EntrySpan | None = None
    unclear: Edtf | None = None
    move: MovedDate | None = None
    quiet: bool = False


def entries(
    document: Document, *, uid: str, around: Around, style: Style, quiet: frozenset[DateField] = frozenset()
) -> tuple[Entry, ...]:
    """The entries of an event for a reader of this style; none of an internal one.

    `quiet` are the dates of which titles do not say any more that they moved.
    """
    shapes = (
        msgspec.structs.replace(shape, quiet=shape.move is not None and shape.move.field in quiet)
        for shape in _shapes(document, style)
    )
    return tuple(_entry(document, shape, uid=uid, around=around, style=style) for shape in shapes)


def has_a_day(document: Document, style: Style) -> bool:
    """Whether a calendar of this style shows anything of the event: it leaves out entries without a day."""
    return any(shape.span for shape in _shapes(document, style))


def names_used(document: Document) -> tuple[tuple[NounName, str], ...]:
    """The nouns that the entries of this event name: a change of one of them changes the entries."""
    used: list[tuple[NounName, str]] = [("event", document.part_of)] if document.part_of else []
    used += [("organization", part.id) for part in document.organizations if part.role in NAMED_ROLES]
    used += [("source", source) for source in _sources(document)]
    return tuple(dict.fromkeys(used))


def _shapes(document: Document, style: Style) -> tuple[Shape, ...]:
    """One shape without a span where no day is known."""
    level = "child" if document.part_of else "parent"
    dropped = document.status == "cancelled" and style.cancelled == "drop"
    if document.visibility != "public" or dropped or style.levels not in (level, "all"):
        return ()
    if document.is_window and style.windows == "none":
        return ()
    event = entry_times.last_dates(document) if document.status in STATES else document
    shapes = tuple(_window_shapes(event, style) if event.is_window else _event_shapes(event, style))
    return shapes or (Shape(edge="event"),)


def _event_shapes(event: Event, style: Style) -> Iterator[Shape]:
    edge: Edge = "milestone" if event.kind == "milestone" else "event"
    start, move = entry_times.start_of(event), entry_times.move_of(event, "start")
    if span := entry_times.event_span(event):
        yield Shape(edge=edge, span=span, move=move)
    elif style.placeholders and (span := entry_times.month_span(start)):
        yield Shape(edge=edge, span=span, unclear=start)


def _window_shapes(event: Event, style: Style) -> Iterator[Shape]:
    moves = {"opens": entry_times.move_of(event, "start"), "closes": entry_times.move_of(event, "end")}
    bar = entry_times.window_span(event) if style.windows in ("bar", "both") else None
    if bar:
        yield Shape(edge="window", span=bar, move=moves["closes"] or moves["opens"])
    # A bar that would have no end shows as the edge that is known.
    if bar and style.windows == "bar":
        return
    known: tuple[tuple[Edge, EntrySpan | None, Edtf | None], ...] = (
        ("opens", entry_times.opening_span(event), entry_times.start_of(event)),
        ("closes", entry_times.closing_span(event), entry_times.end_of(event)),
    )
    for edge, span, edtf in known:
        if span:
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, move=moves[edge])
        elif style.placeholders and (span := entry_times.month_span(edtf)):
            yield Shape(edge=edge, suffix=f"-{edge}", span=span, unclear=edtf)


def _entry(document: Document, shape: Shape, *, uid: str, around: Around, style: Style) -> Entry:
    name, _, domain = uid.partition("@")
    parent = around.get(("event", document.part_of)) if document.part_of else None
    span, full = shape.span, style.detail == "full"
    title = _title(document, shape, around=around, style=style)
    return Entry(
        uid=f"{name}{shape.suffix}@{domain}",
        sequence=document.revision - 1 + TEMPLATE,
        created=document.created_at,
        updated=_updated(document, around),
        title=title,
        start=span.start if span else None,
        end=span.end if span else None,
        zone=None if style.tz == "utc" else _zone(document, shape),
        when=document.when.label.text(style.lang),
        description=_description(document, shape, around=around, style=style),
        spot=_spot(document, style.lang, full=full),
        url=f"{style.base_url}/events/{document.id}",
        categories=(pick(KINDS[document.kind], style.lang), *document.tags) if full else (),
        status=_status(document, shape, style),
        busy=bool(span and span.timed and document.status == "scheduled" and shape.edge == "event"),
        parent=parent.uid if parent else None,
        color=COLORS[shape.edge] if full else None,
        alarms=_alarms(document, shape, title, style),
        language=style.lang,
        state=STATES.get(document.status, "rescheduled" if shape.move else "scheduled"),
        previous_start=shape.move.before.first if shape.move else None,
        organizers=_organizers(document, around, style.lang),
    )


def _updated(document: Document, around: Around) -> datetime:
    """The last change of anything the entry says: the event's own, or that of a name in it.

    Sources are left out: they change with every look at them, their titles hardly ever.
    """
    used = (name for name in names_used(document) if name[0] != "source")
    named = [around[name].updated_at for name in used if name in around]
    since = [TEMPLATE_SINCE] if TEMPLATE_SINCE else []
    return max([document.updated_at, *named, *since])


def _status(document: Document, shape: Shape, style: Style) -> Status:
    if document.status == "cancelled":
        # Google takes a CANCELLED event away at once, so that nobody sees why; `mark` keeps it there.
        return "cancelled" if style.cancelled == "keep" else "confirmed"
    unsure = document.when.uncertain or document.when.approximate
    doubtful = document.disputed or evidence.contradicted(document) or unsure or shape.unclear
    return "tentative" if doubtful or document.status != "scheduled" else "confirmed"


def _zone(document: Document, shape: Shape) -> str | None:
    """Deadlines and online events are told in UTC, which no program misreads; the text has the zone."""
    place = document.place
    online = place is not None and place.online_url is not None and not (place.name or place.city)
    return None if shape.edge == "closes" or online else document.timezone


def _spot(document: Document, lang: Language, *, full: bool) -> Spot | None:
    place = document.place
    if place is None:
        return None
    name = pick(place.name, lang) if place.name else None
    city = place.city_in(lang)
    parts = [part for part in (name, place.address if full else None, city) if part]
    # "DDP, 서울" needs no "서울" of its own when the address begins with it.
    shown = [part for index, part in enumerate(parts) if not any(part in other for other in parts[:index])]
    return Spot(
        text=", ".join(map(closed, shown)) or place.online_url,
        name=name,
        address=place.address,
        city=city,
        country=place.country,
        geo=(place.geo.lat, place.geo.lon) if place.geo else None,
        online=place.online_url,
    )


def _alarms(document: Document, shape: Shape, title: str, style: Style) -> tuple[Alarm, ...]:
    """Alarms before what one must not miss: not an opening, not a bar, nothing that will not take place."""
    useful = shape.edge in ("event", "milestone", "closes") and document.status in ("scheduled", "tentative")
    if not useful or shape.unclear or shape.span is None:
        return ()
    # A whole day begins at midnight, when nobody wants to be woken: P1D rings at 09:00 the day before.
    late = timedelta() if shape.span.timed else MORNING
    # The block of a deadline ends at it.
    related: Literal["start", "end"] = "end" if shape.edge == "closes" and shape.span.timed else "start"
    return tuple(Alarm(trigger=late - before, text=title, related=related) for before in style.alarms)


def _organizers(document: Document, around: Around, lang: Language) -> tuple[Organizer, ...]:
    hosts = [part.id for part in document.organizations if part.role in ("host", "organizer")]
    named = [body for host in dict.fromkeys(hosts) if (body := around.get(("organization", host)))]
    return tuple(Organizer(name=pick(body.name, lang), url=body.url) for body in named)


def _title(document: Document, shape: Shape, *, around: Around, style: Style) -> str:
    """The name, its edge, the event it is part of, and in front what nobody must miss."""
    phrases = PHRASES[style.lang]
    name = pick(document.name, style.lang)
    parent = around.get(("event", document.part_of)) if document.part_of else None
    context = pick(parent.name, style.lang) if parent else ""
    text = name if not context or context in name else f"{name} - {context}"
    edge = {"opens": phrases.opens, "closes": phrases.closes, "window": phrases.window}.get(shape.edge, "{}")
    text = edge.format(text)
    if shape.unclear:
        unclear = "{} ({})" if document.status == "cancelled" else phrases.unclear
        text = unclear.format(text, date_labels.date_label(shape.unclear, style.lang))
    if document.status in MARKS:
        return pick(MARKS[document.status], style.lang).format(text)
    if shape.move and not shape.quiet:
        extended = shape.edge in ("closes", "window") and shape.move.later
        return (phrases.extended_mark if extended else phrases.moved_mark).format(text)
    return text


def _description(document: Document, shape: Shape, *, around: Around, style: Style) -> str:
    """Returns what changed; then when, what, who and where to read on, unless `detail=min`."""
    phrases = PHRASES[style.lang]
    news, unsupported = list(_news(document, shape, phrases)), date_labels.unsupported(document, phrases)
    # That nobody has recorded any evidence yet is no news.
    if style.detail == "full" or evidence.contradicted(document):
        news += unsupported
    if style.detail == "min":
        return "\n".join(news)
    paragraphs = (
        [*news, *_when(document, shape, phrases)],
        list(_summary(document, phrases)),
        list(_bodies(document, around, phrases, style.base_url)),
        list(_links(document, around, phrases, style.base_url)),
    )
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def _news(document: Document, shape: Shape, phrases: EntryPhrases) -> Iterator[str]:
    if move := shape.move:
        before = date_labels.label(move.before, move.end_before, timezone=document.timezone)
        yield phrases.moved_from.format(pick(before, phrases.lang))
    if document.status in STATES and (last := entry_times.last_dates(document)) is not document:
        dates = PreviousDates(start=last.start, end=last.end)
        text = date_labels.previous_label(dates, timezone=document.timezone, lang=phrases.lang)
        yield phrases.was_on.format(text)
    if document.disputed:
        yield phrases.disputed
    if document.when.uncertain:
        yield phrases.uncertain
    if document.when.approximate:
        yield phrases.approximate


def _when(document: Document, shape: Shape, phrases: EntryPhrases) -> Iterator[str]:
    label = document.when.label.text(phrases.lang)
    yield phrases.applications.format(label) if document.is_window else label
    if not document.is_window:
        if shape.span and shape.span.guessed:
            yield _guessed(shape.span.guessed, shape.span.stated, phrases)
        return
    if document.close_text:
        yield phrases.close_text.format(document.close_text)
    if document.when.end_precision is None and document.close_rule in (None, "unknown", "fixed"):
        if document.status != "cancelled":
            yield phrases.closing_unknown
    elif document.when.end_precision == "day" and shape.edge != "opens":
        yield phrases.closing_day_only


def _guessed(length: timedelta, end: Edtf | None, phrases: EntryPhrases) -> str:
    """Returns why an entry has a length that nobody stated: never more than is known of its end."""
    minutes = int(length.total_seconds() // 60)
    if end is None or end.first is None or end.precision == "day":
        return phrases.hour_shown.format(minutes)
    if end.minute is not None:
        return phrases.end_is_start.format(minutes)
    return phrases.end_is_coarse.format(date_labels.date_label(end, phrases.lang), minutes)


def _summary(document: Document, phrases: EntryPhrases) -> Iterator[str]:
    if document.summary:
        text = pick(document.summary, phrases.lang)
        translated = phrases.lang in document.summary.translated
        yield f"{text} ({phrases.translated})" if translated else text


def _bodies(document: Document, around: Around, phrases: EntryPhrases, base_url: str) -> Iterator[str]:
    lang = phrases.lang
    if document.part_of and (parent := around.get(("event", document.part_of))):
        page = f"{base_url}/events/{document.part_of}"
        yield f"{phrases.part_of.format(pick(parent.name, lang))}: {page}"
    for role in NAMED_ROLES:
        bodies = (part.id for part in document.organizations if part.role == role)
        names = [pick(body.name, lang) for one in bodies if (body := around.get(("organization", one)))]
        if names:
            yield f"{pick(ROLES[role], lang)}: {', '.join(names)}"


def _links(document: Document, around: Around, phrases: EntryPhrases, base_url: str) -> Iterator[str]:
    if document.place and document.place.online_url:
        yield phrases.online.format(document.place.online_url)
    if document.apply_url:
        yield phrases.apply_at.format(document.apply_url)
    if document.url:
        yield f"{phrases.website}: {document.url}"
    yield phrases.page.format(f"{base_url}/events/{document.id}")
    named = [body for source in _sources(document) if (body := around.get(("source", source)))]
    for body in named[:MOST_SOURCES]:
        yield phrases.source.format(pick(body.name, phrases.lang))


def _sources(document: Document) -> tuple[str, ...]:
    """The sources that still speak for the dates; only they are named in the entry."""
    dated = (
        item for item in document.evidence if item.field in ("start", "end") and item.rank != "deprecated"
    )
    return tuple(dict.fromkeys(item.source for item in dated))
