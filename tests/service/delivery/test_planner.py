"""The planning loop on both engines: moves, webhooks, downtime, two planners at once."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from service.catalogue.event import Text
from service.delivery import planner
from service.errors import NotFound
from service.reminders.webhook import PatchWebhook, Rule, patched
from service.store import deliveries, events, revisions, webhooks
from service.store.engine import Store
from tests.reminding import HOUR, MINUTE, NOON, World, a_webhook, add, an_event, put

SECOND = timedelta(seconds=1)
URL = "http://127.0.0.1:9/"


def rows(store, webhook="whk_1"):
    found = store.read(lambda c: deliveries.listed(c, webhook, limit=1000))
    return sorted((each.event, each.state, each.due_at) for each in found)


def test_what_is_due_within_the_look_ahead_is_planned_once(store):
    world = World(store)
    add(store, a_webhook(URL))
    put(store, an_event("soon", NOON + HOUR + 5 * MINUTE), an_event("later", NOON + 3 * HOUR))
    world.plan()
    world.plan()
    assert rows(store) == [("soon", "pending", NOON + 5 * MINUTE)]


def test_a_moved_event_is_planned_anew_and_its_old_reminder_is_taken_back(store):
    world = World(store)
    add(store, a_webhook(URL))
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    put(store, an_event("talk", NOON + HOUR + 7 * MINUTE))
    done = world.plan()
    assert (done.planned, done.superseded) == (1, 1)
    assert rows(store) == [
        ("talk", "pending", NOON + 7 * MINUTE),
        ("talk", "superseded", NOON + 5 * MINUTE),
    ]


def test_moved_there_and_back_it_is_reminded_once(store):
    world = World(store)
    add(store, a_webhook(URL))
    for minutes in (5, 7, 5, 7, 5):
        put(store, an_event("talk", NOON + HOUR + minutes * MINUTE))
        world.plan()
    assert rows(store) == [
        ("talk", "pending", NOON + 5 * MINUTE),
        ("talk", "superseded", NOON + 7 * MINUTE),
    ]


@pytest.mark.parametrize("status", ["cancelled", "postponed"])
def test_a_cancelled_event_is_not_reminded_of(store, status):
    world = World(store)
    add(store, a_webhook(URL))
    talk = an_event("talk", NOON + HOUR + 5 * MINUTE)
    put(store, talk)
    world.plan()
    put(store, replace(talk, status=status))
    world.plan()
    assert [state for _, state, _ in rows(store)] == ["superseded"]


def test_a_deleted_event_is_not_reminded_of(store):
    world = World(store)
    add(store, a_webhook(URL))
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    store.write(lambda c: events.delete(c, "talk", now=NOON, cause="test"))
    world.plan()
    assert [state for _, state, _ in rows(store)] == ["superseded"]


def test_a_new_webhook_plans_its_own_part_of_what_is_already_planned(store):
    world = World(store)
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    add(store, a_webhook(URL))
    world.plan()
    assert rows(store) == [("talk", "pending", NOON + 5 * MINUTE)]


def test_changed_rules_replace_what_was_planned_for_them(store):
    world = World(store)
    hook = a_webhook(URL)
    add(store, hook)
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    later = replace(hook, reminders=(Rule(anchor="start", before="PT57M"),))
    store.write(lambda c: webhooks.replace(c, later))
    world.plan()
    assert rows(store) == [
        ("talk", "pending", NOON + 8 * MINUTE),
        ("talk", "superseded", NOON + 5 * MINUTE),
    ]


def test_what_a_pause_held_back_is_not_made_up_for_unless_asked(store, receiver):
    world = World(store)
    skips = a_webhook(receiver.url, key="whk_skip")
    catches = a_webhook(receiver.url, key="whk_catch", resume="catch_up")
    paused = [replace(hook, state="paused") for hook in (skips, catches)]
    for hook in paused:
        add(store, hook)
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    world.clock.move_to(NOON + 6 * MINUTE)
    for hook in paused:
        resumed = patched(hook, PatchWebhook(state="active"), now=world.clock.now())
        store.write(lambda c, resumed=resumed: webhooks.replace(c, resumed))
    assert world.at(NOON + 6 * MINUTE) == 1
    assert [state for _, state, _ in rows(store, "whk_skip")] == ["superseded"]
    assert [state for _, state, _ in rows(store, "whk_catch")] == ["succeeded"]


def test_no_change_of_a_webhook_takes_a_notice_back(store):
    world = World(store)
    hook = a_webhook(URL, changes=("created",), late="send_now")
    add(store, hook)
    put(store, an_event("talk", NOON + 50 * HOUR), now=NOON + SECOND)
    world.clock.move_to(NOON + SECOND)
    world.plan()
    store.write(lambda c: webhooks.replace(c, replace(hook, reminders=())))
    world.plan()
    assert [state for _, state, _ in rows(store)] == ["pending"]


def test_a_deleted_webhook_gets_nothing_more(store):
    world = World(store)
    add(store, a_webhook(URL))
    put(store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    with pytest.raises(NotFound):
        store.write(lambda c: webhooks.remove(c, "whk_1", owner="stranger", now=NOON))
    store.write(lambda c: webhooks.remove(c, "whk_1", owner="owner", now=NOON))
    assert [state for _, state, _ in rows(store)] == ["superseded"]
    assert world.at(NOON + 5 * MINUTE) == 0


def test_after_a_stop_what_is_still_of_use_goes_out_once_and_the_rest_is_recorded(store, receiver):
    world = World(store)
    every = tuple(Rule(anchor="start", before=before) for before in ("P1D", "PT3H", "PT1H"))
    add(store, replace(a_webhook(receiver.url), reminders=every))
    put(store, an_event("missed", NOON + 25 * HOUR), an_event("near", NOON + 28 * HOUR))
    assert world.at(NOON + 27 * HOUR + MINUTE * 30) == 1
    [request] = receiver.requests
    assert b'"late_seconds":1800' in request.body
    states = [(event, state) for event, state, _ in rows(store)]
    assert states == [("missed", "expired")] * 3 + [("near", "expired")] * 2 + [("near", "succeeded")]


def test_an_import_of_thousands_floods_nobody(store):
    world = World(store)
    add(store, a_webhook(URL))
    add(store, a_webhook(URL, key="whk_eager", late="send_now"))
    world.plan()
    put(store, *(an_event(f"e-{n:04}", NOON + 30 * MINUTE) for n in range(1000)))
    world.plan()
    assert rows(store) == []
    states = [state for _, state, _ in rows(store, "whk_eager")]
    assert (states.count("pending"), states.count("expired")) == (20, 980)


def test_another_name_of_an_event_long_past_makes_up_for_nothing(store):
    """Whoever wants late reminders was not reminded of it then, and is not now: no row says `expired`."""
    world = World(store)
    talk = an_event("talk", NOON - 400 * HOUR)
    put(store, talk, now=NOON - 900 * HOUR)
    world.plan()
    add(store, a_webhook(URL, late="send_now"))
    world.plan()
    assert rows(store) == []
    put(store, replace(talk, name=Text(en="Another talk")))
    world.plan()
    assert rows(store) == []
    put(store, replace(talk, start="2026-03-02T12:30"))
    world.plan()
    assert [state for _, state, _ in rows(store)] == ["pending"]


def test_what_was_reminded_of_leaves_room_in_a_flood_for_what_is_new(store, receiver):
    """Thirty talks get another name in the write that adds one: only that one comes late."""
    world = World(store)
    add(store, a_webhook(receiver.url, late="send_now"))
    talks = [an_event(f"talk-{n:02}", NOON + HOUR + 5 * MINUTE) for n in range(30)]
    put(store, *talks)
    world.plan()
    assert world.at(NOON + 5 * MINUTE) == 30
    renamed = [replace(talk, name=Text(en="Another talk")) for talk in talks]
    put(store, *renamed, an_event("new", NOON + HOUR + 6 * MINUTE), now=NOON + 7 * MINUTE)
    assert world.at(NOON + 7 * MINUTE) == 1
    assert [state for event, state, _ in rows(store) if event == "new"] == ["succeeded"]


def test_two_planners_at_once_plan_everything_once(store):
    world = World(store)
    for n in range(5):
        add(store, a_webhook(URL, key=f"whk_{n}"))
    put(store, *(an_event(f"e-{n}", NOON + HOUR + MINUTE) for n in range(50)))
    threads = [threading.Thread(target=world.plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(5):
        assert [state for _, state, _ in rows(store, f"whk_{n}")] == ["pending"] * 50


def test_a_pass_that_was_overtaken_changes_nothing(store):
    seen = store.read(revisions.planner_position)
    store.write(lambda c: revisions.take_planner_turn(c, seen))
    with pytest.raises(revisions.PlannerOvertaken):
        store.write(lambda c: revisions.take_planner_turn(c, seen))


def test_planning_reports_how_far_it_is_behind(store):
    world = World(store)
    lag = lambda now: store.read(lambda c: planner.lag(c, now=now))  # noqa: E731
    world.plan()
    assert lag(NOON + 5 * MINUTE) == timedelta(0)
    assert lag(NOON + 11 * MINUTE) == MINUTE


def test_twenty_thousand_due_at_once_are_planned_in_slices(sqlite_store: Store):
    """No transaction of the planner holds up the writer for long."""
    world = World(sqlite_store)
    for n in range(20):
        add(sqlite_store, a_webhook(URL, key=f"whk_{n:02}"))
    put(sqlite_store, *(an_event(f"e-{n:03}", NOON + HOUR + MINUTE) for n in range(150)))
    steps = sqlite_store.read(revisions.planner_position).step
    assert world.plan().planned == 3000
    assert sqlite_store.read(revisions.planner_position).step - steps >= 3000 // planner.ROWS_AT_ONCE


def test_the_sender_is_told_at_once_what_is_due(store, receiver):
    """Planned and due at the same instant, it is sent in the same step."""
    world = World(store)
    add(store, a_webhook(receiver.url, late="send_now"))
    put(store, an_event("talk", NOON + 30 * MINUTE))
    world.plan()
    assert world.send() == 1


def test_what_a_clock_that_was_ahead_let_expire_is_planned_again_once_it_is_right(store):
    add(store, a_webhook("http://127.0.0.1:9/"))
    planner.run_once(store, now=NOON)
    put(store, *(an_event(f"talk-{n}", NOON + 2 * HOUR + n * MINUTE) for n in range(20)))
    planner.run_once(store, now=NOON + MINUTE)
    planner.run_once(store, now=NOON + timedelta(days=400))

    def states():
        rows = store.read(lambda c: deliveries.listed(c, "whk_1"))
        return Counter((row.state, row.reason) for row in rows)

    assert states() == {("expired", "too_late"): 20}
    planner.run_once(store, now=NOON + 2 * MINUTE, look_ahead=4 * HOUR)
    assert states() == {("pending", None): 20}
