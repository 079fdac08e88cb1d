"""Events are off with what they are part of: where statuses were written, how often events were turned."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text, bindparam

from service.catalogue.windows import Halt, Member, halt_of

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

EVENT = sa.table(
    "event",
    *map(sa.column, ("number", "id", "document", "steps", "seq", "created_at", "updated_at")),
    *map(sa.column, ("status_seq", "turns", "turned_at")),
)
LOG = sa.table("revision", *map(sa.column, ("seq", "noun", "id", "changes", "at", "halt")))


def upgrade() -> None:
    op.add_column("event", Column("status_seq", BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("event", Column("turns", Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("event", Column("turned_at", BigInteger))
    op.add_column("revision", Column("halt", Text))
    # The next start derives the index of the listing from the phases that are written here.
    op.execute("UPDATE meta SET value = 'none' WHERE name = 'search_index'")
    c = op.get_bind()
    rows = {row.id: row for row in c.execute(sa.select(EVENT).order_by(EVENT.c.number))}
    written = _written(c, rows)
    members = {name: _member(row, written[name]) for name, row in rows.items()}
    seqs = [{"the": rows[name].number, "value": value} for name, value in written.items() if value]
    if seqs:
        said = sa.update(EVENT).where(EVENT.c.number == bindparam("the"))
        c.execute(said.values(status_seq=bindparam("value")), seqs)
    for name in members:
        lineage = _lineage(name, members)
        halt = halt_of(lineage)
        if halt is not None and halt != members[name].status:
            _take_along(c, name, halt, max(rows[each.id].updated_at for each in lineage))


def _written(c: Any, rows: dict[str, Any]) -> dict[str, int]:
    """Returns for each event the first `seq` of the write that last wrote its status, as far as is known."""
    # What was written at one instant was written at once.
    together: dict[int, int] = {}
    for row in rows.values():
        together[row.created_at] = min(row.number, together.get(row.created_at, row.number))
    plain = {name for name, row in rows.items() if json.loads(bytes(row.document))["status"] == "scheduled"}
    found = {name: 0 if name in plain else together[row.created_at] for name, row in rows.items()}
    firsts: dict[int, int] = {}
    its = sa.select(LOG.c.seq, LOG.c.id, LOG.c.changes, LOG.c.at).where(LOG.c.noun == "event")
    for seq, name, changes, at in c.execute(its.order_by(LOG.c.seq)):
        first = firsts.setdefault(at, seq)
        if name not in rows or seq < rows[name].number or '"status"' not in changes:
            continue
        if any(change["field"] == "status" for change in json.loads(changes)):
            found[name] = first
    return found


def _member(row: Any, status_seq: int) -> Member:
    document = json.loads(bytes(row.document))
    return Member(
        id=row.id,
        status=document["status"],
        status_seq=status_seq,
        visibility=document["visibility"],
        part_of=document["part_of"],
    )


def _lineage(first: str, members: dict[str, Member]) -> list[Member]:
    found: dict[str, Member] = {}
    member = members.get(first)
    while member is not None and member.id not in found:
        found[member.id] = member
        member = members.get(member.part_of or "")
    return list(found.values())


def _take_along(c: Any, name: str, halt: Halt, at: int) -> None:
    steps = json.dumps([{"at": None, "phase": halt}], separators=(",", ":"))
    one = sa.update(EVENT).where(EVENT.c.id == name)
    c.execute(one.values(steps=steps, turns=1, turned_at=at))
    newest = sa.select(EVENT.c.seq).where(EVENT.c.id == name).scalar_subquery()
    c.execute(sa.update(LOG).where(LOG.c.seq == newest).values(halt=halt))
