"""One attempt: sign, send, judge."""

from datetime import datetime, timedelta

from service.clock import Clock
from service.egress.client import Request
from service.outward import Outward
from service.reminders import retry, signing
from service.reminders.prepare import Outbound
from service.reminders.retry import Answer
from service.store.results import Result


async def attempt(
    egress: Outward, outbound: Outbound, *, clock: Clock, chance: float, schedule: tuple[timedelta, ...]
) -> Result:
    """Exactly one request, signed at this instant, and what follows from its answer."""
    started = clock.now()
    answer = await egress.post(request(outbound, now=started))
    return result(outbound, answer, started=started, now=clock.now(), chance=chance, schedule=schedule)


def request(outbound: Outbound, *, now: datetime) -> Request:
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
