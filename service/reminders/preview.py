"""The preview: what a webhook will get and when, and what it will not get and why, as the planner decides it.

Also the messages that nobody plans: a test, and a sample of an event's reminder.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from service.catalogue.event import Kind
from service.catalogue.filters import EventFilter
from service.reminders import delivery_id, due_times
from service.reminders.due_times import Moment
from service.reminders.plan import (
    Candidate,
    MessageType,
    NotPlanned,
    Planned,
    Reason,
    reminders,
    selects,
)
from service.reminders.webhook import Anchor, Rule, Webhook

# A preview is read by a person: beyond this many rows it says `truncated`.
MOST_ROWS = 1000
# How long a test or a sample is of use.
USEFUL = timedelta(hours=1)


OF_WINDOWS = {"opens": True, "closes": True, "start": False, "end": False}


class Item(Struct, frozen=True, kw_only=True):
    """One reminder to come; `delivery` is the id it will be sent under."""

    event: str
    anchor: Anchor
    before: str
    at: str | None
    due_at: datetime
    delivery: str


class Withheld(Struct, frozen=True, kw_only=True):
    """One reminder that a rule asks for and that will not be sent."""

    event: str
    anchor: Anchor
    before: str
    at: str | None
    reason: Reason
    due_at: datetime | None


class Upcoming(Struct, frozen=True, kw_only=True):
    """A preview, in the order the reminders are due."""

    items: tuple[Item, ...]
    not_planned: tuple[Withheld, ...]
    truncated: bool


def upcoming(
    candidates: Iterable[Candidate], webhook: Webhook, *, now: datetime, until: datetime
) -> Upcoming:
    """Returns the reminders due in `(now, until]`, and those a rule asks for then that will not be sent.

    A reminder without an instant (only a month is known, or no date) is named if the filter selects the
    event; the caller passes such events. One that was already past is named while its moment is to come.
    While a webhook is paused nothing is sent; whether it is sent later depends on when and how it resumes.
    """
    answers = [
        answer
        for candidate in candidates
        for answer in reminders(candidate, webhook)
        if answer.due_at is not None or selects(webhook, candidate, at=now)
    ]
    planned = [each for each in answers if isinstance(each, Planned) and now < each.due_at <= until]
    withheld = [each for each in answers if isinstance(each, NotPlanned) and _concerns(each, now, until)]
    if webhook.state == "paused":
        withheld += [_held_back(each) for each in planned]
        planned = []
    planned.sort(key=lambda each: (each.due_at, each.id))
    withheld.sort(
        key=lambda each: (each.due_at or until, each.event, each.anchor, each.before, each.at or "")
    )
    return Upcoming(
        items=tuple(_item(each) for each in planned[:MOST_ROWS]),
        not_planned=tuple(_withheld(each) for each in withheld[:MOST_ROWS]),
        truncated=max(len(planned), len(withheld)) > MOST_ROWS,
    )


def relevant_filter(webhook: Webhook) -> EventFilter | None:
    """Returns the webhook's filter limited to the kinds that its rules are about; None where none is left."""
    windows = {OF_WINDOWS[rule.anchor] for rule in webhook.reminders}
    asked = webhook.selection
    if len(windows) == 2:
        return asked
    every = asked.kind or get_args(Kind)
    kinds = tuple(kind for kind in every if (kind == "application_window") in windows)
    return replace(asked, kind=kinds) if kinds else None


def _concerns(each: NotPlanned, now: datetime, until: datetime) -> bool:
    if each.due_at is None or each.useful_until is None:
        return True
    return now < each.due_at <= until or (each.reason == "already_past" and now < each.useful_until)


def _held_back(planned: Planned) -> NotPlanned:
    return NotPlanned(
        webhook=planned.webhook,
        event=planned.event,
        anchor=planned.anchor or "start",
        before=planned.before or "",
        at=planned.at,
        reason="paused",
        due_at=planned.due_at,
        useful_until=planned.valid_until,
    )


def _item(planned: Planned) -> Item:
    return Item(
        event=planned.event,
        anchor=planned.anchor or "start",
        before=planned.before or "",
        at=planned.at,
        due_at=planned.due_at,
        delivery=planned.id,
    )


def _withheld(each: NotPlanned) -> Withheld:
    return Withheld(
        event=each.event,
        anchor=each.anchor,
        before=each.before,
        at=each.at,
        reason=each.reason,
        due_at=each.due_at,
    )


def unplanned_message(webhook: Webhook, kind: MessageType, *, nonce: str, now: datetime) -> Planned:
    """Returns a message about no event, due now."""
    return Planned(
        id=delivery_id.message(webhook.id, kind, nonce=nonce),
        webhook=webhook.id,
        event="",
        type=kind,
        anchor=None,
        before=None,
        anchor_at=None,
        due_at=now,
        valid_until=now + USEFUL,
        tighter_at=None,
        revision=0,
        seq=0,
    )


def sample_reminder(webhook: Webhook, candidate: Candidate, *, nonce: str, now: datetime) -> Planned | None:
    """Returns the reminder a webhook would get of this event, as if it were due now; None if there is none.

    It follows the first rule that fits the event, else "the day before".
    """
    known = {
        anchor: found for anchor in due_times.anchors(candidate.event) if (found := _known(candidate, anchor))
    }
    if not known or not candidate.event.is_public:
        return None
    fitting = (rule for rule in webhook.reminders if rule.anchor in known)
    rule = next(fitting, Rule(anchor=next(iter(known)), before="P1D"))
    moment = known[rule.anchor]
    return Planned(
        id=delivery_id.message(webhook.id, "sample", nonce=nonce),
        webhook=webhook.id,
        event=candidate.event.id,
        type="event.reminder",
        anchor=rule.anchor,
        before=rule.before,
        at=rule.at,
        anchor_at=moment.at,
        due_at=now,
        valid_until=now + USEFUL,
        tighter_at=None,
        revision=candidate.revision,
        seq=candidate.seq,
    )


def _known(candidate: Candidate, anchor: Anchor) -> Moment | None:
    found = due_times.moment(candidate.event, anchor)
    return found if isinstance(found, Moment) else None
