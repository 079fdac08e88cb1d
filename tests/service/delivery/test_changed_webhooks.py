"""Nothing is lost between a change of a webhook and the planner's next pass, however long that takes."""

from datetime import timedelta
from functools import partial

import pytest

from service.reminders import webhook
from service.reminders.webhook import PatchWebhook, Rule, Webhook
from service.store import deliveries, events, webhooks
from service.store.engine import Store
from tests.receiver import Receiver
from tests.reminding import HOUR, MINUTE, NOON, World, a_webhook, add, an_event, put, replace

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
URL = "http://127.0.0.1:9/"


def patch(world: World, key: str = "whk_1", **news: object) -> Webhook:
    """What the API does."""
    now, body = world.clock.now(), PatchWebhook(**news)  # type: ignore[arg-type]
    current = world.store.read(partial(webhooks.get, webhook_id=key, owner=None))
    after = webhook.patched(current, body, now=now)
    world.store.write(lambda c: webhooks.replace(c, after, anew=webhook.begins_anew(current, after)))
    return after


def rows(world: World, key: str = "whk_1") -> list[tuple[str, str, str, str | None]]:
    found = world.store.read(lambda c: deliveries.listed(c, key, limit=5000))
    return sorted((each.type.removeprefix("event."), each.event, each.state, each.reason) for each in found)


def test_a_notice_not_yet_planned_survives_any_change_of_the_webhook(store: Store) -> None:
    world = World(store)
    add(store, a_webhook(URL, changes=("cancelled",)))
    talk = an_event("talk", NOON + 50 * HOUR)
    put(store, talk)
    world.plan()
    put(store, replace(talk, status="cancelled"), now=NOON + SECOND)
    world.clock.move_to(NOON + 2 * SECOND)
    patch(world, remind_at="10:00")
    patch(world, changes=())
    world.plan()
    assert rows(world) == [("cancelled", "talk", "pending", None)]


def test_changes_that_a_webhook_did_not_ask_for_then_are_not_told_later(store: Store) -> None:
    world = World(store)
    add(store, a_webhook(URL))
    put(store, an_event("talk", NOON + 50 * HOUR), now=NOON + SECOND)
    world.clock.move_to(NOON + 2 * SECOND)
    patch(world, changes=("created",))
    world.plan()
    assert rows(world) == []


@pytest.mark.parametrize("news", [{"remind_at": "10:00"}, {"late": "skip"}, {"changes": ("created",)}])
def test_a_reminder_that_came_due_while_nothing_was_planned_survives_a_change(
    sqlite_store: Store, news: dict[str, object]
) -> None:
    world = World(sqlite_store)
    add(sqlite_store, a_webhook(URL, late="send_now" if "late" in news else "skip"))
    put(sqlite_store, an_event("talk", NOON + 6 * HOUR))
    world.plan()
    world.clock.move_to(NOON + 5 * HOUR + 20 * MINUTE)
    patch(world, **news)
    world.clock.move_to(NOON + 5 * HOUR + 21 * MINUTE)
    world.plan()
    assert rows(world) == [("reminder", "talk", "pending", None)]


def test_a_day_only_reminder_survives_a_move_of_its_hour_to_before_the_stop(sqlite_store: Store) -> None:
    """At 09:00 it was due, nothing was planned, and from 09:30 on it would have been due at 08:00."""
    world = World(sqlite_store)
    hook = replace(a_webhook(URL, before="P1D"), timezone="UTC", remind_at="18:00")
    add(sqlite_store, hook)
    put(sqlite_store, replace(an_event("talk", NOON + 24 * HOUR), start="2026-03-03", timezone="UTC"))
    world.plan()
    world.clock.move_to(NOON + 6 * HOUR + 30 * MINUTE)
    patch(world, remind_at="11:00")
    world.plan()
    assert rows(world) == [("reminder", "talk", "pending", None)]


def test_what_new_reminders_ask_for_too_late_is_skipped_as_before(sqlite_store: Store) -> None:
    world = World(sqlite_store)
    add(sqlite_store, a_webhook(URL))
    put(sqlite_store, an_event("talk", NOON + 6 * HOUR))
    world.plan()
    world.clock.move_to(NOON + 4 * HOUR + 30 * MINUTE)
    patch(world, reminders=(Rule(anchor="start", before="PT2H"), Rule(anchor="start", before="PT1H")))
    world.clock.move_to(NOON + 5 * HOUR + 1 * MINUTE)
    world.plan()
    found = sqlite_store.read(lambda c: deliveries.listed(c, "whk_1"))
    assert [(each.before, each.state) for each in found] == [("PT1H", "pending")]


def test_what_the_planner_has_followed_of_old_webhooks_is_forgotten(store: Store) -> None:
    world = World(store)
    add(store, a_webhook(URL))
    world.plan()
    world.clock.move_to(NOON + SECOND)
    patch(world, remind_at="10:00")
    [before] = [each.webhook for each in store.read(webhooks.every)]
    world.plan()
    [after] = [each.webhook for each in store.read(webhooks.every)]
    assert ([each.was.remind_at for each in before.past], after.past) == (["09:00"], ())


def switched_off(world: World, key: str = "whk_1") -> None:
    world.store.write(lambda c: webhooks.disable(c, key, reason="gone", now=world.clock.now()))
    world.plan()


