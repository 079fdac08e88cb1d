"""The same oracle against the real thing: the store, the planner's passes, claims, and the last look."""

import os
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from service.catalogue.event import Evidence, Source
from service.reminders import fanout, secrets
from service.reminders.answers import Answer
from service.reminders.prepare import prepare
from service.reminders.retry import Verdict
from service.reminders.subscribers import Subscribers
from service.store import claims, deliveries, events, nouns, results, waiting, webhooks
from service.store.engine import Store
from service.store.results import Result
from tests.service.reminders import making
from tests.service.reminders.driver import candidate, webhook
from tests.service.reminders.making import LONG_AGO, call, event, utc
from tests.service.reminders.oracle import Gathering, History, Hook, Sent, sends
from tests.service.reminders.test_oracle import Chance

MASTER = b"m" * 32
LEASE = timedelta(minutes=1)


class Machine:
    """A store and a clock that only moves when told."""

    def __init__(self, store: Store, *, start: datetime, look_ahead: timedelta) -> None:
        self.store, self.look_ahead = store, look_ahead
        self.sent: list[Sent] = []
        self.look(start)

    def look(self, now: datetime) -> None:
        fanout.run_once(self.store, now=now, look_ahead=self.look_ahead)

    def write(self, event_id: str, gathering: Gathering | None, *, at: datetime) -> None:
        def work(c: Connection) -> None:
            if gathering is not None:
                events.put(c, candidate(event_id, gathering, at=at).event, now=at, cause="test")
            elif events.get_many(c, [event_id]):
                events.delete(c, event_id, now=at, cause="test")

        self.store.write(work)

    def set_hook(self, hook_id: str, hook: Hook, *, at: datetime) -> None:
        self.look(at)
        self.store.write(partial(self._set_hook, hook_id=hook_id, hook=hook, at=at))
        self.look(at)

    def _set_hook(self, c: Connection, *, hook_id: str, hook: Hook, at: datetime) -> None:
        new = replace(webhook(hook_id, hook), updated_at=at)
        old = webhooks.many(c, [hook_id]).get(hook_id)
        if old is None:
            key = secrets.generate("v1", randomness=os.urandom)
            sealed = secrets.seal(key, webhook_id=hook_id, master=MASTER, randomness=os.urandom)
            webhooks.create(c, new, sealed=[sealed], now=at)
            return
        was = old.webhook
        resumed = (was.state, new.state, new.resume) == ("paused", "active", "skip")
        webhooks.replace(c, replace(new, skipped_until=at if resumed else was.skipped_until))

    def wake(self, now: datetime) -> None:
        self.look(now)
        while self.store.write(partial(self._send, now=now)):
            pass

    def _send(self, c: Connection, *, now: datetime) -> int:
        claims.expire(c, now=now)
        due = [each.id for each in waiting.due(c, worker="w", now=now, depth=100, limit=100)]
        claimed = claims.claim(c, due, worker="w", now=now, lease=LEASE)
        subscribers = Subscribers({secrets.key_id(MASTER): MASTER})
        ready = prepare(c, claimed, subscribers=subscribers, page=lambda _: None, began=0.0, now=now)
        claims.drop(c, {each.key: (each.state, each.reason) for each in ready.dropped}, now=now)
        done = [each.claimed for each in (*ready.fresh, *ready.repeated)]
        results.record(c, [_success(each, now) for each in done])
        self.sent += [Sent(at=now, id=each.planned.id) for each in done]
        return len(claimed)


def _success(claimed: claims.Claimed, now: datetime) -> Result:
    return Result(
        delivery=claimed.planned.id,
        webhook=claimed.planned.webhook,
        fence=claimed.fence,
        answer=Answer(outcome="2xx", status=200),
        verdict=Verdict(state="succeeded"),
        started_at=now,
        finished_at=now,
        body_sha256="",
    )


def play(store: Store, history: History, *, start: datetime, look_ahead: timedelta) -> list[Sent]:
    """Of what happens at one instant, writes come first, then webhooks, then the wake-up."""
    machine = Machine(store, start=start, look_ahead=look_ahead)
    happenings: list[tuple[datetime, int, str, object]] = [(at, 2, "", None) for at in history.wakes]
    happenings += [(at, 0, key, g) for key, versions in history.events.items() for at, g in versions]
    happenings += [(at, 1, key, h) for key, versions in history.hooks.items() for at, h in versions]
    for at, _, key, what in sorted(happenings, key=lambda each: each[:3]):
        if isinstance(what, Hook):
            machine.set_hook(key, what, at=at)
        elif key:
            assert what is None or isinstance(what, Gathering)
            machine.write(key, what, at=at)
        else:
            machine.wake(at)
    return sorted(machine.sent)


def mismatch(seed: int, url: str) -> str | None:
    chance = Chance(seed)
    history, look_ahead = chance.history(), chance.look_ahead()
    store = Store.open(url)
    try:
        got = play(store, history, start=chance.start, look_ahead=look_ahead)
    finally:
        store.close()
    missing, extra = set(sends(history)) - set(got), set(got) - set(sends(history))
    return f"seed {seed}: missing {missing}, too much {extra}" if missing or extra else None


@pytest.mark.parametrize("seed", range(3))
def test_the_store_the_passes_and_the_claims_send_what_the_oracle_says(seed: int, sqlite_url: str) -> None:
    assert mismatch(seed, sqlite_url) is None


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
def test_a_hundred_histories_through_the_store_agree_with_the_oracle(
    tmp_path: Path, sqlite_template: Path
) -> None:
    found = []
    for seed in range(100):
        file = tmp_path / f"{seed}.db"
        file.write_bytes(sqlite_template.read_bytes())
        found.append(mismatch(seed, f"sqlite:///{file}"))
        file.unlink()
    assert [each for each in found if each] == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_postgresql_agrees_with_the_oracle(seed: int, pg_url: str) -> None:
    assert mismatch(seed, pg_url) is None
