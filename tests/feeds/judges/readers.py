"""Foreign readers of our calendars, none of them the library that writes, and what each saw of every event.

A row is (uid, start, end, title, status): whole days as 20260407, instants as 20260407T050000Z.
"""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FULLCALENDAR = HERE / "fullcalendar"
Row = tuple[str, str, str, str, str]


def moment(value: date) -> str:
    if isinstance(value, datetime):
        assert value.tzinfo is not None, "read as floating"
        return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return value.strftime("%Y%m%d")


def by_home_assistant(data: bytes) -> list[Row]:
    """PyPI `ical`: one bad property and Home Assistant shows nothing."""
    from ical.calendar_stream import IcsCalendarStream

    calendar = IcsCalendarStream.calendar_from_ics(data.decode())
    return [
        (e.uid, moment(e.dtstart), moment(e.end), e.summary or "", str(e.status.value))
        for e in calendar.events
    ]


def by_vobject(data: bytes) -> list[Row]:
    """Radicale's reader."""
    import vobject

    calendar: Any = vobject.readOne(data.decode())
    return [
        (e.uid.value, moment(e.dtstart.value), moment(e.dtend.value), e.summary.value, e.status.value)
        for e in calendar.contents.get("vevent", ())
    ]


def by_ics(data: bytes) -> list[Row]:
    """PyPI `ics`: refuses what most readers forgive. It counts the last day of a whole-day event in."""
    from ics import Calendar

    return [(e.uid, *_ics_moments(e), e.name or "", e.status) for e in Calendar(data.decode()).events]


def _ics_moments(event: Any) -> tuple[str, str]:
    if event.all_day:
        return moment(event.begin.date()), moment(event.end.date())
    return moment(event.begin.datetime), moment(event.end.datetime)


def by_recurring_ical_events(data: bytes) -> list[Row]:
    """What a reader that expands recurrences shows between 1980 and 2110."""
    import icalendar
    import recurring_ical_events

    calendar = icalendar.Calendar.from_ical(data)
    shown = recurring_ical_events.of(calendar).between((1980, 1, 1), (2110, 1, 1))
    return [
        (str(e["UID"]), moment(e["DTSTART"].dt), moment(e["DTEND"].dt), str(e["SUMMARY"]), str(e["STATUS"]))
        for e in shown
    ]


def by_node(data: bytes) -> dict[str, list[Row]]:
    """ical.js and node-ical, where Node and they are installed (`npm install` in this folder)."""
    done = subprocess.run(
        ["node", "judges.mjs"], input=data, capture_output=True, cwd=HERE, check=True, timeout=120
    )
    return {name: [tuple(row) for row in rows] for name, rows in json.loads(done.stdout).items()}


def by_fullcalendar(data: bytes, *, viewer: str) -> list[tuple[str, str, str]]:
    """(title, start, end) as FullCalendar's icalendar plugin shows them to a viewer in a time zone."""
    zone = {**os.environ, "TZ": viewer}
    done = subprocess.run(
        ["node", "judge.mjs"],
        input=data,
        capture_output=True,
        cwd=FULLCALENDAR,
        env=zone,
        check=True,
        timeout=120,
    )
    return [tuple(row) for row in json.loads(done.stdout)]


PYTHON: dict[str, Callable[[bytes], list[Row]]] = {
    "ical": by_home_assistant,
    "vobject": by_vobject,
    "ics": by_ics,
    "recurring-ical-events": by_recurring_ical_events,
}
# They take the second half of an escaped backslash and an n after it for a line break, and node-ical drops
# quotation marks around a title. The faults are theirs; what they make of our bytes is known all the same.
MISREADING = ("ics", "node-ical")


def as_read_by(judge: str, title: str) -> str:
    """The title this reader shows for a title we wrote."""
    if judge not in MISREADING:
        return title
    if judge == "node-ical" and len(title) > 1 and title[0] == title[-1] == '"':
        title = title[1:-1]
    return title.replace("\\N", "\\n").replace("\\n", "\\\n")
