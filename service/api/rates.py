"""How often one caller may ask: a token bucket a caller, in this process."""

from collections import OrderedDict
from math import ceil

_CALLERS = 10_000


class Rates:
    """`per_minute` requests a caller, all at once if they like; 0 counts nothing.

    Only the latest 10,000 callers are remembered: a flood of addresses costs bounded memory.
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._callers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, *, now: float) -> int:
        """Count one request; 0 if it may pass, else after how many seconds to try again."""
        if not self._capacity:
            return 0
        left, since = self._callers.pop(caller, (self._capacity, now))
        left = min(self._capacity, left + (now - since) * self._per_second)
        passes = left >= 1
        self._callers[caller] = (left - 1 if passes else left, now)
        if len(self._callers) > _CALLERS:
            self._callers.popitem(last=False)
        return 0 if passes else max(1, ceil((1 - left) / self._per_second))
