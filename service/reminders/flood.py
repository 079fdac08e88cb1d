"""An import of thousands must not send thousands: what is too much at once is recorded, unsent.

It is `expired` for the reason `flood`: its owner sees it, and may have it sent all the same.
"""

from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from service.reminders.planned import Kind, Planned

# To each webhook: of reminders already past, in one pass of the planner; of changes, from one write.
AT_ONCE = 20
TELLING: tuple[Kind, ...] = (
    "event.cancelled",
    "event.postponed",
    "event.rescheduled",
    "event.deleted",
    "event.created",
    "event.updated",
)


def made_up(planned: Iterable[Planned], past: Container[str]) -> tuple[Planned, ...]:
    """Of those already past when they were asked for, each webhook gets the few that are the soonest over."""
    return _few(
        planned,
        order=lambda row: (row.valid_until, row.id),
        crowd=lambda row: row.webhook if row.state == "pending" and row.id in past else None,
    )


def told(notices: Iterable[Planned]) -> tuple[Planned, ...]:
    """Of what one write changed, each webhook is told the most telling.

    A batch, or a load of seeds, is one instant, and the rows of one write are never read apart.
    """
    return _few(notices, order=lambda row: (TELLING.index(row.type), row.seq), crowd=_write)


def _write(row: Planned) -> tuple[str, datetime]:
    return row.webhook, row.due_at


def _few(
    planned: Iterable[Planned],
    *,
    order: Callable[[Planned], Any],
    crowd: Callable[[Planned], Hashable | None],
) -> tuple[Planned, ...]:
    rows = tuple(planned)
    seen: Counter[Hashable] = Counter()
    flood = set()
    for each in sorted(rows, key=order):
        if (within := crowd(each)) is not None:
            seen[within] += 1
            flood |= {each.id} if seen[within] > AT_ONCE else set()
    return tuple(
        replace(each, state="expired", reason="flood") if each.id in flood else each for each in rows
    )
