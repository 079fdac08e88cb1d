"""Gives the dates of a period text the years, months and days that it leaves out, or says why it cannot."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from service.catalogue.event import CloseRule
from service.sources.period_dates import DateSpan, Point, seoul

_BEFORE = timedelta(days=60)
# A period that crosses a year is shorter; what is longer is more likely a slip.
_CROSSING = timedelta(days=200)
_NEXT_YEAR = timedelta(days=62)
_LONG = timedelta(days=3 * 366)


class PeriodReading(Struct, frozen=True, kw_only=True):
    """What one window says, resolved. `doubts` keep it from being published, `faults` from being kept."""

    start: str | None = None
    end: str | None = None
    rule: CloseRule = "unknown"
    zone: str = "Asia/Seoul"
    doubts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    quote: tuple[int, int] = (0, 0)


def resolved(span: DateSpan, published: date | None, *, near: str | None = None) -> PeriodReading:
    """A span as EDTF. A missing year is the only one that fits the day of the notice.

    `near` is a date that a former one lies next to.
    """
    start, end = _shared(span.start, span.end)
    faults = [fault for point in (start, end) if point for fault in point.faults]
    if faults:
        return PeriodReading(faults=tuple(faults))
    notes = [note for point in (start, end) if point for note in point.notes]
    doubts: list[str] = ["vague"] if "spread" in notes else []
    if (start is None or start.year is None) and (end is None or end.year is None):
        notes.append("year_from_context")
        start, end, why = _dated(start, end, published, near)
        if why in ("no_context", "no_year"):
            return PeriodReading(faults=(why,))
        doubts += [why] if why else []
    start, end = _same_year(start, end)
    if end is None and start is not None and start.day is None and span.shape != "since":
        doubts.append("vague")
    if (
        span.shape == "until"
        and end is not None
        and end.day is None
        and "year_from_context" in notes
        and not span.notice
    ):
        doubts.append("vague")
    doubts += _weekdays(start, end)
    start, end, zone, more = _clocks(start, end)
    doubts += more
    if start and end and _reversed(start, end):
        return PeriodReading(faults=("reversed",))
    written = tuple(_edtf(point) if point else None for point in (start, end))
    if None in [text for text, point in zip(written, (start, end), strict=True) if point]:
        return PeriodReading(faults=("impossible",))
    if start and end and start.year and end.year and end.year - start.year >= 3:
        notes.append("long")
    return PeriodReading(
        start=written[0], end=written[1], zone=zone, doubts=tuple(doubts), notes=tuple(notes)
    )


def _shared(start: Point | None, end: Point | None) -> tuple[Point | None, Point | None]:
    """Months that only one of two dates names: `8.14 ~ 17`, `9-11 December`."""
    if start and end:
        if end.month is None:
            end = structs.replace(end, month=start.month)
            if end.year is None or start.year is None:
                year = end.year or start.year
                start, end = structs.replace(start, year=year), structs.replace(end, year=year)
            if end.in_year(end.year or 2000) is None:
                end = structs.replace(end, faults=("impossible",))
        if start.day is not None and end.day is None and end.month == start.month and end.year == start.year:
            end = structs.replace(end, faults=("reversed",)) if end.month is None else end
    return start, end


def _dated(
    start: Point | None, end: Point | None, published: date | None, near: str | None
) -> tuple[Point | None, Point | None, str | None]:
    """Both dates in the year that fits, and what makes it less than certain."""
    if near and len(near) >= 10:
        day = date.fromisoformat(near[:10])
        only = end or start
        years = (day.year - 1, day.year, day.year + 1)
        fits = [at for year in years if only and (at := only.in_year(year))]
        if not fits:
            return start, end, "no_year"
        year = min(fits, key=lambda at: abs(at - day)).year
        if start and end and (first := start.in_year(year)) and (last := end.in_year(year)) and first > last:
            return structs.replace(start, year=year - 1), structs.replace(end, year=year), None
        return _put(start, year), _put(end, year), None
    if published is None:
        return start, end, "no_context"
    for year in (published.year - 1, published.year, published.year + 1):
        first, last = (point.in_year(year) if point else None for point in (start, end))
        if (start and not first) or (end and not last):
            continue
        over = year
        if start and end and first and last and first > last:
            over = year + 1
            last = end.in_year(over)
            if last is None or last - first > _CROSSING:
                return _put(start, published.year), _put(end, published.year), None
        if (first and first < published - _BEFORE) or (last and _end_of(end, last) < published):
            continue
        if (
            first
            and not last
            and first < published - timedelta(days=1)
            and start
            and start.day
            and year < published.year
        ):
            continue
        return _put(start, year), _put(end, over), _certain(start, end, over, published)
    return start, end, "no_year"


def _end_of(end: Point | None, last: date) -> date:
    """The last day that a coarse date allows."""
    if end is None or end.day is not None:
        return last
    return (last.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _certain(start: Point | None, end: Point | None, year: int, published: date) -> str | None:
    """A date of another year than the notice's needs a weekday, or to lie near with nothing else said."""
    if year == published.year or any(point and point.weekday is not None for point in (start, end)):
        return None
    last = end.in_year(year) if end else None
    return None if start is None and last and last - published <= _NEXT_YEAR else "next_year"


