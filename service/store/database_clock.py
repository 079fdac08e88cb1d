"""The database's clock: on PostgreSQL the one that all its services go by."""

from datetime import timedelta

from sqlalchemy import Connection, text

from service.clock import Reading, running

_CLOCK = text("select clock_timestamp()")


def read(c: Connection) -> Reading:
    """Said at some moment between asking and hearing: the middle, give or take half of it."""
    c.execute(_CLOCK)  # the first statement of a transaction takes a round trip more
    asked = running()
    said = c.execute(_CLOCK).scalar_one()
    heard = running()
    return Reading(
        said=said,
        running=timedelta(seconds=(asked + heard) / 2),
        within=timedelta(seconds=(heard - asked) / 2),
    )
