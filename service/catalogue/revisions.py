"""What a write changed, and the dates it left behind."""

import msgspec
from msgspec import UNSET

from service.catalogue.event import Event, PreviousDates
from service.catalogue.validation import Fault, refuse

KEPT = 50
# Worked out once: to ask for them costs as much as to compare two events.
FIELDS = msgspec.structs.fields(Event)


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One field of an event before and after; `before` of a new event is the field's default, else null."""

    field: str
    before: object
    after: object


def changed(old: Event | None, new: Event) -> tuple[FieldDifference, ...]:
    """The fields that differ, in the order of the event; for a new event those that say something.

    `previous_dates` counts only where the new event carries them.
    """
    changes = []
    for field in FIELDS:
        after = getattr(new, field.name)
        before = getattr(old, field.name) if old is not None else _nothing(field)
        if field.name == "previous_dates":
            before, after = before or (), before or () if after is UNSET else after
        if before != after:
            changes.append(FieldDifference(field=field.name, before=before, after=after))
    return tuple(changes)


def with_previous_dates(old: Event | None, new: Event, revision: int) -> tuple[PreviousDates, ...]:
    """The previous dates of the new event; `revision` is the last one that carried the old dates.

    What the body says wins. Else dates that moved are added; dates that were never known are not, nor those
    that only a curator could see.
    """
    if new.previous_dates is not UNSET:
        _refuse_the_future(old, new.previous_dates, revision)
        return new.previous_dates
    if old is None:
        return ()
    kept = () if old.previous_dates is UNSET else old.previous_dates
    same = (old.start, old.end) == (new.start, new.end) or not (old.is_public and new.is_public)
    if same or (old.start is None and old.end is None):
        return kept
    left = PreviousDates(start=old.start, end=old.end, until_revision=revision)
    return (*kept, left)[-KEPT:]


def _refuse_the_future(old: Event | None, written: tuple[PreviousDates, ...], revision: int) -> None:
    """No dates held until a revision still to come. An event that is new here may bring a longer history."""
    if old is None:
        return
    refuse(
        [
            Fault(pointer=f"/previous_dates/{n}/until_revision", detail=f"it has {revision} revisions so far")
            for n, each in enumerate(written)
            if each.until_revision is not None and each.until_revision > revision
        ]
    )


def _nothing(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else None
