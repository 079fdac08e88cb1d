"""Decides how many requests may be in flight, for each webhook and in all: a slow receiver delays itself.

A webhook whose last answers were quick successes may have several requests in flight. Every other one, be it
new, slow or failing, has one at a time, and all of those together half of the total: receivers that hang,
however many, leave the other half to those that answer.

A receiver that limits its senders (429) gets one request at a time from then on, at the rate that it was seen
to take. A webhook with a limit of its own, or at a host that documents one, is not sent more than that.
"""

from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from service.reminders.webhook import Rate
from service.store.claims import Due

# An answer that takes longer than this makes a webhook slow.
QUICK_SECONDS = 2.0
# One more request in flight after so many quick successes: who limits its senders is not met by four at once.
STEP = 3
# Between two requests a little more than the time that the receiver was seen to want.
MARGIN = 1.05
SECOND = timedelta(seconds=1)
# A wait that no receiver named, a pace that is given up after, and the slowest there is.
UNNAMED_WAIT, FORGET_AFTER, SLOWEST = SECOND, timedelta(minutes=10), timedelta(seconds=60)
# Webhooks whose state is remembered though nothing is in flight for them.
MOST_REMEMBERED = 10_000


class _Receiver:
    """The requests in flight to one webhook, and what is known of how it answers."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.quick_answers = 0
        self.held_until: datetime | None = None
        self.rate: Rate | None = None
        # The last request, and those within the time of the rate.
        self.started_at: datetime | None = None
        self.starts: deque[datetime] = deque()
        # Learned from refusals: the least time between two requests, and the last refusal.
        self.interval = timedelta()
        self.refused_at: datetime | None = None
        # Since the last wait: the first request, and how many succeeded.
        self.began: datetime | None = None
        self.taken = 0

    @property
    def is_quick(self) -> bool:
        return self.quick_answers > 0

    def start(self, now: datetime, rate: Rate | None) -> None:
        self.rate, self.started_at = rate, now
        if rate is not None:
            self.starts.append(now)
        self.began = self.began or now

    def free_at(self) -> datetime | None:
        """The instant from which another request may begin; None if at once."""
        waits = [self.held_until] if self.held_until else []
        if self.rate is not None and len(self.starts) >= self.rate.count:
            waits.append(self.starts[-self.rate.count] + self.rate.length)
        if self.started_at is not None and self.interval:
            waits.append(self.started_at + self.interval)
        return max(waits, default=None)

    def room(self, now: datetime, *, most: int) -> int:
        """How many requests may begin now, where a quick receiver may have `most` at once."""
        free = self.free_at()
        if free is not None and now < free:
            return 0
        at_once = 1 if self.interval else min(most, 1 + self.quick_answers // STEP)
        if self.rate is not None:
            while self.starts and self.starts[0] <= now - self.rate.length:
                self.starts.popleft()
            at_once = min(at_once, self.rate.count - len(self.starts))
        return at_once - self.in_flight

    def learn(self, now: datetime, wait: timedelta) -> None:
        """A refusal: so many were taken since the last wait, and it takes this long until there is room."""
        if self.refused_at is not None and self.held_until is not None and now < self.held_until:
            return  # sent before the refusal that says the same
        window = now - (self.began or now) + wait
        if window > SECOND:
            window -= window % SECOND  # waits are named in whole seconds, rounded up
        seen = window * MARGIN / max(1, self.taken)
        self.interval = min(SLOWEST, max(seen, self.interval * 1.25))
        self.refused_at, self.began, self.taken = now, None, 0


class Dispatcher:
    """Counts the requests in flight of one worker. `per_webhook` and `total` are the most there may be."""

    def __init__(self, *, per_webhook: int, total: int) -> None:
        self._per_webhook, self._total = per_webhook, total
        self._receivers: dict[str, _Receiver] = {}
        self._unproven = 0
        self.in_flight = 0

    @property
    def room(self) -> int:
        """The number of requests that may still begin."""
        return self._total - self.in_flight

    def busy(self, now: datetime) -> list[str]:
        """The webhooks that may have no further request now."""
        return [key for key in self._receivers if self._room(key, now) <= 0]

    def next_free(self, now: datetime) -> datetime | None:
        """The first instant from which a webhook that has to wait may have another request."""
        waits = (each.free_at() for each in self._receivers.values() if not each.in_flight)
        return min((at for at in waits if at is not None and at > now), default=None)

    def choose(self, due: Iterable[Due], now: datetime) -> list[str]:
        """The ids of those deliveries that can be sent at once, in the order given."""
        room = self.room
        unproven_room = max(1, self._total // 2) - self._unproven
        chosen: list[str] = []
        chosen_of: Counter[str] = Counter()
        for each in due:
            if len(chosen) >= room:
                break
            quick = self._is_quick(each.webhook)
            if chosen_of[each.webhook] >= self._room(each.webhook, now) or not (quick or unproven_room > 0):
                continue
            unproven_room -= not quick
            chosen_of[each.webhook] += 1
            chosen.append(each.id)
        return chosen

    def started(self, webhook: str, *, now: datetime, rate: Rate | None = None) -> bool:
        """Counts a request that begins; returns whether its webhook is quick, for `finished`."""
        if len(self._receivers) > MOST_REMEMBERED:
            self._receivers = {key: each for key, each in self._receivers.items() if each.in_flight}
        receiver = self._receivers.setdefault(webhook, _Receiver())
        receiver.start(now, rate)
        receiver.in_flight += 1
        self.in_flight += 1
        self._unproven += not receiver.is_quick
        return receiver.is_quick

    def finished(
        self,
        webhook: str,
        *,
        began_quick: bool,
        quick: bool,
        now: datetime,
        hold: datetime | None = None,
        limited: bool = False,
    ) -> None:
        """Counts a request that has ended.

        `quick` says how it was answered, `hold` until when to wait, `limited` that it came too early.
        """
        receiver = self._receivers[webhook]
        receiver.in_flight -= 1
        self.in_flight -= 1
        self._unproven -= not began_quick
        if limited:
            hold = hold or now + UNNAMED_WAIT
            receiver.learn(now, hold - now)
        if receiver.refused_at is not None and now - receiver.refused_at > FORGET_AFTER:
            receiver.refused_at, receiver.interval = None, timedelta()
        receiver.taken += quick
        receiver.quick_answers = receiver.quick_answers + 1 if quick and hold is None else 0
        receiver.held_until = hold or receiver.held_until

    def _is_quick(self, webhook: str) -> bool:
        receiver = self._receivers.get(webhook)
        return receiver is not None and receiver.is_quick

    def _room(self, webhook: str, now: datetime) -> int:
        receiver = self._receivers.get(webhook)
        return 1 if receiver is None else receiver.room(now, most=self._per_webhook)
