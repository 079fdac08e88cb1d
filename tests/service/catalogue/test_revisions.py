"""What a write changed, and the dates it left behind."""

import msgspec
import pytest
from msgspec import UNSET

from service.catalogue import revisions
from service.catalogue.event import Event, PreviousDates, Text
from service.catalogue.revisions import FieldDifference

OLD = Event(id="e", kind="summit", name=Text(en="e"), start="2025-09-04", end="2025-09-05")
LEFT = PreviousDates(start="2025-09-04", end="2025-09-05", until_revision=3)
EARLIER = PreviousDates(start="2025-08", end=None, until_revision=1)


def new(**fields) -> Event:
    return msgspec.structs.replace(OLD, **fields)


def test_a_change_names_its_field_and_both_values():
    assert revisions.changed(OLD, new(start="2025-09-05", tags=("ai",))) == (
        FieldDifference(field="start", before="2025-09-04", after="2025-09-05"),
        FieldDifference(field="tags", before=(), after=("ai",)),
    )


def test_nothing_changes_to_the_same():
    assert revisions.changed(OLD, new()) == ()
    assert revisions.changed(new(previous_dates=()), new()) == ()
    assert revisions.changed(new(previous_dates=(LEFT,)), new(previous_dates=UNSET)) == ()


def test_a_new_event_changes_what_it_says():
    assert [change.field for change in revisions.changed(None, OLD)] == ["id", "kind", "name", "start", "end"]
    assert revisions.changed(None, OLD)[0] == FieldDifference(field="id", before=None, after="e")


def test_previous_dates_are_a_field_like_any_other():
    change = FieldDifference(field="previous_dates", before=(), after=(LEFT,))
    assert revisions.changed(OLD, new(previous_dates=(LEFT,))) == (change,)


@pytest.mark.parametrize(
    "fields", [{"start": "2025-09-05"}, {"end": "2025-09-06"}, {"start": None, "end": None}]
)
def test_dates_that_moved_are_remembered(fields):
    assert revisions.with_previous_dates(OLD, new(**fields), 3) == (LEFT,)


def test_dates_are_remembered_in_the_order_they_were_left():
    old = new(previous_dates=(EARLIER,))
    assert revisions.with_previous_dates(old, new(start="2025-09-05"), 3) == (EARLIER, LEFT)


@pytest.mark.parametrize("fields", [{}, {"tags": ("ai",)}, {"status": "postponed"}])
def test_other_changes_leave_them_as_they_are(fields):
    assert revisions.with_previous_dates(new(previous_dates=(EARLIER,)), new(**fields), 3) == (EARLIER,)


def test_what_the_body_says_wins():
    assert revisions.with_previous_dates(OLD, new(start="2025-10", previous_dates=()), 3) == ()
    assert revisions.with_previous_dates(None, new(previous_dates=(EARLIER,)), 0) == (EARLIER,)


def test_dates_never_known_are_not_remembered():
    assert revisions.with_previous_dates(new(start=None, end=None), OLD, 3) == ()
    assert revisions.with_previous_dates(None, OLD, 0) == ()


def test_only_the_last_fifty_are_kept():
    full = new(previous_dates=(EARLIER,) * 50)
    assert revisions.with_previous_dates(full, new(start="2025-10"), 3) == (*(EARLIER,) * 49, LEFT)
