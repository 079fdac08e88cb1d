"""How many modules a request enters: the files of `service/` and `feeds/` in which a function runs.

Whoever follows a request through the code reads these files, so their number is bounded. Each trip is made
once to warm up and then counted; `uv run pytest -n0 -s tests/test_trips.py` prints them.
"""

import asyncio
import shutil
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from service import seed_loader
from service.catalogue.event import Event, Text
from service.catalogue.seeds import parse
from service.clock import SimulatedClock
from service.delivery.schedule import plan
from service.delivery.worker import Worker
from service.settings import BUNDLED_SEEDS, Settings
from service.store import events
from service.store.engine import Store
from tests.receiver import Received, Receiver, Reply
from tests.support.app import create_app

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (f"{ROOT}/service/", f"{ROOT}/feeds/")
ADMIN = "dday_admin000_" + "A" * 43
YEARS = count(5)
NOW = datetime(2025, 9, 1, tzinfo=UTC)
SEEDED = "/v1/events/comeup-2025"


class Profile:
    """Notes the files that this thread and those it starts enter, from `start` until `stop`."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._on = False

    def start(self) -> None:
        self.files.clear()
        self._on = True

    def stop(self) -> None:
        self._on = False

    def note(self, frame: Any, event: str, _: object) -> None:
        if self._on and event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            self.files.add(frame.f_code.co_filename.removeprefix(f"{ROOT}/"))


@contextmanager
def profiling() -> Iterator[Profile]:
    profile = Profile()
    threading.setprofile(profile.note)
    sys.setprofile(profile.note)
    try:
        yield profile
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


Trip = Callable[[Any, Profile], Awaitable[None]]


async def request(
    app: Any, method: str, target: str, body: object = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[bytes, dict[str, str]]:
    """The body and headers of the answer to one request to the ASGI app, which must succeed."""
    path, _, query = target.partition("?")
    content = b"" if body is None else msgspec.json.encode(body)
    given = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json", **headers}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    assert 200 <= sent[0]["status"] < 300, sent
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return b"".join(message["body"] for message in sent[1:]), answered


async def put(app: Any, profile: Profile) -> None:
    """A curator writes an event back with another end, unless somebody else has changed it meanwhile."""
    body, headers = await request(app, "GET", SEEDED)
    event = msgspec.json.decode(body)
    event["end"] = f"2025-12-{20 + event['revision']}"
    profile.start()
    await request(app, "PUT", SEEDED, event, {"if-match": headers["etag"]})


async def listing(app: Any, profile: Profile) -> None:
    profile.start()
    await request(app, "GET", "/v1/events?tag=startup&limit=50&lang=ko")


async def cold_feed(app: Any, profile: Profile) -> None:
    """Nobody has asked for this feed before."""
    profile.start()
    await request(app, "GET", f"/feeds/ko/calendar.ics?past=P{next(YEARS)}Y")


async def warm_feed(app: Any, profile: Profile) -> None:
    await request(app, "GET", "/feeds/ko/calendar.ics")
    profile.start()
    await request(app, "GET", "/feeds/ko/calendar.ics")


async def reminder(app: Any, profile: Profile) -> None:
    """A talk is moved, so that a reminder is due in five minutes; the trip ends when the receiver has it."""
    service = app.state.service
    began = service.clock.now()
    tomorrow = (began + timedelta(days=1, minutes=5)).astimezone(ZoneInfo("Asia/Seoul"))

    def arrived(_: Received) -> Reply:
        profile.stop()
        return Reply()

    with Receiver() as receiver:
        receiver.reply_by(arrived)
        talk = Event(id=f"talk-{receiver.port}", kind="session", name=Text(ko="발표"), start="2026-01-01")
        moved = msgspec.structs.replace(talk, start=f"{tomorrow:%Y-%m-%dT%H:%M}")
        rule = {"anchor": "start", "before": "PT24H"}
        await request(app, "POST", "/v1/webhooks", {"url": receiver.url, "name": "t", "reminders": [rule]})
        service.store.write(lambda c: events.put(c, talk, now=began, cause="test"))
        await plan(service)
        worker = Worker(service.store, service.egress, clock=service.clock, masters=service.masters)
        profile.start()
        service.store.write(lambda c: events.put(c, moved, now=began, cause="test"))
        await plan(service)
        service.clock.move_to(began + timedelta(minutes=5))
        await worker.run_once()
        assert len(receiver.requests) == 1


# What each trip does, starting the profile where it begins, and how many modules it may enter.
TRIPS: dict[str, tuple[Trip, int]] = {
    "reminder, from an edit to the socket": (reminder, 50),
    "PUT of an event": (put, 36),
    "cold feed": (cold_feed, 34),
    "list of events": (listing, 18),
    "warm feed": (warm_feed, 5),
}


@pytest.fixture(scope="module")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the seeds of this version, to be copied."""
    file = tmp_path_factory.mktemp("seeded") / "dday.db"
    store = Store.open(f"sqlite:///{file}")
    seeds = parse(seed_loader.read_folder(BUNDLED_SEEDS))
    seed_loader.load(store, seeds, now=datetime(2025, 8, 1, tzinfo=UTC))
    store.close()
    return file


@pytest.mark.parametrize("name", TRIPS)
def test_a_trip_enters_few_modules(tmp_path: Path, seeded_file: Path, name: str) -> None:
    make, most = TRIPS[name]
    shutil.copy(seeded_file, tmp_path / "dday.db")
    loopback = (ip_network("127.0.0.0/8"),)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/dday.db",
        admin_key=ADMIN,
        egress_allow=loopback,
        deliver=False,
    )

    async def run(profile: Profile) -> None:
        app = create_app(settings, clock=SimulatedClock(NOW))
        async with app.lifespan():
            for _ in range(2):
                await make(app, profile)
            profile.stop()

    with profiling() as profile:
        asyncio.run(run(profile))
    print(f"\n{name}: {len(profile.files)} modules", *sorted(profile.files), sep="\n    ")
    assert len(profile.files) <= most
