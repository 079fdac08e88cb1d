"""The only reader of the wall clock. Everything else is handed a `Clock`, or the instant itself."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec import Struct

# Goes on while the machine sleeps, as leases do. Where there is none, the monotonic clock has to do.
BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Says what time it is, as an aware instant in UTC."""

    def now(self) -> datetime: ...

    @property
    def jump(self) -> timedelta | None:
        """The jump of its source, while it is not believed; nothing new is sent meanwhile."""
        ...


def running() -> float:
    """Seconds since the machine started, whatever any clock shows."""
    return time.clock_gettime(BOOT)


class SystemClock:
    """The machine's clock."""

    jump = None

    def now(self) -> datetime:
        return datetime.now(UTC)


# A wall clock (PostgreSQL's is the database's) and the time since the machine started run on alike. Where
# the wall clock suddenly differs, either may be wrong, and what a wrong one did (reminders sent, leases
# taken, old rows forgotten) cannot be undone. So a jump is believed once it has stood for two minutes;
# until then time goes on. Less than this is followed at once: clocks are put right by seconds every day.
JUMP = timedelta(seconds=5)
# Longer than any lease by default, so that none is outstanding when another time begins.
HOLD = timedelta(seconds=120)
# A service that was away for longer waits as long before it believes the clock that it finds.
LONGEST_ABSENCE = timedelta(days=1)


class Reading(Struct, frozen=True, kw_only=True):
    """One reading of a clock, taken `running` after the machine had started and sure to `within`."""

    said: datetime
    running: timedelta
    within: timedelta = timedelta(0)

    @property
    def origin(self) -> datetime:
        """When the machine started, going by this."""
        return self.said - self.running


class Doubt(Struct, frozen=True, kw_only=True):
    """Another time than the one gone by, which the source has told ever `since`."""

    origin: datetime
    since: timedelta


class StartDoubt(Struct, frozen=True, kw_only=True):
    """A first reading that is before what the store has `known` to be past, or long after it.

    Its time is shown, as it is the only one there is, but nothing is done by it.
    """

    known: datetime
    leap: timedelta
    since: timedelta


class Belief(Struct, frozen=True, kw_only=True):
    """The time gone by, as the instant the machine started; and what speaks against it, if anything does."""

    origin: datetime
    doubt: Doubt | None = None
    start: StartDoubt | None = None

    @property
    def jump(self) -> timedelta | None:
        """The difference to the source, or to what the store knew, while it is not believed."""
        if self.start is not None:
            return self.start.leap
        return self.doubt.origin - self.origin if self.doubt else None


def first(reading: Reading, *, known: datetime | None = None) -> Belief:
    """Returns the belief of a process that starts; `known` is an instant that had come before it did."""
    if known is None or _is_plausible(reading, known):
        return Belief(origin=reading.origin)
    start = StartDoubt(known=known, leap=reading.said - known, since=reading.running)
    return Belief(origin=reading.origin, start=start)


def judge(belief: Belief, reading: Reading) -> Belief:
    """Returns the belief to go by after this reading."""
    if belief.start is not None:
        return _judge_start(belief, belief.start, reading)
    if abs(reading.origin - belief.origin) <= JUMP + reading.within:
        return Belief(origin=_nearest(belief.origin, reading))
    doubt = belief.doubt
    if doubt is None or abs(reading.origin - doubt.origin) > JUMP + reading.within:
        news = Doubt(origin=reading.origin, since=reading.running)
        return Belief(origin=belief.origin, doubt=news)
    if reading.running - doubt.since < HOLD:
        return belief
    return first(reading)


def _judge_start(belief: Belief, start: StartDoubt, reading: Reading) -> Belief:
    """Believed once it is plausible, or has stood for as long as a jump has to."""
    is_other = abs(reading.origin - belief.origin) > JUMP + reading.within
    if is_other or _is_plausible(reading, start.known):
        return first(reading, known=start.known)
    origin = _nearest(belief.origin, reading)
    return Belief(origin=origin, start=start if reading.running - start.since < HOLD else None)


def _is_plausible(reading: Reading, known: datetime) -> bool:
    return -(JUMP + reading.within) <= reading.said - known <= LONGEST_ABSENCE


def _nearest(origin: datetime, reading: Reading) -> datetime:
    """Moved no further than the reading is sure of."""
    return min(max(origin, reading.origin - reading.within), reading.origin + reading.within)


class SteadyClock:
    """Runs on with the machine, and is put right by `take`: never by more at once than can be believed."""

    def __init__(self, reading: Reading, *, known: datetime | None = None) -> None:
        self._belief = first(reading, known=known)

    def now(self) -> datetime:
        return self._belief.origin + timedelta(seconds=running())

    @property
    def jump(self) -> timedelta | None:
        return self._belief.jump

    def take(self, reading: Reading) -> None:
        """Takes a reading of the source."""
        self._belief = judge(self._belief, reading)


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
