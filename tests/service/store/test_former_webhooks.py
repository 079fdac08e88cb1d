"""Webhooks as they were: kept as long as the planner needs them, and no longer."""

from datetime import timedelta

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, insert

from service.reminders.webhook import Webhook
from service.store import dialects, revisions, schema, webhooks
from service.store.engine import Store
from service.store.tables import webhook
from tests.reminding import MINUTE, NOON, World, a_webhook, add, an_event, put

URL = "http://127.0.0.1:9/"
HOOK = a_webhook(URL)


def change(store: Store, hook: Webhook = HOOK, *, at: timedelta = MINUTE) -> None:
    store.write(lambda c: webhooks.replace(c, replace(hook, since=NOON + at)))


def kept(store: Store) -> list[tuple[timedelta, bool]]:
    found = store.read(webhooks.former).get(HOOK.id, ())
    return [(former.until - NOON, former.was.in_step) for former in found]


def test_one_is_kept_for_each_change_of_the_rules_and_none_for_another_name(store: Store) -> None:
    add(store, HOOK)
    store.write(lambda c: webhooks.replace(c, replace(HOOK, name="other"), anew=False))
    assert kept(store) == []
    change(store)
    change(store, at=2 * MINUTE)
    assert kept(store) == [(MINUTE, False), (2 * MINUTE, False)]


def test_it_is_kept_until_both_cursors_have_passed_it_and_the_webhook_is_in_step(
    store: Store,
) -> None:
    add(store, HOOK)
    put(store, an_event("talk", NOON + 90 * MINUTE))
    change(store)
    head = 1

    def forget(until: timedelta, seq: int, *, in_step: bool) -> list[tuple[timedelta, bool]]:
        def work(c: Connection) -> None:
            revisions.move_planner(c, planned_until=NOON + until, revision=seq)
            if in_step:
                [stale] = webhooks.to_replan(c, 1)
                webhooks.replanned(c, stale)
            webhooks.forget_followed(c)

        store.write(work)
        return kept(store)

    assert forget(MINUTE, head, in_step=False) == [(MINUTE, False)]
    assert forget(MINUTE - timedelta(seconds=1), head, in_step=True) == [(MINUTE, False)]
    assert forget(MINUTE, head - 1, in_step=False) == [(MINUTE, False)]
    assert forget(MINUTE, head, in_step=False) == []


def test_it_goes_with_its_webhook(store: Store) -> None:
    add(store, HOOK)
    change(store)
    store.write(lambda c: webhooks.remove(c, HOOK.id, owner=None, now=NOON))
    assert kept(store) == []


def test_one_the_planner_has_seen_says_so(store: Store) -> None:
    world = World(store)
    add(store, HOOK)
    world.plan()
    change(store)
    assert kept(store) == [(MINUTE, True)]


def test_a_webhook_of_the_schema_before_hears_what_the_planner_has_yet_to_read(empty_url: str) -> None:
    writer, reader = dialects.engines(empty_url)
    with writer.begin() as c:
        schema.upgrade(c, "0005")
    row = {"id": HOOK.id, "owner": "owner", "document": msgspec.json.encode(HOOK).decode(), "state": "active"}
    with writer.begin() as c:
        c.execute(insert(webhook), {**row, "version": 1, "replan": 0, "failures": 0, "created_at": 0})
        revisions.move_planner(c, revision=7)
    writer.dispose()
    reader.dispose()
    store = Store.open(empty_url)
    [found] = store.read(webhooks.every)
    assert found.webhook == replace(HOOK, from_seq=7)
    store.close()
