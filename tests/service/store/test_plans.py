"""No question that the service asks is answered by reading a whole table, on either engine."""

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection

from service.catalogue.event import Event, Organization, Participation, Place, Program, Series, Text
from service.catalogue.filters import EventFilter
from service.reminders.plan import Planned
from service.store import deliveries, entities, events, revisions
from service.store.engine import Store
from service.store.listing import SORTS

NOW = datetime(2025, 9, 5, tzinfo=UTC)
EVENTS = 1000
FILTERS = (
    EventFilter(),
    EventFilter(from_=NOW),
    EventFilter(to=NOW),
    EventFilter(from_=NOW, to=NOW + timedelta(days=30)),
    EventFilter(kind=("summit",)),
    EventFilter(tag=("t1",)),
    EventFilter(tag=("t1", "t2", "t3"), from_=NOW),
    EventFilter(series=("s",)),
    EventFilter(program=("p",)),
    EventFilter(organization=("o",)),
    EventFilter(city=("서울",)),
    EventFilter(status=("scheduled",)),
    EventFilter(phase=("open", "closing_soon")),
    EventFilter(phase=("upcoming",), tag=("t1",)),
    EventFilter(phase=("unknown",)),
    EventFilter(part_of=("e0",)),
    EventFilter(disputed=False, city=("서울",)),
    EventFilter(unsupported=True, tag=("t1",)),
    EventFilter(q="서밋"),
    EventFilter(q="글로벌 서밋", tag=("t1",)),
    EventFilter(q="글로발"),
    EventFilter(updated_since=NOW - timedelta(days=1), kind=("summit",)),
)


def drawn(rng: random.Random, index: int) -> Event:
    day = NOW.date() + timedelta(days=rng.randrange(-700, 300))
    window = rng.random() < 0.2
    return Event(
        id=f"e{index}",
        kind="application_window" if window else "summit",
        name=Text(ko=rng.choice(("글로벌 서밋", "서울콘", "벤처 모집"))),
        start=day.isoformat(),
        end=(day + timedelta(days=20)).isoformat() if window else None,
        series=rng.choice((None, "s")),
        program=rng.choice((None, "p")),
        part_of="e0" if index and rng.random() < 0.05 else None,
        place=Place(city=rng.choice(("서울", "부산", "제주"))),
        organizations=(Participation(id="o", role="host"),) if rng.random() < 0.2 else (),
        tags=tuple(sorted(rng.sample(("t1", "t2", "t3", "t4", "t5", "t6"), 2))),
    )


def reminder(index: int) -> Planned:
    at = NOW + timedelta(minutes=index)
    return Planned(
        id=f"dlv_{index}",
        webhook="whk_1",
        event=f"e{index}",
        type="event.reminder",
        anchor="start",
        before="PT1H",
        anchor_at=at + timedelta(hours=1),
        due_at=at,
        valid_until=at + timedelta(hours=1),
        tighter_at=None,
        revision=1,
        seq=1,
    )


def fill(c: Connection) -> None:
    for noun in (
        Series(id="s", name=Text(en="s")),
        Program(id="p", name=Text(en="p")),
        Organization(id="o", name=Text(en="o")),
    ):
        entities.put(c, noun, now=NOW, cause="test")
    rng = random.Random(1)
    events.put_many(c, [drawn(rng, index) for index in range(EVENTS)], now=NOW, cause="test")
    deliveries.insert(c, [reminder(index) for index in range(EVENTS)], now=NOW)


@pytest.fixture
def full(store: Store) -> Iterator[Store]:
    store.write(fill)
    store.write(lambda c: c.exec_driver_sql("ANALYZE"))
    yield store


def asked(c: Connection, work: Callable[[Connection], Any]) -> list[tuple[str, Any]]:
    """The statements that a piece of work sends."""
    sent: list[tuple[str, Any]] = []

    def record(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, _m: object) -> None:
        sent.append((statement, parameters))

    sqlalchemy.event.listen(c, "before_cursor_execute", record)
    try:
        work(c)
    finally:
        sqlalchemy.event.remove(c, "before_cursor_execute", record)
    return [one for one in sent if one[0].startswith("SELECT")]


def whole_tables(c: Connection, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN " if c.dialect.name == "sqlite" else "EXPLAIN "
    lines = [" ".join(map(str, row)) for row in c.exec_driver_sql(explain + statement, parameters)]
    # p, u, l and n are subqueries: a page, or candidates that were counted to be few, as a search lists them.
    scans = re.compile(r"SCAN (?!CONSTANT|[puln]\b|\(subquery|json_each)|Seq Scan on ")
    return [line for line in lines if scans.search(line)]


def works() -> Iterator[Callable[[Connection], Any]]:
    for filters in FILTERS:
        for sort in SORTS:
            for few in (0, 1000):
                yield lambda c, f=filters, s=sort, e=few: events.listed(c, f, now=NOW, sort=s, few=e)  # type: ignore[misc]
    yield lambda c: events.get(c, "e7")
    yield lambda c: events.anchored(c, "start", after=NOW, until=NOW + timedelta(hours=1))
    yield lambda c: events.anchored(c, "end", after=NOW, until=NOW + timedelta(hours=1))
    yield lambda c: revisions.since(c, 900, 50)
    yield lambda c: revisions.of_event(c, "e7")
    yield lambda c: entities.listed(c, "series")
    yield lambda c: deliveries.unsent_of_events(c, ["e7", "e8"])
    yield lambda c: deliveries.next_due(c, after=NOW)


def test_no_listing_reads_a_whole_table(full: Store) -> None:
    def explain(c: Connection) -> list[tuple[str, list[str]]]:
        sent = [one for work in works() for one in asked(c, work)]
        found = ((statement, whole_tables(c, statement, values)) for statement, values in sent)
        return [(statement, scans) for statement, scans in found if scans]

    assert full.read(explain) == []
    for table, column in (("event", "steps"), ("revision", "cause"), ("delivery", "reason")):
        statement = f"SELECT count(*) FROM {table} t WHERE t.{column} = 'x'"
        assert len(full.read(lambda c, s=statement: whole_tables(c, s, ()))) == 1  # type: ignore[misc]
