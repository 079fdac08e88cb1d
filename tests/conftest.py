"""Fixtures for everybody: stores on both engines, PostgreSQL for real, started once a run from its wheel."""

import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from service import server
from service.store.engine import Store
from tests.support import postgres

PG_FOLDER = pytest.StashKey[Path]()

# The tests start hundreds of processes. Where Python is told to keep no bytecode, as in many containers, each
# compiles all it imports anew: three seconds instead of one. They keep it beside the cache of pytest instead.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault(
        "PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    )

# How long an example took says more about the machine than about what was tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are cores: a test that waits for a process or a second leaves a core idle."""
    return (yield) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Campaigns that take minutes begin first, or the last of them would run on beside idle processes."""
    items.sort(key=_minutes, reverse=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Half a million objects are made here that stay: to look through them for garbage took 7 % of CPU."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        server.settle()


def _minutes(item: pytest.Item) -> float:
    marked = item.get_closest_marker("campaign")
    return float(marked.kwargs.get("minutes", 0)) if marked else 0


def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder of the one PostgreSQL server that all processes of a run share."""
    if not hasattr(config, "workerinput"):
        config.stash[PG_FOLDER] = Path(tempfile.mkdtemp(prefix="dday-pg-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where it is."""
    node.workerinput["pg_folder"] = str(node.config.stash[PG_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(PG_FOLDER, None):
        postgres.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pg_server(pytestconfig: pytest.Config) -> postgres.Server:
    """A real PostgreSQL, from its wheel, with a migrated database to copy."""
    ours = getattr(pytestconfig, "workerinput", None)
    folder = Path(ours["pg_folder"]) if ours else pytestconfig.stash[PG_FOLDER]
    return postgres.Server(folder, lambda url: Store.open(url).close())


@pytest.fixture(scope="session")
def pg_database(pg_server: postgres.Server) -> Iterator[postgres.Database]:
    database = postgres.Database(pg_server, f"migrated_{os.getpid()}")
    yield database
    database.drop()


@pytest.fixture(scope="session")
def pg_empty_database(pg_server: postgres.Server) -> Iterator[postgres.Database]:
    database = postgres.Database(pg_server, f"empty_{os.getpid()}", template="template1")
    yield database
    database.drop()


@pytest.fixture
def pg_url(pg_database: postgres.Database) -> Iterator[str]:
    """A migrated, empty PostgreSQL database that this test has for itself."""
    yield pg_database.url
    pg_database.reset()


@pytest.fixture
def pg_empty_url(pg_empty_database: postgres.Database) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    yield pg_empty_database.url
    pg_empty_database.reset()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "dday.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite file of this test alone."""
    shutil.copy(sqlite_template, tmp_path / "dday.db")
    return f"sqlite:///{tmp_path / 'dday.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty, migrated database; a test that asks for it runs on both engines."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "pg_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, on either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("pg_empty_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store; a test that asks for it runs on both engines."""
    opened = Store.open(store_url)
    yield opened
    opened.close()
