"""Our own table of minimal VTIMEZONEs: one observance for a fixed offset, two with an RRULE otherwise.

Calendar programs reject or mis-time exotic VTIMEZONEs (LMT offsets with seconds, long RDATE lists), so each
zone here states only the rule in force since its `since` year. A moment before that, or a zone that is not
here, is written in UTC, which every program reads alike. tests/feeds/test_timezones.py holds each row
against zoneinfo.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec


class Switch(msgspec.Struct, frozen=True):
    """A yearly change: on the `week`-th Sunday (-1: last) of `month`, at the wall time before it."""

    month: int
    week: int
    at: int  # minutes after midnight


class Zone(msgspec.Struct, frozen=True):
    """`standard` and `summer` are minutes east of UTC."""

    standard: int
    since: int
    summer: int | None = None
    starts: Switch | None = None
    ends: Switch | None = None


HOUR = 60
LAST_YEAR = 9999  # local time near the end of the calendar cannot be computed


def _europe(standard: int) -> Zone:
    # All of the EU switches at 01:00 UTC, so the wall time differs by zone.
    starts, ends = Switch(3, -1, HOUR + standard), Switch(10, -1, HOUR + standard + HOUR)
    return Zone(standard, 2007, standard + HOUR, starts, ends)


def _america(standard: int) -> Zone:
    return Zone(standard, 2007, standard + HOUR, Switch(3, 2, 2 * HOUR), Switch(11, 1, 2 * HOUR))


def _australia(standard: int) -> Zone:
    return Zone(standard, 2009, standard + HOUR, Switch(10, 1, 2 * HOUR), Switch(4, 1, 3 * HOUR))


ZONES = {
    "Asia/Seoul": Zone(540, 1989),
    "Asia/Tokyo": Zone(540, 1970),
    "Asia/Shanghai": Zone(480, 1992),
    "Asia/Hong_Kong": Zone(480, 1980),
    "Asia/Taipei": Zone(480, 1980),
    "Asia/Singapore": Zone(480, 1983),
    "Asia/Kuala_Lumpur": Zone(480, 1983),
    "Asia/Manila": Zone(480, 1991),
    "Asia/Jakarta": Zone(420, 1970),
    "Asia/Bangkok": Zone(420, 1970),
    "Asia/Ho_Chi_Minh": Zone(420, 1976),
    "Asia/Kolkata": Zone(330, 1970),
    "Asia/Dhaka": Zone(360, 2010),
    "Asia/Kathmandu": Zone(345, 1987),
    "Asia/Tashkent": Zone(300, 1993),
    "Asia/Ulaanbaatar": Zone(480, 2017),
    "Asia/Dubai": Zone(240, 1970),
    "Asia/Qatar": Zone(180, 1973),
    "Asia/Riyadh": Zone(180, 1970),
    "Europe/Istanbul": Zone(180, 2017),
    "Africa/Johannesburg": Zone(120, 1970),
    "Africa/Lagos": Zone(60, 1970),
    "Africa/Nairobi": Zone(180, 1970),
    "America/Phoenix": Zone(-420, 1970),
    "America/Sao_Paulo": Zone(-180, 2020),
    "America/Mexico_City": Zone(-360, 2023),
    "America/Bogota": Zone(-300, 1994),
    "America/Lima": Zone(-300, 1995),
    "Australia/Brisbane": Zone(600, 1993),
    "Australia/Perth": Zone(480, 2010),
    "Pacific/Honolulu": Zone(-600, 1970),
    "Pacific/Port_Moresby": Zone(600, 1970),
    "Pacific/Kiritimati": Zone(840, 1996),
    "Europe/London": _europe(0),
    "Europe/Dublin": _europe(0),
    "Europe/Lisbon": _europe(0),
    "Europe/Paris": _europe(60),
    "Europe/Berlin": _europe(60),
    "Europe/Madrid": _europe(60),
    "Europe/Rome": _europe(60),
    "Europe/Amsterdam": _europe(60),
    "Europe/Brussels": _europe(60),
    "Europe/Luxembourg": _europe(60),
    "Europe/Vienna": _europe(60),
    "Europe/Zurich": _europe(60),
    "Europe/Stockholm": _europe(60),
    "Europe/Oslo": _europe(60),
    "Europe/Copenhagen": _europe(60),
    "Europe/Warsaw": _europe(60),
    "Europe/Prague": _europe(60),
    "Europe/Budapest": _europe(60),
    "Europe/Helsinki": _europe(120),
    "Europe/Tallinn": _europe(120),
    "Europe/Athens": _europe(120),
    "America/New_York": _america(-300),
    "America/Toronto": _america(-300),
    "America/Chicago": _america(-360),
    "America/Denver": _america(-420),
    "America/Los_Angeles": _america(-480),
    "Australia/Sydney": _australia(600),
    "Australia/Melbourne": _australia(600),
    "Australia/Adelaide": _australia(570),
    "Pacific/Auckland": Zone(720, 2008, 780, Switch(9, -1, 2 * HOUR), Switch(4, 1, 3 * HOUR)),
}


def local(moment: datetime, zone: str | None) -> datetime | None:
    """`moment` as wall time of `zone`, or None where only UTC says it safely.

    That is: a zone without a row, a year before its rule, an offset on which the table and tzdata differ,
    and the repeated hour in autumn: a local DTSTART cannot name its second pass, and not every program takes
    it for the first one, as RFC 5545 3.3.5 says.
    """
    row = ZONES.get(zone) if zone else None
    if row is None or zone is None or not row.since <= moment.year < LAST_YEAR:
        return None
    wall = moment.astimezone(ZoneInfo(zone))
    agreed = wall.utcoffset() == timedelta(minutes=offset(row, moment))
    repeated = wall.replace(fold=1 - wall.fold).utcoffset() != wall.utcoffset()
    return wall if agreed and wall.year >= row.since and not repeated else None


def offset(zone: Zone, moment: datetime) -> int:
    """Minutes east of UTC as the table has it."""
    if zone.summer is None or zone.starts is None or zone.ends is None:
        return zone.standard
    year = (moment + timedelta(minutes=zone.standard)).year
    starts = switch(year, zone.starts) - timedelta(minutes=zone.standard)
    ends = switch(year, zone.ends) - timedelta(minutes=zone.summer)
    # South of the equator summer spans New Year.
    summer = starts <= moment < ends if starts < ends else not ends <= moment < starts
    return zone.summer if summer else zone.standard


def vtimezone(zone: str) -> bytes:
    """The VTIMEZONE component of a zone of the table, as ASCII lines with CRLF."""
    row = ZONES[zone]
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone}"]
    if row.summer is None or row.starts is None or row.ends is None:
        lines += _observance("STANDARD", f"{row.since}0101T000000", row.standard, row.standard)
    else:
        # The standard observance leads, so that a reader which takes the first for a default takes that.
        for name, change, before, after in (
            ("STANDARD", row.ends, row.summer, row.standard),
            ("DAYLIGHT", row.starts, row.standard, row.summer),
        ):
            first = switch(row.since - 1, change).strftime("%Y%m%dT%H%M%S")
            rule = f"RRULE:FREQ=YEARLY;BYMONTH={change.month};BYDAY={change.week}SU"
            lines += _observance(name, first, before, after, rule)
    return ("\r\n".join([*lines, "END:VTIMEZONE"]) + "\r\n").encode("ascii")


def _observance(name: str, start: str, before: int, after: int, *rule: str) -> list[str]:
    offsets = [f"TZOFFSETFROM:{_offset(before)}", f"TZOFFSETTO:{_offset(after)}"]
    return [f"BEGIN:{name}", f"DTSTART:{start}", *offsets, *rule, f"END:{name}"]


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), HOUR)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


@lru_cache(maxsize=1024)
def switch(year: int, change: Switch) -> datetime:
    """The wall time of one year's switch, tagged UTC so that no naive value exists."""
    if change.week > 0:
        first = datetime(year, change.month, 1, tzinfo=UTC)
        day = first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (change.week - 1))
    else:
        last = datetime(year, change.month + 1, 1, tzinfo=UTC) - timedelta(days=1)
        day = last - timedelta(days=(last.weekday() - 6) % 7)
    return day + timedelta(minutes=change.at)
