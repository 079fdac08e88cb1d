"""What the log says of deliveries: what nobody will get any more, and which webhook was switched off.

Told once it is committed, for a transaction that fails is run again. By ids only: the address of a webhook is
often a secret, and its name is its owner's.
"""

import logging
from collections.abc import Iterable

from service.reminders.cycle import Turn
from service.reminders.webhook import Webhook
from service.store.deliveries import GIVEN_UP

log = logging.getLogger(__name__)


def note(done: Turn) -> None:
    """One line a fact. What was only taken back, as its event moved or its owner wished, is none."""
    for result in done.given_up:
        verdict = result.verdict
        _lost(result.delivery, result.webhook, verdict.state, verdict.reason, answer=result.answer.outcome)
    for each in done.dropped:
        if each.state in GIVEN_UP:
            planned = each.claimed.planned
            _lost(planned.id, planned.webhook, each.state, each.reason, answer=None)
    for held in done.recovered:
        if held.state in GIVEN_UP:
            _lost(held.delivery, held.webhook, held.state, held.reason, answer="abandoned")
    if done.outlived:
        log.info("%d deliveries expired unsent", done.outlived, extra={"expired": done.outlived})
    switched_off(done.disabled)


def late(expired: int) -> None:
    """What was of no use any more when it was planned, after a stop of ours."""
    if expired:
        log.info("%d deliveries were planned too late to be sent", expired, extra={"expired": expired})


def switched_off(webhooks: Iterable[Webhook]) -> None:
    for off in webhooks:
        fields = {"webhook": off.id, "reason": off.disabled_reason}
        log.warning("webhook %s was switched off: %s", off.id, off.disabled_reason, extra=fields)


def _lost(delivery: str, webhook: str, outcome: str, reason: str | None, *, answer: str | None) -> None:
    """`answer` is that of the last attempt; None where there was none to wait for."""
    fields = {
        "delivery": delivery,
        "webhook": webhook,
        "outcome": outcome,
        "reason": reason,
        "answer": answer,
    }
    log.info("delivery %s is %s: %s", delivery, outcome, reason, extra=fields)
