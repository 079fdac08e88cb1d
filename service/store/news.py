"""Which events may look different than they did at an earlier place in the log.

Every feed that is read asks this after every write, so it takes two statements: where the log stands, and
what changed.
"""

from sqlalchemy import Connection, bindparam, select

from service.store.tables import counter, reference, revision

# Beyond so many changes reading everything is as quick.
MOST = 500


def ends(c: Connection) -> tuple[int, int]:
    """The newest `seq`, and the newest that has been pruned."""
    kept = {row.name: int(row.value) for row in c.execute(_ENDS)}
    return kept["revision"], kept["pruned"]


def touched(c: Connection, since: int, *, ends: tuple[int, int]) -> frozenset[str] | None:
    """The events that changed after `since`, or that name something that did; None for too many to tell."""
    head, pruned = ends
    if since < pruned or head - since > MOST:
        return None
    if since >= head:
        return frozenset()
    found = frozenset(row.id for row in c.execute(_TOUCHED, {"since": since, "most": MOST + 1}))
    return found if len(found) <= MOST else None


_LATER = revision.c.seq > bindparam("since")
_ENDS = select(counter.c.name, counter.c.value).where(counter.c.name.in_(["revision", "pruned"]))
_NAMING = (
    select(reference.c.by_id)
    .join(revision, (reference.c.noun == revision.c.noun) & (reference.c.id == revision.c.id))
    .where(_LATER, reference.c.by_noun == "event")
)
_TOUCHED = (
    select(revision.c.id).where(_LATER, revision.c.noun == "event").union(_NAMING).limit(bindparam("most"))
)
