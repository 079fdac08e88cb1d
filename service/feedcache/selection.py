"""Selects the events of a feed: its filters, its range and what the store has, read on one snapshot.

The range moves at midnight in Seoul, so time alone changes a feed at most once a day; with a phase among its
filters, once a minute (`Validity`).
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import get_args

import msgspec
from sqlalchemy import Connection

from service.catalogue import dates, evidence, filters, windows
from service.catalogue.entries import Around, NounName, names_used
from service.catalogue.entry_times import last_dates, told_until
from service.catalogue.event import DateField, Kind, Text
from service.catalogue.evidence import DATES
from service.catalogue.filters import HOME, EventFilter
from service.catalogue.validation import FEED_NAMES
from service.catalogue.view import Document
from service.catalogue.windows import HALTS, TICK
from service.errors import NotFound
from service.feedcache.request import FeedRequest, Reach
from service.store import entity_names, events, feed_state, revisions, saved_feeds
from service.store.entity_names import Group
from service.store.feed_state import FeedState
from service.store.stored_event import Stored

PAGE = 2000
MINUTE = timedelta(minutes=1)
MONTHS = 12
KINDS: dict[str, tuple[Kind, ...]] = {
    "events": tuple(kind for kind in get_args(Kind) if kind != "application_window"),
    "deadlines": ("application_window", "milestone"),
}


class OutOfDate(Exception):
    """The saved feed or its address has changed or ended since the address was looked up."""


class Validity(msgspec.Struct, frozen=True):
    """The time in which a feed changes by writes only."""

    begins: datetime
    ends: datetime

    def covers(self, now: datetime) -> bool:
        return self.begins <= now < self.ends


class SelectedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to show, as its readers see it. `seq` and `turns` tell its states apart, `uid` is its identity
    in calendars. `quiet` are the dates whose move is no news any more."""

    uid: str
    seq: int
    turns: int
    document: Document
    quiet: frozenset[DateField] = frozenset()


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed shows as of `seq` of the revision log.

    `events` are all of its events, or those of the `touched` ones that belong to it. `name` is that of the
    series, program, organization or event that the feed is about, `names` are those its entries mention.
    """

    seq: int
    name: Text | None
    range: EventFilter
    state: FeedState | None
    events: tuple[SelectedEvent, ...]
    touched: frozenset[str] | None
    names: Around

    def shows(self, extent: tuple[datetime, datetime] | None) -> bool:
        """Whether an entry of this extent is in range: of an open call one edge may be long past."""
        if extent is None:
            return True
        begins, ends = extent
        from_, to = self.range.from_, self.range.to
        return (to is None or begins < to) and (from_ is None or ends > from_)


def read(
    c: Connection, request: FeedRequest, *, since: int | None, uid_domain: str, now: datetime
) -> Selection:
    """Reads what the feed shows; with `since`, only what was touched after that seq, unless that is too much.

    Raises NotFound for a feed that cannot be, OutOfDate for a saved one that is another by now.
    """
    refuse_out_of_date(c, request, now=now)
    seq, touched = feed_state.touched(c, None if request.single else since)
    name: Text | None
    wanted: EventFilter | None
    if request.single:
        event = _single(c, request.name, uid_domain)
        name, wanted, selected = event.document.name, EventFilter(), [event]
    else:
        group, name = _group(c, request.name)
        wanted = _filters(request, group, now=now)
        selected = _events(c, wanted, touched, uid_domain, now=now) if wanted else []
    selected = _quieted(c, selected, today=today_begins(now))
    used: set[tuple[NounName, str]] = set()
    used.update(*(names_used(event.document) for event in selected))
    return Selection(
        seq=seq,
        name=name,
        range=wanted or EventFilter(),
        state=feed_state.get(c, request.path),
        events=tuple(selected),
        touched=touched,
        names=entity_names.named(c, sorted(used), uid_domain=uid_domain),
    )


def refuse_out_of_date(c: Connection, request: FeedRequest, *, now: datetime) -> None:
    """Raises OutOfDate if the store has another version of a saved feed, or the address has ended."""
    if request.saved is None:
        return
    if request.has_ended(now) or saved_feeds.version(c, request.saved.id) != request.version:
        raise OutOfDate(request.path)


def validity(filters: EventFilter, *, now: datetime) -> Validity:
    """Returns the day; with a phase the minute, but for its first tick: "by 18:00" holds at 18:00:00."""
    if not filters.phase:
        return Validity(today_begins(now), dates.day_end(now.astimezone(HOME).date(), HOME))
    minute = now.replace(second=0, microsecond=0)
    if now < minute + TICK:
        return Validity(minute, minute + TICK)
    return Validity(minute + TICK, minute + MINUTE)


def today_begins(now: datetime) -> datetime:
    return dates.day_start(now.astimezone(HOME).date(), HOME)


def shifted(day: date, reach: Reach, *, sign: int) -> date:
    """Returns the day so far away; where a month has no such day, counted from its last one."""
    year, month = divmod(day.year * MONTHS + day.month - 1 + sign * reach.months, MONTHS)
    first = date(year, month + 1, 1)
    length = (date(year + (month + 1) // MONTHS, (month + 1) % MONTHS + 1, 1) - first).days
    return first.replace(day=min(day.day, length)) + sign * timedelta(days=reach.days)


def _group(c: Connection, name: str) -> tuple[Group | None, Text | None]:
    """Returns the kind of thing that the feed is about and its name; (None, None) for our own feeds."""
    if name in FEED_NAMES:
        return None, None
    if (group := entity_names.group(c, name)) is None:
        raise NotFound("feed", name)
    return group


def _filters(request: FeedRequest, group: Group | None, *, now: datetime) -> EventFilter | None:
    """Returns the request's filters narrowed to the feed's name and range; None where they exclude that."""
    chosen, field = request.filters, group or "kind"
    values: tuple[str, ...] = (request.name,) if group else KINDS.get(request.name, ())
    if values:
        given = getattr(chosen, field)
        values = tuple(value for value in values if not given or value in given)
        if not values:
            return None
        chosen = msgspec.structs.replace(chosen, **{field: values})
    today = now.astimezone(HOME).date()
    from_ = chosen.from_ or dates.day_start(shifted(today, request.options.past, sign=-1), HOME)
    to = chosen.to or dates.day_end(shifted(today, request.options.ahead, sign=1), HOME)
    return msgspec.structs.replace(chosen, from_=from_, to=to)


def _single(c: Connection, event_id: str, uid_domain: str) -> SelectedEvent:
    return _selected(events.get(c, event_id), uid_domain)


def _events(
    c: Connection, wanted: EventFilter, touched: frozenset[str] | None, uid_domain: str, *, now: datetime
) -> list[SelectedEvent]:
    """Returns the wanted events, or those of the touched ones that still exist and are wanted."""
    if touched is not None:
        stored = events.get_many(c, sorted(touched)).values()
        return [_selected(one, uid_domain) for one in stored if _matches(one, wanted, now=now)]
    rows = {row.id: row for row in _all(c, wanted, now=now)}
    halts = tuple(halt for halt in HALTS if not wanted.phase or halt in wanted.phase)
    off = _all(c, msgspec.structs.replace(_anywhen(wanted), phase=halts), now=now) if halts else ()
    rows |= {row.id: row for row in off if row.id not in rows and _stood(row, wanted)}
    return [_selected(row, uid_domain) for row in rows.values()]


def _all(c: Connection, wanted: EventFilter, *, now: datetime) -> Iterator[Stored]:
    after = None
    while True:
        page = events.listed(c, wanted, now=now, limit=PAGE, after=after)
        yield from page.items
        if (after := page.next) is None:
            return


def _anywhen(wanted: EventFilter) -> EventFilter:
    return msgspec.structs.replace(wanted, from_=None, to=None)


def _stood(stored: Stored, wanted: EventFilter) -> bool:
    """Whether the last days that were known of an event that is off are in range: there it is shown."""
    return filters.overlaps(windows.span(last_dates(stored.event)), wanted)


def _matches(stored: Stored, wanted: EventFilter, *, now: datetime) -> bool:
    event = stored.event

    def is_in(asked: EventFilter) -> bool:
        return filters.matches(
            event,
            asked,
            steps=stored.steps,
            disputed=evidence.disputed(event),
            updated_at=stored.updated_at,
            now=now,
            searched=stored.searched,
        )

    return is_in(wanted) or (stored.halt is not None and _stood(stored, wanted) and is_in(_anywhen(wanted)))


def _quieted(c: Connection, selected: Sequence[SelectedEvent], *, today: datetime) -> list[SelectedEvent]:
    """Returns the events with the dates whose move titles do not tell any more. That changes an entry."""
    moved = [event.document.id for event in selected if event.document.previous_dates]
    moved_at = revisions.dated_at(c, moved)
    found = []
    for event in selected:
        at = moved_at.get(event.document.id)
        until = {field: told_until(event.document, field, moved_at=at) for field in DATES} if at else {}
        over = {field: end for field, end in until.items() if end is not None and end <= today}
        if over:
            updated = max(event.document.updated_at, *over.values())
            document = msgspec.structs.replace(event.document, updated_at=updated)
            event = msgspec.structs.replace(event, document=document, quiet=frozenset(over))
        found.append(event)
    return found


def _selected(stored: Stored, uid_domain: str) -> SelectedEvent:
    """To calendars it is a change of the event that it was taken along: SEQUENCE has to grow with it."""
    document = msgspec.structs.replace(
        stored.standing,
        revision=stored.revision + stored.turns,
        updated_at=max(stored.updated_at, stored.turned_at or stored.updated_at),
    )
    return SelectedEvent(
        uid=f"{stored.uid}@{uid_domain}", seq=stored.seq, turns=stored.turns, document=document
    )
