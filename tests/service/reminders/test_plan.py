from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.reminders import delivery_id
from service.reminders.notices import RevisedEvent
from service.reminders.plan import Candidate, Planned, plan, reminders
from service.reminders.replan import Replan, Withdrawal, changed_candidates, check, replan
from service.reminders.webhook import Webhook
from tests.service.reminders.making import (
    LONG_AGO,
    LONG_HENCE,
    call,
    candidate,
    event,
    revised,
    told,
    utc,
    webhook,
)

ALWAYS = {"after": LONG_AGO, "until": LONG_HENCE}
NOW = utc("2025-09-01 00:00")
SOON = NOW + timedelta(minutes=10)


def test_windows_open_and_close_and_everything_else_starts_and_ends() -> None:
    hook = webhook("start P1D", "end P1D", "opens P1D", "closes P1D")
    window, milestone = call(), event("milestone", kind="milestone", start="2025-09-10")
    found = plan([candidate(window), candidate(milestone)], [hook], **ALWAYS)
    assert told(found) == [
        ("call", "opens", "P1D", "2025-08-31 00:00"),
        ("milestone", "start", "P1D", "2025-09-09 00:00"),
        ("call", "closes", "P1D", "2025-09-29 09:00"),
    ]


def test_the_stretch_of_time_is_open_at_its_beginning_and_closed_at_its_end() -> None:
    hooks, events = [webhook("start PT0S")], [candidate(event(start="2025-09-05T14:00"))]
    due = utc("2025-09-05 05:00")
    assert plan(events, hooks, after=due - timedelta(1), until=due) != ()
    assert plan(events, hooks, after=due, until=LONG_HENCE) == ()


def test_planning_in_pieces_is_planning_at_once() -> None:
    hooks = [webhook("start P7D", "start P1D", "start PT0S"), webhook("closes P3D", webhook_id="whk_2")]
    events = [candidate(event()), candidate(call()), candidate(event("other", start="2025-09-06T10:00"))]
    whole = plan(events, hooks, **ALWAYS)
    days = [utc("2025-08-20 00:00") + timedelta(days=n) for n in range(60)]
    pieces = [each for a in days for each in plan(events, hooks, after=a, until=a + timedelta(days=1))]
    assert tuple(pieces) == whole


@pytest.mark.parametrize("status", ["cancelled", "postponed"])
def test_what_does_not_happen_is_not_reminded(status: str) -> None:
    assert plan([candidate(event(status=status))], [webhook("start P1D")], **ALWAYS) == ()


def test_the_name_of_a_reminder_is_what_it_says_and_not_when_it_is_sent() -> None:
    def ids(hook: Webhook) -> list[str]:
        return [each.id for each in plan([candidate(event())], [hook], **ALWAYS)]

    early, late = webhook("start P7D", remind_at="08:00"), webhook("start P1W", remind_at="10:00")
    assert ids(early) == ids(late)
    assert ids(webhook("start P7D", webhook_id="whk_2")) != ids(early) != ids(webhook("start P6D"))


def closing(end: str) -> Candidate:
    return candidate(event(kind="application_window", start=None, end=end, close_rule="fixed"))


def test_two_hours_of_one_day_are_two_reminders_and_the_day_is_not_the_instant() -> None:
    hook = webhook("closes P0D@09:00", "closes P0D@17:00", "closes PT0S")
    found = plan([closing("2025-09-05T24:00")], [hook], **ALWAYS)
    assert [(each.before, each.at, each.due_at, each.valid_until) for each in found] == [
        ("P0D", "09:00", utc("2025-09-05 00:00"), utc("2025-09-05 15:00")),
        ("P0D", "17:00", utc("2025-09-05 08:00"), utc("2025-09-05 15:00")),
        ("PT0S", None, utc("2025-09-05 15:00"), utc("2025-09-05 16:00")),
    ]
    assert len({each.id for each in found}) == 3


def test_an_hour_after_the_instant_is_not_planned_and_one_at_the_instant_is() -> None:
    hook = webhook("closes P0D@14:01", "closes P0D@14:00", "closes P1D@23:59")
    found = reminders(closing("2025-09-05T14:00"), hook)
    assert [(each.at, each.reason, each.due_at) for each in found] == [
        ("14:01", "after_the_instant", utc("2025-09-05 05:01")),
        ("14:00", None, utc("2025-09-05 05:00")),
        ("23:59", None, utc("2025-09-04 14:59")),
    ]


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_no_two_things_share_a_name(a: str, b: str, c: str, d: str) -> None:
    if (a, b) != (c, d):
        assert delivery_id.notice(a, b, revision=1) != delivery_id.notice(c, d, revision=1)
    assert delivery_id.notice(a, b, revision=1) != delivery_id.message(a, b, nonce="1")


