"""The occurrences of a foreign event, within bounds: dateutil follows its rules, RDATE and EXDATE."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

# dateutil loads its parser when it meets the first UNTIL, but the child opens no file by then.
import dateutil.parser  # noqa: F401
import msgspec
from dateutil.rrule import rruleset, rrulestr
from icalendar.prop import vRecur

from feeds.foreign_ical import ForeignEvent

MOST_OCCURRENCES = 50
WITHIN = timedelta(days=400)
# Dates that are looked at: a daily rule for 54 years.
MOST_STEPS = 20_000
# The calendar repeats itself in so many years, to the day of the week.
CYCLE = 400
# So that an occurrence has an hour in every zone.
LAST_YEAR = 9998


class Occurrence(msgspec.Struct, frozen=True):
    """One date of an event, as an override has it; `original` is its date by the rule, if there is one."""

    event: ForeignEvent
    original: date | None = None


class Occurrences(msgspec.Struct, frozen=True):
    """Dates of an event in their order; `more` if there are others."""

    found: tuple[Occurrence, ...]
    more: bool = False


def occurrences(versions: Sequence[ForeignEvent], *, most: int, since: date | None = None) -> Occurrences:
    """At most `most` dates of an event and its overrides, within 400 days of the first or of `since`.

    If `most` is 1, it is the first of all that takes place.
    """
    overrides = {each.recurrence: each for each in versions if each.recurrence is not None}
    master = next((each for each in versions if each.recurrence is None), None)
    if master is None or not isinstance(master.start, date):
        found = [Occurrence(each, each.recurrence) for each in versions]
        more = bool(master and master.rules)
    elif not (master.rules or master.more or master.less or overrides):
        return Occurrences((Occurrence(master),))
    else:
        series = _Series(master, master.start)
        originals, more = series.originals(MOST_OCCURRENCES if overrides else most, since)
        found = [series.occurrence(original, overrides) for original in originals]
        # What is left overrides no date of the rule, or one beyond the bounds.
        last = max(map(_instant, originals), default=_instant(master.start))
        orphans = [key for key in overrides if not more or _instant(key) <= last]
        found += (Occurrence(overrides.pop(key), key) for key in orphans)
        more = more or bool(overrides)
    if most == 1:
        found = [each for each in found if each.event.status != "cancelled"] or found
    found.sort(key=lambda each: _instant(each.event.start or date.max))
    return Occurrences(tuple(found[:most]), more=more or len(found) > most)


def _instant(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


class _Series:
    """The dates of one event by its rules.

    dateutil follows a rule that never holds (30 February) to the year 9999, and cannot be stopped on the way.
    So it is shown the years from 9200 on, which are the same: that bounds a rule to half a second.
    """

    def __init__(self, master: ForeignEvent, start: date) -> None:
        self.master, self.start = master, start
        self.clock = master.clock or UTC
        self.years = (9999 - CYCLE - start.year) // CYCLE * CYCLE
        # Not by way of the wall where it is known: one hour of the year is on it twice.
        alike = (each for each in master.more if isinstance(each, datetime) == isinstance(start, datetime))
        self.exact = {self._shown(each): each for each in (start, *alike)}

    def originals(self, most: int, since: date | None) -> tuple[list[date], bool]:
        """Dates before overrides, and whether there are more."""
        found: list[date] = []
        limit = since + WITHIN if since else None
        for original in self._dates():
            day = self._day(original)
            if since and day < since:
                continue
            limit = limit or day + WITHIN
            if len(found) == most or day > limit:
                return found, True
            found.append(original)
        return found, False

    def occurrence(self, original: date, overrides: dict[date, ForeignEvent]) -> Occurrence:
        """The occurrence of a date; takes its override out of `overrides`."""
        for key in (original, self._day(original)):
            if key in overrides:
                return Occurrence(overrides.pop(key), original)
        end = self.master.end
        length = None if end is None else _instant(end) - _instant(self.start)
        moved = msgspec.structs.replace(
            self.master, start=original, end=None if length is None else original + length
        )
        return Occurrence(moved, original)

    def _dates(self) -> Iterator[date]:
        dates, begin = rruleset(), self._shown(self.start)
        for each in (self.start, *self.master.more):
            dates.rdate(self._shown(each))
        for rule in self.master.rules:
            dates.rrule(rrulestr(self._shown_rule(rule), dtstart=begin))
        # Not dateutil's exclusion, which does not come back where a rule excludes all of another.
        excluded = rruleset()
        for rule in self.master.less_rules:
            excluded.rrule(rrulestr(self._shown_rule(rule), dtstart=begin))
        barred, bar = iter(excluded), begin.min
        less = {self._shown(each) if isinstance(each, datetime) else each for each in self.master.less}
        for shown in islice(dates, MOST_STEPS):
            while bar < shown:
                bar = next(barred, begin.max)
            if shown.year - self.years > LAST_YEAR:
                return
            original = self.exact.get(shown) or self._original(shown)
            if shown != bar and not {shown, self._day(original)} & less:
                yield original

    def _shown(self, moment: date) -> datetime:
        """What the clock on the wall shows, in the years that dateutil is shown."""
        if isinstance(moment, datetime):
            wall = moment.astimezone(self.clock).replace(tzinfo=None)
        else:
            begin = self.start.astimezone(self.clock).time() if isinstance(self.start, datetime) else time()
            wall = datetime.combine(moment, begin)
        return wall.replace(year=wall.year + self.years)

    def _original(self, shown: datetime) -> date:
        wall = shown.replace(year=shown.year - self.years)
        return (
            wall.replace(tzinfo=self.clock).astimezone(UTC)
            if isinstance(self.start, datetime)
            else wall.date()
        )

    def _shown_rule(self, rule: vRecur) -> str:
        parts = vRecur(rule)
        for until in parts.pop("UNTIL", [])[:1]:
            moment = (
                until.replace(tzinfo=until.tzinfo or self.clock) if isinstance(until, datetime) else until
            )
            wall = self._shown(moment) if moment.year + self.years <= 9999 - 1 else None
            if wall and not isinstance(moment, datetime):
                wall = datetime.combine(wall, time.max.replace(microsecond=0))
            if wall:
                parts["UNTIL"] = [wall]
        return str(parts.to_ical().decode())  # type: ignore[no-untyped-call]

    def _day(self, moment: date) -> date:
        return moment.astimezone(self.clock).date() if isinstance(moment, datetime) else moment
