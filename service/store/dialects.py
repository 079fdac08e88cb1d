"""Where SQLite and PostgreSQL differ: how to connect, and what their errors mean."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import Format
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from service.errors import OperatorError, StorageFull, Unavailable

BUSY_TIMEOUT_MS = 5000
# A listing takes milliseconds; what takes longer than this is a mistake and must not hold a connection.
PG_OPTIONS = (
    "-c statement_timeout=30s -c idle_in_transaction_session_timeout=30s -c lock_timeout=10s "
    "-c synchronous_commit=on -c timezone=UTC -c jit=off"
)
# Pages are read in the order of an index, row by row until the page is full. A plan is made once for a shape
# of listing, as planning takes longer than reading, and none reads everything to sort or hash it.
PG_READING = " ".join(
    f"-c {setting}"
    for setting in (
        "default_transaction_read_only=on",
        # A reading unit sees one snapshot, as on SQLite.
        r"default_transaction_isolation=repeatable\ read",
        "plan_cache_mode=force_generic_plan",
        "enable_seqscan=off",
        "enable_sort=off",
        "enable_incremental_sort=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "enable_bitmapscan=off",
        "random_page_cost=1.1",
        # To start a process for half a page takes longer than the page.
        "max_parallel_workers_per_gather=0",
    )
)
# Connection lost, out of resources, a lock not given, an operator's intervention.
BUSY = frozenset({"08", "53", "55", "57"})
# The disk did not take what it had been given. PostgreSQL stops by itself then.
UNSYNCED = frozenset({"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"})
NOT_OURS = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})
# Insufficient privilege, a server that only reads.
DENIED = frozenset({"42501", "25006"})
DEADLOCKS = frozenset({"40001", "40P01"})


# What libpq and the server say of a connection that does not come about, and what of it an operator needs.
# A server that speaks another language is quoted.
REFUSALS = {
    r"failed to resolve host '(.+?)'|could not translate host name \"(.+?)\"": "no host has the name {}",
    r"server at (.+?) failed: Connection refused": "no server listens at {}",
    r"on socket \"(.+?)\" failed: (?:No such file|Connection refused)": "no server listens at {}",
    r"timeout expired": "the server does not answer",
    r"password authentication failed for user \"(.+?)\"": "the password for user {} is wrong",
    r"no password supplied": "the server asks for a password, and the address has none",
    r"role \"(.+?)\" does not exist": "the server has no user {}",
    r"database \"(.+?)\" does not exist": "the server has no database {}",
}


class NoDatabase(OperatorError):
    """The database cannot be opened; the message says what is in the way."""


class BadDatabaseUrl(OperatorError):
    """DDAY_DATABASE_URL cannot be used; the message says why."""

    exit_code = 2


def file(url: str) -> Path | None:
    """The database's file, None for PostgreSQL."""
    parsed = _url(url)
    if parsed.get_backend_name() == "postgresql":
        return None
    if parsed.get_backend_name() != "sqlite":
        raise BadDatabaseUrl(f"The database is sqlite:///path or postgresql://…, not {parsed.drivername}://.")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise BadDatabaseUrl(
            "SQLite needs a file (sqlite:///dday.db): readers have connections of their own."
        )
    return Path(parsed.database)


