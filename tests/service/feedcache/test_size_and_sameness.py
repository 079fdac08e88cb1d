"""How large feeds get, what happens when one grows too large, and that equal data gives equal bytes."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from service import seed_loader
from service.catalogue import seeds as seedbook
from service.catalogue.validation import FEED_NAMES
from service.feedcache import request
from service.feedcache.builder import Press
from service.feedcache.rendering import BUDGET, Edition
from service.settings import BUNDLED_SEEDS
from service.store import events
from service.store import feed_state as feedstate
from service.store.engine import Store
from service.store.tables import feed_state
from tests.service.feedcache.large import NOW, catalogue

ROOT = Path(__file__).parents[3]


def publish(store: Store, path: str, query: bytes = b"", *, now: datetime = NOW) -> Edition:
    found = request.read(path, query)
    assert found is not None
    press = Press(store, base_url="https://dday.example", uid_domain="dday.example")
    return press.publish(found, None, now=now)


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
    edition = publish(seeded, f"/feeds/{lang}/{name}.ics", b"past=P20Y&ahead=P20Y")
    assert len(edition.shown.ordered) > 10
    assert (len(edition.body) <= BUDGET, edition.short, edition.over_budget) == (True, None, False)


def test_a_feed_of_1200_events_is_shortened_visibly(large):
    edition = publish(large, "/feeds/ko/calendar.ics")
    assert edition.full.size > BUDGET >= len(edition.body)
    assert (len(edition.shown.ordered), edition.over_budget) == (1200, False)
    assert "일정이 많아 간략히 보여 줍니다." in edition.body.decode().replace("\r\n ", "")


def test_who_asks_for_every_detail_gets_it_whatever_the_size(large):
    edition = publish(large, "/feeds/ko/calendar.ics", b"detail=full")
    assert (edition.short, edition.over_budget, len(edition.body) > BUDGET) == (None, True, True)


def test_an_entry_is_about_as_long_as_planned(seeded, large):
    seeds = publish(seeded, "/feeds/ko/calendar.ics", b"past=P20Y&ahead=P20Y").shown
    assert seeds.size / len(seeds.ordered) <= 950
    assert publish(large, "/feeds/ko/calendar.ics").shown.size / 1200 <= 450


def test_a_patched_feed_equals_one_made_from_nothing_across_the_budget(large):
    """It becomes small enough for every detail, and too large again."""
    wanted = request.read("/feeds/ko/calendar.ics", b"")
    press = Press(large, base_url="https://dday.example", uid_domain="dday.example")
    some = catalogue(1200)[:300]
    edition = press.publish(wanted, None, now=NOW)
    shortened = [edition.short is not None]
    for change in ([events.Delete(id=e.id) for e in some], [events.Put(event=e) for e in some]):
        large.write(lambda c, change=change: events.apply(c, change, now=NOW, cause="test"))
        edition = press.publish(wanted, edition, now=NOW)
        assert edition.body == publish(large, "/feeds/ko/calendar.ics").body
        shortened.append(edition.short is not None)
    assert shortened == [True, False, True]


def test_a_content_that_comes_back_is_dated_anew_also_from_an_older_edition(store):
    """A making that was queued before another had ended begins from what was then the latest."""
    wanted = request.read("/feeds/ko/calendar.ics", b"")
    press = Press(store, base_url="https://dday.example", uid_domain="dday.example")
    one, two = catalogue(2)
    store.write(lambda c: events.put(c, one, now=NOW, cause="test"))
    first = press.publish(wanted, None, now=NOW)
    store.write(lambda c: events.put(c, two, now=NOW, cause="test"))
    second = press.publish(wanted, first, now=NOW)
    store.write(lambda c: events.delete(c, two.id, now=NOW, cause="test"))
    third = press.publish(wanted, first, now=NOW)
    assert len(third.shown.ordered) == 1
    assert first.modified < second.modified < third.modified


def content(feed: str, digest: str, seq: int, newest: datetime | None = None) -> feedstate.Content:
    return feedstate.Content(feed=feed, digest=digest, seq=seq, newest=newest)


PROGRAM = """
import sys
from contextlib import closing
from datetime import UTC, datetime
from service.catalogue.filters import EventFilter
from service.feedcache import asked
from service.feedcache.builder import Press
from service.store.engine import Store
store = Store.open(sys.argv[1])
press = Press(store, base_url="https://dday.example", uid_domain="dday.example")
for address in ("ko/calendar.ics?", "en/deadlines.ics?profile=rich&windows=both", "ko/events.json?"):
    path, _, query = address.partition("?")
    path, query = "/feeds/" + path, query.encode()
    edition = press.publish(asked.read(path, query), None, now=datetime.fromisoformat(sys.argv[2]))
    sys.stdout.write(edition.etag + " " + str(edition.modified) + "\\n" + edition.body.decode())
store.close()
"""


def test_another_process_an_hour_later_with_another_hash_seed_sends_the_same_bytes(
    seeded, seeded_file, tmp_path
):
    copy = tmp_path / "dday.db"
    with closing(sqlite3.connect(seeded_file)) as c:
        c.execute("VACUUM INTO ?", (str(copy),))
    outputs = []
    for seed, when in (("0", "2025-09-01T00:00:00+00:00"), ("4711", "2025-09-01T01:00:00+00:00")):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"sqlite:///{copy}", when],
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
    noted = store.write(
        lambda c: feedstate.note(c, [content("/new", "a", 1, datetime(2001, 1, 1, tzinfo=UTC))], now=NOW)
    )["/new"]
    assert noted.modified == 10**9 + feedstate.FORGOTTEN_AT_ONCE
    assert store.read(lambda c: feedstate.get_many(c, ["/0"])) == {}
    store.close()


def test_a_process_that_lags_behind_changes_nothing(store):
    def note(digest: str, seq: int) -> feedstate.FeedState:
        return store.write(lambda c: feedstate.note(c, [content("/feed", digest, seq)], now=NOW))["/feed"]

    ahead = note("new", 11)
    assert note("old", 10) == ahead == note("new", 12)
    assert note("newer", 12).modified == ahead.modified + feedstate.BEYOND
