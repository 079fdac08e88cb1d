"""What is claimed and waits for its turn: one lane a webhook, so that a slow one holds up only itself."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import datetime
from typing import Literal

from msgspec import Struct

from service.delivery.prepare import Outbound
from service.store.claims import QUARANTINE
from service.store.waiting import Due

# Webhooks whose pace is remembered though nothing is under way.
MOST = 10_000
# Written down as about to be sent, by slots: some batches' worth.
ARMED = 4


# FOLDED service/reminders/lane.py: The queue of one webhook: how many of it may be under way, and how far ahead of that may be worked.
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


# FOLDED service/reminders/slots.py: Which requests are under way, and who may have the next slot.
# FOLDED service/reminders/slots.py:
# FOLDED service/reminders/slots.py: Half of the slots are for webhooks known to be quick. A request that is out for long gives up its slot though
# FOLDED service/reminders/slots.py: it is still under way, so whoever hangs, and however many do, holds nobody up for longer than that.
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


class Lanes:
    """At most `most` in flight a webhook and `total` together, not counting those that linger."""

    def __init__(self, *, most: int, total: int) -> None:
        self._most, self._slots, self._most_armed = most, Slots(total), ARMED * total
        self._lanes: dict[str, Lane] = {}
        self._turns: dict[Pace, deque[Lane]] = {"new": deque(), "slow": deque(), "quick": deque()}
        self._unarmed: deque[Lane] = deque()
        self._armed = 0
        self._claimed: dict[str, int] = {}
        self.quarantined = 0

    @property
    def in_flight(self) -> int:
        return self._slots.in_flight

    @property
    def held(self) -> int:
        """Everything claimed and unfinished."""
        return sum(self._claimed.values())

    def full(self, now: datetime) -> list[str]:
        """Webhooks for which no more is to be claimed now."""
        deep = {key for key, count in self._claimed.items() if count >= self._depth(key)}
        return list(deep | {key for key, lane in self._lanes.items() if lane.held(now)})

    def is_held(self, webhook: str, now: datetime) -> bool:
        """Its receiver wants to be left alone."""
        lane = self._lanes.get(webhook)
        return lane is not None and lane.held(now)

    def choose(self, due: Iterable[Due], *, room: int, now: datetime) -> list[str]:
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
        room_of: dict[str, int] = {}
        for each in rows:
            key = each.webhook
            if key not in room_of:
                room_of[key] = 0 if self.is_held(key, now) else self._depth(key) - self._claimed.get(key, 0)
            if len(chosen) < room and counts.get(key, 0) < room_of[key]:
                counts[key] = counts.get(key, 0) + 1
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
        self._take_arms(lane)

    def arm(self) -> list[Outbound]:
        """What is about to be sent, lane by lane in turn; `armed` follows once it is written down."""
        chosen: list[Outbound] = []
        full: list[Lane] = []
        while self._unarmed and self._armed < self._most_armed:
            lane = self._unarmed.popleft()
            lane.unarmed = False
            if lane.waiting and lane.room(self._most) <= 0:
                full.append(lane)
            elif lane.waiting:
                chosen.append(lane.waiting.popleft())
                lane.arming += 1
                self._armed += 1
                self._take_arms(lane)
        for lane in full:
            self._take_arms(lane)
        return chosen

    def armed(self, outbounds: Iterable[Outbound], *, now: float) -> None:
        for outbound in outbounds:
            lane = self._lanes[outbound.claimed.planned.webhook]
            lane.arming -= 1
            lane.ready.append(Ready(outbound, now))
            self._take_turn(lane)

    def disarm(self, outbounds: Iterable[Outbound]) -> None:
        """They are not to be sent as they are after all."""
        for outbound in outbounds:
            self._lanes[outbound.claimed.planned.webhook].arming -= 1
            self._armed -= 1

    def next(self, *, now: float) -> Started | None:
        """The next to send, webhook by webhook in turn; None if none may be sent now.

        `stale` where it waited for so long that it is to be put back instead.
        """
        for started in self._slots.long_out(now):
            self._lanes[started.webhook].lingers()
        while (pace := self._slots.next(self._turns)) is not None:
            lane = self._turns[pace].popleft()
            lane.in_turn = False
            if lane.ready and lane.pace == pace:
                return self._start(lane, pace, now=now)
            self._take_turn(lane)  # its pace has changed meanwhile, or what it had was taken back
        return None

    def finished(self, started: Started, *, seconds: float, hold: datetime | None = None) -> None:
        """It has ended after so long; its webhook may have the next one, after `hold` if that is said."""
        lane = self._ended(started)
        lane.took(seconds)
        if hold is not None:
            lane.hold(hold)
        self._take_turn(lane)

    def put_back(self, started: Started) -> None:
        """It was not begun after all."""
        self._take_turn(self._ended(started))

    def outlived(self, *, began: float, armed: float) -> list[Outbound]:
        """Take back what has waited since before then, claimed or armed, and was not begun."""
        return self._without(lane.outlived(began=began, armed=armed) for lane in self._lanes.values())

    def recall(self, webhook: str) -> list[Outbound]:
        """Take back everything of this webhook that has not begun."""
        return self._without([self._lanes[webhook].clear()] if webhook in self._lanes else [])

    def clear(self) -> list[Outbound]:
        """Take back everything that has not begun."""
        return self._without(lane.clear() for lane in self._lanes.values())

    def _without(self, taken: Iterable[list[Outbound]]) -> list[Outbound]:
        left = [outbound for some in taken for outbound in some]
        self._armed = sum(len(lane.ready) + lane.arming for lane in self._lanes.values())
        return left

    def _start(self, lane: Lane, pace: Pace, *, now: float) -> Started:
        started = Started(lane.ready.popleft(), pace=pace, now=now)
        self._armed -= 1
        lane.in_flight += 1
        self._slots.take(started)
        self._take_turn(lane)
        return started

    def _ended(self, started: Started) -> Lane:
        self._slots.free(started)
        lane = self._lanes[started.webhook]
        lane.in_flight -= 1
        return lane

    def _take_arms(self, lane: Lane) -> None:
        if lane.waiting and not lane.unarmed:
            lane.unarmed = True
            self._unarmed.append(lane)

    def _take_turn(self, lane: Lane) -> None:
        if lane.ready and not lane.in_turn and lane.in_flight < lane.limit(self._most):
            lane.in_turn = True
            self._turns[lane.pace].append(lane)

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
