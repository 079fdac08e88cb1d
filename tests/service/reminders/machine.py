"""The real thing, driven like `driver.Driver`: store, planner, sender, and a receiver that counts."""

from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from service.reminders import webhook as rules
from service.reminders.plan import Planned
from service.store import backlog, deliveries, events, webhooks
from service.store.deliveries import Delivery
from service.store.engine import Store
from tests import reminding
from tests.receiver import Received, Receiver
from tests.reminding import World
from tests.service.reminders.driver import Row, candidate, changed_hook, webhook
from tests.service.reminders.oracle import Gathering, Hook, Sent


class Machine:
    """A store, the planner, the sender, a receiver, and a clock that only moves when told."""

    def __init__(self, store: Store, receiver: Receiver, *, start: datetime, look_ahead: timedelta) -> None:
        self.world, self.receiver, self.look_ahead = World(store, now=start), receiver, look_ahead
        self.store = store
        self.sent: list[Sent] = []
        self.look(start)

    def look(self, now: datetime) -> None:
        self.world.clock.move_to(now)
        self.world.plan(look_ahead=self.look_ahead)

    def wake(self, now: datetime) -> None:
        self.look(now)
        if self.store.read(partial(backlog.depth, now=now))[0] == 0:
            return
        before = len(self.receiver.requests)
        while self.world.send():
            pass
        self.sent += [Sent(at=now, id=_said(each)) for each in self.receiver.requests[before:]]

    @property
    def rows(self) -> dict[str, Row]:
        """All deliveries, as the driver tells of them."""
        keys = self.store.read(webhooks.every)
        found = [
            each
            for kept in keys
            for each in self.store.read(partial(deliveries.listed, webhook_id=kept.webhook.id, limit=1000))
        ]
        return {each.id: _row(each) for each in found}

    def write(self, event_id: str, gathering: Gathering | None, *, at: datetime) -> None:
        def work(c: Connection) -> None:
            if gathering is not None:
                events.put(c, candidate(event_id, gathering, at=at).event, now=at, cause="test")
            elif events.get_many(c, [event_id]):
                events.delete(c, event_id, now=at, cause="test")

        self.store.write(work)

    def set_hook(self, hook_id: str, hook: Hook, *, at: datetime) -> None:
        """As the API and the sender do it; the planner comes later."""
        self.world.clock.move_to(at)
        if hook_id not in self.store.read(lambda c: webhooks.many(c, [hook_id])):
            made = replace(webhook(hook_id, hook, at=at), url=self.receiver.url)
            reminding.add(self.store, made, now=at)
        elif hook.state == "disabled":
            self.store.write(lambda c: webhooks.disable(c, hook_id, reason="gone", now=at))
        else:
            self.store.write(partial(_change, hook_id=hook_id, hook=hook, at=at))


def _change(c: Connection, *, hook_id: str, hook: Hook, at: datetime) -> None:
    was = webhooks.get(c, hook_id, owner=None, locked=True)
    after = changed_hook(was, hook, at=at)
    if after != was:
        webhooks.replace(c, after, anew=rules.begins_anew(was, after))


def _said(request: Received) -> str:
    """What the oracle calls it."""
    body = msgspec.json.decode(request.body)
    if body["type"] == "event.reminder":
        return request.id
    data = body["data"]
    return f"{data['webhook']} {body['type']} {data['event']['id']} {data['revision']}"


def _row(found: Delivery) -> Row:
    names = set(Planned.__struct_fields__) & set(Delivery.__struct_fields__) - {"state", "reason"}
    known = {name: getattr(found, name) for name in names}
    state = "sent" if found.state == "succeeded" else found.state
    reason = found.reason if found.state == "expired" else None
    planned = Planned(**known, tighter_at=None, seq=0, reason=reason)  # type: ignore[arg-type]
    return Row(planned, state, found.reason)
