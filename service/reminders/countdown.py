"""How far away the moment of a reminder is, in one word: `D-7`, `D-DAY`, `D+1`, "in 1 h"."""

from datetime import datetime, timedelta

from service.catalogue import dates
from service.reminders import offsets
from service.reminders.planned import Planned
from service.reminders.shown import Shown
from service.reminders.wording import Words


def countdown(planned: Planned, shown: Shown, words: Words, *, now: datetime) -> str:
    """By the calendar where the event is, at the instant of sending. Hours where hours were asked for."""
    if planned.anchor_at is None:
        return ""
    zone = dates.zone(shown.timezone)
    left = planned.anchor_at - now
    timed = (shown.date(planned.anchor) or "").find("T") > 0
    if timed and offsets.parse(planned.before or "PT0S").seconds and timedelta(0) < left < timedelta(days=1):
        return words.before(_minutes(left))
    days = (planned.anchor_at.astimezone(zone).date() - now.astimezone(zone).date()).days
    return f"D-{days}" if days > 0 else "D-DAY"


def _minutes(left: timedelta) -> int:
    """Rounded up to whole minutes: an hour before, sent a second later, is still an hour before."""
    return -int(-left.total_seconds() // 60)
