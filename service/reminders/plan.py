"""What is to be sent when: a pure function of events, webhooks and a stretch of time.

The planner, the preview and the check before each send all ask `reminders`, so they cannot disagree. A
webhook's selection is asked at the instant a reminder is due, so that a filter on `phase` means the phase
at that time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from service.catalogue import dates, filters
from service.catalogue.event import Event
from service.catalogue.windows import Step
from service.reminders import identity, moments
from service.reminders.moments import Moment, Untimed
from service.reminders.rules import Anchor, Rule, Webhook

DAWN = datetime.min.replace(tzinfo=UTC)
# Sent this long after it was due, a reminder counts as late; less is the tick of the loops.
LATE = timedelta(seconds=60)
# A webhook that asks for `send_now` gets at most this many made-up-for reminders from one pass of the
# planner.
AT_ONCE = 20

Withheld = Literal[
    "cancelled", "postponed", "internal", "filtered", "already_past", "same_instant", "disabled"
]
Reason = Untimed | Withheld
Kind = Literal[
    "event.reminder",
    "event.created",
    "event.updated",
    "event.rescheduled",
    "event.postponed",
    "event.cancelled",
    "event.deleted",
    "webhook.test",
    "webhook.disabled",
]
Dropped = Literal["too_late", "tighter", "flood"]


class Candidate(Struct, frozen=True, kw_only=True):
    """An event as the planner needs it.

    `since` is the instant of the change that made it as it is, where the caller knows one: what was due at or
    before it was already past (see `Webhook.late`). None means that it stood long before.
    """

    event: Event
    revision: int
    seq: int
    steps: tuple[Step, ...]
    disputed: bool
    updated_at: datetime
    since: datetime | None = None


class Planned(Struct, frozen=True, kw_only=True):
    """One message to send. For a notice of change anchor, before, anchor_at and tighter_at are None.

    `tighter_at` is when the next reminder of the same moment is due: once that is so, a late one says
    nothing new.
    """

    id: str
    webhook: str
    event: str
    type: Kind
    anchor: Anchor | None
    before: str | None
    anchor_at: datetime | None
    due_at: datetime
    valid_until: datetime
    tighter_at: datetime | None
    revision: int
    seq: int
    state: Literal["pending", "expired"] = "pending"
    reason: Dropped | None = None


class NotPlanned(Struct, frozen=True, kw_only=True):
    """A reminder that a rule asks for and that will not be sent.

    `due_at` is None where no instant can be named.
    """

    webhook: str
    event: str
    anchor: Anchor
    before: str
    reason: Reason
    due_at: datetime | None
    useful_until: datetime | None


def plan(
    candidates: Iterable[Candidate], webhooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> tuple[Planned, ...]:
    """The reminders due in `(after, until]`, in order of due."""
    hooks = tuple(webhooks)
    found = [
        answer
        for candidate in candidates
        for webhook in hooks
        for answer in reminders(candidate, webhook)
        if isinstance(answer, Planned) and after < answer.due_at <= until
    ]
    return tuple(sorted(found, key=lambda planned: (planned.due_at, planned.id)))


def reminders(candidate: Candidate, webhook: Webhook) -> tuple[Planned | NotPlanned, ...]:
    """Everything the webhook's rules say about one event, at whatever time: planned, or why not."""
    kinds = moments.anchors(candidate.event)
    return tuple(
        answer
        for anchor in kinds
        if (rules := tuple(rule for rule in webhook.reminders if rule.anchor == anchor))
        for answer in _of_anchor(candidate, webhook, anchor, rules)
    )


def _of_anchor(
    candidate: Candidate, webhook: Webhook, anchor: Anchor, rules: tuple[Rule, ...]
) -> Iterable[Planned | NotPlanned]:
    moment = moments.moment(candidate.event, anchor)
    if not isinstance(moment, Moment):
        return [_not_planned(candidate, webhook, rule, reason=moment) for rule in rules]
    zone = dates.zone(webhook.timezone)
    dues = [moments.due(moment, rule.offset, remind_at=webhook.remind_time, zone=zone) for rule in rules]
    reasons = [_withheld(candidate, webhook, due, repeated=due in dues[:n]) for n, due in enumerate(dues)]
    to_come = sorted(due for due, reason in zip(dues, reasons, strict=True) if reason is None)
    answers: list[Planned | NotPlanned] = []
    for rule, due, reason in zip(rules, dues, reasons, strict=True):
        if reason is not None:
            until = moments.useful_until(moment, rule.offset)
            answers.append(_not_planned(candidate, webhook, rule, reason=reason, due=due, until=until))
            continue
        tighter = next((later for later in to_come if later > due), None)
        answers.append(_planned(candidate, webhook, rule, moment, due=due, tighter=tighter))
    return answers


def _withheld(candidate: Candidate, webhook: Webhook, due: datetime, *, repeated: bool) -> Reason | None:
    event = candidate.event
    if webhook.state == "disabled":
        return "disabled"
    if event.visibility == "internal":
        return "internal"
    if event.status == "cancelled":
        return "cancelled"
    if event.status == "postponed":
        return "postponed"
    if not selects(webhook, candidate, at=due):
        return "filtered"
    if webhook.late == "skip" and due <= max(webhook.since, candidate.since or DAWN):
        return "already_past"
    return "same_instant" if repeated else None


def selects(webhook: Webhook, candidate: Candidate, *, at: datetime) -> bool:
    """Whether the webhook's filter takes this event at an instant."""
    return filters.matches(
        candidate.event,
        webhook.selection,
        steps=candidate.steps,
        disputed=candidate.disputed,
        updated_at=candidate.updated_at,
        now=at,
    )


def _planned(
    candidate: Candidate,
    webhook: Webhook,
    rule: Rule,
    moment: Moment,
    *,
    due: datetime,
    tighter: datetime | None,
) -> Planned:
    event = candidate.event.id
    return Planned(
        id=identity.reminder(webhook.id, event, anchor=rule.anchor, anchor_at=moment.at, offset=rule.offset),
        webhook=webhook.id,
        event=event,
        type="event.reminder",
        anchor=rule.anchor,
        before=rule.before,
        anchor_at=moment.at,
        due_at=due,
        valid_until=moments.useful_until(moment, rule.offset),
        tighter_at=tighter,
        revision=candidate.revision,
        seq=candidate.seq,
    )


def _not_planned(
    candidate: Candidate,
    webhook: Webhook,
    rule: Rule,
    *,
    reason: Reason,
    due: datetime | None = None,
    until: datetime | None = None,
) -> NotPlanned:
    return NotPlanned(
        webhook=webhook.id,
        event=candidate.event.id,
        anchor=rule.anchor,
        before=rule.before,
        reason=reason,
        due_at=due,
        useful_until=until,
    )


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
