"""Which requests are under way, and who may have the next slot.

Half of the slots are for webhooks known to be quick. A request that is out for long gives up its slot though
it is still under way, so whoever hangs, and however many do, holds nobody up for longer than that.
"""

from collections.abc import Iterator, Mapping, Sized

from service.reminders.lane import QUICK_SECONDS, Pace, Ready

# Under way at once, all that linger included, by slots.
UTMOST = 4
# What was written down so long ago is looked at once more before it is sent.
FRESH_SECONDS = 1.0


class Started:
    """One request on its way. `pace` is that of its lane when it began; `lingers` once it is out for long."""

    __slots__ = ("began", "lingers", "outbound", "pace", "stale")

    def __init__(self, ready: Ready, *, pace: Pace, now: float) -> None:
        self.outbound, self.pace, self.began, self.lingers = ready.outbound, pace, now, False
        self.stale = now - ready.since > FRESH_SECONDS

    @property
    def webhook(self) -> str:
        return self.outbound.claimed.planned.webhook


class Slots:
    """`total` of them."""

    def __init__(self, total: int) -> None:
        self._total, self._half = total, max(1, total // 2)
        # In the order in which they began.
        self._taken: dict[Started, None] = {}
        self._dubious = self._lingering = 0

    @property
    def in_flight(self) -> int:
        return len(self._taken) + self._lingering

    def next(self, waiting: Mapping[Pace, Sized]) -> Pace | None:
        """Of the paces that somebody waits with, whose turn it is; None if nobody's.

        Who is not known to be quick gets half of the slots; of the slow only while few linger.
        """
        if len(self._taken) >= self._total or self.in_flight >= UTMOST * self._total:
            return None
        if self._dubious < self._half:
            if waiting["new"]:
                return "new"
            if waiting["slow"] and self._dubious + self._lingering < self._half:
                return "slow"
        return "quick" if waiting["quick"] else None

    def take(self, started: Started) -> None:
        self._taken[started] = None
        self._dubious += started.pace != "quick"

    def free(self, started: Started) -> None:
        if started.lingers:
            self._lingering -= 1
        else:
            self._leave(started)

    def long_out(self, now: float) -> Iterator[Started]:
        """Those whose slots others get from now on."""
        while self._taken and now - (started := next(iter(self._taken))).began >= QUICK_SECONDS:
            self._leave(started)
            started.lingers = True
            self._lingering += 1
            yield started

    def _leave(self, started: Started) -> None:
        del self._taken[started]
        self._dubious -= started.pace != "quick"
