"""Which time to go by when a clock jumps. PURE: readings of a source in, a belief out.

A machine knows two times: what its source says (its wall clock, or on PostgreSQL the database's), and how
long it has been running. Both run on alike; a source that suddenly says otherwise may be right or wrong, and
what was done by a wrong one (reminders sent, leases taken, old rows forgotten) cannot be undone. So a jump is
believed only when it has stood for two minutes; until then time goes on as it did.
"""

from datetime import datetime, timedelta

from msgspec import Struct

# Less than this is followed at once: clocks are put right by seconds every day.
JUMP = timedelta(seconds=5)
# Longer than any lease by default, so that none is outstanding when another time begins.
HOLD = timedelta(seconds=120)


class Reading(Struct, frozen=True, kw_only=True):
    """What the source said, `running` after the machine had started; `within`, as asking takes time."""

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


class Belief(Struct, frozen=True, kw_only=True):
    """The time gone by, as the instant the machine started; and what speaks against it, if anything does."""

    origin: datetime
    doubt: Doubt | None = None

    @property
    def jump(self) -> timedelta | None:
        """How far the source says otherwise, while that is not believed."""
        return self.doubt.origin - self.origin if self.doubt else None


def first(reading: Reading) -> Belief:
    """Nothing is known yet that could speak against it."""
    return Belief(origin=reading.origin)


def judge(belief: Belief, reading: Reading) -> Belief:
    """What to go by after this reading."""
    if abs(reading.origin - belief.origin) <= JUMP + reading.within:
        return Belief(origin=_nearest(belief.origin, reading))
    doubt = belief.doubt
    if doubt is None or abs(reading.origin - doubt.origin) > JUMP + reading.within:
        news = Doubt(origin=reading.origin, since=reading.running)
        return Belief(origin=belief.origin, doubt=news)
    if reading.running - doubt.since < HOLD:
        return belief
    return first(reading)


def _nearest(origin: datetime, reading: Reading) -> datetime:
    """Moved no further than the reading is sure of."""
    return min(max(origin, reading.origin - reading.within), reading.origin + reading.within)
