"""The phase of an event: a piecewise constant function of time that never guesses that something is open.

| known | phase |
|---|---|
| cancelled, postponed, by itself or with what it is part of (`halt_of`) | the same at any time |
| neither opens nor closes | forecasted; unknown if it goes on "until used up" or a date has no year |
| before the first instant it may open | upcoming |
| opened, fixed close | open, closing_soon from seven days before the closing day or minute |
| opened, until exhausted, first come or rolling | open while a source was seen within 14 days, else unknown |
| opened, recurring, varies, to be announced, unknown | unknown |
| after the close (a day: from the next local midnight; a minute: after it) | closed |
| anything between the first and the last instant that a coarse date or disputed ones allow | unknown |

For all but windows "open" reads ongoing and "closed" ended. A date with `?` or `~` never makes anything open.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from service.catalogue import dates, evidence
from service.catalogue.dates import Bounds, Edtf
from service.catalogue.event import DateField, Event, Status, Visibility

Phase = Literal[
    "forecasted",
    "upcoming",
    "open",
    "closing_soon",
    "ongoing",
    "ended",
    "closed",
    "postponed",
    "cancelled",
    "unknown",
]

Halt = Literal["cancelled", "postponed"]
HALTS: tuple[Halt, ...] = get_args(Halt)

SOON = timedelta(days=7)
BELIEVED = timedelta(days=14)
# The house keeps instants in milliseconds, so this is the first one after a deadline.
TICK = timedelta(milliseconds=1)
_ONE_DAY = timedelta(days=1)
_WHILE_SEEN = ("until_exhausted", "first_come", "rolling")


class Step(Struct, frozen=True):
    """From `at` on the phase is this, until the next step; the first step has no `at`."""

    at: datetime | None
    phase: Phase


class _Edge(Struct, frozen=True, kw_only=True):
    """A start or an end: not yet before `sure_not`, certainly from `sure` on; null when nothing bounds it."""

    sure_not: datetime | None = None
    sure: datetime | None = None


class _Course(Struct, frozen=True, kw_only=True):
    """The facts about the course of an event that `_phase` decides by."""

    window: bool
    undated: Phase | None
    begins: _Edge
    finishes: _Edge
    soon: datetime | None
    believed_until: datetime | None
    believed: bool


class Member(Struct, frozen=True, kw_only=True):
    """An event as its parts see it; `status_seq` is where in the log its status was last written, or 0."""

    id: str
    status: Status
    status_seq: int
    visibility: Visibility
    part_of: str | None


def halt_of(lineage: Sequence[Member]) -> Halt | None:
    """Whether an event is cancelled or postponed; `lineage` is itself, then all it is part of, nearest first.

    What is off takes its parts along, unless their own status was written later. What was cancelled by itself
    stays so. What is not public takes nothing public along, as that would tell of it.
    """
    halt: Halt | None = None
    since, public = 0, True
    for member in reversed(lineage):
        own = _own_halt(member.status)
        told = public or member.visibility != "public"
        if halt is None or not told or member.status_seq > since:
            halt, since = own, member.status_seq
        elif own == "cancelled":
            halt = own
        public = member.visibility == "public"
    return halt


def halted(steps: Sequence[Step]) -> Halt | None:
    """Whether these are the phases of what is off."""
    return _own_halt(steps[0].phase) if steps else None


def _own_halt(word: Status | Phase) -> Halt | None:
    return word if word == "cancelled" or word == "postponed" else None


def phase_steps(event: Event, *, seen: date | None, halt: Halt | None = None) -> tuple[Step, ...]:
    """The phases of an event in time order. `seen` is the newest day a source of it was looked at.

    `halt` is what `halt_of` says of it; what it is part of is left out of account without it.
    """
    if off := halt or _own_halt(event.status):
        return (Step(None, off),)
    course = _course(event, seen)
    steps = [Step(None, _phase(course, None))]
    for instant in _turns(course):
        phase = _phase(course, instant)
        if phase != steps[-1].phase:
            steps.append(Step(instant, phase))
    return tuple(steps)


def phase_at(steps: tuple[Step, ...], now: datetime) -> Phase:
    """The phase at an instant."""
    phase = steps[0].phase
    for step in steps[1:]:
        if step.at is None or step.at > now:
            break
        phase = step.phase
    return phase


def phases_until(steps: tuple[Step, ...], now: datetime) -> tuple[Phase, ...]:
    """Every phase there was until an instant, the newest first."""
    reached = takewhile(lambda step: step.at is not None and step.at <= now, steps[1:])
    return tuple(step.phase for step in (steps[0], *reached))[::-1]


def bounds(event: Event) -> Bounds:
    """The first and the last instant the event may touch; null where nothing bounds it.

    An event without an end is bounded by its start; a window without an end is not bounded at all. Where
    sources disagree, all of their dates lie within.
    """
    zone = dates.zone(event.timezone)
    starts = [dates.bounds(edtf, zone) for edtf in _readings(event, "start")]
    ends = [dates.bounds(edtf, zone) for edtf in _readings(event, "end")]
    if not ends and not event.is_window:
        ends = starts
    return Bounds(
        earliest=min((each.earliest for each in starts if each.earliest), default=None),
        latest=max((each.latest for each in ends if each.latest), default=None),
    )


def span(event: Event) -> Bounds:
    """The bounds as a range compares them, `latest` exclusive: what is one instant lasts a millisecond."""
    touched = bounds(event)
    if touched.earliest is None or touched.earliest != touched.latest:
        return touched
    return Bounds(earliest=touched.earliest, latest=touched.earliest + TICK)


def _course(event: Event, seen: date | None) -> _Course:
    zone = dates.zone(event.timezone)
    starts, ends = _readings(event, "start"), _readings(event, "end")
    rule = event.close_rule or ("fixed" if ends else "unknown")
    firm = not any(edtf.qualified for edtf in (*starts, *ends))
    bounded = bool(ends) and ends[0].first is not None
    believed = bounded if rule == "fixed" else rule in _WHILE_SEEN and seen is not None
    return _Course(
        window=event.is_window,
        undated=_undated(event, rule) if not starts and not ends else None,
        begins=_begins(starts, zone),
        finishes=_finishes(event, starts, ends),
        soon=_soon(ends[0], zone) if ends and event.is_window else None,
        believed_until=_until(seen, zone) if event.is_window and rule in _WHILE_SEEN else None,
        believed=firm and (believed or not event.is_window),
    )


def _readings(event: Event, field: DateField) -> tuple[Edtf, ...]:
    """The dates that may hold: all that are in dispute, the earliest first."""
    return tuple(dates.parse_end(text) for text in evidence.readings(event, field))


def _undated(event: Event, rule: str) -> Phase:
    return "unknown" if event.is_window and rule in _WHILE_SEEN else "forecasted"


def _begins(starts: tuple[Edtf, ...], zone: ZoneInfo) -> _Edge:
    allowed = [(start, dates.bounds(start, zone)) for start in starts]
    if any(bound.earliest is None for _, bound in allowed):
        return _Edge()
    return _either(
        (bound.earliest, bound.earliest if _is_exact(start) else bound.latest) for start, bound in allowed
    )


def _finishes(event: Event, starts: tuple[Edtf, ...], ends: tuple[Edtf, ...]) -> _Edge:
    """An event without an end is over when the day (month, year) of its start is."""
    zone = dates.zone(event.timezone)
    if ends:
        over = [(end, _over(end, zone, inclusive=event.is_window)) for end in ends]
    else:
        same = () if event.is_window else starts
        over = [(start, dates.day_end(start.last, zone) if start.last else None) for start in same]
    return _either(
        (last if _is_exact(edtf) else dates.bounds(edtf, zone).earliest, last) for edtf, last in over
    )


def _either(edges: Iterable[tuple[datetime | None, datetime | None]]) -> _Edge:
    """The edge of a date that may be any of several; each is `sure_not` and `sure` of one of them."""
    found = list(edges)
    sure = [at for _, at in found if at is not None]
    return _Edge(
        sure_not=min((at for at, _ in found if at is not None), default=None),
        sure=max(sure) if sure and len(sure) == len(found) else None,
    )


def _is_exact(edtf: Edtf) -> bool:
    return dates.names_day(edtf) and not edtf.qualified


def _over(end: Edtf, zone: ZoneInfo, *, inclusive: bool) -> datetime | None:
    """The first instant after an end. A deadline "by 18:00" still holds at 18:00:00."""
    latest = dates.bounds(end, zone).latest
    if latest is None or end.minute is None or not inclusive:
        return latest
    return latest + TICK


def _soon(close: Edtf, zone: ZoneInfo) -> datetime | None:
    """Seven days before: the same wall time for a minute, the start of D-7 for a day, nothing if coarser."""
    if close.first is None or close.precision not in ("day", "minute"):
        return None
    if close.first.toordinal() <= SOON.days:
        return dates.MIN_INSTANT
    day = close.first - SOON + (_ONE_DAY if close.next_day else timedelta())
    return (
        dates.local_instant(day, close.minute, zone)
        if close.minute is not None
        else dates.day_start(day, zone)
    )


def _until(seen: date | None, zone: ZoneInfo) -> datetime | None:
    if seen is None:
        return None
    last = date.fromordinal(min(seen.toordinal() + BELIEVED.days, date.max.toordinal()))
    return dates.day_end(last, zone)


def _turns(course: _Course) -> Iterator[datetime]:
    edges = (course.begins.sure_not, course.begins.sure, course.finishes.sure_not, course.finishes.sure)
    instants = {at for at in (*edges, course.soon, course.believed_until) if at is not None}
    yield from sorted(instants)


def _phase(course: _Course, at: datetime | None) -> Phase:
    if course.undated is not None:
        return course.undated
    if _reached(course.finishes.sure, at):
        return "closed" if course.window else "ended"
    if course.begins.sure_not is not None and not _reached(course.begins.sure_not, at):
        return "upcoming"
    if not course.believed or not _reached(course.begins.sure, at) or _reached(course.believed_until, at):
        return "unknown"
    if not course.window:
        known = course.finishes.sure_not is not None and not _reached(course.finishes.sure_not, at)
        return "ongoing" if known else "unknown"
    return _running(course, at)


def _running(course: _Course, at: datetime | None) -> Phase:
    if _reached(course.finishes.sure_not, at):
        return "unknown"
    return "closing_soon" if _reached(course.soon, at) else "open"


def _reached(mark: datetime | None, at: datetime | None) -> bool:
    return mark is not None and at is not None and at >= mark
