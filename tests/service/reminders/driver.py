"""The planner and the sender over a history, with a dictionary for a store.

What `fanout` and `deliver` do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from service.catalogue.event import Event, Text
from service.catalogue.filters import FilterBody
from service.catalogue.windows import phase_steps
from service.cli.arguments import rules_of
from service.reminders import webhook as rules
from service.reminders.notices import USEFUL, RevisedEvent, notices
from service.reminders.plan import Candidate, Planned, plan
from service.reminders.replan import changed_candidates, check, mark_expired, replan
from service.reminders.webhook import Former, PatchWebhook, Webhook
from service.reminders.webhook import check as checked
from tests.service.reminders.oracle import Gathering, History, Hook, Sent

EXPIRES = ("too_late", "tighter", "flood")
WISHES = ("filter", "reminders", "changes", "timezone", "remind_at", "late", "resume")


@dataclass
class Row:
    planned: Planned
    state: str
    reason: str | None = None


@dataclass
class Driver:
    """`look_ahead` is how far the planner is ahead of the clock; nothing may depend on it."""

    start: datetime
    look_ahead: timedelta
    events: dict[str, Candidate] = field(default_factory=dict)
    hooks: dict[str, Webhook] = field(default_factory=dict)
    log: list[RevisedEvent] = field(default_factory=list)
    seen: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    planned_until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.planned_until = self.start + self.look_ahead

    def write(self, event_id: str, gathering: Gathering | None, *, at: datetime) -> None:
        before = self.events.get(event_id)
        after = None if gathering is None else candidate(event_id, gathering, at=at)
        if (before and before.event) == (after and after.event):
            return
        self.events.pop(event_id, None)
        if after is not None:
            self.events[event_id] = after
        self.log.append(
            RevisedEvent(
                event=event_id,
                revision=1 + sum(row.event == event_id for row in self.log),
                seq=len(self.log) + 1,
                changed=_changed(before, after),
                at=at,
                before=before,
                after=after,
            )
        )

    def set_hook(self, hook_id: str, hook: Hook, *, at: datetime) -> None:
        head, old = len(self.log), self.hooks.get(hook_id)
        if old is None:
            self.hooks[hook_id] = replace(webhook(hook_id, hook, at=at), from_seq=head, in_step=False)
            return
        new = changed_hook(old, hook, at=at)
        stale = not old.in_step or rules.begins_anew(old, new)
        if new.since != old.since:
            past = (*old.past, Former(until=at, seq=head, was=replace(old, past=())))
            new = replace(new, from_seq=head, past=past)
        self.hooks[hook_id] = replace(new, in_step=not stale)

    def wake(self, now: datetime) -> None:
        self.look(now)
        for _, row in sorted(self.rows.items()):
            hook = self.hooks[row.planned.webhook]
            if row.state != "pending" or row.planned.due_at > now or hook.state != "active":
                continue
            verdict = check(row.planned, self.events.get(row.planned.event), hook, now=now)
            row.state = "sent" if verdict is None else "expired" if verdict in EXPIRES else "superseded"
            row.reason = verdict
            if verdict is None:
                self.sent.append(Sent(at=now, id=said(row.planned)))

    def look(self, now: datetime) -> None:
        for hook in [each for each in self.hooks.values() if not each.in_step]:
            self._bring_in_step(hook, now)
        news, rows = changed_candidates(self.log[self.seen :]), self.log[self.seen :]
        hooks = [hook for hook in self.hooks.values() if hook.state != "disabled"]
        gone = {row.planned.event for row in self.rows.values()} - self.events.keys()
        self._replan(news, tuple(replace(hook, past=()) for hook in hooks), now, gone=gone)
        self._insert(notices(rows, hooks))
        until = max(self.planned_until, now + self.look_ahead)
        events = self._with_past(self.planned_until)
        due = plan(events, hooks, after=self.planned_until, until=until)
        self._insert(mark_expired(due, now=now))
        self.planned_until, self.seen = until, len(self.log)
        self.hooks = {key: replace(hook, past=()) for key, hook in self.hooks.items()}

    def _bring_in_step(self, hook: Webhook, now: datetime) -> None:
        fresh = [former.was for former in hook.past if not former.was.in_step]
        since = min([self.planned_until, hook.since, *(was.since for was in fresh)])
        events = () if hook.state == "disabled" else self._with_past(since)
        its = [row for row in self.rows.values() if row.planned.webhook == hook.id]
        held = [row.planned for row in its if row.reason == "disabled" and row.planned.due_at <= hook.since]
        gone = {row.planned.event for row in its}
        self._replan(events, (hook,), now, gone=gone, held=held)
        missed = self.log[min([hook.from_seq, *(was.from_seq for was in fresh)]) : self.seen]
        self._insert(notices([row for row in missed if row.at > now - USEFUL], [hook]))
        self.hooks[hook.id] = replace(hook, in_step=True)

    def _with_past(self, since: datetime) -> tuple[Candidate, ...]:
        late = [row for row in self.log if row.at > since or row.seq > self.seen]
        news = {each.event.id: each for each in changed_candidates(late)}
        return tuple(news.get(key, each) for key, each in self.events.items())

    def _replan(
        self,
        events: tuple[Candidate, ...],
        hooks: tuple[Webhook, ...],
        now: datetime,
        *,
        gone: set[str],
        held: Sequence[Planned] = (),
    ) -> None:
        about = {each.event.id for each in events} | gone
        if not about:
            return
        names = {hook.id for hook in hooks}
        pending = [
            row.planned
            for row in self.rows.values()
            if row.state == "pending"
            and row.planned.type == "event.reminder"
            and row.planned.event in about
            and row.planned.webhook in names
        ]
        done = replan(pending, events, hooks, until=self.planned_until, now=now, held=held)
        for each in done.supersede:
            self.rows[each.id] = Row(self.rows[each.id].planned, "superseded", each.reason)
        for one in done.revise:
            self.rows[one.id].planned = one
        self._insert(done.insert)

    def _insert(self, planned: tuple[Planned, ...]) -> None:
        for each in planned:
            if self.rows.get(each.id, Row(each, "superseded")).state == "superseded":
                self.rows[each.id] = Row(each, each.state)


def run(history: History, *, start: datetime, look_ahead: timedelta) -> Driver:
    """Play a history: of what happens at one instant, writes come first, then hooks, then the wake-up."""
    driver = Driver(start=start, look_ahead=look_ahead)
    play(driver, history)
    return driver


class Player(Protocol):
    """What a history is played through."""

    def write(self, event_id: str, gathering: Gathering | None, *, at: datetime) -> None: ...
    def set_hook(self, hook_id: str, hook: Hook, *, at: datetime) -> None: ...
    def look(self, now: datetime) -> None: ...
    def wake(self, now: datetime) -> None: ...


def play(player: Player, history: History) -> None:
    """Where a webhook is switched off a sender does it, and the planner beside it has just looked."""
    writes = [(at, key, g) for key, versions in history.events.items() for at, g in versions]
    hooks = [(at, key, h) for key, versions in history.hooks.items() for at, h in versions]
    happenings = [(at, 0, key, partial(player.write, key, g, at=at)) for at, key, g in writes]
    happenings += [(at, 1, "", partial(player.look, at)) for at in sorted(history.switched_off)]
    happenings += [(at, 2, key, partial(player.set_hook, key, h, at=at)) for at, key, h in hooks]
    happenings += [(at, 3, "", partial(player.wake, at)) for at in history.wakes]
    for _, _, _, happen in sorted(happenings, key=lambda each: each[:3]):
        happen()


def said(planned: Planned) -> str:
    """What the oracle calls it: a reminder by its id, a notice by what it tells."""
    if planned.type == "event.reminder":
        return planned.id
    return f"{planned.webhook} {planned.type} {planned.event} {planned.revision}"


def changed_hook(old: Webhook, hook: Hook, *, at: datetime) -> Webhook:
    """What a PATCH makes of it, or a sender that switches it off."""
    if hook.state == "disabled":
        since = old.since if old.state == "disabled" else at
        return replace(old, state="disabled", disabled_reason="gone", since=since, updated_at=at)
    wanted = webhook(old.id, hook, at=at)
    body = {name: getattr(wanted, name) for name in WISHES}
    return rules.patched(old, PatchWebhook(**body, state=wanted.state), now=at)  # type: ignore[arg-type]


def _changed(before: Candidate | None, after: Candidate | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    fields = Event.__struct_fields__
    return tuple(name for name in fields if getattr(before.event, name) != getattr(after.event, name))


def candidate(event_id: str, gathering: Gathering, *, at: datetime) -> Candidate:
    event = Event(
        id=event_id,
        kind="application_window" if gathering.window else "conference",
        name=Text(ko=event_id),
        status=gathering.status,  # type: ignore[arg-type]
        start=gathering.start,
        end=gathering.end,
        timezone=gathering.zone,
        tags=tuple(sorted(gathering.tags)),
        visibility="public" if gathering.public else "internal",
    )
    steps = phase_steps(event, seen=None)
    return Candidate(event=event, revision=1, seq=1, steps=steps, disputed=False, updated_at=at)


def webhook(hook_id: str, hook: Hook, *, at: datetime) -> Webhook:
    made = Webhook(
        id=hook_id,
        owner="owner",
        url="https://example.org/hook",
        name=hook_id,
        format="standard",
        lang="ko",
        filter=FilterBody(tag=(hook.tag,)) if hook.tag else FilterBody(),
        reminders=rules_of(tuple(":".join(rule) for rule in hook.rules)),
        changes=hook.changes,  # type: ignore[arg-type]
        timezone=hook.zone,
        remind_at=hook.remind_at.strftime("%H:%M"),
        signing=("v1",),
        late=hook.late,  # type: ignore[arg-type]
        resume=hook.resume,  # type: ignore[arg-type]
        state=hook.state,  # type: ignore[arg-type]
        disabled_reason=None,
        since=at,
        created_at=at,
        updated_at=at,
    )
    return checked(made)
