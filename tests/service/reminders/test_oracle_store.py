"""The same oracle against the real thing: store, planner, sender, and a receiver that counts."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from service.catalogue.event import Evidence, Source
from service.delivery import planner
from service.store import deliveries, entities, events, webhooks
from service.store.engine import Store
from tests.receiver import Receiver
from tests.service.reminders import making
from tests.service.reminders.driver import play
from tests.service.reminders.machine import Machine
from tests.service.reminders.making import LONG_AGO, call, event, utc
from tests.service.reminders.oracle import sends
from tests.service.reminders.test_oracle import Chance


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
            entities.put(c, source, now=LONG_AGO, cause="test")
        events.put(c, window, now=LONG_AGO, cause="test")
        webhooks.create(c, hook, sealed=[], now=LONG_AGO)

    hook = making.webhook("closes P7D")
    store.write(work)
    due = utc("2026-03-20 00:00")
    for now in (due - timedelta(hours=1), due):
        planner.run_once(store, now=now, look_ahead=timedelta(minutes=1))
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

    planner.run_once(store, now=now - timedelta(days=1), look_ahead=timedelta(minutes=1))
    store.write(work)
    planner.run_once(store, now=now, look_ahead=timedelta(minutes=1))
    planned = store.read(lambda c: deliveries.unsent_of_webhook(c, hook.id))
    assert [(each.before, each.due_at) for each in planned] == [("P30D", utc("2026-02-09 01:00"))]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_twenty_histories_on_both_engines_agree_with_the_oracle(
    seed: int, store: Store, receiver: Receiver
) -> None:
    assert mismatch(seed, store, receiver) is None
