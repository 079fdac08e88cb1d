"""Which rendered pieces a feed shows, and in which order; a small change touches only its own places."""

from bisect import bisect_left
from collections import Counter
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
        return _whole(rows, sorted(shown(rows.values(), found, asked, now=now), key=_order))
    old = [base.rows[name] for name in (*rows, *found.gone) if name in base.rows]
    out, into = shown(old, found, asked, now=now), shown(rows.values(), found, asked, now=now)
    kept = dict(base.rows)
    for name in found.gone:
        kept.pop(name, None)
    kept.update(rows)
    return _patched(kept, base, out=out, into=into)


def with_piece(layer: Layer, piece: Piece) -> Layer:
    """The layer with one more piece in its place, which belongs to no event."""
    return _patched(layer.rows, layer, out=(), into=(piece,))


def _whole(rows: Mapping[str, Rendered], ordered: list[Piece]) -> Layer:
    bodies = [piece.fragment.body for piece in ordered]
    return Layer(
        rows=rows,
        ordered=ordered,
        bodies=bodies,
        digests=[piece.digest for piece in ordered],
        size=sum(map(len, bodies)),
        zones=Counter(piece.fragment.zone for piece in ordered if piece.fragment.zone),
    )


def _patched(
    rows: Mapping[str, Rendered], base: Layer, *, out: Iterable[Piece], into: Iterable[Piece]
) -> Layer:
    ordered, bodies, digests = list(base.ordered), list(base.bodies), list(base.digests)
    size, zones = base.size, Counter(base.zones)
    for piece in out:
        # The day has not changed since, so what was shown then is shown now, at exactly this place.
        place = bisect_left(ordered, piece.order, key=_order)
        del ordered[place], bodies[place], digests[place]
        size -= len(piece.fragment.body)
        zones[piece.fragment.zone or ""] -= 1
    for piece in into:
        place = bisect_left(ordered, piece.order, key=_order)
        ordered.insert(place, piece)
        bodies.insert(place, piece.fragment.body)
        digests.insert(place, piece.digest)
        size += len(piece.fragment.body)
        zones[piece.fragment.zone or ""] += 1
    used = {zone: count for zone, count in zones.items() if zone and count}
    return Layer(rows=rows, ordered=ordered, bodies=bodies, digests=digests, size=size, zones=used)


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
