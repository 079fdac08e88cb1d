"""Decides how many requests may be in flight, for each webhook and in all: a slow receiver delays itself.

A webhook whose last answer was a quick success may have several requests in flight. Every other one, be it
new, slow or failing, has one at a time, and all of those together half of the total: receivers that hang,
however many, leave the other half to those that answer.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from service.store.claims import Due

# An answer that takes longer than this makes a webhook slow.
QUICK_SECONDS = 2.0
# Webhooks whose state is remembered though nothing is in flight for them.
MOST_REMEMBERED = 10_000


class _Receiver:
    """The requests in flight to one webhook, and what is known of how it answers."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.quick = False
        self.held_until: datetime | None = None


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

    def started(self, webhook: str) -> bool:
        """Counts a request that begins; returns whether its webhook is quick, for `finished`."""
        if len(self._receivers) > MOST_REMEMBERED:
            self._receivers = {key: each for key, each in self._receivers.items() if each.in_flight}
        receiver = self._receivers.setdefault(webhook, _Receiver())
        receiver.in_flight += 1
        self.in_flight += 1
        self._unproven += not receiver.quick
        return receiver.quick

    def finished(self, webhook: str, *, began_quick: bool, quick: bool, hold: datetime | None = None) -> None:
        """Counts a request that has ended; `quick` says how it was answered, `hold` until when to wait."""
        receiver = self._receivers[webhook]
        receiver.in_flight -= 1
        self.in_flight -= 1
        self._unproven -= not began_quick
        receiver.quick, receiver.held_until = quick and hold is None, hold or receiver.held_until

    def _is_quick(self, webhook: str) -> bool:
        receiver = self._receivers.get(webhook)
        return receiver is not None and receiver.quick

    def _room(self, webhook: str, now: datetime) -> int:
        receiver = self._receivers.get(webhook)
        if receiver is None:
            return 1
        if receiver.held_until is not None and now < receiver.held_until:
            return 0
        return (self._per_webhook if receiver.quick else 1) - receiver.in_flight
