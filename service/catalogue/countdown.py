"""Counts the days to a known day, by the calendar where the event is: `D-7`, `D-DAY`, `D+1`."""

from datetime import datetime, timedelta

from service.catalogue import dates
from service.catalogue.dates import Edtf


def days_left(edtf: Edtf, *, timezone: str, now: datetime, grace: timedelta = timedelta()) -> int | None:
    """Whole days, negative once the day is past; None where no day is known.

    `24:00` belongs to the day it ends. So none is left at a minute itself, nor up to `grace` after it, even
    where the next day has begun by then.
    """
    if edtf.first is None or edtf.precision not in ("day", "minute"):
        return None
    zone = dates.zone(timezone)
    at = dates.bounds(edtf, zone).earliest
    if edtf.minute is not None and at is not None and timedelta() <= now - at <= grace:
        return 0
    return (edtf.first - now.astimezone(zone).date()).days


def countdown(days: int) -> str:
    return f"D-{days}" if days > 0 else f"D+{-days}" if days else "D-DAY"
