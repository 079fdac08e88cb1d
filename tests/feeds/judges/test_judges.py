"""Every reader sees what was written: the same events, at the same instants, with the same words."""

import json
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from feeds.entry import Entry
from feeds.formats import document
from feeds.ical import NAMELESS
from feeds.text import one_line
from service import seed_loader
from service.catalogue import seeds as seedbook
from service.catalogue import view
from service.catalogue.entries import Named, Style, entries
from service.settings import BUNDLED_SEEDS
from tests.feeds.judges import readers
from tests.feeds.judges.readers import FULLCALENDAR, HERE, Row, moment
from tests.feeds.samples import FEED, many

LOADED = datetime(2026, 2, 1, 3, tzinfo=UTC)
PROFILES = ("plain", "rich")
NODE = shutil.which("node") is not None and all((f / "node_modules").is_dir() for f in (HERE, FULLCALENDAR))
NEEDS_NODE = pytest.mark.skipif(
    not NODE, reason="node, or `npm install` in tests/feeds/judges and its fullcalendar, is missing"
)


def seed_entries(lang: str, **style: object) -> list[Entry]:
    """Every seed as its calendar shows it."""
    seeds = seedbook.parse(seed_loader.read_folder(BUNDLED_SEEDS))
    uids = {event.id: f"{number:032x}@dday.example" for number, event in enumerate(seeds.events)}
    around = {("event", e.id): Named(name=e.name, updated_at=LOADED, uid=uids[e.id]) for e in seeds.events}
    around |= {("organization", o.id): Named(name=o.name, updated_at=LOADED) for o in seeds.organizations}
    asked = Style(lang=lang, base_url="https://dday.example", placeholders=True, windows="both", **style)
    written: list[Entry] = []
    for number, event in enumerate(seeds.events, start=1):
        kept = view.document(
            event, previous_dates=(), revision=1, seq=number, created_at=LOADED, updated_at=LOADED
        )
        read = view._DECODER.decode(kept)
        written += entries(read, uid=uids[event.id], around=around, style=asked)
    return [entry for entry in written if entry.start is not None]


CALENDARS = {
    "generated": lambda: many(500),
    "seeds-ko": lambda: seed_entries("ko"),
    "seeds-en": lambda: seed_entries("en"),
}


KINDS = [(name, profile) for name in CALENDARS for profile in PROFILES]
# PyPI `ics` takes 12 ms an event: every day it judges the seeds once, in the campaign all.
SLOW = [
    ("generated", "plain"),
    ("generated", "rich"),
    ("seeds-ko", "rich"),
    ("seeds-en", "plain"),
    ("seeds-en", "rich"),
]
TRIALS = [
    pytest.param(kind, judge, marks=pytest.mark.campaign if judge == "ics" and kind in SLOW else ())
    for kind in KINDS
    for judge in readers.PYTHON
]


@cache
def calendar(kind: tuple[str, str]) -> tuple[bytes, Counter[Row]]:
    name, profile = kind
    written = CALENDARS[name]()
    assert len(written) >= (500 if name == "generated" else 50)
    return document("ics", FEED, written, profile=profile), Counter(map(row, written))


def row(entry: Entry) -> Row:
    return (
        entry.uid,
        moment(entry.start),
        moment(entry.end),
        one_line(entry.title) or NAMELESS,
        entry.status.upper(),
    )


@pytest.mark.parametrize(("kind", "judge"), TRIALS)
def test_a_python_reader_agrees(kind, judge):
    data, written = calendar(kind)
    assert Counter(readers.PYTHON[judge](data)) == shown_by(judge, written)


def shown_by(judge: str, written: Counter[Row]) -> Counter[Row]:
    return Counter({(*row[:3], readers.as_read_by(judge, row[3]), row[4]): n for row, n in written.items()})


@NEEDS_NODE
@pytest.mark.parametrize("viewer", ["Asia/Seoul", "America/Los_Angeles"])
def test_fullcalendar_shows_a_feed_in_utc_rightly_to_every_viewer(viewer):
    """It drops the TZID of a time (fullcalendar#7456)."""
    written = seed_entries("ko", tz="utc")
    shown = readers.by_fullcalendar(document("ics", FEED, written), viewer=viewer)
    assert Counter(shown) == Counter((title, start, end) for _, start, end, title, _ in map(row, written))
    assert any(entry.timed for entry in written)


@NEEDS_NODE
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_thunderbirds_reader_and_node_ical_agree(kind):
    data, written = calendar(kind)
    for judge, rows in readers.by_node(data).items():
        assert Counter(rows) == shown_by(judge, written), judge


@pytest.fixture(scope="module")
def restrictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("libical") / "restrictions"
    compiled = (
        subprocess.run(
            ["cc", "-o", program, HERE / "restrictions.c", "-lical"], capture_output=True, text=True
        )
        if shutil.which("cc")
        else None
    )
    if compiled is None or compiled.returncode:
        pytest.skip("a C compiler with libical-dev is missing")
    return program


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_libical_finds_no_restriction_broken(kind, restrictions):
    data, written = calendar(kind)
    done = subprocess.run([restrictions], input=data, capture_output=True)
    assert (done.stdout.decode(), done.returncode) == ("", 0)
    assert int(done.stderr) == sum(written.values())


def test_the_judges_do_complain_about_what_is_wrong(restrictions):
    data = document("ics", FEED, many(1)).replace(b"BEGIN:VEVENT\r\n", b"BEGIN:VEVENT\r\nSUMMARY:2\r\n")
    assert subprocess.run([restrictions], input=data, capture_output=True).returncode == 1


def test_the_pinned_judges_are_the_ones_installed():
    for folder in (HERE, FULLCALENDAR) if NODE else ():
        wanted = json.loads((folder / "package.json").read_text())["dependencies"]
        for name, version in wanted.items():
            installed = json.loads((folder / "node_modules" / name / "package.json").read_text())
            assert installed["version"] == version
