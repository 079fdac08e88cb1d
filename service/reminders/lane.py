"""The queue of one webhook: how many of it may be under way, and how far ahead of that may be worked."""

from collections import deque
from datetime import datetime
from typing import Literal

from msgspec import Struct

from service.reminders.prepare import Outbound

# A receiver that answers within this is believed to go on so.
QUICK_SECONDS = 2.0
# As much may be claimed for a webhook as it is likely to take within this time, and armed within that.
AHEAD_SECONDS = 0.3
ARMED_SECONDS = 0.08
DEEPEST = 256

# `new` until it has answered once.
Pace = Literal["new", "quick", "slow"]


class Ready(Struct, frozen=True):
    """Written down as about to be sent, since when (by the machine's running time)."""

    outbound: Outbound
    since: float


class Lane:
    """Until its webhook has answered quickly once, it is sent one request at a time."""

    def __init__(self) -> None:
        self.waiting: deque[Outbound] = deque()
        self.ready: deque[Ready] = deque()
        self.arming = 0
        self.in_flight = 0
        self.seconds: float | None = None
        # Whether it stands in line to be sent, and to be armed.
        self.in_turn = self.unarmed = False
        # The receiver has asked to be left alone until then.
        self.held_until: datetime | None = None

    @property
    def pace(self) -> Pace:
        if self.seconds is None:
            return "new"
        return "quick" if self.seconds < QUICK_SECONDS else "slow"

    def limit(self, most: int) -> int:
        """How many may be under way at once."""
        return most if self.pace == "quick" else 1

    def depth(self, most: int) -> int:
        """How many may be claimed and unfinished at once."""
        return self._within(AHEAD_SECONDS, most)

    def room(self, most: int) -> int:
        """How many more may be written down as about to be sent."""
        return self._within(ARMED_SECONDS, most) - len(self.ready) - self.arming - self.in_flight

    def held(self, now: datetime) -> bool:
        return self.held_until is not None and now < self.held_until

    def took(self, seconds: float) -> None:
        """A request has ended after so long."""
        self.seconds = seconds if self.seconds is None else 0.7 * self.seconds + 0.3 * seconds

    def hold(self, until: datetime) -> None:
        """Nothing before then, and after it one request, as to a receiver that has never answered."""
        self.held_until, self.seconds = until, None

    def lingers(self) -> None:
        """A request is under way for too long to be waited for."""
        self.seconds = max(self.seconds or 0.0, QUICK_SECONDS)

    def outlived(self, *, began: float, armed: float) -> list[Outbound]:
        """Take out what was claimed before `began` and what was armed before `armed`."""
        waiting = [each for each in self.waiting if each.began < began]
        ready = [each.outbound for each in self.ready if each.since < armed]
        if waiting:
            self.waiting = deque(each for each in self.waiting if each.began >= began)
        if ready:
            self.ready = deque(each for each in self.ready if each.since >= armed)
        return waiting + ready

    def clear(self) -> list[Outbound]:
        """Take out everything that has not begun."""
        left = [*self.waiting, *(each.outbound for each in self.ready)]
        self.waiting.clear()
        self.ready.clear()
        return left

    def _within(self, seconds: float, most: int) -> int:
        if self.seconds is None or self.pace == "slow":
            return 1
        return max(most, min(DEEPEST, int(most * seconds / max(self.seconds, 0.001))))
