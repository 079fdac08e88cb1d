"""Makes the body of a `standard` message, as docs/api.md shows it.

It is made once, when a delivery is first sent, and kept: a retry repeats these bytes. So everything that
depends on when it is sent (lateness, the event as it was known) is passed in.
"""

from datetime import datetime

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from service.reminders.plan import MessageType, Planned
from service.reminders.replan import late_seconds
from service.reminders.webhook import Anchor

NOTHING = Raw(b"null")


class Reminder(Struct, frozen=True, kw_only=True):
    anchor: Anchor
    before: str
    at: str | UnsetType = UNSET
    anchor_at: datetime
    due_at: datetime
    late_seconds: int


class ReminderData(Struct, frozen=True, kw_only=True):
    event: Raw
    reminder: Reminder
    webhook: str
    revision: int
    sample: bool | UnsetType = UNSET


class NoticeData(Struct, frozen=True, kw_only=True):
    event: Raw
    changed: tuple[str, ...]
    previous: dict[str, object]
    webhook: str
    revision: int


class TestData(Struct, frozen=True, kw_only=True):
    webhook: str
    name: str


class DisabledData(Struct, frozen=True, kw_only=True):
    webhook: str
    disabled: str
    name: str
    reason: str


class Body(Struct, frozen=True, kw_only=True):
    type: MessageType
    timestamp: datetime
    data: ReminderData | NoticeData | TestData | DisabledData


def reminder(planned: Planned, *, event: bytes, now: datetime, sample: bool = False) -> bytes:
    """`event` is the event's JSON document with its phase; `now` the instant of the first attempt.

    A `sample` is what its owner asked to see, not a reminder that fell due.
    """
    if planned.anchor is None or planned.before is None or planned.anchor_at is None:
        raise ValueError("a reminder has an anchor")
    told = Reminder(
        anchor=planned.anchor,
        before=planned.before,
        at=UNSET if planned.at is None else planned.at,
        anchor_at=planned.anchor_at,
        due_at=planned.due_at,
        late_seconds=late_seconds(planned, now=now),
    )
    data = ReminderData(
        event=Raw(event),
        reminder=told,
        webhook=planned.webhook,
        revision=planned.revision,
        sample=sample or UNSET,
    )
    return _encode(Body(type=planned.type, timestamp=planned.due_at, data=data))


def notice(
    planned: Planned, *, event: bytes | None, changed: tuple[str, ...], previous: dict[str, object]
) -> bytes:
    """`event` as it is after the change, null where nothing is left; `previous`: what changed, as it was."""
    data = NoticeData(
        event=NOTHING if event is None else Raw(event),
        changed=changed,
        previous=previous,
        webhook=planned.webhook,
        revision=planned.revision,
    )
    return _encode(Body(type=planned.type, timestamp=planned.due_at, data=data))


def test(*, webhook: str, name: str, now: datetime) -> bytes:
    return _encode(Body(type="webhook.test", timestamp=now, data=TestData(webhook=webhook, name=name)))


def disabled(*, webhook: str, disabled: str, name: str, reason: str, now: datetime) -> bytes:
    """Tells one webhook of an owner that another one was switched off."""
    data = DisabledData(webhook=webhook, disabled=disabled, name=name, reason=reason)
    return _encode(Body(type="webhook.disabled", timestamp=now, data=data))


def _encode(body: Body) -> bytes:
    return msgspec.json.encode(body)
