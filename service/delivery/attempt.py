"""Makes one attempt: signs, sends and judges; and switches off a webhook whose attempts keep failing."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from service.clock import Clock
from service.delivery.prepare import Outbound
from service.egress.client import Egress, Request
from service.reminders import delivery_id, retry, signing
from service.reminders.messages import formats
from service.reminders.notices import USEFUL
from service.reminders.plan import Planned
from service.reminders.retry import Answer
from service.reminders.webhook import Webhook
from service.store import deliveries, webhooks
from service.store.results import Failing, Result


async def attempt(
    egress: Egress, outbound: Outbound, *, clock: Clock, chance: float, schedule: tuple[timedelta, ...]
) -> Result:
    """Makes exactly one request, signed at this instant; returns what follows from its answer."""
    started = clock.now()
    answer = await egress.post(request(outbound, now=started))
    return result(outbound, answer, started=started, now=clock.now(), chance=chance, schedule=schedule)


def request(outbound: Outbound, *, now: datetime) -> Request:
    """Returns the request of an attempt made `now`, signed with every live secret."""
    claimed, subscriber = outbound.claimed, outbound.subscriber
    headers = signing.headers(
        claimed.planned.id, outbound.body, keys=subscriber.live(now), now=now, replay=claimed.replay
    )
    return Request(url=subscriber.webhook.url, headers=headers, body=outbound.body)


def result(
    outbound: Outbound,
    answer: Answer,
    *,
    started: datetime,
    now: datetime,
    chance: float,
    schedule: tuple[timedelta, ...],
) -> Result:
    """Judges an answer; see `retry.judge`."""
    claimed = outbound.claimed
    verdict = retry.judge(
        answer,
        tries=claimed.tries,
        now=now,
        valid_until=claimed.planned.valid_until,
        chance=chance,
        schedule=schedule,
    )
    return Result(
        delivery=claimed.planned.id,
        webhook=claimed.planned.webhook,
        fence=claimed.fence,
        answer=answer,
        verdict=verdict,
        started_at=started,
        finished_at=now,
    )


def switch_off(
    c: Connection, recorded: Iterable[Result], failing: Iterable[Failing], *, now: datetime
) -> tuple[Webhook, ...]:
    """Switches off webhooks that answered 410 or have failed for days, and tells their owner's others.

    Returns those that were switched off. The planner supersedes what was pending for them.
    """
    reasons = {each.webhook: "gone" for each in recorded if each.verdict.disable}
    for each in failing:
        if retry.disables(failing_since=each.since, failures=each.failures, now=now):
            reasons.setdefault(each.webhook, "failing")
    switched_off = (_switch_off(c, key, reason=reason, now=now) for key, reason in sorted(reasons.items()))
    return tuple(off for off in switched_off if off is not None)


def _switch_off(c: Connection, webhook_id: str, *, reason: str, now: datetime) -> Webhook | None:
    off = webhooks.disable(c, webhook_id, reason=reason, now=now)
    if off is None:
        return None
    for other in webhooks.siblings(c, off):
        body = formats.disabled(other, other=off, now=now)
        deliveries.insert(c, [_disabled_message(other, off, now=now)], now=now, body=body)
    return off


def _disabled_message(other: Webhook, off: Webhook, *, now: datetime) -> Planned:
    return Planned(
        id=delivery_id.message(other.id, "webhook.disabled", nonce=f"{off.id} {off.updated_at.isoformat()}"),
        webhook=other.id,
        event="",
        type="webhook.disabled",
        anchor=None,
        before=None,
        anchor_at=None,
        due_at=now,
        valid_until=now + USEFUL,
        tighter_at=None,
        revision=0,
        seq=0,
    )
