"""How large feeds get, what happens when one grows too large, and that equal data gives equal bytes."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from service import seed_loader
from service.catalogue import seeds as seedbook
from service.catalogue.event import Text
from service.catalogue.validation import FEED_NAMES
from service.clock import SimulatedClock
from service.feedcache import request
from service.feedcache.builder import FeedBuilder, FeedCopy
from service.feedcache.rendering import BUDGET, size
from service.feedcache.request import FeedRequest
from service.settings import BUNDLED_SEEDS
from service.store import events
from service.store import feed_state as feedstate
from service.store.engine import Store
from service.store.tables import feed_state
from tests.service.feedcache.large import NOW, catalogue

ROOT = Path(__file__).parents[3]


def builder(store: Store, clock: Any) -> FeedBuilder:
    return FeedBuilder(store, clock=clock, base_url="https://dday.example", uid_domain="dday.example")


def feed(path: str, query: bytes = b"") -> FeedRequest:
    parsed = request.parse(path, query)
    assert parsed is not None
    return parsed


def build(store: Store, path: str, query: bytes = b"", *, now: datetime = NOW) -> FeedCopy:
    return builder(store, SimulatedClock(now)).build(feed(path, query), None)


@pytest.fixture(scope="module")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeded") / "dday.db"


@pytest.fixture(scope="module")
def seeded(seeded_file):
    store = Store.open(f"sqlite:///{seeded_file}")
    seeds = seedbook.parse(seed_loader.read_folder(BUNDLED_SEEDS))
    seed_loader.load(store, seeds, now=datetime(2025, 8, 1, tzinfo=UTC))
    yield store
    store.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory):
    """1,200 events of ordinary length within reach."""
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('large')}/dday.db")
    store.write(lambda c: events.put_many(c, catalogue(1200), now=NOW, cause="test"))
    yield store
    store.close()


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("name", FEED_NAMES)
def test_every_feed_of_the_seeds_is_small_enough_for_google(seeded, lang, name):
    copy = build(seeded, f"/feeds/{lang}/{name}.ics", b"past=P20Y&ahead=P20Y")
    assert len(copy.entries) > 10
    assert (len(copy.body) <= BUDGET, copy.short, copy.over_budget) == (True, None, False)


def test_a_feed_of_1200_events_is_shortened_visibly(large):
    copy = build(large, "/feeds/ko/calendar.ics")
    assert size(copy.full) > BUDGET >= len(copy.body)
    assert (len(copy.entries), copy.over_budget) == (1200, False)
    assert "일정이 많아 간략히 보여 줍니다." in copy.body.decode().replace("\r\n ", "")


def test_who_asks_for_every_detail_gets_it_whatever_the_size(large):
    copy = build(large, "/feeds/ko/calendar.ics", b"detail=full")
    assert (copy.short, copy.over_budget, len(copy.body) > BUDGET) == (None, True, True)


def days(copy: FeedCopy) -> list[str]:
    return [entry.order[0][:8] for entry in copy.entries]


def test_what_is_past_goes_before_descriptions_do_and_the_oldest_first(large):
    now, path = datetime(2027, 2, 1, 3, tzinfo=UTC), "/feeds/ko/calendar.ics"
    copy = build(large, path, now=now)
    assert (copy.short, copy.without_past, copy.over_budget) == (None, True, False)
    assert BUDGET - 2 * size(copy.full) / len(copy.full) < len(copy.body) <= BUDGET + 2_000
    whole = days(build(large, path, b"detail=full", now=now))
    assert days(copy) == whole[len(whole) - len(copy.entries) :]
    assert "지난 일정은 오래된 것부터 뺐습니다." in copy.body.decode().replace("\r\n ", "")
    assert "DESCRIPTION:" in copy.body.decode().partition("BEGIN:VEVENT")[2]


def test_where_descriptions_have_to_go_the_past_comes_back_as_far_as_it_fits(large):
    """In April most is still ahead, and too much with descriptions."""
    copy = build(large, "/feeds/ko/calendar.ics", now=datetime(2026, 4, 1, 3, tzinfo=UTC))
    assert (copy.short is not None, copy.without_past, copy.over_budget) == (True, False, False)
    assert len(copy.entries) == 1200


def test_what_is_ahead_stays_and_is_then_too_much_for_google(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path}/dday.db")
    long = Text(ko="긴 이름 " * 800)
    many = [msgspec.structs.replace(event, name=long) for event in catalogue(130)]
    store.write(lambda c: events.put_many(c, many, now=NOW, cause="test"))
    now = datetime(2026, 3, 12, 3, tzinfo=UTC)
    copy = build(store, "/feeds/ko/calendar.ics", now=now)
    assert (copy.short is not None, copy.without_past, copy.over_budget) == (True, True, True)
    assert (min(days(copy)), len(copy.entries)) == ("20260312", 120) and len(copy.body) > BUDGET
    news = build(store, "/feeds/ko/calendar.json", now=now)
    assert (len(news.entries), news.without_past, news.over_budget) == (130, False, False)
    store.close()


def test_an_entry_is_about_as_long_as_planned(seeded, large):
    seeds = build(seeded, "/feeds/ko/calendar.ics", b"past=P20Y&ahead=P20Y").entries
    assert size(seeds) / len(seeds) <= 950
    assert size(build(large, "/feeds/ko/calendar.ics").entries) / 1200 <= 450


@pytest.mark.campaign
def test_a_feed_built_on_its_last_copy_equals_one_built_from_nothing_across_the_budget(large):
    """It becomes small enough for every detail, and too large again."""
    wanted, building = feed("/feeds/ko/calendar.ics"), builder(large, SimulatedClock(NOW))
    some = catalogue(1200)[:300]
    copy = building.build(wanted, None)
    shortened = [copy.short is not None]
    for change in ([events.Delete(id=e.id) for e in some], [events.Put(event=e) for e in some]):
        large.write(lambda c, change=change: events.apply(c, change, now=NOW, cause="test"))
        copy = building.build(wanted, copy)
        assert copy.body == build(large, "/feeds/ko/calendar.ics").body
        shortened.append(copy.short is not None)
    assert shortened == [True, False, True]


def test_a_content_that_comes_back_is_dated_anew_also_from_an_older_copy(store):
    """A build that was queued before another had ended begins from what was then the latest copy."""
    wanted, building = feed("/feeds/ko/calendar.ics"), builder(store, SimulatedClock(NOW))
    one, two = catalogue(2)
    store.write(lambda c: events.put(c, one, now=NOW, cause="test"))
    first = building.build(wanted, None)
    store.write(lambda c: events.put(c, two, now=NOW, cause="test"))
    second = building.build(wanted, first)
    store.write(lambda c: events.delete(c, two.id, now=NOW, cause="test"))
    third = building.build(wanted, first)
    assert len(third.entries) == 1
    assert first.modified < second.modified < third.modified


def content(path: str, digest: str, seq: int, newest: datetime | None = None) -> feedstate.Content:
    return feedstate.Content(feed=path, digest=digest, seq=seq, newest=newest)


PROGRAM = """
import sys
from datetime import datetime
from service.clock import SimulatedClock
from service.feedcache import request
from service.feedcache.builder import FeedBuilder
from service.store.engine import Store
store, clock = Store.open(sys.argv[1]), SimulatedClock(datetime.fromisoformat(sys.argv[2]))
builder = FeedBuilder(store, clock=clock, base_url="https://dday.example", uid_domain="dday.example")
for address in ("ko/calendar.ics?", "en/deadlines.ics?profile=rich&windows=both", "ko/events.json?"):
    path, _, query = address.partition("?")
    copy = builder.build(request.parse("/feeds/" + path, query.encode()), None)
    sys.stdout.write(copy.etag + " " + str(copy.modified) + "\\n" + copy.body.decode())
