"""What becomes of a reminder that was not sent when it was due. Late is honest: said, or not sent at all."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from service.reminders.planned import Dropped, Planned

# Sent this long after it was due, a reminder counts as late; less is the tick of the loops.
LATE = timedelta(seconds=60)


def overtaken(planned: Planned, *, now: datetime) -> Dropped | None:
    """Why this is no longer worth sending, if so: it is over, or late while a tighter one is due as well."""
    if now >= planned.valid_until:
        return "too_late"
    late = now - planned.due_at > LATE
    if late and planned.tighter_at is not None and planned.tighter_at <= now:
        return "tighter"
    return None


def settle(planned: Iterable[Planned], *, now: datetime) -> tuple[Planned, ...]:
    """Mark what must not be sent any more as expired: rows that are kept, to be seen."""
    return tuple(
        replace(each, state="expired", reason=dropped) if (dropped := overtaken(each, now=now)) else each
        for each in planned
    )


def late_seconds(planned: Planned, *, now: datetime) -> int:
    """How late a reminder goes out; the tick of the loops is not lateness."""
    late = now - planned.due_at
    return int(late.total_seconds()) if late > LATE else 0
