"""The log: in the order of commits, whoever reads it and whoever writes."""

import threading
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from service.catalogue.event import Event, Evidence, Source, Text
from service.store import entities, events, revisions
from service.store.engine import Store

NOW = datetime(2025, 8, 1, tzinfo=UTC)
WRITERS, EACH = 3, 15


def event(identifier: str) -> Event:
    return Event(id=identifier, kind="summit", name=Text(ko="서밋"), start="2025-09-05")


def test_no_reader_sees_eleven_before_ten(store: Store) -> None:
    """Writers that take their time between number and commit; a reader that follows with its own cursor."""
    done = threading.Event()
    seen: list[int] = []

    def slowly(c: Connection, identifier: str) -> None:
        events.put(c, event(identifier), now=NOW, cause="test")
        time.sleep(0.003)

    def write(writer: int) -> None:
        for index in range(EACH):
            store.write(lambda c, i=index: slowly(c, f"e{writer}-{i}"))

    def follow() -> None:
        while True:
            last = done.is_set()
            rows = store.read(lambda c: revisions.since(c, seen[-1] if seen else 0, 1000))
            seen.extend(row.seq for row in rows)
            if last and not rows:
                return

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    reader = threading.Thread(target=follow)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert seen == list(range(1, WRITERS * EACH + 1))


def test_what_is_pruned_is_behind_the_floor(store: Store) -> None:
    for day in range(3):
        put_at = NOW + timedelta(days=day)
        store.write(lambda c, d=day, at=put_at: events.put(c, event(f"e{d}"), now=at, cause="test"))
    before = store.read(lambda c: revisions.marks(c, (1, 2, 3)))
    assert store.write(lambda c: revisions.prune(c, NOW + timedelta(days=1, hours=1))) == 1
    assert store.read(revisions.floor) == 2
    # Whoever has read the newest that is behind it has missed nothing, and can still prove it.
    assert store.read(lambda c: revisions.marks(c, (1, 2, 3))) == {n: before[n] for n in (0, 2, 3)}
    assert [row.seq for row in store.read(lambda c: revisions.since(c, 2, 10))] == [3]
    assert store.read(revisions.head) == 3


def test_a_source_seen_again_opens_what_goes_on_until_exhausted(store: Store) -> None:
    said = Evidence(field="start", value="2025-06-01", source="notice")
    window = Event(
        id="call",
        kind="application_window",
        name=Text(ko="모집"),
        start="2025-06-01",
        close_rule="until_exhausted",
        evidence=(said,),
    )

    def load(c: Connection, retrieved: str) -> str:
        seen = Source(id="notice", title="공고", kind="official_notice", retrieved=retrieved)
        entities.put(c, seen, now=NOW, cause="test")
        events.put(c, window, now=NOW, cause="test")
        listed = events.listed(c, events.EventFilter(phase=("open",)), now=NOW)
        return f"{events.get(c, 'call').phase(NOW)} {len(listed.items)}"

    assert store.write(lambda c: load(c, "2025-07-01")) == "unknown 0"
    assert store.write(lambda c: load(c, "2025-07-30")) == "open 1"
    assert store.read(lambda c: events.get(c, "call")).revision == 1