store.close()
"""


def test_another_process_an_hour_later_with_another_hash_seed_sends_the_same_bytes(
    seeded, seeded_file, tmp_path
):
    file = tmp_path / "dday.db"
    with closing(sqlite3.connect(seeded_file)) as c:
        c.execute("VACUUM INTO ?", (str(file),))
    outputs = []
    for seed, when in (("0", "2025-09-01T00:00:00+00:00"), ("4711", "2025-09-01T01:00:00+00:00")):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"sqlite:///{file}", when],
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"BEGIN:VEVENT") > 20


def test_what_is_forgotten_stays_a_lower_bound(sqlite_url):
    """Only so many feeds are remembered; one that comes anew is dated after all that were forgotten."""
    store = Store.open(sqlite_url)
    rows = [
        {"feed": f"/{n}", "digest": "a", "modified": 10**9 + n, "seq": 1} for n in range(feedstate.MOST_FEEDS)
    ]
    store.write(lambda c: c.execute(insert(feed_state), rows))
    new = content("/new", "a", 1, datetime(2001, 1, 1, tzinfo=UTC))
    noted = store.write(lambda c: feedstate.note(c, new, now=NOW))
    assert noted.modified == 10**9 + feedstate.FORGOTTEN_AT_ONCE
    assert store.read(lambda c: feedstate.get(c, "/0")) is None
    store.close()


def test_a_process_that_lags_behind_changes_nothing(store):
    def note(digest: str, seq: int) -> feedstate.FeedState:
        return store.write(lambda c: feedstate.note(c, content("/feed", digest, seq), now=NOW))

    ahead = note("new", 11)
    assert note("old", 10) == ahead == note("new", 12)
    assert note("newer", 12).modified == ahead.modified + feedstate.BEYOND
