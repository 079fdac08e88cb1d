"""What everybody sees: the visibility of events, and documents and changes as they are without a key.

Events that are or were internal are worked out from the log. Numbers that were given stay: `revision` of such
an event has counted changes that nobody outside saw.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, Text, bindparam

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

EVENT = sa.table(
    "event", Column("id", Text), Column("document", LargeBinary), Column("shown", LargeBinary),
    Column("visibility", Text),
)  # fmt: skip
LOG = sa.table(
    "revision", Column("seq", BigInteger), Column("noun", Text), Column("id", Text), Column("op", Text),
    Column("changes", Text), Column("document", Text), Column("outside", Text),
)  # fmt: skip
REFERENCE = sa.table("reference", Column("noun", Text), Column("id", Text), Column("by_noun", Text),
    Column("by_id", Text))  # fmt: skip
SHOW = sa.update(EVENT).where(EVENT.c.id == bindparam("the_id")).values(
    shown=bindparam("shown"), visibility=bindparam("visibility")
)  # fmt: skip
MARK = sa.update(LOG).where(LOG.c.seq == bindparam("the_seq")).values(outside=bindparam("outside"))
DERIVED = ("when", "disputed", "unsupported", "revision", "seq", "created_at", "updated_at")
DEFAULTS: dict[str, Any] = {"status": "scheduled", "timezone": "Asia/Seoul", "visibility": "public"}
INTERNAL = '%"visibility":"internal"%'


def upgrade() -> None:
    op.add_column("event", Column("shown", LargeBinary))
    op.add_column("event", Column("visibility", Text, nullable=False, server_default=sa.text("'public'")))
    op.add_column("revision", Column("outside", Text))
    c = op.get_bind()
    events = LOG.c.noun == "event"
    hidden = set(c.scalars(sa.select(LOG.c.id).where(events, LOG.c.document.like(INTERNAL)).distinct()))
    naming: set[str] = set()
    for name in hidden:
        its = (REFERENCE.c.noun == "event") & (REFERENCE.c.id == name) & (REFERENCE.c.by_noun == "event")
        naming.update(c.scalars(sa.select(REFERENCE.c.by_id).where(its)))
        once = LOG.c.document.like(f'%"{name}"%')
        naming.update(c.scalars(sa.select(LOG.c.id).where(events, once).distinct()))
    internal = {key for key in hidden if _now(c, key).get("visibility") == "internal"}
    for key in sorted(hidden | naming):
        _show(c, key, internal)
        rows = c.execute(sa.select(LOG).where(events, LOG.c.id == key).order_by(LOG.c.seq)).all()
        for seq, outside in _outside(rows, hidden):
            c.execute(MARK, {"the_seq": seq, "outside": outside})


def _now(c: sa.Connection, key: str) -> dict[str, Any]:
    document = c.scalar(sa.select(EVENT.c.document).where(EVENT.c.id == key))
    return {} if document is None else json.loads(document)


def _show(c: sa.Connection, key: str, internal: set[str]) -> None:
    document = _now(c, key)
    if not document:
        return
    shown, row = (
        _public(document, internal),
        {"the_id": key, "visibility": document["visibility"], "shown": None},
    )
    if shown is not None and shown != document:
        row["shown"] = _text(shown).encode()
    c.execute(SHOW, row)


def _outside(rows: Any, hidden: set[str]) -> Iterator[tuple[int, str]]:
    """Yields the rows that everybody sees otherwise: nothing, or what they do see, in JSON."""
    before: dict[str, Any] | None = None
    was_hidden = False
    for row in rows:
        document = None if row.document is None else json.loads(row.document)
        after = None if document is None else _public(document, hidden)
        if before is None and after is None:
            yield row.seq, ""
        elif after is None and row.op == "put":
            yield row.seq, _text({"op": "delete", "changes": [], "document": None})
        elif after is not None and (after != document or was_hidden):
            seen = {"op": "put", "changes": _changes(before, after), "document": _text(after)}
            yield row.seq, _text(seen)
        before, was_hidden = after, document is not None and after is None


def _public(document: dict[str, Any], hidden: set[str]) -> dict[str, Any] | None:
    if document["visibility"] != "public":
        return None
    shown = dict(document)
    shown["related"] = [tie for tie in document["related"] if tie["event"] not in hidden]
    if document["part_of"] in hidden:
        shown["part_of"] = None
        shown["place"] = document["place"] and {**document["place"], "inherited": False}
    return shown


def _changes(before: dict[str, Any] | None, after: dict[str, Any]) -> list[dict[str, Any]]:
    was = before or {}
    pairs = ((name, was.get(name, DEFAULTS.get(name)), after[name]) for name in after if name not in DERIVED)
    return [
        {"field": name, "before": old, "after": new}
        for name, old, new in pairs
        if old != new and (old or new)
    ]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
