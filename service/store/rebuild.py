"""Make every index row anew where this version derives other rows than the one that wrote them."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from service.catalogue import view
from service.store import facets, locks
from service.store.stored_event import decode_steps
from service.store.tables import event, facet, meta

AT_ONCE = 500
_IS_FACETS = meta.c.name == "facets"


def is_current(c: Connection) -> bool:
    return bool(c.execute(select(meta.c.value).where(_IS_FACETS)).scalar_one() == str(facets.VERSION))


def run(c: Connection) -> None:
    """All of it in the transaction of `c`, so that a listing never misses an event meanwhile."""
    locks.migration(c)
    if is_current(c):
        return
    locks.catalogue(c)
    c.execute(delete(facet))
    after = 0
    while rows := c.execute(_NEXT, {"after": after}).all():
        made = frozenset[facets.Row]().union(*(_rows(row) for row in rows))
        facets.replace(c, before=(), after=made)
        after = rows[-1].number
    c.execute(update(meta).where(_IS_FACETS).values(value=str(facets.VERSION)))


def _rows(row: Any) -> frozenset[facets.Row]:
    steps = decode_steps(row.steps)
    return facets.derive(view.event_of(row.document), steps, number=row.number, updated=row.updated_at)


_NEXT = (
    select(event.c.number, event.c.document, event.c.steps, event.c.updated_at)
    .where(event.c.number > bindparam("after"))
    .order_by(event.c.number)
    .limit(AT_ONCE)
)
