"""Offsets: how long before its anchor a reminder is due, as an ISO 8601 duration down to seconds.

RFC 5545 gives the two halves their meaning: days move the wall clock (`P1D` is the same time the day
before, on a day of 23 hours too), hours are exact (`PT24H`). Months and years have no fixed length and are
refused.
"""

import re
from datetime import timedelta
from functools import lru_cache

from msgspec import Struct

LONGEST = timedelta(days=400)
_DURATION = re.compile(
    r"P(?:([0-9]{1,3})W)?(?:([0-9]{1,4})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?"
)


class OffsetError(ValueError):
    """A text is no offset; the message says why in a sentence for a person."""


class Offset(Struct, frozen=True, kw_only=True, order=True, cache_hash=True):
    """A length of `days` by the wall clock and exact `seconds`.

    `of_day` tells `P0D`, the day itself, from `PT0S`, the instant.
    """

    days: int = 0
    seconds: int = 0
    of_day: bool = False

    @property
    def text(self) -> str:
        """The canonical spelling. It is part of a delivery's id, so P1W and P7D are the same reminder."""
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        exact = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
        day = f"{self.days}D" if self.days or self.of_day else ""
        return f"P{day}{'T' + exact if exact else ''}" if day or exact else "PT0S"

    @property
    def longest(self) -> timedelta:
        """The length of the offset where no clock changes."""
        return timedelta(days=self.days, seconds=self.seconds)

    @property
    def counts_days(self) -> bool:
        """Whether it is a number of whole days, so that a time of day can be set for it."""
        return self.seconds == 0 and (self.days > 0 or self.of_day)

    @property
    def is_zero(self) -> bool:
        return self.days == 0 and self.seconds == 0


@lru_cache(maxsize=1024)
def parse(text: str) -> Offset:
    """Reads an offset such as `P7D`, `P1W`, `P0D`, `PT24H`, `P1DT2H` or `PT0S`; raises OffsetError."""
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise OffsetError(
            "use an ISO 8601 duration of whole weeks, days, hours, minutes or seconds, such as P7D or PT2H"
        )
    weeks, days, hours, minutes, seconds = (int(group or 0) for group in found.groups())
    offset = Offset(
        days=weeks * 7 + days,
        seconds=hours * 3600 + minutes * 60 + seconds,
        of_day="T" not in text and weeks == days == 0,
    )
    if offset.longest > LONGEST:
        raise OffsetError(f"a reminder is at most {LONGEST.days} days before its anchor")
    return offset