def pending(hook: Webhook, made: object = None) -> list[Planned]:
    return list(plan([candidate(made or event())], [hook], **ALWAYS))  # type: ignore[arg-type]


def step(hook: Webhook, rows: list[Planned], *log: RevisedEvent) -> Replan:
    return replan(rows, changed_candidates(log), [hook], until=LONG_HENCE, now=NOW)


def test_a_move_takes_the_old_reminders_back_and_plans_the_new_ones() -> None:
    hook = webhook("start P1D")
    rows = pending(hook)
    done = step(hook, rows, revised(event(), event(start="2025-09-10"), at=NOW))
    assert done.supersede == (Withdrawal(id=rows[0].id, reason="moved", by=done.insert[0].id),)
    assert told(done.insert) == [("summit", "start", "P1D", "2025-09-09 00:00")]
    assert done.revise == ()


def test_an_edit_that_moves_nothing_changes_nothing() -> None:
    hook = webhook("start P1D")
    done = step(hook, pending(hook), revised(event(), event(url="https://a.b"), at=NOW))
    assert (done.insert, done.revise, done.supersede) == ((), (), ())


def test_another_hour_of_reminding_is_the_same_delivery_at_another_hour() -> None:
    hook = webhook("start P1D")
    rows = pending(hook)
    later = replace(hook, remind_at="10:00", since=NOW)
    done = replan(rows, [candidate(event())], [later], until=LONG_HENCE, now=NOW)
    assert [(row.id, row.due_at) for row in done.revise] == [(rows[0].id, utc("2025-09-04 01:00"))]
    assert (done.insert, done.supersede) == ((), ())


def test_a_rule_that_is_gone_takes_its_reminders_with_it() -> None:
    hook = webhook("start P1D", "start P2D")
    fewer = replace(webhook("start P1D"), since=NOW)
    done = replan(pending(hook), [candidate(event())], [fewer], until=LONG_HENCE, now=NOW)
    [gone] = [row for row in pending(hook) if row.before == "P2D"]
    assert done.supersede == (Withdrawal(id=gone.id, reason="withdrawn"),)


def test_a_deleted_event_supersedes_what_was_planned() -> None:
    hook = webhook("start P1D")
    rows = pending(hook)
    done = step(hook, rows, revised(event(), None, at=NOW))
    assert done.supersede == (Withdrawal(id=rows[0].id, reason="deleted"),)


def test_right_before_a_send_the_event_is_looked_at_again() -> None:
    hook = webhook("start P1D")
    [row] = pending(hook)
    now = row.due_at
    moved, off = candidate(event(start="2025-09-10")), candidate(event(status="cancelled"))
    assert check(row, candidate(event()), hook, now=now) is None
    assert check(row, moved, hook, now=now) == "moved"
    assert check(row, off, hook, now=now) == "cancelled"
    assert check(row, None, hook, now=now) == "deleted"
    assert check(row, candidate(event()), replace(hook, state="disabled"), now=now) == "disabled"
    assert check(row, candidate(event()), replace(hook, skipped_until=now), now=now) == "paused"
    assert check(row, candidate(event()), hook, now=row.valid_until) == "too_late"


def test_a_notice_of_change_is_sent_whatever_happened_since() -> None:
    hook = webhook()
    told_of = replace(pending(webhook("start P1D"))[0], type="event.rescheduled")
    assert check(told_of, None, hook, now=told_of.due_at) is None
    assert check(told_of, None, hook, now=told_of.valid_until) == "too_late"


@settings(max_examples=60)
@given(st.permutations(["start P7D", "start P1D", "start PT0S", "start PT24H", "end P1D"]))
def test_the_order_of_rules_decides_nothing_but_which_of_two_equal_ones_is_named(rules: list[str]) -> None:
    made = candidate(event(start="2025-09-05T14:00", end="2025-09-06"))
    found = plan([made], [webhook(*rules)], **ALWAYS)
    assert sorted((each.anchor, each.due_at) for each in found) == [
        ("end", utc("2025-09-05 00:00")),
        ("start", utc("2025-08-29 05:00")),
        ("start", utc("2025-09-04 05:00")),
        ("start", utc("2025-09-05 05:00")),
    ]
