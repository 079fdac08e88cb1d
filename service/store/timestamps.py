"""Instants as the store keeps them: whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# Before and after every instant an event may name (years 1 and 9999).
FIRST = -(10**15)
LAST = 10**15


def millis(instant: datetime) -> int:
    # Not timestamp() * 1000: a float loses the last digits far from 1970.
    return (instant - EPOCH) // MILLISECOND


def millis_or(instant: datetime | None, otherwise: int) -> int:
    return otherwise if instant is None else millis(instant)


def instant(value: int) -> datetime:
    return EPOCH + value * MILLISECOND
