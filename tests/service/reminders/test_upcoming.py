from datetime import timedelta

from msgspec.structs import replace

from service.catalogue.filters import FilterBody
from service.reminders.preview import upcoming
from tests.service.reminders.making import call, candidate, event, utc, webhook

NOW = utc("2025-08-20 00:00")
MONTH = NOW + timedelta(days=30)


def test_the_preview_says_what_when_and_under_which_id() -> None:
    hook = webhook("start P7D", "start PT0S", "closes P1D", "opens PT0S")
    found = upcoming([candidate(event()), candidate(call())], hook, now=NOW, until=MONTH)
    shown = [(item.event, item.anchor, item.before, item.due_at) for item in found.items]
    assert shown == [
        ("summit", "start", "P7D", utc("2025-08-29 00:00")),
        ("call", "opens", "PT0S", utc("2025-09-01 00:00")),
        ("summit", "start", "PT0S", utc("2025-09-05 00:00")),
    ]
    assert all(item.delivery.startswith("dlv_") and len(item.delivery) == 36 for item in found.items)
    assert found.not_planned == ()


def test_everything_that_is_not_planned_has_its_reason() -> None:
    hook = webhook("start P7D", at=NOW, filter=FilterBody(kind=("conference",)))
    events = [
        event("month", start="2025-09"),
        event("nobody-knows", start=None),
        event("cancelled", status="cancelled"),
        event("postponed", status="postponed"),
        event("secret", visibility="internal"),
        event("a-forum", kind="forum"),
        event("tomorrow", start="2025-08-22"),
        event("planned"),
        event("long-past", start="2025-08-01"),
        event("far-away", start="2026-08-01"),
    ]
    found = upcoming([candidate(each) for each in events], hook, now=NOW, until=MONTH)
    assert [item.event for item in found.items] == ["planned"]
    assert {each.event: each.reason for each in found.not_planned} == {
        "month": "month_precision",
        "nobody-knows": "no_date",
        "cancelled": "cancelled",
        "postponed": "postponed",
        "secret": "internal",
        "a-forum": "filtered",
        "tomorrow": "already_past",
    }


def test_a_tentative_or_disputed_event_is_still_reminded() -> None:
    found = upcoming([candidate(event(status="tentative"))], webhook("start P7D"), now=NOW, until=MONTH)
    assert len(found.items) == 1


def test_a_rule_for_another_kind_of_event_says_nothing() -> None:
    found = upcoming([candidate(event())], webhook("opens P1D", "closes P1D"), now=NOW, until=MONTH)
    assert (found.items, found.not_planned) == ((), ())


def test_the_second_of_two_rules_for_one_instant_says_so() -> None:
    hook = webhook("start P1D", "start PT24H")
    found = upcoming([candidate(event(start="2025-09-05T14:00"))], hook, now=NOW, until=MONTH)
    assert [item.before for item in found.items] == ["P1D"]
    assert [(each.before, each.reason) for each in found.not_planned] == [("PT24H", "same_instant")]


def test_a_filter_on_phase_means_the_phase_when_the_reminder_is_due() -> None:
    window = call(start="2025-09-01", end="2025-09-10T18:00")
    soon = webhook("closes P3D", "opens PT0S", filter=FilterBody(phase=("closing_soon",)))
    found = upcoming([candidate(window)], soon, now=NOW, until=MONTH)
    assert [(item.anchor, item.before) for item in found.items] == [("closes", "P3D")]


def test_a_preview_of_very_many_is_cut_and_says_so() -> None:
    events = [candidate(event(f"e{number}")) for number in range(1001)]
    found = upcoming(events, webhook("start P7D"), now=NOW, until=MONTH)
    assert (len(found.items), found.truncated) == (1000, True)


def test_a_paused_webhook_is_promised_nothing() -> None:
    hook = replace(webhook("start P7D"), state="paused")
    found = upcoming([candidate(event())], hook, now=NOW, until=MONTH)
    assert found.items == ()
    assert [(each.event, each.reason, each.due_at) for each in found.not_planned] == [
        ("summit", "paused", utc("2025-08-29 00:00"))
    ]
