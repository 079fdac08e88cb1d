import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from feeds.timezones import ZONES, local, offset, switch, vtimezone


@pytest.mark.parametrize("name", sorted(ZONES))
def test_the_table_agrees_with_zoneinfo_every_few_days_until_2037(name):
    row, zone = ZONES[name], ZoneInfo(name)
    moment = datetime(row.since, 1, 2, 1, tzinfo=UTC)
    while moment.year < 2037:
        assert zone.utcoffset(moment.astimezone(zone)) == timedelta(minutes=offset(row, moment)), moment
        moment += timedelta(hours=61)


@pytest.mark.parametrize("name", sorted(zone for zone in ZONES if ZONES[zone].summer))
def test_the_table_switches_in_the_same_minute_as_zoneinfo(name):
    row, zone, minute = ZONES[name], ZoneInfo(name), timedelta(minutes=1)
    for year in range(row.since, 2037):
        for change, before, after in (
            (row.starts, row.standard, row.summer),
            (row.ends, row.summer, row.standard),
        ):
            at = switch(year, change) - timedelta(minutes=before)
            seen = [zone.utcoffset(moment.astimezone(zone)) for moment in (at - minute, at)]
            assert seen == [timedelta(minutes=before), timedelta(minutes=after)], year


def test_a_vtimezone_is_minimal_and_in_whole_minutes():
    assert vtimezone("Asia/Seoul").decode().split("\r\n") == [
        "BEGIN:VTIMEZONE",
        "TZID:Asia/Seoul",
        "BEGIN:STANDARD",
        "DTSTART:19890101T000000",
        "TZOFFSETFROM:+0900",
        "TZOFFSETTO:+0900",
        "END:STANDARD",
        "END:VTIMEZONE",
        "",
    ]
    assert "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU" in vtimezone("America/New_York").decode()
    assert all(len(vtimezone(zone)) < 400 for zone in ZONES)


def test_what_a_local_time_cannot_say_is_left_to_utc():
    assert local(datetime(2026, 3, 2, 5, tzinfo=UTC), "Asia/Seoul").isoformat() == "2026-03-02T14:00:00+09:00"
    assert local(datetime(2026, 3, 2, 5, tzinfo=UTC), "Africa/Casablanca") is None
    assert local(datetime(1988, 7, 1, tzinfo=UTC), "Asia/Seoul") is None
    assert local(datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Seoul") is None


@pytest.mark.parametrize("name", sorted(zone for zone in ZONES if ZONES[zone].summer))
def test_both_passes_of_a_repeated_hour_are_told_in_utc_and_nothing_around_them(name):
    row, minute = ZONES[name], timedelta(minutes=1)
    begins = switch(2026, row.ends) - timedelta(minutes=row.summer + 60)
    # Two hours whose clocks show the same hour twice; every reader knows which pass is meant.
    told = [local(begins + minutes * minute, name) is not None for minutes in (-1, 0, 30, 60, 119, 120)]
    assert told == [True, False, False, False, False, True]


# What each module that knows zones makes of noon in Vancouver and of 10:00 on a clock there.
EVERY_WAY = """
from datetime import UTC, datetime
from importlib import import_module
from zoneinfo import ZoneInfo
for module in {modules}:
    import_module(module)
from feeds import jsonld
from feeds.entry import Entry
from icalendar import Calendar
from service.catalogue import dates

at, zone = datetime(2026, 12, 1, 18, tzinfo=UTC), "America/Vancouver"
wall = b"DTSTART;TZID=America/Vancouver:20261201T110000\\r\\n"
event = b"BEGIN:VCALENDAR\\r\\nBEGIN:VEVENT\\r\\nUID:a\\r\\n" + wall + b"END:VEVENT\\r\\nEND:VCALENDAR\\r\\n"
entry = Entry(uid="a", sequence=0, created=at, updated=at, title="a", start=at, end=at, zone=zone)
print(at.astimezone(dates.zone(zone)).isoformat())
print(at.astimezone(ZoneInfo(zone)).isoformat())
print(jsonld.render(entry).decode().partition('startDate":"')[2][:25])
print(dates.bounds(dates.parse("2026-12-01T11:00"), dates.zone(zone)).earliest.isoformat())
print(Calendar.from_ical(event).walk("VEVENT")[0].start.astimezone(UTC).isoformat())
"""


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param(("icalendar", "service.importers.child"), id="import"),
        pytest.param(("service.delivery.supervisor", "service.cli.deliver"), id="delivery"),
    ],
)
def test_every_process_goes_by_the_pinned_zones_whatever_the_machine_says(modules, tmp_path):
    folder = tmp_path / "America"
    folder.mkdir()
    # A machine on which Vancouver is still at the winter time of Los Angeles, as before its law of 2026.
    old = resources.files("tzdata.zoneinfo").joinpath("America", "Los_Angeles").read_bytes()
    (folder / "Vancouver").write_bytes(old)
    machine = {**os.environ, "PYTHONTZPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", EVERY_WAY.format(modules=modules)], env=machine, capture_output=True, text=True
    )
    wall, instant = "2026-12-01T11:00:00-07:00", "2026-12-01T18:00:00+00:00"
    assert (done.stderr, done.stdout.split()) == ("", [wall] * 3 + [instant] * 2)
