"""What is to be sent when: a pure function of events, webhooks and a stretch of time.

The planner, the preview and the check before each send all ask `reminders`, so they cannot disagree. A
webhook's selection is asked at the instant a reminder is due, so that a filter on `phase` means the phase
at that time.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from service.catalogue import dates, filters
from service.reminders import identity, moments
from service.reminders.moments import Moment, Untimed
from service.reminders.planned import DAWN, DUSK, Candidate, NotPlanned, Planned, Version, Withheld
from service.reminders.rules import Anchor, Rule, Webhook

EVERYTHING = filters.EventFilter()
Stretch = tuple[datetime, datetime]


def plan(
    candidates: Iterable[Candidate], webhooks: Iterable[Webhook], *, after: datetime, until: datetime
) -> tuple[Planned, ...]:
    """The reminders due in `(after, until]`, in order of due."""
    hooks = tuple(webhooks)
    found = [
        answer
        for candidate in candidates
        for webhook in hooks
        for answer in reminders(candidate, webhook, after=after, until=until)
        if isinstance(answer, Planned) and after < answer.due_at <= until
    ]
    return tuple(sorted(found, key=lambda planned: (planned.due_at, planned.id)))


def reminders(
    candidate: Candidate, webhook: Webhook, *, after: datetime = DAWN, until: datetime = DUSK
) -> tuple[Planned | NotPlanned, ...]:
    """Everything the webhook's rules say about one event: planned, or why not.

    Left out may be what is said of a moment of which nothing is due in `(after, until]`: the planner asks
    for minutes, and most moments are weeks away.
    """
    kinds = moments.anchors(candidate.event)
    return tuple(
        answer
        for anchor in kinds
        if (rules := tuple(rule for rule in webhook.reminders if rule.anchor == anchor))
        for answer in _of_anchor(candidate, webhook, anchor, rules, (after, until))
    )


def _of_anchor(
    candidate: Candidate, webhook: Webhook, anchor: Anchor, rules: tuple[Rule, ...], asked_for: Stretch
) -> Iterable[Planned | NotPlanned]:
    moment = moments.moment(candidate.event, anchor)
    if not isinstance(moment, Moment):
        return [_undated(candidate, webhook, rule, moment) for rule in rules]
    zone, remind_at = dates.zone(webhook.timezone), webhook.remind_time
    dues = [moments.due(moment, rule.offset, remind_at=remind_at, zone=zone) for rule in rules]
    after, until = asked_for
    if not any(after < due <= until for due in dues):
        return ()
    asked = [
        _planned(candidate, webhook, rule, moment, due=due) for rule, due in zip(rules, dues, strict=True)
    ]
    reasons = [_withheld(candidate, webhook, each, before=asked[:n]) for n, each in enumerate(asked)]
    named = (each for each, reason in zip(asked, reasons, strict=True) if reason in (None, "already_past"))
    order = sorted(each.due_at for each in named)
    return [
        replace(each, tighter_at=next((later for later in order if later > each.due_at), None))
        if reason is None
        else _refused(each, reason)
        for each, reason in zip(asked, reasons, strict=True)
    ]


def _withheld(
    candidate: Candidate, webhook: Webhook, asked: Planned, *, before: list[Planned]
) -> Withheld | None:
    event = candidate.event
    if webhook.state == "disabled":
        return "disabled"
    if event.visibility == "internal":
        return "internal"
    if event.status in ("cancelled", "postponed"):
        return "cancelled" if event.status == "cancelled" else "postponed"
    if not selects(webhook, candidate, at=asked.due_at):
        return "filtered"
    if any(other.due_at == asked.due_at for other in before):
        return "same_instant"
    return "already_past" if _past(candidate, webhook, asked) else None


def _past(candidate: Candidate, webhook: Webhook, asked: Planned) -> bool:
    """Whether it was due before anything asked for it: the rule came later, or the event became so later."""
    if webhook.skipped_until is not None and asked.due_at <= webhook.skipped_until:
        return True
    if asked.due_at <= webhook.since:
        return webhook.late == "skip"
    in_force = next((version for version in candidate.past if asked.due_at <= version.until), None)
    return in_force is not None and webhook.late == "skip" and not _stood(in_force, webhook, asked)


def _stood(version: Version, webhook: Webhook, asked: Planned) -> bool:
    """Whether an earlier version of the event asked for the very same reminder at that time."""
    if version.was is None:
        return False
    said = (each for each in reminders(version.was, webhook) if isinstance(each, Planned))
    return any((each.id, each.due_at) == (asked.id, asked.due_at) for each in said)


def selects(webhook: Webhook, candidate: Candidate, *, at: datetime) -> bool:
    """Whether the webhook's filter takes this event at an instant."""
    return webhook.selection == EVERYTHING or filters.matches(
        candidate.event,
        webhook.selection,
        steps=candidate.steps,
        disputed=candidate.disputed,
        updated_at=candidate.updated_at,
        now=at,
    )


def _planned(candidate: Candidate, webhook: Webhook, rule: Rule, moment: Moment, *, due: datetime) -> Planned:
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
        tighter_at=None,
        revision=candidate.revision,
        seq=candidate.seq,
    )


def _undated(candidate: Candidate, webhook: Webhook, rule: Rule, reason: Untimed) -> NotPlanned:
    return NotPlanned(
        webhook=webhook.id,
        event=candidate.event.id,
        anchor=rule.anchor,
        before=rule.before,
        reason=reason,
        due_at=None,
        useful_until=None,
    )


def _refused(asked: Planned, reason: Withheld) -> NotPlanned:
    return NotPlanned(
        webhook=asked.webhook,
        event=asked.event,
        anchor=asked.anchor or "start",
        before=asked.before or "PT0S",
        reason=reason,
        due_at=asked.due_at,
        useful_until=asked.valid_until,
    )
