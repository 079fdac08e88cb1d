"""The only reader of the wall clock. Everything else is handed a `Clock`, or the instant itself."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from service import timekeeping
from service.timekeeping import Reading

# Goes on while the machine sleeps, as leases do. Where there is none, the monotonic clock has to do.
BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Says what time it is, as an aware instant in UTC."""

    def now(self) -> datetime: ...

    @property
    def jump(self) -> timedelta | None:
        """How far its source has jumped, while that is not believed; nothing new is sent meanwhile."""
        ...


def running() -> float:
    """Seconds since the machine started, whatever any clock shows."""
    return time.clock_gettime(BOOT)


class SystemClock:
    """The machine's clock."""

    jump = None

    def now(self) -> datetime:
        return datetime.now(UTC)


class SteadyClock:
    """Runs on with the machine, and is put right by `take`: never by more at once than can be believed."""

    def __init__(self, reading: Reading) -> None:
        self._belief = timekeeping.first(reading)

    def now(self) -> datetime:
        return self._belief.origin + timedelta(seconds=running())

    @property
    def jump(self) -> timedelta | None:
        return self._belief.jump

    def take(self, reading: Reading) -> None:
        """What its source says now."""
        self._belief = timekeeping.judge(self._belief, reading)


class SimulatedClock:
    """A clock that stands still until it is moved: replay, demo and tests travel with it."""

    jump = None

    def __init__(self, now: datetime) -> None:
        self._now = _utc(now)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward and return the new instant. Time never runs backwards here."""
        return self.move_to(self._now + by)

    def move_to(self, instant: datetime) -> datetime:
        instant = _utc(instant)
        if instant < self._now:
            raise ValueError(f"A simulated clock at {self._now} cannot go back to {instant}.")
        self._now = instant
        return instant


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"An instant needs its zone: {instant!r}.")
    return instant.astimezone(UTC)
