"""The planner and the sender over a history, with a dictionary for a store.

What `fanout` and `deliver` do.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from service.catalogue.event import Event, Text
from service.catalogue.filters import FilterBody
from service.catalogue.windows import phase_steps
from service.reminders.changes import Revised
from service.reminders.lateness import settle
from service.reminders.plan import plan
from service.reminders.planned import Candidate, Planned
from service.reminders.replan import changed, check, replan
from service.reminders.rules import Rule, Webhook
from service.reminders.rules import check as checked
from tests.service.reminders.oracle import Gathering, History, Hook, Sent

STATES = {None: "sent", "moved": "superseded", "withdrawn": "superseded"}


@dataclass
class Row:
    planned: Planned
    state: str


@dataclass
class Driver:
    """`look_ahead` is how far the planner is ahead of the clock; nothing may depend on it."""

    start: datetime
    look_ahead: timedelta
    events: dict[str, Candidate] = field(default_factory=dict)
    hooks: dict[str, Webhook] = field(default_factory=dict)
    log: list[Revised] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    planned_until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.planned_until = self.start + self.look_ahead

    def write(self, event_id: str, gathering: Gathering | None, *, at: datetime) -> None:
        before = self.events.pop(event_id, None)
        after = None if gathering is None else candidate(event_id, gathering, at=at)
        if after is not None:
            self.events[event_id] = after
        number = len(self.log) + 1
        row = Revised(
            event=event_id, revision=number, seq=number, changed=(), at=at, before=before, after=after
        )
        self.log.append(row)

    def set_hook(self, hook_id: str, hook: Hook, *, at: datetime) -> None:
        self.look(at)
        old, new = self.hooks.get(hook_id), webhook(hook_id, hook)
        if old is not None:
            resumed = (old.state, new.state, new.resume) == ("paused", "active", "skip")
            new = replace(new, skipped_until=at if resumed else old.skipped_until)
        self.hooks[hook_id] = new
        if new.since == at:  # its rules are new; a pause alone plans nothing
            self._replan(tuple(self.events.values()), (new,), at)

    def wake(self, now: datetime) -> None:
        self.look(now)
        for key, row in sorted(self.rows.items()):
            hook = self.hooks[row.planned.webhook]
            if row.state != "pending" or row.planned.due_at > now or hook.state != "active":
                continue
            verdict = check(row.planned, self.events.get(row.planned.event), hook, now=now)
            row.state = STATES.get(verdict, "expired")
            if verdict is None:
                self.sent.append(Sent(at=now, id=key))

    def look(self, now: datetime) -> None:
        news, self.log = changed(self.log), []
        gone = {row.planned.event for row in self.rows.values()} - self.events.keys()
        self._replan(news, tuple(self.hooks.values()), now, gone=gone)
        seen = {each.event.id: each for each in news}
        events = [seen.get(key, each) for key, each in self.events.items()]
        until = max(self.planned_until, now + self.look_ahead)
        due = plan(events, self.hooks.values(), after=self.planned_until, until=until)
        self._insert(settle(due, now=now))
        self.planned_until = until

    def _replan(
        self,
        events: tuple[Candidate, ...],
        hooks: tuple[Webhook, ...],
        now: datetime,
        gone: frozenset[str] | set[str] = frozenset(),
    ) -> None:
        about = {each.event.id for each in events} | gone
        names = {hook.id for hook in hooks}
        pending = [
            row.planned
            for row in self.rows.values()
            if row.state == "pending" and row.planned.event in about and row.planned.webhook in names
        ]
        changes = replan(pending, events, hooks, until=self.planned_until, now=now)
        for key in changes.supersede:
            self.rows[key].state = "superseded"
        for each in changes.revise:
            self.rows[each.id].planned = each
        self._insert(changes.insert)

    def _insert(self, planned: tuple[Planned, ...]) -> None:
        for each in planned:
            if self.rows.get(each.id, Row(each, "superseded")).state == "superseded":
                self.rows[each.id] = Row(each, each.state)


def run(history: History, *, start: datetime, look_ahead: timedelta) -> Driver:
    """Play a history: of what happens at one instant, writes come first, then hooks, then the wake-up."""
    driver = Driver(start=start, look_ahead=look_ahead)
    happenings: list[tuple[datetime, int, str, object]] = [(at, 2, "", None) for at in history.wakes]
    happenings += [(at, 0, key, g) for key, versions in history.events.items() for at, g in versions]
    happenings += [(at, 1, key, h) for key, versions in history.hooks.items() for at, h in versions]
    for at, _, key, what in sorted(happenings, key=lambda each: each[:3]):
        if isinstance(what, Hook):
            driver.set_hook(key, what, at=at)
        elif key:
            assert what is None or isinstance(what, Gathering)
            driver.write(key, what, at=at)
        else:
            driver.wake(at)
    return driver


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


def webhook(hook_id: str, hook: Hook) -> Webhook:
    made = Webhook(
        id=hook_id,
        owner="owner",
        url="https://example.org/hook",
        name=hook_id,
        format="standard",
        lang="ko",
        filter=FilterBody(tag=(hook.tag,)) if hook.tag else FilterBody(),
        reminders=tuple(Rule(anchor=anchor, before=before) for anchor, before in hook.rules),  # type: ignore[arg-type]
        changes=(),
        timezone=hook.zone,
        remind_at=hook.remind_at.strftime("%H:%M"),
        signing=("v1",),
        late=hook.late,  # type: ignore[arg-type]
        resume=hook.resume,  # type: ignore[arg-type]
        state="paused" if hook.paused else "active",
        disabled_reason=None,
        since=hook.since,
        created_at=hook.since,
        updated_at=hook.since,
    )
    return replace(checked(made), since=hook.since)
