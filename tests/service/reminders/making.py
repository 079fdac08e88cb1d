"""Events, webhooks and plans for the tests of reminders, in a few words."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from service.catalogue import evidence, view
from service.catalogue.event import Event, Text
from service.catalogue.filters import FilterBody
from service.catalogue.windows import phase_at, phase_steps
from service.cli.arguments import rules_of
from service.reminders import webhook as rules
from service.reminders.notices import RevisedEvent
from service.reminders.plan import Candidate, Planned
from service.reminders.webhook import NewWebhook, Webhook

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
LONG_HENCE = datetime(2027, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    """`2025-09-05 09:00`"""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(event_id: str = "summit", **fields: Any) -> Event:
    """A conference on 2025-09-05 in Seoul, unless told otherwise."""
    wanted: dict[str, Any] = {
        "kind": "conference",
        "name": Text(ko="서밋", en="Summit"),
        "start": "2025-09-05",
    }
    return Event(id=event_id, **(wanted | fields))


def call(event_id: str = "call", **fields: Any) -> Event:
    """An application window."""
    wanted: dict[str, Any] = {"kind": "application_window", "name": Text(ko="모집"), "start": "2025-09-01"}
    return Event(id=event_id, **(wanted | {"end": "2025-09-30T18:00", "close_rule": "fixed"} | fields))


def candidate(made: Event, *, at: datetime = LONG_AGO, number: int = 1) -> Candidate:
    return Candidate(
        event=made,
        revision=number,
        seq=number,
        steps=phase_steps(made, seen=None),
        disputed=evidence.disputed(made),
        updated_at=at,
    )


def webhook(*reminders: str, at: datetime = LONG_AGO, webhook_id: str = "whk_1", **fields: Any) -> Webhook:
    """`webhook("start P7D", "start PT0S", late="send_now")`"""
    rows = rules_of(tuple(rule.replace(" ", ":") for rule in reminders))
    fields = {"filter": FilterBody()} | fields
    body = NewWebhook(url="https://example.org/hook", name="우리 팀", reminders=rows, **fields)
    return rules.created(body, webhook_id=webhook_id, owner="key", now=at)


def revised(before: Event | None, after: Event | None, *, at: datetime, number: int = 2) -> RevisedEvent:
    """One row of the log, the changed fields worked out."""
    fields = [] if before is None or after is None else Event.__struct_fields__
    known = before or after
    assert known is not None
    return RevisedEvent(
        event=known.id,
        revision=number,
        seq=number,
        changed=tuple(name for name in fields if getattr(before, name) != getattr(after, name)),
        at=at,
        before=None if before is None else candidate(before, number=number - 1),
        after=None if after is None else candidate(after, number=number),
    )


def document(made: Event, *, now: datetime, revision: int = 1) -> bytes:
    stored = view.document(
        made, previous_dates=(), revision=revision, seq=41, created_at=LONG_AGO, updated_at=LONG_AGO
    )
    return view.with_phase(stored, phase_at(phase_steps(made, seen=None), now))


def told(planned: tuple[Planned, ...]) -> list[tuple[str, str | None, str | None, str]]:
    """What is planned in a form that reads well: event, anchor, before, due."""
    return [(p.event, p.anchor, p.before, p.due_at.strftime("%Y-%m-%d %H:%M")) for p in planned]


__all__ = ["replace"]
