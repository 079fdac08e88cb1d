"""Subscribers with vdirsyncer and khal have the events of a feed, all of them, at their times."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feeds.entry import Entry
from feeds.formats import document
from feeds.text import one_line
from tests.feeds.judges.test_judges import seed_entries
from tests.feeds.samples import FEED

FEEDS = {
    "a public feed": FEED,
    "a private feed": msgspec.structs.replace(FEED, uid="feed-saved-fed_1@dday.example", url=""),
}
PAIR = """
[general]
status_path = "{folder}/status/"
[pair dday]
a = "feed"
b = "vdir"
collections = null
[storage feed]
type = "http"
url = "{url}"
[storage vdir]
type = "filesystem"
path = "{folder}/vdir/"
fileext = ".ics"
"""
KHAL = """
[calendars]
[[dday]]
path = {folder}/vdir/
readonly = True
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%dT%H:%M
longdatetimeformat = %Y-%m-%dT%H:%M
default_timezone = UTC
local_timezone = UTC
[sqlite]
path = {folder}/khal.db
"""


@contextmanager
def served(body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/calendar; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/calendar.ics"
        server.shutdown()
        thread.join()


def run(program: str, *arguments: str, folder: Path) -> str:
    """Runs a program of this environment, which knows no other settings than those in the folder."""
    home = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "99999",
    }
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def synced(body: bytes, folder: Path) -> list[tuple[str, ...]]:
    """Returns title, start and end of each event that khal lists after a sync, as it shows them."""
    with served(body) as url:
        (folder / "vdirsyncer").write_text(PAIR.format(folder=folder, url=url))
        (folder / "khal").write_text(KHAL.format(folder=folder))
        run("vdirsyncer", "-c", str(folder / "vdirsyncer"), "discover", folder=folder)
        run("vdirsyncer", "-c", str(folder / "vdirsyncer"), "sync", folder=folder)
    fields = ("title", "start-long", "end-long")
    asked = [argument for field in fields for argument in ("--json", field)]
    found = run("khal", "-c", str(folder / "khal"), "search", *asked, "VEVENT", folder=folder)
    rows = [row for listed in found.splitlines() for row in json.loads(listed)]
    return [tuple(row[field] for field in fields) for row in rows]


def row(entry: Entry) -> tuple[str, ...]:
    assert entry.start is not None and entry.end is not None
    if not isinstance(entry.start, datetime) or not isinstance(entry.end, datetime):
        # It counts the last day in.
        return one_line(entry.title), f"{entry.start}", f"{entry.end - timedelta(days=1)}"
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") for moment in (entry.start, entry.end))
    return one_line(entry.title), start, end


@pytest.mark.parametrize(
    ("kind", "profile", "most"),
    [
        ("a public feed", "plain", 12),
        *(
            pytest.param(kind, profile, 1_000, marks=pytest.mark.campaign)
            for kind in FEEDS
            for profile in ("plain", "rich")
        ),
    ],
)
def test_vdirsyncer_and_khal_have_every_event(kind, profile, most, tmp_path):
    written = seed_entries("ko")[:most]
    body = document("ics", FEEDS[kind], written, profile=profile)
    assert Counter(synced(body, tmp_path)) == Counter(map(row, written))
    assert len(list((tmp_path / "vdir").iterdir())) == len(written) >= min(most, 100)
