"""Messages that nobody planned: a test, and a sample of an event's reminder, sent now."""

from datetime import datetime, timedelta

from service.reminders import identity, moments
from service.reminders.moments import Moment
from service.reminders.planned import Candidate, Kind, Planned
from service.reminders.rules import Anchor, Rule, Webhook

USEFUL = timedelta(hours=1)


def message(webhook: Webhook, kind: Kind, *, nonce: str, now: datetime) -> Planned:
    """A message about no event."""
    return Planned(
        id=identity.message(webhook.id, kind, nonce=nonce),
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


def reminder(webhook: Webhook, candidate: Candidate, *, nonce: str, now: datetime) -> Planned | None:
    """The reminder the webhook would get of this event, as if it were due now; None if none can be.

    The first of its rules that fits is shown; a webhook without one for such an event is shown the day
    before.
    """
    known = {
        anchor: found for anchor in moments.anchors(candidate.event) if (found := _known(candidate, anchor))
    }
    if not known or candidate.event.visibility == "internal":
        return None
    fitting = (rule for rule in webhook.reminders if rule.anchor in known)
    rule = next(fitting, Rule(anchor=next(iter(known)), before="P1D"))
    moment = known[rule.anchor]
    return Planned(
        id=identity.message(webhook.id, "sample", nonce=nonce),
        webhook=webhook.id,
        event=candidate.event.id,
        type="event.reminder",
        anchor=rule.anchor,
        before=rule.before,
        anchor_at=moment.at,
        due_at=now,
        valid_until=now + USEFUL,
        tighter_at=None,
        revision=candidate.revision,
        seq=candidate.seq,
    )


def _known(candidate: Candidate, anchor: Anchor) -> Moment | None:
    found = moments.moment(candidate.event, anchor)
    return found if isinstance(found, Moment) else None
