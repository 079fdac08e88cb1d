"""What is claimed and waits for its turn: one lane a webhook, so that a slow one holds up only itself."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from service.reminders.prepare import Outbound
from service.store.claims import QUARANTINE
from service.store.waiting import Due

# A receiver that answers within this is believed to go on so.
QUICK_SECONDS = 2.0
# As much may be claimed for a webhook as it is likely to take within this time, and armed within that.
AHEAD_SECONDS = 0.3
ARMED_SECONDS = 0.08
DEEPEST = 256
# Webhooks whose pace is remembered though nothing is under way.
MOST = 10_000


class Lane:
    """The queue of one webhook. Until it has answered quickly once, it is sent one request at a time."""

    def __init__(self) -> None:
        self.waiting: deque[Outbound] = deque()
        self.ready: deque[Outbound] = deque()
        self.arming = 0
        self.in_flight = 0
        self.seconds: float | None = None
        self.in_turn = False

    @property
    def quick(self) -> bool:
        return self.seconds is not None and self.seconds < QUICK_SECONDS

    @property
    def slow(self) -> bool:
        return self.seconds is not None and self.seconds >= QUICK_SECONDS

    def limit(self, most: int) -> int:
        return most if self.quick else 1

    def depth(self, most: int) -> int:
        """How many may be claimed and unfinished at once."""
        return self._within(AHEAD_SECONDS, most)

    def room(self, most: int) -> int:
        """How many more may be written down as about to be sent."""
        return self._within(ARMED_SECONDS, most) - len(self.ready) - self.arming - self.in_flight

    def _within(self, seconds: float, most: int) -> int:
        if self.seconds is None or self.slow:
            return 1
        return max(most, min(DEEPEST, int(most * seconds / max(self.seconds, 0.001))))


class Started(Struct, frozen=True, kw_only=True):
    """One request on its way; `slow` is what its lane counted as when it began."""

    outbound: Outbound
    slow: bool


class Lanes:
    """At most `most` in flight a webhook and `total` together; slow ones share half of that."""

    def __init__(self, *, most: int, total: int) -> None:
        self._most, self._total = most, total
        self._lanes: dict[str, Lane] = {}
        self._turn: deque[Lane] = deque()
        self._slow_turn: deque[Lane] = deque()
        self._unarmed: deque[Lane] = deque()
        self.in_flight = 0
        self._slow = 0
        self._claimed: dict[str, int] = {}
        self.quarantined = 0

    @property
    def held(self) -> int:
        """Everything claimed and unfinished."""
        return sum(self._claimed.values())

    def full(self) -> list[str]:
        """Webhooks for which no more is to be claimed now."""
        return [key for key, count in list(self._claimed.items()) if count >= self._depth(key)]

    def choose(self, due: Iterable[Due], *, room: int) -> list[str]:
        """From what is due, what to claim: fairly by webhook, and alone what may kill its worker.

        A suspect is claimed when all else is finished, and nothing else before it is: what it takes down is
        itself, and nothing waits for a lease that a dead worker holds.
        """
        rows = tuple(due)
        suspect = next((each.id for each in rows if each.abandons >= QUARANTINE), None)
        if self.quarantined or suspect is not None:
            return [] if self.held or suspect is None else [suspect]
        chosen: list[str] = []
        counts: dict[str, int] = {}
        for each in rows:
            held = self._claimed.get(each.webhook, 0) + counts.get(each.webhook, 0)
            if len(chosen) >= room or held >= self._depth(each.webhook):
                continue
            counts[each.webhook] = counts.get(each.webhook, 0) + 1
            chosen.append(each.id)
        return chosen

    def claimed(self, webhook: str, *, abandons: int) -> None:
        self._claimed[webhook] = self._claimed.get(webhook, 0) + 1
        self.quarantined += abandons >= QUARANTINE

    def settled(self, webhook: str, *, abandons: int) -> None:
        """It was sent, dropped or given back."""
        self._claimed[webhook] -= 1
        if not self._claimed[webhook]:
            del self._claimed[webhook]
        self.quarantined -= abandons >= QUARANTINE

    def add(self, outbound: Outbound) -> None:
        """It is to be sent, and nothing about that is written down yet."""
        lane = self._lane(outbound.claimed.planned.webhook)
        lane.waiting.append(outbound)
        if len(lane.waiting) == 1:
            self._unarmed.append(lane)

    def arm(self) -> list[Outbound]:
        """What is about to be sent, lane by lane in turn; `armed` follows once it is written down."""
        chosen: list[Outbound] = []
        full: list[Lane] = []
        while self._unarmed:
            lane = self._unarmed.popleft()
            if lane.room(self._most) <= 0:
                full.append(lane)
                continue
            chosen.append(lane.waiting.popleft())
            lane.arming += 1
            if lane.waiting:
                self._unarmed.append(lane)
        self._unarmed.extend(full)
        return chosen

    def armed(self, outbounds: Iterable[Outbound]) -> None:
        for outbound in outbounds:
            lane = self._lanes[outbound.claimed.planned.webhook]
            lane.arming -= 1
            lane.ready.append(outbound)
            self._take_turn(lane)

    def next(self) -> Started | None:
        """The next to send, webhook by webhook in turn; None if none may be sent now."""
        if self.in_flight >= self._total:
            return None
        slow = bool(self._slow_turn) and self._slow < max(1, self._total // 2)
        turn = self._slow_turn if slow else self._turn
        if not turn:
            return None
        lane = turn.popleft()
        lane.in_turn = False
        outbound = lane.ready.popleft()
        lane.in_flight += 1
        self.in_flight += 1
        self._slow += slow
        self._take_turn(lane)
        return Started(outbound=outbound, slow=slow)

    def finished(self, started: Started, *, seconds: float) -> None:
        """The request has ended after so long; its webhook may have the next one."""
        lane = self._lanes[started.outbound.claimed.planned.webhook]
        lane.in_flight -= 1
        self.in_flight -= 1
        self._slow -= started.slow
        lane.seconds = seconds if lane.seconds is None else 0.7 * lane.seconds + 0.3 * seconds
        self._take_turn(lane)

    def put_back(self, started: Started) -> None:
        """It was not begun after all."""
        lane = self._lanes[started.outbound.claimed.planned.webhook]
        lane.in_flight -= 1
        self.in_flight -= 1
        self._slow -= started.slow
        self._take_turn(lane)

    def _take_turn(self, lane: Lane) -> None:
        if lane.ready and not lane.in_turn and lane.in_flight < lane.limit(self._most):
            lane.in_turn = True
            (self._slow_turn if lane.slow else self._turn).append(lane)

    def clear(self) -> list[Outbound]:
        """Take back everything that has not begun."""
        left = [outbound for lane in self._lanes.values() for outbound in (*lane.waiting, *lane.ready)]
        for lane in self._lanes.values():
            lane.waiting.clear()
            lane.ready.clear()
            lane.in_turn = False
        for turn in (self._turn, self._slow_turn, self._unarmed):
            turn.clear()
        return left

    def _depth(self, webhook: str) -> int:
        lane = self._lanes.get(webhook)
        return lane.depth(self._most) if lane else 1

    def _lane(self, webhook: str) -> Lane:
        if webhook not in self._lanes:
            if len(self._lanes) > MOST:
                self._forget()
            self._lanes[webhook] = Lane()
        return self._lanes[webhook]

    def _forget(self) -> None:
        idle = [key for key, lane in self._lanes.items() if not self._claimed.get(key)]
        for key in idle:
            del self._lanes[key]
