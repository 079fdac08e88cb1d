"""However many rows a batch has, each is written, once, and the count is of rows that were touched."""

from sqlalchemy import BigInteger, Integer, LargeBinary, Text, delete, select, update

from service.store.bulk import SIZES, Bulk, inserting
from service.store.tables import attempt, delivery_body

OPEN = Bulk(
    inserting(attempt, ("delivery_id", "fence", "worker", "started_at")),
    delivery_id=Text(),
    fence=Integer(),
    worker=Text(),
    started_at=BigInteger(),
)
CLOSE = Bulk(
    lambda row: (
        update(attempt)
        .where(attempt.c.delivery_id == row.the_id, attempt.c.finished_at.is_(None))
        .values(outcome="2xx", finished_at=row.at)
    ),
    the_id=Text(),
    at=BigInteger(),
)
KEEP = Bulk(
    inserting(delivery_body, ("delivery_id", "body"), where=lambda row: row.body != b"no"),
    delivery_id=Text(),
    body=LargeBinary(),
)
COUNTS = sorted({0, *SIZES, *(size - 1 for size in SIZES), *(size + 1 for size in SIZES), 2 * SIZES[-1] + 3})


def test_a_batch_of_any_length_is_written_as_it_is(store):
    assert [len(written(store, count)) for count in COUNTS] == COUNTS


def written(store, count):
    """So many rows opened and closed: what is found is what was given."""
    rows = [(f"dlv_{n}", 1, "wrk", 1000 + n) for n in range(count)]
    store.write(lambda c: c.execute(delete(attempt)))
    assert store.write(lambda c: OPEN.write(c, rows)) == count
    assert store.write(lambda c: CLOSE.write(c, [(key, at + 1) for key, _, _, at in rows])) == count
    query = select(attempt.c.delivery_id, attempt.c.started_at, attempt.c.finished_at, attempt.c.outcome)
    found = {tuple(row) for row in store.read(lambda c: c.execute(query).all())}
    assert found == {(key, at, at + 1, "2xx") for key, _, _, at in rows}
    return found


def test_rows_that_are_there_or_do_not_fit_are_left_out_and_not_counted(store):
    rows = [("dlv_1", 1, "wrk", 1), ("dlv_2", 1, "wrk", 2), ("dlv_3", 1, "wrk", 3)]
    assert store.write(lambda c: OPEN.write(c, rows[:1])) == 1
    assert store.write(lambda c: OPEN.write(c, rows)) == 2
    assert store.write(lambda c: CLOSE.write(c, [("dlv_2", 9), ("dlv_none", 9)])) == 1


def test_bytes_come_back_as_they_were(store):
    rows = [("dlv_1", bytes(range(256))), ("dlv_2", b"no"), ("dlv_3", b"")]
    assert store.write(lambda c: KEEP.write(c, rows)) == 2
    found = store.read(lambda c: c.execute(select(delivery_body)).all())
    assert {row.delivery_id: row.body for row in found} == {"dlv_1": bytes(range(256)), "dlv_3": b""}
