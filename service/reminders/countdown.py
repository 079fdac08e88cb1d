"""How far away the moment of a reminder is, in a word: `D-7`, `D-DAY`, `D+1`, "in 1 h"."""

from datetime import datetime, timedelta

from service.catalogue import dates
from service.reminders import moments, offsets
from service.reminders.lateness import LATE
from service.reminders.moments import Moment
from service.reminders.planned import Planned
from service.reminders.shown import Shown
from service.reminders.wording import Words


def countdown(planned: Planned, shown: Shown, words: Words, *, now: datetime) -> str:
    """By the calendar where the event is, at the instant of sending; hours where hours were asked for.

    Counted to the date that the message shows: what is sent again may have moved since it was planned, or
    have lost its date, and then there is nothing to count.
    """
    if planned.anchor is None:
        return ""
    found = moments.moment(shown.event, planned.anchor)
    if not isinstance(found, Moment):
        return ""
    left = found.at - now
    hourly = found.clock is not None and offsets.parse(planned.before or "PT0S").seconds > 0
    if hourly and timedelta(0) < left < timedelta(days=1):
        return words.before(_minutes(left))
    if -LATE <= left <= timedelta(0):
        return "D-DAY"  # 24:00 belongs to the day it ends, also a tick later
    return _days(planned, shown, found, now=now)


def _days(planned: Planned, shown: Shown, found: Moment, *, now: datetime) -> str:
    """To the day as it was written: `2026-03-27T24:00` is the 27th, as on the pages."""
    day = dates.parse_end(shown.date(planned.anchor) or "").first or found.day
    days = (day - now.astimezone(found.zone).date()).days
    return f"D-{days}" if days > 0 else f"D+{-days}" if days else "D-DAY"


def _minutes(left: timedelta) -> int:
    """Rounded up to whole minutes: an hour before, sent a second later, is still an hour before."""
    return -int(-left.total_seconds() // 60)
