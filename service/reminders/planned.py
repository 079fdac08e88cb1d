"""What is planned, and from what: the values that planner, preview and sender share."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from service.catalogue.event import Event
from service.catalogue.windows import Step
from service.reminders.moments import Untimed
from service.reminders.rules import Anchor

DAWN = datetime.min.replace(tzinfo=UTC)
DUSK = datetime.max.replace(tzinfo=UTC)

Withheld = Literal[
    "cancelled", "postponed", "internal", "filtered", "already_past", "same_instant", "disabled", "paused"
]
Reason = Untimed | Withheld
Notice = Literal[
    "event.created",
    "event.updated",
    "event.rescheduled",
    "event.postponed",
    "event.cancelled",
    "event.deleted",
]
Kind = Literal["event.reminder", Notice, "webhook.test", "webhook.disabled"]
Dropped = Literal["too_late", "tighter", "flood"]


class Version(Struct, frozen=True, kw_only=True):
    """An event as it was until a change; None where it did not exist."""

    until: datetime
    was: "Candidate | None"


class Candidate(Struct, frozen=True, kw_only=True):
    """An event as the planner needs it.

    `past` are the versions that the changes not yet seen by the planner have replaced, oldest first. A
    reminder that came due before the change that asks for it "was already past": see `Webhook.late`.
    """

    event: Event
    revision: int
    seq: int
    steps: tuple[Step, ...]
    disputed: bool
    updated_at: datetime
    past: tuple[Version, ...] = ()


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
