from typing import Any

import pytest

from service.catalogue.filters import FilterBody
from service.reminders import delivery_id
from service.reminders import notices as changes
from service.reminders.notices import AT_ONCE, notices
from service.reminders.webhook import Former
from tests.service.reminders.making import LONG_AGO, event, replace, revised, utc, webhook

AT = utc("2025-08-01 00:00")
EVERY: Any = ("created", "updated", "rescheduled", "postponed", "cancelled", "deleted")


def types(before: Any, after: Any, *wanted: Any, **hook: Any) -> list[str]:
    found = notices([revised(before, after, at=AT)], [webhook(changes=wanted or EVERY, **hook)])
    return [each.type.removeprefix("event.") for each in found]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, event(), "created"),
        (event(), None, "deleted"),
        (event(), event(start="2025-09-06"), "rescheduled"),
        (event(), event(end="2025-09-06"), "rescheduled"),
        (event(), event(timezone="Asia/Tokyo"), "rescheduled"),
        (event(), event(status="postponed", start=None), "postponed"),
        (event(), event(status="cancelled"), "cancelled"),
        (event(), event(url="https://example.org"), "updated"),
        (event(status="cancelled"), event(), "updated"),
        (event(status="cancelled"), event(status="cancelled", start="2025-09-06"), "rescheduled"),
        (event(visibility="internal"), event(), "created"),
        (event(), event(visibility="internal"), "deleted"),
    ],
)
def test_a_change_is_called_by_its_most_telling_name(before: Any, after: Any, told: str) -> None:
    assert types(before, after) == [told]


def test_what_is_internal_does_not_exist_outside() -> None:
    hidden = event(visibility="internal")
    assert types(None, hidden) == types(hidden, event(visibility="internal", url="https://a.b")) == []


def test_a_webhook_hears_the_most_telling_of_the_names_it_asked_for() -> None:
    assert types(event(), event(status="cancelled", start=None), "rescheduled") == ["rescheduled"]
    assert types(event(), event(start="2025-09-06"), "updated") == ["updated"]
    assert types(event(), event(start="2025-09-06"), "postponed") == []


@pytest.mark.parametrize(
    ("before", "after", "asked", "told"),
    [
        ("cancelled", "confirmed", "cancelled", ["updated"]),
        ("postponed", "confirmed", "postponed", ["updated"]),
        ("cancelled", "postponed", "cancelled", ["postponed"]),
        ("postponed", "cancelled", "postponed", ["cancelled"]),
        ("cancelled", "confirmed", "postponed", []),
        ("cancelled", "cancelled", "cancelled", []),
    ],
)
def test_whoever_was_told_that_it_is_off_is_told_when_it_is_not(
    before: Any, after: Any, asked: Any, told: list[str]
) -> None:
    assert types(event(status=before), event(status=after, url="https://a.b"), asked) == told


def test_a_change_out_of_the_filter_is_still_told() -> None:
    hook: dict[str, Any] = {"filter": FilterBody(tag=("ai",))}
    assert types(event(tags=("ai",)), event(), **hook) == ["updated"]
    assert types(event(), event(url="https://a.b"), **hook) == []


def test_what_changed_before_the_webhook_was_is_not_told() -> None:
    row, hook = revised(None, event(), at=AT), webhook(changes=EVERY)
    assert notices([row], [replace(hook, from_seq=row.seq)]) == ()
    assert len(notices([row], [replace(hook, from_seq=row.seq - 1)])) == 1


def test_a_change_is_told_by_the_rules_of_its_time() -> None:
    old, new = webhook(changes=("created",), at=LONG_AGO), webhook(changes=("updated",), at=AT)
    asks = replace(new, from_seq=5, past=(Former(until=AT, seq=5, was=old),))
    created = [revised(None, event(str(n)), at=AT, number=n) for n in (5, 6)]
    assert [each.event for each in notices(created, [asks])] == ["5"]
    asks = replace(asks, past=(Former(until=AT, seq=5, was=replace(old, state="disabled")),))
    assert notices(created, [asks]) == ()


def test_of_one_write_a_webhook_is_told_the_most_telling_and_the_rest_is_kept_to_be_seen() -> None:
    rows = [revised(None, event(str(n)), at=AT, number=n) for n in range(1, 30)]
    rows.append(revised(event("off"), event("off", status="cancelled"), at=AT, number=30))
    rows.append(revised(None, event("later"), at=utc("2025-08-01 00:01"), number=31))
    found = notices(rows, [webhook(changes=EVERY), webhook(changes=EVERY, webhook_id="whk_2")])
    for key in ("whk_1", "whk_2"):
        sent = [each.event for each in found if each.webhook == key and each.state == "pending"]
        assert sent == [*map(str, range(1, AT_ONCE)), "off", "later"]
    assert {(each.state, each.reason) for each in found} == {("pending", None), ("expired", "flood")}


def test_one_revision_is_one_message_and_its_name_never_changes() -> None:
    rows = [
        revised(None, event(), at=AT, number=1),
        revised(event(), event(start="2025-09-06"), at=AT, number=2),
    ]
    found = notices(rows, [webhook(changes=EVERY)])
    assert [each.id for each in found] == [
        delivery_id.notice("whk_1", "summit", revision=1),
        delivery_id.notice("whk_1", "summit", revision=2),
    ]
    assert [(each.due_at, each.valid_until) for each in found] == [(AT, AT + changes.USEFUL)] * 2