def _put(point: Point | None, year: int) -> Point | None:
    return structs.replace(point, year=year) if point else None


def _same_year(start: Point | None, end: Point | None) -> tuple[Point | None, Point | None]:
    """The year that only one of them names. An end that would come first is of the next year if near."""
    if start is None or end is None:
        return start, end
    if end.year is None and start.year is not None:
        first, last = start.in_year(start.year), end.in_year(start.year)
        crossed = end.in_year(start.year + 1)
        before = (
            first
            and last
            and ((last.month, last.day) < (first.month, first.day if end.day and start.day else 1))
        )
        if before and crossed and first and crossed - first <= _CROSSING:
            return start, structs.replace(end, year=start.year + 1, notes=(*end.notes, "year_cross"))
        return start, structs.replace(end, year=start.year)
    if start.year is None and end.year is not None:
        first, last = start.in_year(end.year), end.in_year(end.year)
        year = end.year - 1 if first and last and first > last else end.year
        return structs.replace(start, year=year), end
    return start, end


def _weekdays(start: Point | None, end: Point | None) -> list[str]:
    wrong = [
        point
        for point in (start, end)
        if point and point.weekday is not None and point.year
        and (day := point.in_year(point.year)) and day.weekday() != point.weekday
    ]  # fmt: skip
    return ["weekday"] if wrong else []


def _clocks(start: Point | None, end: Point | None) -> tuple[Point | None, Point | None, str, list[str]]:
    """The times that can be kept, and the zone they are in."""
    doubts = []
    for point in (start, end):
        if point is None or point.clock is None:
            continue
        if point.clock == "midnight":
            doubts.append("midnight")
        elif (point.clock == "24:00" and point is start) or (
            point.clock == "00:00" and point is end and "utc" not in point.notes
        ):
            doubts.append("clock")
    zones = {point.zone for point in (start, end) if point and point.zone}
    if len(zones) > 1:
        doubts.append("zone")
    zone = next(iter(zones), "Asia/Seoul")
    if zone == "UTC":
        start, end, zone = _in_seoul(start), _in_seoul(end), "Asia/Seoul"
    return _kept(start), _kept(end), zone, doubts


def _in_seoul(point: Point | None) -> Point | None:
    if point is None or point.clock in (None, "midnight", "impossible", "24:00") or not point.clock:
        return point
    day = point.in_year(point.year or 1)
    if day is None:
        return point
    at = datetime.fromisoformat(f"{day.isoformat()}T{point.clock}").replace(tzinfo=ZoneInfo("UTC"))
    return seoul(at)


def _kept(point: Point | None) -> Point | None:
    return structs.replace(point, clock=None) if point and point.clock == "midnight" else point


def _reversed(start: Point, end: Point) -> bool:
    first, last = start.in_year(start.year or 1), end.in_year(end.year or 1)
    if first is None or last is None:
        return False
    if end.day is None or start.day is None:
        return (first.year, first.month) > (last.year, last.month)
    same = first == last and start.clock and end.clock
    return first > last or bool(same and str(start.clock) > str(end.clock))


def _edtf(point: Point) -> str | None:
    """The date as EDTF; null where the calendar or the clock has no such."""
    if point.year is None or point.clock == "impossible" or point.in_year(point.year) is None:
        return None
    text = f"{point.year:04}"
    if point.month is not None:
        text += f"-{point.month:02}"
        if point.day is not None:
            text += f"-{point.day:02}"
            text += f"T{point.clock}" if point.clock else ""
    return text
