"""Narrows down which events a pass of the planner has to look at: maybe too many, never too few.

An event's day, its zone and the webhook's zone can be days apart from the instant a reminder is due, so the
store is asked for a wide range. Then each distinct rule (anchor, offset, hour, zone) is computed once for an
event, however many webhooks share it.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from msgspec import Struct

from service.catalogue import dates
from service.reminders import due_times, offsets
from service.reminders.due_times import Moment
from service.reminders.plan import Candidate
from service.reminders.webhook import Anchor, Webhook

# Zones lie 26 hours apart, a reminder may be moved some days ahead, and a day ends a day after it began.
SLACK = timedelta(days=4)


class DueRule(Struct, frozen=True, kw_only=True):
    """A reminder rule with everything its due instant depends on."""

    anchor: Anchor
    before: str
    remind_at: str
    timezone: str


class AnchorRange(Struct, frozen=True, kw_only=True):
    """A range of the start (`opening`) or the end of events in which the store looks them up."""

    opening: bool
    after: datetime
    until: datetime


def due_rules(webhook: Webhook) -> frozenset[DueRule]:
    return frozenset(
        DueRule(
            anchor=rule.anchor, before=rule.before, remind_at=webhook.remind_at, timezone=webhook.timezone
        )
        for rule in webhook.reminders
    )


def anchor_ranges(rules: Iterable[DueRule], *, after: datetime, until: datetime) -> tuple[AnchorRange, ...]:
    """Returns where the anchors of reminders due in `(after, until]` can lie, overlapping ranges joined."""
    wanted = sorted({_stretch(rule, after, until) for rule in rules}, key=lambda s: (s.opening, s.after))
    joined: list[AnchorRange] = []
    for each in wanted:
        last = joined[-1] if joined else None
        if last is not None and last.opening == each.opening and each.after <= last.until:
            joined[-1] = AnchorRange(
                opening=each.opening, after=last.after, until=max(last.until, each.until)
            )
        else:
            joined.append(each)
    return tuple(joined)


def _stretch(rule: DueRule, after: datetime, until: datetime) -> AnchorRange:
    offset = offsets.parse(rule.before)
    opening = rule.anchor in ("start", "opens")
    ahead = timedelta(days=offset.days, seconds=offset.seconds)
    # Hours are exact, and count from the instant that the store has as the event's start.
    exact = opening and offset.days == 0 and offset.seconds > 0
    slack = timedelta(0) if exact else SLACK
    return AnchorRange(
        opening=opening, after=_shifted(after, ahead - slack), until=_shifted(until, ahead + slack)
    )


def due_between(
    candidates: Iterable[Candidate], rule: DueRule, *, after: datetime, until: datetime
) -> frozenset[str]:
    """Returns the ids of events for which this rule is due in `(after, until]`."""
    return frozenset(
        candidate.event.id
        for candidate in candidates
        if (due := _due(candidate, rule)) is not None and after < due <= until
    )


def is_of_use(candidate: Candidate, rule: DueRule, *, until: datetime, since: datetime) -> bool:
    """Whether a change made at `since` can matter for this rule: due by `until`, and not over at `since`."""
    moment = due_times.moment(candidate.event, rule.anchor)
    due = _due(candidate, rule)
    if not isinstance(moment, Moment) or due is None or due > until:
        return False
    return due_times.useful_until(moment, offsets.parse(rule.before)) > since


def _due(candidate: Candidate, rule: DueRule) -> datetime | None:
    if rule.anchor not in due_times.anchors(candidate.event):
        return None
    moment = due_times.moment(candidate.event, rule.anchor)
    if not isinstance(moment, Moment):
        return None
    return due_times.due(
        moment,
        offsets.parse(rule.before),
        remind_at=time.fromisoformat(rule.remind_at),
        zone=dates.zone(rule.timezone),
    )


def _shifted(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant + by
    except OverflowError:
        return instant
