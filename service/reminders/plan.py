"""Plans reminders: a pure function of events, webhooks and a range of time.

The planner, the preview and the check before each send all call `reminders`, so they cannot disagree. A
webhook's filter is applied at the instant a reminder is due, so that a filter on `phase` means the phase at
that time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from service.catalogue import filters
from service.catalogue.event import Event
from service.catalogue.windows import Step, halted
from service.reminders import delivery_id, due_times
from service.reminders.due_times import Moment, Untimed
from service.reminders.webhook import Anchor, Rule, Webhook

# How far ahead of time reminders are made deliveries.
LOOK_AHEAD = timedelta(minutes=10)
EVERYTHING = filters.EventFilter()
Stretch = tuple[datetime, datetime]


DAWN = datetime.min.replace(tzinfo=UTC)
DUSK = datetime.max.replace(tzinfo=UTC)

Silence = Literal["cancelled", "postponed", "parent_cancelled", "parent_postponed", "internal", "disabled"]
Withheld = Silence | Literal["filtered", "after_the_instant", "already_past", "same_instant", "paused"]
Reason = Untimed | Withheld
Notice = Literal[
    "event.created",
    "event.updated",
    "event.rescheduled",
    "event.postponed",
    "event.cancelled",
    "event.deleted",
]
MessageType = Literal["event.reminder", Notice, "webhook.test", "webhook.disabled"]
Dropped = Literal["too_late", "tighter", "flood"]


class PastVersion(Struct, frozen=True, kw_only=True):
    """The state of an event until a change; `was` is None where the event did not exist."""

    until: datetime
    was: "Candidate | None"


class Candidate(Struct, frozen=True, kw_only=True):
    """An event as the planner needs it.

    `past` holds the versions that changes not yet followed by the planner have replaced, oldest first. A
    reminder that came due before the change that asks for it "was already past": see `Webhook.late`.
    """

    event: Event
    revision: int
    seq: int
    steps: tuple[Step, ...]
    disputed: bool
    updated_at: datetime
    searched: str | None = None
    past: tuple[PastVersion, ...] = ()


class Planned(Struct, frozen=True, kw_only=True):
    """A message to send. In a notice of change anchor, before, at, anchor_at and tighter_at are None.

    `tighter_at` is when the next reminder of the same moment is due; then a late one says nothing new.
    """

    id: str
    webhook: str
    event: str
    type: MessageType
    anchor: Anchor | None
    before: str | None
    at: str | None = None
    anchor_at: datetime | None
    due_at: datetime
    valid_until: datetime
    tighter_at: datetime | None
    revision: int
    seq: int
    state: Literal["pending", "expired"] = "pending"
    reason: Dropped | None = None


class NotPlanned(Struct, frozen=True, kw_only=True):
    """A reminder that a rule asks for and that will not be sent; `due_at` may be unknown."""

    webhook: str
    event: str
    anchor: Anchor
    before: str
    at: str | None = None
    reason: Reason
    due_at: datetime | None
    useful_until: datetime | None


# From when to when this version of an event and this version of a webhook were both in force.
Era = tuple[datetime, datetime, Candidate, Webhook]


def plan(
    candidates: Iterable[Candidate],
    webhooks: Iterable[Webhook],
    *,
    after: datetime,
    until: datetime,
    seen: datetime | None = None,
) -> tuple[Planned, ...]:
    """Returns the reminders due in `(after, until]`, in the order they are due.

    Earlier passes have planned everything they knew of up to `seen`, which is `after` by default.
    """
    hooks = tuple(webhooks)
    found = [
        answer
        for candidate in candidates
        for webhook in hooks
        if _silenced(candidate, webhook) is None
        for answer in reminders(candidate, webhook, after=after, until=until, seen=seen or after)
        if isinstance(answer, Planned) and after < answer.due_at <= until
    ]
    return tuple(sorted(found, key=lambda planned: (planned.due_at, planned.id)))


def reminders(
    candidate: Candidate,
    webhook: Webhook,
    *,
    after: datetime = DAWN,
    until: datetime = DUSK,
    seen: datetime = DAWN,
) -> tuple[Planned | NotPlanned, ...]:
    """Returns for every rule of a webhook the reminder of one event, or why there is none.

    Moments without a reminder due in `(after, until]` may be left out: the planner asks for minutes, and
    most moments are weeks away.
    """
    return tuple(
        answer
        for anchor in due_times.anchors(candidate.event)
        if (rules := _rules_of(webhook.reminders, anchor))
        for answer in _of_anchor(candidate, webhook, anchor, rules, (after, until), seen)
    )


@lru_cache(maxsize=4096)
def _rules_of(reminders: tuple[Rule, ...], anchor: Anchor) -> tuple[Rule, ...]:
    return tuple(rule for rule in reminders if rule.anchor == anchor)


def _of_anchor(
    candidate: Candidate,
    webhook: Webhook,
    anchor: Anchor,
    rules: tuple[Rule, ...],
    asked_for: Stretch,
    seen: datetime,
) -> Iterable[Planned | NotPlanned]:
    moment = due_times.moment(candidate.event, anchor)
    if not isinstance(moment, Moment):
        return [_not_planned(candidate, webhook, rule, moment) for rule in rules]
    dues = _dues(moment, rules, webhook.remind_at, webhook.timezone)
    after, until = asked_for
    if not any(after < due <= until for due in dues):
        return ()
    names = [_name(candidate, webhook, moment, rule) for rule in rules]
    came = _came_due(candidate, webhook, seen) if webhook.late == "skip" else frozenset()
    reasons = [
        _withheld(candidate, webhook, moment, due, before=dues[:n], owed=name in came)
        for n, (name, due) in enumerate(zip(names, dues, strict=True))
    ]
    order = sorted(due for due, reason in zip(dues, reasons, strict=True) if reason in (None, "already_past"))
    return [
        _planned(candidate, webhook, moment, rule, name=name, due=due, order=order)
        if reason is None
        else _not_planned(
            candidate,
            webhook,
            rule,
            reason,
            due=due,
            over=due_times.useful_until(moment, rule.offset, due_at=due),
        )
        for rule, name, due, reason in zip(rules, names, dues, reasons, strict=True)
    ]


# Computed again in every pass of the planner, while most are weeks away.
@lru_cache(maxsize=4096)
def _dues(moment: Moment, rules: tuple[Rule, ...], remind_at: str, zone_name: str) -> tuple[datetime, ...]:
    return tuple(due_times.due(moment, rule, remind_at=remind_at, timezone=zone_name) for rule in rules)


def _silenced(candidate: Candidate, webhook: Webhook) -> Silence | None:
    """Returns why this webhook hears nothing at all of this event."""
    event = candidate.event
    if webhook.state == "disabled":
        return "disabled"
    if not event.is_public:
        return "internal"
    halt = halted(candidate.steps)
    if halt is None or halt == event.status:
        return halt
    return "parent_cancelled" if halt == "cancelled" else "parent_postponed"


def _withheld(
    candidate: Candidate,
    webhook: Webhook,
    moment: Moment,
    due: datetime,
    *,
    before: tuple[datetime, ...],
    owed: bool,
) -> Withheld | None:
    if silence := _silenced(candidate, webhook):
        return silence
    if due_times.is_after_the_instant(moment, due):
        return "after_the_instant"
    if not selects(webhook, candidate, at=due):
        return "filtered"
    if due in before:
        return "same_instant"
    return "already_past" if _past(candidate, webhook, due, owed=owed) else None


def _past(candidate: Candidate, webhook: Webhook, due: datetime, *, owed: bool) -> bool:
    """Whether it was due before anything asked for it: the rule, or the event's dates, came later."""
    if webhook.skipped_until is not None and due <= webhook.skipped_until:
        return True
    begun = candidate.past[-1].until if candidate.past else DAWN
    return webhook.late == "skip" and due <= max(begun, webhook.since) and not owed


