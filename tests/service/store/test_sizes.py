"""Sizes of facets are exact where they are small, told from density where not, and counted once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert

from service.store.engine import Store
from service.store.facets import Row
from service.store.sizes import COUNTED, sizes
from service.store.tables import facet
from service.store.timestamps import millis

NOW = datetime(2025, 9, 5, tzinfo=UTC)
MINUTE = 60_000


def rows(name: str, count: int, *, every: int) -> list[Row]:
    """So many, one each `every` minutes, all of the last two years."""
    begin = millis(NOW - timedelta(days=730))
    return [Row(name, 0, begin + i * every * MINUTE, i, begin, 0, None, 0, None) for i in range(count)]


def fill(c: Connection) -> None:
    for made in (
        rows("tag:few", 7, every=60),
        rows("tag:common", 2 * COUNTED, every=300),
        rows("tag:everywhere", 20 * COUNTED, every=30),
    ):
        c.execute(insert(facet), [row._asdict() for row in made])


def found(*names: str, at: datetime = NOW) -> Callable[[Connection], dict[str, int]]:
    return lambda c: dict(sizes(c, names, now=millis(at)))


def test_a_small_facet_is_counted_and_large_ones_are_told_apart(store: Store) -> None:
    store.write(fill)
    size = store.glance(found("tag:none", "tag:few", "tag:common", "tag:everywhere"))
    assert (size["tag:none"], size["tag:few"]) == (0, 7)
    assert COUNTED < size["tag:common"] < size["tag:everywhere"] / 5


def test_connections_share_what_they_counted_for_ten_minutes(store: Store) -> None:
    counting = found("tag:few")

    def apart(c: Connection) -> None:
        assert counting(c) == {"tag:few": 0}
        store.write(fill)
        # Another connection, as this one is taken.
        assert store.glance(counting) == {"tag:few": 0}

    store.glance(apart)
    assert store.read(found("tag:few", at=NOW + timedelta(minutes=11))) == {"tag:few": 7}
