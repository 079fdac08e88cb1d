"""The listing by index gives what the pure filters mean, in order, each event once, on both engines."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection

from service.catalogue import search_terms, windows
from service.catalogue.event import Alias, Event, Organization, Program, Series, Text
from service.catalogue.evidence import disputed, earliest
from service.catalogue.filters import EventFilter, matches
from service.store import entities, events
from service.store.engine import Store
from service.store.listing import SORTS, Sort
from service.store.sql import LAST, millis, millis_or
from service.store.stored_event import Stored
from service.store.tables import metadata
from tests.service.store.strategies import NOUNS, NOW, QUERIES, WRITES, catalogues, filters

# The fixture's store is emptied by each example itself.
FEW = settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=30)


# The names that things have in the end: what they were called before is not found any more.
NAMED = {noun.id: noun for noun in NOUNS if isinstance(noun, Series | Program | Organization)}
FORMERLY = (
    Organization(id="mss", name=Text(ko="중소기업청"), aliases=(Alias(text="글로벌"),)),
    Series(id="seoulcon", name=Text(en="Summit")),
    Program(id="tips", name=Text(ko="서밋")),
)


def searched(event: Event) -> search_terms.Searched:
    ids = [event.series, event.program, *(one.id for one in event.organizations)]
    names = [name for id in ids if id for name in search_terms.names_of(NAMED[id])]
    return search_terms.searched(event, names)


def fill(c: Connection, catalogue: Sequence[Event]) -> dict[str, Stored]:
    for noun in (*NOUNS, *FORMERLY):
        entities.put(c, noun, now=WRITES[0], cause="test")
    saved: dict[str, Stored] = {}
    for index, now in enumerate(WRITES):
        third = catalogue[index :: len(WRITES)]
        saved |= {one.stored.id: one.stored for one in events.put_many(c, third, now=now, cause="test")}
    for noun in NOUNS:
        entities.put(c, noun, now=WRITES[-1], cause="test")
    return saved


def place(item: Stored, asked: EventFilter, sort: Sort) -> tuple[int, ...]:
    """Known instants before unknown ones in either direction; then the instant. By relevance rank first."""
    if sort == "relevance":
        rank = search_terms.rank(searched(item.event), search_terms.parse(asked.q)) if asked.q else 0
        assert rank is not None
        return rank, *place(item, asked, "-start")
    span = windows.span(item.event)
    sign = -1 if sort.startswith("-") else 1
    if sort in ("updated", "-updated"):
        return 0, sign * millis(item.updated_at)
    if sort in ("end", "-end"):
        days = {field: earliest(item.event, field) for field in ("start", "end")}
        end = millis_or(windows.span(replace(item.event, **days, evidence=())).latest, LAST)
        return int(end == LAST), sign * end
    return int(span.earliest is None), sign * millis_or(span.earliest, millis_or(span.latest, LAST))


def expected(saved: dict[str, Stored], asked: EventFilter, sort: Sort) -> list[str]:
    right = [
        item
        for item in saved.values()
        if matches(
            item.event,
            asked,
            steps=item.steps,
            disputed=disputed(item.event),
            updated_at=item.updated_at,
            now=NOW,
            searched=searched(item.event).encode(),
        )
    ]
    sign = -1 if sort.startswith("-") or sort == "relevance" else 1
    in_order = sorted(right, key=lambda item: (*place(item, asked, sort), sign * item.seq))
    return [item.id for item in in_order]


def is_undated(item: Stored) -> bool:
    span = windows.span(item.event)
    return span.earliest is None and span.latest is None


def read_through(c: Connection, asked: EventFilter, sort: Sort, *, limit: int, few: int) -> list[str]:
    ids: list[str] = []
    after = None
    while True:
        page = events.listed(c, asked, now=NOW, sort=sort, limit=limit, after=after, few=few)
        assert len(page.items) == limit or page.next is None
        ids += [item.id for item in page.items]
        if page.next is None:
            return ids
        after = page.next


def check(
    store: Store,
    catalogue: list[Event],
    asked: list[EventFilter],
    *,
    limit: int,
    few: int,
    sorts: Sequence[Sort] = SORTS,
) -> None:
    def example(c: Connection) -> None:
        saved = fill(c, catalogue)
        for one in asked:
            for sort in sorts:
                found = read_through(c, one, sort, limit=limit, few=few)
                assert found == expected(saved, one, sort), (one, sort)
            newest = [item for item in expected(saved, one, "-start") if is_undated(saved[item])]
            undated = events.undated(c, one, now=NOW, limit=limit)
            assert [item.id for item in undated] == newest[:limit], one
        for table in reversed(metadata.sorted_tables):
            if table.name not in ("meta", "counter"):
                c.execute(table.delete())

    store.write(example)


EXAMPLES = {
    "catalogue": catalogues(),
    "asked": st.lists(filters(), min_size=6, max_size=6),
    "limit": st.sampled_from((1, 3, 7, 200)),
    "few": st.sampled_from((0, 4, 1000)),
}


@settings(FEW, max_examples=2)
@given(catalogue=catalogues(), few=st.sampled_from((0, 4, 1000)))
def test_a_search_finds_in_order_of_rank_what_the_pure_function_ranks(
    store: Store, catalogue: list[Event], few: int
) -> None:
    check(
        store, catalogue, [EventFilter(q=q) for q in QUERIES], limit=7, few=few, sorts=("relevance", "start")
    )


@FEW
@given(**EXAMPLES)
def test_a_listing_is_what_the_filters_mean(store: Store, **example: Any) -> None:
    check(store, **example)


@pytest.mark.campaign
@MANY
@given(**EXAMPLES)
def test_a_listing_is_what_the_filters_mean_at_length(store: Store, **example: Any) -> None:
    check(store, **example)


def test_syllables_that_stand_apart_are_no_word(store: Store) -> None:
    named = {"apart": "글로 로벌 서밋", "whole": "글로벌 서밋", "other": "글로벌 포럼"}
    catalogue = [Event(id=id, kind="summit", name=Text(ko=name), start="2025") for id, name in named.items()]
    store.write(lambda c: events.put_many(c, catalogue, now=NOW, cause="test"))
    for query, found in (("글로벌 서밋", ["whole"]), ("글로 로벌", ["apart", "whole", "other"])):
        page = store.read(lambda c, q=query: events.listed(c, EventFilter(q=q), now=NOW))  # type: ignore[misc]
        assert [item.id for item in page.items] == found


def test_an_event_without_an_end_is_ongoing_until_its_day_is_over(store: Store) -> None:
    morning = Event(id="morning", kind="summit", name=Text(ko="서밋"), start="2025-09-05T09:00")
    store.write(lambda c: events.put(c, morning, now=WRITES[0], cause="test"))
    for sort in SORTS:
        page = store.read(
            lambda c, s=sort: events.listed(c, EventFilter(phase=("ongoing",)), now=NOW, sort=s, few=0)
        )
        assert [item.id for item in page.items] == ["morning"]


@pytest.mark.parametrize("few", [0, 1000])
def test_a_window_is_listed_as_open_at_the_very_instant_by_which_it_closes(store: Store, few: int) -> None:
    call = Event(
        id="call",
        kind="application_window",
        name=Text(ko="모집"),
        start="2025-09-01",
        end="2025-09-05T14:00",
        close_rule="fixed",
    )
    store.write(lambda c: events.put(c, call, now=WRITES[0], cause="test"))
    asked = EventFilter(phase=("open", "closing_soon"))
    late = NOW + timedelta(milliseconds=1)
    for sort in SORTS:
        at, after = (
            store.read(lambda c, n=now, s=sort: events.listed(c, asked, now=n, sort=s, few=few))
            for now in (NOW, late)
        )
        assert ([item.id for item in at.items], after.items) == (["call"], ())
