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
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from service import seed_loader
from service.catalogue.seeds import parse
from service.clock import SystemClock
from service.settings import BUNDLED_SEEDS, Settings
from service.store.engine import Store
from tests.support.app import create_app

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (f"{ROOT}/service/", f"{ROOT}/feeds/")
ADMIN = "dday_admin000_" + "A" * 43
SEEDED = "/v1/events/comeup-2025"

Trip = Callable[[Any, Any], Awaitable[None]]


@contextmanager
def profiled() -> Iterator[tuple[Callable[[], list[str]], Callable[[], None]]]:
    """Yields what tells the files entered by this thread and those it starts, and what forgets them."""
    files: set[str] = set()

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            files.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield lambda: sorted(file.removeprefix(f"{ROOT}/") for file in files), files.clear
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


async def request(
    app: Any, method: str, target: str, body: object = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[Any, dict[str, str]]:
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
    return msgspec.json.decode(b"".join(message["body"] for message in sent[1:])), answered


async def put(app: Any, start: Callable[[], None]) -> None:
    """A curator writes an event back with another end, unless somebody else has changed it meanwhile."""
    event, headers = await request(app, "GET", SEEDED)
    event["end"] = f"2025-12-{20 + event['revision']}"
    start()
    await request(app, "PUT", SEEDED, event, {"if-match": headers["etag"]})


async def listing(app: Any, start: Callable[[], None]) -> None:
    start()
    await request(app, "GET", "/v1/events?tag=startup&limit=50&lang=ko")


# What each trip does, calling `start` where it begins, and how many modules it may enter.
TRIPS: dict[str, tuple[Trip, int]] = {"PUT of an event": (put, 36), "list of events": (listing, 17)}


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
    settings = Settings(database_url=f"sqlite:///{tmp_path}/dday.db", admin_key=ADMIN, deliver=False)

    async def run() -> list[str]:
        app = create_app(settings, clock=SystemClock())
        async with app.lifespan():
            for _ in range(2):
                await make(app, forget)
            return entered()

    with profiled() as (entered, forget):
        files = asyncio.run(run())
    print(f"\n{name}: {len(files)} modules", *files, sep="\n    ")
    assert len(files) <= most
