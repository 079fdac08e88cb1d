"""The days, instants and zones of a foreign calendar; whose rules are not evaluated."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.prop import vDDDTypes
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feeds.foreign_lines import MOST_DATES, Component, Property, Unreadable

_FIXED_OFFSET = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?")
_ZONES = {name.casefold(): name for name in available_timezones()}
_DAY = timedelta(days=1)
# A zone is at its standard time on one of these, and at its summer time on the other, if it has one.
_SOLSTICES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))


@lru_cache(maxsize=1024)
def iana(name: str | None) -> str | None:
    """The zone that a TZID names: by its IANA name, its Windows name or behind the vendor's prefix."""
    ends = ("/".join((name or "").split("/")[-n:]) for n in (3, 2, 1))
    names = [name or "", WINDOWS_TO_OLSON.get(name or "", ""), *ends]
    return next((_ZONES[each.casefold()] for each in names if each.casefold() in _ZONES), None)


def own_zones(definitions: Iterable[Component]) -> dict[str, tzinfo]:
    """The zones that only the file itself defines. Of a VTIMEZONE only a single offset is believed."""
    zones: dict[str, tzinfo] = {}
    for defined in definitions:
        name, offsets = defined.raw("TZID"), {found.raw for found in defined.all("TZOFFSETTO")}
        located = iana(defined.raw("X-LIC-LOCATION"))
        offset = _offset(_OFFSET.fullmatch(offsets.pop())) if len(offsets) == 1 else None
        if known := iana(name):
            usual = {moment.astimezone(ZoneInfo(known)).utcoffset() for moment in _SOLSTICES}
            if offset and offset.utcoffset(None) not in usual:
                defined.tell(f"Its own offset is not that of {known}, which is used.")
        elif located or offset:
            zones[name] = ZoneInfo(located) if located else offset or UTC
    return zones


class Times:
    """Reads the dates of one calendar; those without a zone are in `floating`."""

    def __init__(self, own: Mapping[str, tzinfo], floating: str) -> None:
        self._own = own
        self._floating = ZoneInfo(iana(floating) or "UTC")

    def zone(self, found: Property | None) -> tzinfo | None:
        """The zone in which a date is written; None if nobody knows it."""
        if found is None:
            return self._floating
        name = found.parameters.get("TZID", "")
        if name in self._own:
            return self._own[name]
        if known := iana(name):
            return ZoneInfo(known)
        if _is_utc(found):
            return UTC
        return _offset(_FIXED_OFFSET.fullmatch(name)) if name else self._floating

    def moment(
        self, of: Component, name: str, *, exclusive: bool = False, whole_days: bool = False
    ) -> date | None:
        """The first value of a property, None without one; raises Unreadable."""
        found = of.first(name)
        return self.read(of, name, found, exclusive=exclusive, whole_days=whole_days) if found else None

    def moments(self, of: Component, name: str, *, whole_days: bool) -> tuple[date, ...]:
        """Every value of a property of many; what cannot be read is told."""
        values = [(value, found) for found in of.all(name) for value in found.raw.split(",")]
        if len(values) > MOST_DATES:
            of.tell(f"It has more than {MOST_DATES} dates in {name}; the rest is left out.")
        moments = []
        for value, found in values[:MOST_DATES]:
            try:
                moments.append(self.read(of, name, found._replace(raw=value.strip()), whole_days=whole_days))
            except Unreadable as error:
                of.tell(str(error))
        return tuple(moments)

    def read(
        self,
        of: Component,
        name: str,
        found: Property,
        *,
        exclusive: bool = False,
        whole_days: bool = False,
    ) -> date:
        """A day, or an instant in UTC; of a PERIOD its start. A zone that nobody knows costs the hour.

        `exclusive` counts such a day to its end. `whole_days` takes the day on the wall of any instant.
        """
        wall = _wall(name, found)
        if not isinstance(wall, datetime):
            return wall
        midnight = wall.time() == time()
        day = wall.date() + _DAY if exclusive and not midnight else wall.date()
        if whole_days or (midnight and found.parameters.get("VALUE", "").upper() == "DATE"):
            return day
        zone, tzid = self.zone(found), found.parameters.get("TZID", "")
        if zone is None:
            of.tell(f"Nobody knows the time zone {tzid[:60]!r}; the hour of {name} is left out.")
            return day
        if tzid and _is_utc(found) and zone.utcoffset(wall):
            of.tell(f"{name} has a TZID and a Z; the zone is taken.")
        try:
            return wall.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:
            raise Unreadable("A date beyond the calendar.") from None


def _is_utc(found: Property) -> bool:
    return found.raw.partition("/")[0].rstrip().upper().endswith("Z")


def _wall(name: str, found: Property) -> date:
    """What a clock on the wall shows, as it is written."""
    text = found.raw.partition("/")[0].strip()
    try:
        moment = vDDDTypes.from_ical(text)  # type: ignore[no-untyped-call]
    except ValueError:
        moment = None
    if not isinstance(moment, date):
        raise Unreadable(f"{name} {text[:40]!r} is no date." if text else f"{name} is empty.")
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else moment


def _offset(found: re.Match[str] | None) -> timezone | None:
    if found is None or int(found[2]) > 14:
        return None
    east = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(-east if found[1] == "-" else east)
