"""The only reader of the wall clock. Everything else is handed a `Clock`, or the instant itself."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, as an aware instant in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is moved: replay, demo and tests travel with it."""

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
