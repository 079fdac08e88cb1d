"""One entry as schema.org Event in JSON-LD, for the page of the event."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from feeds.entry import Entry, Spot, State
from feeds.text import clean, link, one_line

STATES: dict[State, str] = {
    "scheduled": "https://schema.org/EventScheduled",
    "rescheduled": "https://schema.org/EventRescheduled",
    "postponed": "https://schema.org/EventPostponed",
    "cancelled": "https://schema.org/EventCancelled",
}
MODES = {
    (True, True): "https://schema.org/MixedEventAttendanceMode",
    (True, False): "https://schema.org/OnlineEventAttendanceMode",
    (False, True): "https://schema.org/OfflineEventAttendanceMode",
}
# A <script> may hold JSON, and JSON may hold "</script>"; these escapes mean the same to JSON.
UNSAFE = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026"}


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any schema.org node; only what is set is written."""

    context: str | None = msgspec.field(default=None, name="@context")
    type: str = msgspec.field(name="@type")
    id: str | None = msgspec.field(default=None, name="@id")
    name: str | None = None
    description: str | None = None
    url: str | None = None
    image: str | None = None
    start_date: str | None = msgspec.field(default=None, name="startDate")
    end_date: str | None = msgspec.field(default=None, name="endDate")
    previous_start_date: str | None = msgspec.field(default=None, name="previousStartDate")
    event_status: str | None = msgspec.field(default=None, name="eventStatus")
    attendance_mode: str | None = msgspec.field(default=None, name="eventAttendanceMode")
    location: tuple["Node", ...] = ()
    organizer: tuple["Node", ...] = ()
    super_event: "Node | None" = msgspec.field(default=None, name="superEvent")
    address: "Node | None" = None
    geo: "Node | None" = None
    street: str | None = msgspec.field(default=None, name="streetAddress")
    locality: str | None = msgspec.field(default=None, name="addressLocality")
    country: str | None = msgspec.field(default=None, name="addressCountry")
    latitude: float | None = None
    longitude: float | None = None


def render(entry: Entry, *, super_event: Entry | None = None) -> bytes:
    """The node, safe inside a <script>. An entry without a day has no startDate: schema.org may not guess."""
    node = Node(
        context="https://schema.org",
        type="Event",
        id=link(entry.url),
        name=one_line(entry.title),
        description=clean(entry.description) or None,
        url=link(entry.url),
        image=link(entry.image),
        start_date=_moment(entry.start, entry.zone),
        end_date=_last(entry),
        previous_start_date=_moment(entry.previous_start, entry.zone),
        event_status=STATES[entry.state],
        attendance_mode=_mode(entry.spot),
        location=_locations(entry.spot),
        organizer=tuple(
            Node(type="Organization", name=one_line(o.name), url=link(o.url)) for o in entry.organizers
        ),
        super_event=Node(type="Event", name=one_line(super_event.title), url=link(super_event.url))
        if super_event
        else None,
    )
    body = msgspec.json.encode(node)
    for character, escape in UNSAFE.items():
        body = body.replace(character, escape)
    return body


def _last(entry: Entry) -> str | None:
    """schema.org counts the last day in, iCalendar does not."""
    if entry.end is None or isinstance(entry.end, datetime):
        return _moment(entry.end, entry.zone)
    return _moment(entry.end - timedelta(days=1), entry.zone)


def _moment(moment: date | None, zone: str | None) -> str | None:
    if moment is None:
        return None
    return (
        moment.astimezone(ZoneInfo(zone or "UTC")).isoformat()
        if isinstance(moment, datetime)
        else moment.isoformat()
    )


def _line(text: str | None) -> str | None:
    return one_line(text) or None if text else None


def _mode(spot: Spot | None) -> str | None:
    return MODES.get((bool(link(spot.online)), _is_somewhere(spot))) if spot else None


def _is_somewhere(spot: Spot) -> bool:
    return any((spot.name, spot.address, spot.city))


def _locations(spot: Spot | None) -> tuple[Node, ...]:
    if spot is None:
        return ()
    found: list[Node] = []
    if _is_somewhere(spot):
        address = Node(
            type="PostalAddress",
            street=_line(spot.address),
            locality=_line(spot.city),
            country=_line(spot.country),
        )
        geo = Node(type="GeoCoordinates", latitude=spot.geo[0], longitude=spot.geo[1]) if spot.geo else None
        found.append(Node(type="Place", name=_line(spot.name or spot.city), address=address, geo=geo))
    if online := link(spot.online):
        found.append(Node(type="VirtualLocation", url=online))
    return tuple(found)