def test_switched_on_again_to_catch_up_it_skips_what_was_past_before_its_event_was(store: Store) -> None:
    world = World(store)
    add(store, a_webhook(URL, before="PT3H", resume="catch_up"))
    switched_off(world)
    world.clock.move_to(NOON + HOUR)
    put(store, an_event("short-notice", NOON + 3 * HOUR + 30 * MINUTE), now=NOON + HOUR)
    put(store, an_event("in-time", NOON + 4 * HOUR + 30 * MINUTE), now=NOON + HOUR)
    world.plan()
    world.clock.move_to(NOON + 2 * HOUR)
    world.plan()
    patch(world, state="active")
    world.plan()
    assert rows(world) == [("reminder", "in-time", "pending", None)]


def test_switched_on_again_to_catch_up_it_is_told_what_changed_in_the_last_three_days(store: Store) -> None:
    world = World(store)
    add(store, a_webhook(URL, changes=("created", "rescheduled"), resume="catch_up"))
    switched_off(world)
    for days, key in ((1, "old"), (3, "new")):
        world.clock.move_to(NOON + days * DAY)
        put(store, an_event(key, NOON + 90 * DAY), now=NOON + days * DAY)
        world.plan()
    world.clock.move_to(NOON + 5 * DAY)
    patch(world, state="active")
    world.plan()
    assert rows(world) == [("created", "new", "pending", None)]


def test_switched_on_again_to_catch_up_it_gets_what_was_waiting_when_it_was_switched_off(
    store: Store, receiver: Receiver
) -> None:
    world = World(store)
    for key, resume in (("whk_catch", "catch_up"), ("whk_skip", "skip")):
        add(store, a_webhook(receiver.url, key=key, resume=resume))
    put(store, an_event("talk", NOON + 2 * HOUR))
    world.plan()
    world.clock.move_to(NOON + HOUR + MINUTE)
    world.plan()
    for key in ("whk_catch", "whk_skip"):
        switched_off(world, key)
        assert rows(world, key) == [("reminder", "talk", "superseded", "disabled")]
    world.clock.move_to(NOON + HOUR + 10 * MINUTE)
    for key in ("whk_catch", "whk_skip"):
        patch(world, key, state="active")
    assert world.at(NOON + HOUR + 10 * MINUTE) == 1
    assert rows(world, "whk_catch") == [("reminder", "talk", "succeeded", None)]
    assert rows(world, "whk_skip") == [("reminder", "talk", "superseded", "disabled")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "postponed"}, "postponed"),
        ({"visibility": "internal"}, "deleted"),
        ({"start": "2026-05"}, "month_precision"),
        ({"start": "2026-03-02T14:09"}, "moved"),
        ({"kind": "application_window", "close_rule": "fixed"}, "withdrawn"),
        (None, "deleted"),
    ],
)
def test_a_delivery_taken_back_says_what_became_of_its_event(
    sqlite_store: Store, change: dict[str, object] | None, reason: str
) -> None:
    world = World(sqlite_store)
    add(sqlite_store, a_webhook(URL))
    talk = an_event("talk", NOON + HOUR + 5 * MINUTE)
    put(sqlite_store, talk)
    world.plan()
    if change is None:
        sqlite_store.write(lambda c: events.delete(c, "talk", now=NOON, cause="test"))
    else:
        put(sqlite_store, replace(talk, **change))
    world.plan()
    assert [row[3] for row in rows(world) if row[2] == "superseded"] == [reason]


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        ({"reminders": ()}, "withdrawn"),
        ({"filter": webhook.FilterBody(tag=("ai",))}, "filtered"),
        ({"reminders": (Rule(anchor="start", before="PT50M"),)}, "withdrawn"),
    ],
)
def test_a_delivery_taken_back_says_what_became_of_its_webhook(
    sqlite_store: Store, news: dict[str, object], reason: str
) -> None:
    world = World(sqlite_store)
    add(sqlite_store, a_webhook(URL))
    put(sqlite_store, an_event("talk", NOON + HOUR + 5 * MINUTE))
    world.plan()
    world.clock.move_to(NOON + SECOND)
    patch(world, **news)
    world.plan()
    assert [row[3] for row in rows(world) if row[2] == "superseded"] == [reason]


def test_of_one_batch_the_twenty_most_telling_changes_are_told_and_the_rest_is_seen(
    sqlite_store: Store,
) -> None:
    world = World(sqlite_store)
    gone = [an_event(f"gone-{n}", NOON + 90 * DAY) for n in range(3)]
    put(sqlite_store, *gone)
    add(sqlite_store, a_webhook(URL, changes=("created", "cancelled")))
    world.plan()
    news = [an_event(f"e-{n:04}", NOON + 90 * DAY) for n in range(1200)]
    put(sqlite_store, *news, *(replace(each, status="cancelled") for each in gone), now=NOON + SECOND)
    put(sqlite_store, an_event("by-hand", NOON + 90 * DAY), now=NOON + 2 * SECOND)
    world.plan()
    found = rows(world)
    assert [row for row in found if row[0] == "cancelled"] == [
        ("cancelled", f"gone-{n}", "pending", None) for n in range(3)
    ]
    assert ("created", "by-hand", "pending", None) in found
    assert len([row for row in found if row[2] == "pending"]) == 3 + 1 + 17
    assert len([row for row in found if row[2:] == ("expired", "flood")]) == 1200 - 17
