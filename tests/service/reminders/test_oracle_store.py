"""The same oracle against the real thing: store, planner, sender, and a receiver that counts."""

from datetime import datetime, timedelta
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from service.catalogue.event import Evidence, Source
from service.reminders import fanout, rules
from service.store import deliveries, events, nouns, webhooks
from service.store.engine import Store
from tests import reminding
from tests.receiver import Received, Receiver
from tests.reminding import World
from tests.service.reminders import making
from tests.service.reminders.driver import candidate, changed_hook, play, webhook
from tests.service.reminders.making import LONG_AGO, call, event, utc
from tests.service.reminders.oracle import Gathering, Hook, Sent, sends
from tests.service.reminders.test_oracle import Chance


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
        if self.store.read(partial(deliveries.backlog, now=now))[0] == 0:
            return
        before = len(self.receiver.requests)
        if self.world.send():
            self.sent += [Sent(at=now, id=_said(each)) for each in self.receiver.requests[before:]]

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


def mismatch(seed: int, store: Store, receiver: Receiver) -> str | None:
    chance = Chance(seed)
    history, look_ahead = chance.history(), chance.look_ahead()
    machine = Machine(store, receiver, start=chance.start, look_ahead=look_ahead)
    play(machine, history)
    got = sorted(machine.sent)
    missing, extra = set(sends(history)) - set(got), set(got) - set(sends(history))
    return f"seed {seed}: missing {missing}, too much {extra}" if missing or extra else None


@pytest.mark.parametrize("seed", [47, 61, 80])
def test_what_a_receiver_gets_is_what_the_oracle_says(seed: int, store: Store, receiver: Receiver) -> None:
    assert mismatch(seed, store, receiver) is None


def test_a_deadline_in_dispute_is_planned_at_its_earliest_however_far_apart_they_are(store: Store) -> None:
    said = {"2026-03-27": "a", "2026-05-27": "b"}
    evidence = tuple(Evidence(field="end", value=value, source=source) for value, source in said.items())
    window = call(start="2026-03-02", end="2026-05-27", evidence=evidence)
    sources = [Source(id=key, title=key, kind="news") for key in said.values()]

    def work(c: Connection) -> None:
        for source in sources:
            nouns.put(c, source, now=LONG_AGO, cause="test")
        events.put(c, window, now=LONG_AGO, cause="test")
        webhooks.create(c, hook, sealed=[], now=LONG_AGO)

    hook = making.webhook("closes P7D")
    store.write(work)
    due = utc("2026-03-20 00:00")
    for now in (due - timedelta(hours=1), due):
        fanout.run_once(store, now=now, look_ahead=timedelta(minutes=1))
    [planned] = store.read(lambda c: deliveries.unsent_of_webhook(c, hook.id))
    assert planned.due_at == due


def test_a_new_webhook_that_wants_the_past_gets_what_was_due_weeks_ago_and_is_still_of_use(
    store: Store,
) -> None:
    now = utc("2026-03-01 00:00")
    hook = making.webhook("start P60D", "start P30D", "start P1D", at=now, late="send_now")

    def work(c: Connection) -> None:
        events.put(c, event(start="2026-03-11T10:00"), now=LONG_AGO, cause="test")
        webhooks.create(c, hook, sealed=[], now=now)

    fanout.run_once(store, now=now - timedelta(days=1), look_ahead=timedelta(minutes=1))
    store.write(work)
    fanout.run_once(store, now=now, look_ahead=timedelta(minutes=1))
    planned = store.read(lambda c: deliveries.unsent_of_webhook(c, hook.id))
    assert [(each.before, each.due_at) for each in planned] == [("P30D", utc("2026-02-09 01:00"))]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_sixty_histories_on_both_engines_agree_with_the_oracle(
    seed: int, store: Store, receiver: Receiver
) -> None:
    assert mismatch(seed, store, receiver) is None
