"""Webhooks as they were before their last changes, kept until the planner has followed them.

A change of a webhook holds from then on. What it asked for until then is owed, also where the planner has not
come that far: it may be down, or the clock in doubt.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from service.reminders.rules import Former, Webhook
from service.store.instants import instant, millis
from service.store.reminder_tables import TO_REPLAN, cursor, former_webhook, webhook

_WEBHOOK = msgspec.json.Decoder(Webhook)


def keep(c: Connection, row: Row[Any], *, until: datetime, seq: int) -> None:
    """Keep the webhook of this row as it is, for what was due by `until` and the log up to `seq`."""
    c.execute(
        insert(former_webhook),
        {
            "webhook_id": row.id,
            "version": row.version,
            "document": row.document,
            "in_step": 1 - row.replan,
            "until": millis(until),
            "seq": seq,
        },
    )


def every(c: Connection) -> dict[str, tuple[Former, ...]]:
    """By webhook, oldest first. They are few: those of the last second, or of a stop of the planner."""
    found: dict[str, tuple[Former, ...]] = {}
    ordered = select(former_webhook).order_by(former_webhook.c.webhook_id, former_webhook.c.version)
    for row in c.execute(ordered):
        was = msgspec.structs.replace(_WEBHOOK.decode(row.document), in_step=bool(row.in_step))
        former = Former(until=instant(row.until), seq=row.seq, was=was)
        found[row.webhook_id] = (*found.get(row.webhook_id, ()), former)
    return found


def forget_followed(c: Connection) -> None:
    """Those that both cursors have passed, of webhooks that are in step."""
    stale = select(webhook.c.id).where(TO_REPLAN)
    c.execute(
        delete(former_webhook).where(
            former_webhook.c.until <= _cursor("planned_until"),
            former_webhook.c.seq <= _cursor("revision"),
            former_webhook.c.webhook_id.not_in(stale),
        )
    )


def forget(c: Connection, webhook_id: str) -> None:
    c.execute(delete(former_webhook).where(former_webhook.c.webhook_id == webhook_id))


def _cursor(name: str) -> Any:
    return select(cursor.c.value).where(cursor.c.name == name).scalar_subquery()
