"""Which rendered pieces a feed shows, and in which order; a small change touches only its own places."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter

from service.feedcache.asked import Asked
from service.feedcache.edition import Layer, Piece, Rendered
from service.feedcache.material import Material
from service.feedcache.reach import today_begins

_order = attrgetter("order")


def made(
    rows: Mapping[str, Rendered], found: Material, base: Layer | None, *, asked: Asked, now: datetime
) -> Layer:
    """The layer of these rows; with a `base`, that one with changed rows put in and the gone ones out."""
    if base is None:
        ordered = sorted(shown(rows.values(), found, asked, now=now), key=_order)
        return Layer(rows=rows, ordered=ordered, size=sum(len(piece.fragment.body) for piece in ordered))
    ordered, size = list(base.ordered), base.size
    old = [base.rows[name] for name in (*rows, *found.gone) if name in base.rows]
    for piece in shown(old, found, asked, now=now):
        place = bisect_left(ordered, piece.order, key=_order)
        # The day has not changed since, so what was shown then is shown now, at exactly this place.
        size -= len(ordered.pop(place).fragment.body)
    for piece in shown(rows.values(), found, asked, now=now):
        insort(ordered, piece, key=_order)
        size += len(piece.fragment.body)
    kept = {name: row for name, row in base.rows.items() if name not in found.gone}
    return Layer(rows={**kept, **rows}, ordered=ordered, size=size)


def shown(rows: Iterable[Rendered], found: Material, asked: Asked, *, now: datetime) -> Iterable[Piece]:
    """The pieces within the feed's range, without events that were cancelled long enough ago."""
    today = today_begins(now)
    for row in rows:
        if not asked.single and row.leaves_at is not None and row.leaves_at <= today:
            continue
        yield from (piece for piece in row.pieces if asked.single or _within(piece, found))


def _within(piece: Piece, found: Material) -> bool:
    """An open call is in range while one of its edges may be long past."""
    ranged = found.filters
    if piece.touches is None or ranged is None:
        return True
    begins, ends = piece.touches
    return (ranged.to is None or begins < ranged.to) and (ranged.from_ is None or ends > ranged.from_)
