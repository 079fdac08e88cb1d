"""The one place where events become calendar entries (`notes/icalendar.md` section 6).

A window shows as its two edges, so that weeks of an open call do not fill a calendar; a month is not a day;
a cancelled event stays long enough to be seen as cancelled. An entry depends on the event, on the names
around it and on the style, never on the time of day.
"""

from datetime import datetime, timedelta

from feeds.entry import Alarm, Entry, Organizer, Spot, State, Status
from service.catalogue import entry_times
from service.catalogue.entry_text import dates_the_event, describe, title, when_label
from service.catalogue.entry_times import Around, Named, NounName, Shape, Style, shapes
from service.catalogue.event import Event, Language
from service.catalogue.view import Document
from service.catalogue.vocabulary import COLORS, KINDS, ROLES, pick

__all__ = ["Around", "Named", "NounName", "Style", "entries", "has_a_day", "leaves_at", "names_used"]

# Counts the changes of what is written for an unchanged event. It is part of SEQUENCE, as some programs keep
# an entry until SEQUENCE grows; LAST-MODIFIED is then at least TEMPLATE_SINCE.
TEMPLATE = 0
TEMPLATE_SINCE: datetime | None = None
MORNING = timedelta(hours=9)
KEPT_AFTER_END, KEPT_AT_LEAST, KEPT_AT_MOST = timedelta(days=7), timedelta(days=7), timedelta(days=30)
FAR = 9999
STATES: dict[str, State] = {"postponed": "postponed", "cancelled": "cancelled"}


def entries(document: Document, *, uid: str, around: Around, style: Style) -> tuple[Entry, ...]:
    """What a reader of this style sees of an event; nothing of an internal one."""
    shown = _shapes(document, style)
    return tuple(_entry(document, shape, uid=uid, around=around, style=style) for shape in shown)


def has_a_day(document: Document, style: Style) -> bool:
    """Whether a calendar of this style shows anything of the event: an entry without a day is none there."""
    return any(shape.span for shape in _shapes(document, style))


def names_used(document: Document) -> tuple[tuple[NounName, str], ...]:
    """Whose names stand in the entries of this event: a change of one of them changes the entries."""
    used: list[tuple[NounName, str]] = [("event", document.part_of)] if document.part_of else []
    used += [("organization", one.id) for one in document.organizations if one.role in ROLES]
    used += [("source", item.source) for item in document.evidence if dates_the_event(item.field, item.rank)]
    return tuple(dict.fromkeys(used))


def leaves_at(document: Document) -> datetime | None:
    """When a cancelled event is dropped from feeds: a week after its end or a month after it was cancelled,
    whichever is first, but never before it has been shown as cancelled for a week."""
    if document.status != "cancelled":
        return None
    at_most = document.updated_at + KEPT_AT_MOST
    latest = document.when.latest or document.when.earliest
    soonest = min(latest + KEPT_AFTER_END, at_most) if latest and latest.year < FAR else at_most
    return max(soonest, document.updated_at + KEPT_AT_LEAST)


def _shapes(document: Document, style: Style) -> tuple[Shape, ...]:
    if document.visibility != "public" or not _is_wanted(document, style):
        return ()
    return shapes(entry_times.last_dates(document) if document.status in STATES else document, style)


def _is_wanted(event: Event, style: Style) -> bool:
    level = "child" if event.part_of else "parent"
    dropped = event.status == "cancelled" and style.cancelled == "drop"
    return not dropped and style.levels in (level, "all")


def _entry(document: Document, shape: Shape, *, uid: str, around: Around, style: Style) -> Entry:
    name, _, domain = uid.partition("@")
    parent = around.get(("event", document.part_of)) if document.part_of else None
    span, full = shape.span, style.detail == "full"
    words = title(document, shape, around=around, style=style)
    return Entry(
        uid=f"{name}{shape.suffix}@{domain}",
        sequence=document.revision - 1 + TEMPLATE,
        created=document.created_at,
        updated=_updated(document, around),
        title=words,
        start=span.start if span else None,
        end=span.end if span else None,
        zone=_zone(document, shape),
        when=when_label(document, style.lang),
        description=describe(document, shape, around=around, style=style),
        spot=_spot(document, style.lang, full=full),
        url=f"{style.base_url}/events/{document.id}",
        categories=(pick(KINDS[document.kind], style.lang), *document.tags) if full else (),
        status=_status(document, shape, style),
        busy=bool(span and span.timed and document.status == "scheduled" and shape.edge == "event"),
        parent=parent.uid if parent else None,
        color=COLORS[shape.edge] if full else None,
        alarms=_alarms(document, shape, words, style),
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
    doubtful = document.disputed or document.when.uncertain or document.when.approximate or shape.unclear
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
    parts = [part for part in (name, place.address if full else None, place.city) if part]
    # "DDP, 서울" needs no "서울" of its own when the address begins with it.
    shown = [part for index, part in enumerate(parts) if not any(part in other for other in parts[:index])]
    return Spot(
        text=", ".join(shown) or place.online_url,
        name=name,
        address=place.address,
        city=place.city,
        country=place.country,
        geo=(place.geo.lat, place.geo.lon) if place.geo else None,
        online=place.online_url,
    )


def _alarms(document: Document, shape: Shape, words: str, style: Style) -> tuple[Alarm, ...]:
    """Before what one must not miss: not an opening, not a bar, nothing that will not take place."""
    useful = shape.edge in ("event", "milestone", "closes") and document.status in ("scheduled", "tentative")
    if not useful or shape.unclear or shape.span is None:
        return ()
    # A whole day begins at midnight, when nobody wants to be woken: P1D rings at 09:00 the day before.
    late = timedelta() if shape.span.timed else MORNING
    return tuple(Alarm(trigger=late - before, text=words) for before in style.alarms)


def _organizers(document: Document, around: Around, lang: Language) -> tuple[Organizer, ...]:
    hosts = [one.id for one in document.organizations if one.role in ("host", "organizer")]
    named = [body for host in dict.fromkeys(hosts) if (body := around.get(("organization", host)))]
    return tuple(Organizer(name=pick(body.name, lang), url=body.url) for body in named)
