"""Sending again what is finished (T9). Who asks for it gets it: the planner leaves such deliveries alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from service.errors import Conflict
from service.store import deliveries
from service.store.delivery_records import Delivery
from service.store.instants import millis
from service.store.reminder_tables import delivery

# Who sends something again wants it sent, however old it is.
USEFUL = timedelta(days=1)


def one(c: Connection, delivery_id: str, *, owner: str | None, now: datetime) -> Delivery:
    """T9: send a finished one again, under the same id and with the same body."""
    current, _ = deliveries.get(c, delivery_id, owner=owner)
    if _again(c, delivery.c.id == delivery_id, now=now) != 1:
        raise Conflict(f"The delivery is {current.state}; only a finished one can be sent again.")
    return deliveries.get(c, delivery_id, owner=owner)[0]


def many(
    c: Connection, webhook_id: str, *, since: datetime, until: datetime, states: Sequence[str], now: datetime
) -> int:
    """The same for everything due in [since, until) in these states; returns how many."""
    within = (delivery.c.due_at >= millis(since)) & (delivery.c.due_at < millis(until))
    its = (delivery.c.webhook_id == webhook_id) & within & delivery.c.state.in_(states)
    return _again(c, its, now=now)


def _again(c: Connection, which: Any, *, now: datetime) -> int:
    finished = delivery.c.state.in_(("dead", "expired", "succeeded"))
    again = {
        "state": "pending",
        "reason": None,
        "replay": delivery.c.replay + 1,
        "tries": 0,
        "abandons": 0,
        "drop_flag": 0,
        "next_at": millis(now),
        "valid_until": millis(now + USEFUL),
        "finished_at": None,
    }
    return c.execute(update(delivery).where(which, finished).values(**again)).rowcount
