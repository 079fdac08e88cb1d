"""What events are part of, and what is part of them, on every level: whether they are off follows from it.

What is derived so is kept where it is looked up, in `steps` and in the index of the listing, and follows
every write of what it is derived from, in the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from service.catalogue import windows
from service.catalogue.event import Status, Visibility
from service.catalogue.windows import Halt, Member, halt_of
from service.store import revisions, search_index
from service.store.revisions import Revision
from service.store.search_index import Entry
from service.store.sql import among, many, millis, rows_among
from service.store.stored_event import Current, encode_steps, last_seen, read_current
from service.store.tables import event, event_label, label

DEPTH = 20
Lineage = Sequence[Member]


class _MemberFields(msgspec.Struct, frozen=True):
    """As much of an event's document as its parts depend on."""

    status: Status
    visibility: Visibility
    part_of: str | None


_DECODER = msgspec.json.Decoder(_MemberFields)
_MEMBERS = select(event.c.id, event.c.document, event.c.status_seq).where(among(event.c.id))
_PARTS = (
    select(event.c.id)
    .join(event_label, event_label.c.number == event.c.number)
    .join(label, label.c.id == event_label.c.label)
    .where(among(label.c.name))
)
_IS_ONE = event.c.number == bindparam("the_number")
_STEPS = update(event).where(_IS_ONE).values(steps=bindparam("new_steps"))
_TURN = update(event).where(_IS_ONE).values(turns=event.c.turns + 1, turned_at=bindparam("the_time"))


def lineages(c: Connection, members: Mapping[str, Member]) -> dict[str, Lineage]:
    """Returns each of these events with all it is part of, nearest first; a circle is cut open.

    What is not among them is read, at most `DEPTH` levels, a level a statement.
    """
    known = dict(members)
    for _ in range(DEPTH):
        above = {member.part_of for member in known.values() if member.part_of} - known.keys()
        if not (read := [_member(row) for row in rows_among(c, _MEMBERS, sorted(above))]):
            break
        known |= {member.id: member for member in read}
    return {name: _lineage(name, known) for name in members}


def rederive(c: Connection, event_ids: Sequence[str]) -> None:
    """After a change of a source: the phases of the events that cite it."""
    currents = read_current(c, event_ids)
    _rederive(c, currents, {name: current.stored.halt for name, current in currents.items()})


def turn(
    c: Connection, moved: Iterable[str], members: Mapping[str, Member], *, now: datetime, cause: str
) -> None:
    """Take along what is part of these events where they are off now, and release it where they are on.

    `members` are the events that were written with them, and so are in step.
    """
    affected = read_current(c, [name for name in _below(c, moved) if name not in members])
    if not affected:
        return
    kept = lineages(c, {**members, **{name: each.member for name, each in affected.items()}})
    changed = _rederive(c, affected, {name: halt_of(kept[name]) for name in affected})
    turned = [each for each in changed if each.stored.halt != affected[each.event.id].stored.halt]
    many(c, _TURN, [{"the_number": each.number, "the_time": millis(now)} for each in turned])
    first = revisions.draw(c, len(turned))
    log = [_turned(each, seq, now=now, cause=cause) for seq, each in enumerate(turned, start=first)]
    revisions.append(c, log)


def _rederive(
    c: Connection, currents: Mapping[str, Current], halts: Mapping[str, Halt | None]
) -> list[Current]:
    """Writes the phases that follow now, without a revision; returns the events whose phases changed."""
    seen = last_seen(c, [current.event for current in currents.values()])
    changed: list[Current] = []
    for name, current in currents.items():
        steps = windows.phase_steps(current.event, seen=seen[name], halt=halts[name])
        if steps != current.stored.steps:
            stored = msgspec.structs.replace(current.stored, steps=steps)
            changed.append(msgspec.structs.replace(current, stored=stored))
    many(c, _STEPS, [{"the_number": o.number, "new_steps": encode_steps(o.stored.steps)} for o in changed])
    search_index.replace(
        c,
        before={each.number: _entries(currents[each.event.id]) for each in changed},
        after={each.number: _entries(each) for each in changed},
    )
    return changed


def _entries(each: Current) -> frozenset[Entry]:
    return search_index.entries(each.event, each.stored.steps)


def _turned(each: Current, seq: int, *, now: datetime, cause: str) -> Revision:
    return Revision(
        seq=seq,
        noun="turn",
        id=each.event.id,
        op="put",
        revision=each.stored.revision,
        uid=each.stored.uid,
        changes=(),
        document=each.stored.shown or each.stored.document,
        cause=cause,
        at=now,
        halt=each.stored.halt,
        hidden=not each.event.is_public,
    )


def _below(c: Connection, event_ids: Iterable[str]) -> tuple[str, ...]:
    """Returns what is part of these events, on any level."""
    level, found = dict.fromkeys(event_ids), dict[str, None]()
    while level:
        rows = rows_among(c, _PARTS, [f"part_of:{name}" for name in level])
        level = {row.id: None for row in rows if row.id not in found}
        found |= level
    return tuple(found)


def _member(row: Any) -> Member:
    fields = _DECODER.decode(row.document)
    return Member(id=row.id, status_seq=row.status_seq, **msgspec.structs.asdict(fields))


def _lineage(first: str, known: Mapping[str, Member]) -> Lineage:
    found: dict[str, Member] = {}
    member = known.get(first)
    while member is not None and member.id not in found:
        found[member.id] = member
        member = known.get(member.part_of or "")
    return tuple(found.values())