def _url(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise BadDatabaseUrl("The database is sqlite:///path or postgresql://user@host/name.") from None


def tables(path: Path) -> frozenset[str]:
    """Names the tables of a SQLite file, which is not changed: it may be another program's.

    Raises NoDatabase of what is no such file.
    """
    if not path.exists():
        return frozenset()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or the like"
        raise NoDatabase(f"The database {path} is {kind}; it must be a file.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as c:
            return frozenset(
                name for (name,) in c.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            )
    except sqlite3.Error as error:
        if error.sqlite_errorname in NOT_OURS:
            raise NoDatabase(f"The file {path} is damaged, or is not a database.") from None
        return frozenset()  # Whoever opens it to work with it meets this again.


def engines(url: str) -> tuple[Engine, Engine]:
    """Writer and reader. They are separate so that no reader ever sees an uncommitted row."""
    parsed = _url(url)
    return _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)


def _sqlite(url: URL) -> tuple[Engine, Engine]:
    # isolation_level=None keeps the driver from beginning transactions behind our back.
    arguments = {
        "isolation_level": None,
        "check_same_thread": False,
        "timeout": BUSY_TIMEOUT_MS / 1000,
        # A list of ids is another statement for every length.
        "cached_statements": 512,
    }
    common: dict[str, Any] = {
        "connect_args": arguments,
        "poolclass": QueuePool,
        "hide_parameters": True,
    }
    writer = create_engine(url, pool_size=1, max_overflow=0, **common)
    reader = create_engine(url, pool_size=8, max_overflow=24, **common)
    event.listen(writer, "connect", _on_sqlite_connect)
    event.listen(reader, "connect", _on_sqlite_read_connect)
    event.listen(writer, "begin", _begin_immediate)
    event.listen(reader, "begin", _begin_snapshot)
    return writer, reader


def _on_sqlite_connect(connection: Any, record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-65536",
        "mmap_size=1073741824",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchone()


def _on_sqlite_read_connect(connection: Any, record: object) -> None:
    _on_sqlite_connect(connection, record)
    connection.execute("PRAGMA query_only=ON").fetchone()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that turns to writing fails at once on a newer snapshot, whatever the timeout.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_snapshot(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _postgresql(url: URL) -> tuple[Engine, Engine]:
    url = url.set(drivername="postgresql+psycopg")
    writer = create_engine(
        url,
        pool_size=4,
        max_overflow=12,
        pool_use_lifo=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={"options": PG_OPTIONS, "connect_timeout": 10},
    )
    # The driver begins nothing by itself; `_begin_snapshot` does, as on SQLite.
    reader = create_engine(
        url,
        pool_size=4,
        max_overflow=28,
        pool_use_lifo=True,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        connect_args={"options": f"{PG_OPTIONS} {PG_READING}", "connect_timeout": 10},
    )
    event.listen(reader, "connect", _on_pg_read_connect)
    event.listen(reader, "begin", _begin_snapshot)
    return writer, reader


class _BinaryCursor(psycopg.Cursor[Any]):
    """Values as the server keeps them: a document in hexadecimal is twice as long."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.format = Format.BINARY


def _on_pg_read_connect(connection: Any, record: object) -> None:
    connection.cursor_factory = _BinaryCursor
    # A number has one type, whatever its value: each mixture of types would be prepared anew.
    connection.adapters.register_dumper(int, Int8Dumper)


def instance(connection: Any) -> str | None:
    """Returns the name of the database behind a new connection to PostgreSQL, None if it is not ours."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'instance'").fetchone()
    except psycopg.ProgrammingError:
        return None
    finally:
        connection.rollback()
    return str(row[0]) if row else None


def repeatable(error: DBAPIError) -> bool:
    """A unit that met this had no effect, and may well succeed when run again."""
    return error.connection_invalidated or _sqlstate(error) in DEADLOCKS or _sqlstate(error)[:3] == "57P"


def unsynced(error: DBAPIError) -> bool:
    """A commit that the disk could not make durable."""
    return _sqlite_name(error) in UNSYNCED


def _unreachable(error: DBAPIError) -> bool:
    """No connection came about: libpq gives no state then."""
    return isinstance(error.orig, psycopg.OperationalError) and not _sqlstate(error)


def problem(error: DBAPIError) -> Exception:
    """Returns what a caller may know of a database error; a mistake of ours stays what it is."""
    if _full(error):
        return StorageFull()
    busy = _sqlstate(error)[:2] in BUSY or _sqlite_name(error).startswith("SQLITE_BUSY")
    if repeatable(error) or busy or _unreachable(error):
        return Unavailable("The database is busy or unreachable.")
    if _sqlite_name(error) in NOT_OURS:
        return Unavailable("The database file is damaged, or is not a database.")
    if _sqlite_name(error).startswith("SQLITE_IOERR"):
        return Unavailable("The disk of the database reports errors.")
    return error


def refusal(error: DBAPIError) -> NoDatabase | None:
    """Says why a database cannot be opened; None of a mistake of ours. libpq never repeats a password."""
    diagnosis = error.orig.diag.message_primary if isinstance(error.orig, psycopg.Error) else None
    said = diagnosis or str(error.orig)
    if isinstance(error.orig, sqlite3.Error):
        # Opened, read and written as a whole: a code has its details behind the second underscore.
        denied = "_".join(_sqlite_name(error).split("_")[:2]) in ("SQLITE_CANTOPEN", "SQLITE_READONLY")
        return NoDatabase(f"The database cannot be opened: {said}.") if denied else None
    # Of a mistake in the address the driver speaks as of one in a program.
    misspelt = isinstance(error.orig, psycopg.ProgrammingError) and not _sqlstate(error)
    if not (misspelt or _unreachable(error) or _sqlstate(error) in DENIED):
        return None
    for pattern, words in REFUSALS.items():
        if found := re.search(pattern, said):
            return NoDatabase(
                f"The database cannot be opened: {words.format(*filter(None, found.groups()))}."
            )
    reason = " ".join(said.split()).removeprefix("connection failed: ").rstrip(".")
    return NoDatabase(f"The database cannot be opened: {reason}.")


def _full(error: DBAPIError) -> bool:
    return _sqlstate(error) == "53100" or _sqlite_name(error) == "SQLITE_FULL"


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _sqlite_name(error: DBAPIError) -> str:
    return (
        error.orig.sqlite_errorname
        if isinstance(error.orig, sqlite3.Error) and hasattr(error.orig, "sqlite_errorname")
        else ""
    )
