"""How far a feed looks: from some days back to some months ahead, moved once a day."""

from datetime import UTC, date, datetime, timedelta

import msgspec

from service.catalogue import dates
from service.catalogue.filters import HOME, EventFilter
from service.catalogue.windows import TICK
from service.feedcache.asked import Asked
from service.feedcache.options import Reach

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# A whole-day entry lies between the first and the last time zone of the world.
EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)
MONTHS = 12


def limited(filters: EventFilter, asked: Asked, *, now: datetime) -> EventFilter:
    """The filters with the range of the feed where they name none of their own."""
    if asked.single:
        return filters
    today = now.astimezone(HOME).date()
    from_ = filters.from_ or dates.day_start(moved(today, asked.options.past, back=True), HOME)
    to = filters.to or dates.day_end(moved(today, asked.options.ahead, back=False), HOME)
    return msgspec.structs.replace(filters, from_=from_, to=to)


def moved(day: date, reach: Reach, *, back: bool) -> date:
    """The day so many months and days away; the 31st of a shorter month is its last day."""
    sign = -1 if back else 1
    year, month = divmod(day.year * MONTHS + day.month - 1 + sign * reach.months, MONTHS)
    first = date(year, month + 1, 1)
    length = (date(year + (month + 1) // MONTHS, (month + 1) % MONTHS + 1, 1) - first).days
    return first.replace(day=min(day.day, length)) + sign * timedelta(days=reach.days)


class Season(msgspec.Struct, frozen=True):
    """A stretch of time in which time alone changes nothing in a feed."""

    begins: datetime
    ends: datetime

    def has(self, now: datetime) -> bool:
        return self.begins <= now < self.ends


def season(filters: EventFilter, *, now: datetime) -> Season:
    """The day; with a phase the minute, but for its first tick: "by 18:00" still holds at 18:00:00."""
    if not filters.phase:
        return Season(today_begins(now), dates.day_end(now.astimezone(HOME).date(), HOME))
    minute = now.replace(second=0, microsecond=0)
    return Season(minute, minute + TICK) if now < minute + TICK else Season(minute + TICK, minute + MINUTE)


def today_begins(now: datetime) -> datetime:
    return dates.day_start(now.astimezone(HOME).date(), HOME)


def extent(start: date | None, end: date | None) -> tuple[datetime, datetime] | None:
    """The instants an entry may touch anywhere in the world; None without a day."""
    if start is None or end is None:
        return None
    begins = start if isinstance(start, datetime) else _midnight(start) - EASTERNMOST
    ends = end if isinstance(end, datetime) else _midnight(end) + WESTERNMOST
    return begins, ends


def _midnight(day: date) -> datetime:
    # Years 1 and 9999 have no room for a zone.
    return datetime(
        min(max(day.year, 2), 9998),
        day.month,
        min(day.day, 28) if day.year in (1, 9999) else day.day,
        tzinfo=UTC,
    )