def _came_due(candidate: Candidate, webhook: Webhook, seen: datetime) -> frozenset[str]:
    """Returns the ids of reminders that came due while event and webhook, as they were then, asked for them.

    A reminder may have been due at another hour then; its id is the same.
    """
    return frozenset(
        each.id
        for since, until, was, hook in _eras(candidate, webhook, seen)
        for each in plan(
            [replace(was, past=())], [replace(hook, past=(), since=DAWN)], after=since, until=until
        )
    )


def _eras(candidate: Candidate, webhook: Webhook, seen: datetime) -> Iterable[Era]:
    """Yields which versions of the event and of the webhook were in force together, and when."""
    if not candidate.past and not webhook.past:
        return
    ends = [*(version.until for version in candidate.past), DUSK]
    events = zip([DAWN, *ends], ends, [*(each.was for each in candidate.past), candidate], strict=False)
    hooks = [*((former.was, former.until) for former in webhook.past), (webhook, DUSK)]
    for n, (begin, end, event) in enumerate(events):
        for hook, until in hooks:
            known = seen if n == 0 and hook.in_step else DAWN
            if event is not None and hook.state != "disabled":
                yield max(begin, hook.since, known), min(end, until), event, hook


def selects(webhook: Webhook, candidate: Candidate, *, at: datetime) -> bool:
    """Whether the webhook's filter selects this event at an instant."""
    return webhook.selection == EVERYTHING or filters.matches(
        candidate.event,
        webhook.selection,
        steps=candidate.steps,
        disputed=candidate.disputed,
        updated_at=candidate.updated_at,
        now=at,
        searched=candidate.searched,
    )


def _name(candidate: Candidate, webhook: Webhook, moment: Moment, rule: Rule) -> str:
    return delivery_id.reminder(
        webhook.id,
        candidate.event.id,
        anchor=rule.anchor,
        anchor_at=moment.at,
        offset=rule.offset,
        at=rule.at,
    )


def _planned(
    candidate: Candidate,
    webhook: Webhook,
    moment: Moment,
    rule: Rule,
    *,
    name: str,
    due: datetime,
    order: list[datetime],
) -> Planned:
    return Planned(
        id=name,
        webhook=webhook.id,
        event=candidate.event.id,
        type="event.reminder",
        anchor=rule.anchor,
        before=rule.before,
        at=rule.at,
        anchor_at=moment.at,
        due_at=due,
        valid_until=due_times.useful_until(moment, rule.offset, due_at=due),
        tighter_at=next((later for later in order if later > due), None),
        revision=candidate.revision,
        seq=candidate.seq,
    )


def _not_planned(
    candidate: Candidate,
    webhook: Webhook,
    rule: Rule,
    reason: Reason,
    *,
    due: datetime | None = None,
    over: datetime | None = None,
) -> NotPlanned:
    return NotPlanned(
        webhook=webhook.id,
        event=candidate.event.id,
        anchor=rule.anchor,
        before=rule.before,
        at=rule.at,
        reason=reason,
        due_at=due,
        useful_until=over,
    )
