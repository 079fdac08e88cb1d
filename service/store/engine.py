"""One store on SQLite or PostgreSQL: units of work, run whole, on one connection.

A unit is a function of a connection. `Store.read` and `Store.write` run it where they are called, and `aread`
and `awrite` do so for the event loop.
"""

import asyncio
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, NoResultFound

from service.clock import Reading, running
from service.errors import StorageFull, Unavailable
from service.store import dialects, schema, search_index
from service.store.locks import (
    DatabaseFile,
    ServiceLock,
    StoreBusy,
    WriteLock,
    known_instance,
    lock_file,
    refuse_network_path,
)

__all__ = ["Store", "StoreBusy"]

T = TypeVar("T")
Work = Callable[[Connection], T]

READERS = 4
PG_WRITERS = 4
TRIES = 6
# A quick read is broken off after QUICK_STRIDES times so many steps of SQLite's machine, a few milliseconds.
# Most pages of 100,000 events take 1,000 to 15,000 steps.
STRIDE, QUICK_STRIDES = 5_000, 10
LAST_WORDS = (
    "The disk did not write what was committed (%s). Nothing after this could be believed, so the service "
    "ends. What it has acknowledged before is safe. Look at the disk before starting it again."
)
GONE = (
    "The database {path} is gone: this place held one before. Put it back, or a backup of it. To begin anew "
    "with an empty catalogue, remove {lock} first."
)
ANOTHER = "The database is another one than this place held before (it is named %s; before it was %s)."
NOT_IN_PLACE = (
    "The database is not the one that was opened: it was deleted, or another one is in its place. Nothing is "
    "written until it is back or the service starts again."
)
OLD_SCHEMA = "The database has no schema of Dday yet, or an older one: `dday serve` brings it up to date."

log = logging.getLogger(__name__)


class TooLong(Exception):
    """A quick read was broken off, or met an error that the usual way will judge."""


class Store:
    """A database that is open. Every call may come from any thread, `aread` and `awrite` from the event loop.

    `instance` is the random name of this database; tokens carry it, so that a foreign one is noticed.
    `commits` grows with every commit of this process: while it stands, there is nothing new to read.
    `refusal` says why the last write failed where the disk or the server was the reason, else it is empty.
    """

    def __init__(self, *, writer: Engine, reader: Engine, locks: "_Locks") -> None:
        self._writer, self._reader, self._locks = writer, reader, locks
        self._turn, self._counting = threading.Lock(), threading.Lock()
        single = writer.dialect.name == "sqlite"
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._write_threads = ThreadPoolExecutor(
            1 if single else PG_WRITERS, thread_name_prefix="store-write"
        )
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if single else "postgresql"
        self.instance = ""
        self.commits = 0
        self.refusal = ""

    @staticmethod
    def open(url: str, *, migrate: bool = True, exclusive: bool = True) -> "Store":
        """Connects and brings the schema up to date. Raises an OperatorError that says what is in the way.

        `exclusive=False` is for short command-line work beside a running service (SQLite only; PostgreSQL is
        always shared). It still migrates an empty or old file, but only when no service holds it.
        """
        path = dialects.file(url)
        if path is not None:
            schema.refuse_foreign(dialects.tables(path), shared=False)
        locks = _Locks(path, exclusive=exclusive)
        try:
            locks.refuse_emptied(migrate=migrate)
            writer, reader = dialects.engines(url)
            store = Store(writer=writer, reader=reader, locks=locks)
            store._prepare(migrate=migrate)
        except BaseException:
            locks.release()
            raise
        return store

    def _prepare(self, *, migrate: bool) -> None:
        try:
            current = self.write(schema.is_current)
            if not current and not migrate:
                raise schema.SchemaMismatch(OLD_SCHEMA)
            if not current:
                self._alone(schema.upgrade)
            if migrate and not self.write(search_index.is_current):
                self._alone(search_index.rebuild)
            self.instance = self.read(schema.instance)
            self._locks.opened(self.instance)
            self._guard()
        except BaseException as error:
            self._dispose()
            origin = error if isinstance(error, DBAPIError) else error.__cause__
            if isinstance(origin, DBAPIError) and (refusal := dialects.refusal(origin)):
                raise refusal from error
            raise

    def _guard(self) -> None:
        """Makes no connection to another database: SQLite would make an empty file where ours was."""

        def before(*_: object) -> None:
            self._locks.refuse_unless_in_place()

        def after(connection: Any, _: object) -> None:
            if dialects.instance(connection) != self.instance:
                raise Unavailable(NOT_IN_PLACE)

        for engine in (self._writer, self._reader):
            if self.dialect == "sqlite":
                event.listen(engine, "do_connect", before)
            else:
                event.listen(engine, "connect", after)

    def verify(self, c: Connection) -> None:
        """Raises Unavailable unless `c` reads the database that was opened, where that is."""
        self._locks.refuse_unless_in_place()
        try:
            found = schema.instance(c)
        except (DBAPIError, NoResultFound) as error:
            raise Unavailable(NOT_IN_PLACE) from error
        if found != self.instance:
            raise Unavailable(NOT_IN_PLACE)

    def probe(self) -> None:
        """Commits what changes nothing: raises what a write would meet now."""
        self._noted(lambda: self._run(schema.touch, partial(self._write, counted=False)))

    def _alone(self, work: Work[None]) -> None:
        with self._locks.sole():
            self.write(work)

    def read(self, work: Work[T]) -> T:
        """Runs `work` on one snapshot. It is repeated when the connection breaks, so it must only read."""
        return self._run(work, self._read)

    def write(self, work: Work[T]) -> T:
        """Runs `work` in one transaction: committed when it returns, rolled back when it raises.

        It is repeated whole after a deadlock or a connection lost before COMMIT, so it must have no effect
        outside the database. A connection lost *during* COMMIT is reported, as nobody knows the outcome.
        """
        return self._noted(lambda: self._run(work, self._write))

    def _noted(self, write: Callable[[], T]) -> T:
        try:
            result = write()
        except (StorageFull, Unavailable) as problem:
            self.refusal = problem.detail
            raise
        self.refusal = ""
        return result

    async def aread(self, work: Work[T]) -> T:
        """`read` for the event loop: on SQLite a quick one at once, a long one and every other in a thread.

        To hand a quick read to a thread costs more than the read itself: two threads that run Python take
        turns, and every row ends a turn (docs/decisions/0012-quick-reads-on-the-loop.md).
        """
        if self.dialect == "sqlite":
            with suppress(TooLong), self._reader.connect() as c:
                return _quick(c, work)
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self.read, work)

    async def awrite(self, work: Work[T]) -> T:
        """`write` for the event loop, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._write_threads, self.write, work)

    def close(self) -> None:
        """Finishes what runs, then lets go of the file."""
        self._read_threads.shutdown(wait=True)
        self._write_threads.shutdown(wait=True)
        self._dispose()
        self._locks.release()

    def _dispose(self) -> None:
        self._reader.dispose()
        # The last connection to close checkpoints, which is a write.
        with self._locks.writing():
            self._writer.dispose()

    def _run(self, work: Work[T], unit: Callable[[Work[T]], T]) -> T:
        for attempt in range(TRIES):
            try:
                return unit(work)
            except DBAPIError as error:
                again = dialects.repeatable(error) and attempt + 1 < TRIES
                if not again:
                    raise dialects.problem(error) from error
            time.sleep(random.uniform(0.5, 1) * 0.01 * 2**attempt)
        raise AssertionError("unreachable")

    def _read(self, work: Work[T]) -> T:
        with self._reader.connect() as c:
            result = work(c)
            # Not rolled back: after that psycopg would forget the statements it has prepared.
            c.commit()
            return result

    def _write(self, work: Work[T], *, counted: bool = True) -> T:
        with self._one_at_a_time(), self._writer.connect() as c:
            self._locks.refuse_unless_in_place()
            result = work(c)
            try:
                c.commit()
            except DBAPIError as error:
                if dialects.unsynced(error):
                    _end(error)
                c.rollback()
                # Not run again: a commit that broke off may have happened.
                raise dialects.problem(error) from error
            # Deleted while this ran, it has not kept what was committed.
            self._locks.refuse_unless_in_place()
            if counted:
                self._count()
            return result

    def _count(self) -> None:
        # PostgreSQL has several writers, and += of two threads at once may count one.
        with self._counting:
            self.commits += 1

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if self.dialect == "postgresql":
            yield
            return
        with self._turn, self._locks.writing():
            yield


def _quick(c: Connection, work: Work[T]) -> T:
    """Runs `work` within a bound of SQLite's steps; TooLong if that is not enough."""
    connection: Any = c.connection.driver_connection
    left = QUICK_STRIDES

    def spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(spent, STRIDE)
    try:
        result = work(c)
        c.commit()
        return result
    except DBAPIError as error:
        raise TooLong from error
    finally:
        connection.set_progress_handler(None, 0)


def _end(error: Exception) -> NoReturn:
    """Ends the process at once, with EX_IOERR, as its disk did not keep what was committed.

    A kernel that failed to write may have dropped the data and calls the next fsync a success. An exception
    would be one caller's 500 and another loop's next try; here nobody may go on.
    """
    log.critical(LAST_WORDS, error)
    logging.shutdown()
    os._exit(os.EX_IOERR)


def database_clock(c: Connection) -> Reading:
    """Reads the database's clock, which on PostgreSQL all its services go by.

    It was said at some moment between asking and hearing: the middle, give or take half of it.
    """
    c.execute(_CLOCK)  # the first statement of a transaction takes a round trip more
    asked = running()
    said = c.execute(_CLOCK).scalar_one()
    heard = running()
    return Reading(
        said=said,
        running=timedelta(seconds=(asked + heard) / 2),
        within=timedelta(seconds=(heard - asked) / 2),
    )


_CLOCK = text("select clock_timestamp()")


class _Locks:
    """The two file locks of a SQLite store; on PostgreSQL both are nothing."""

    def __init__(self, path: Path | None, *, exclusive: bool) -> None:
        self._path = path
        self._service: ServiceLock | None = None
        self._writer: WriteLock | None = None
        self._database: DatabaseFile | None = None
        if path is None:
            return
        refuse_network_path(path)
        if not path.parent.is_dir():
            # Making it would turn a mistyped path into a fresh catalogue that looks like the real one.
            raise dialects.BadDatabaseUrl(f"There is no folder {path.parent} for the database {path.name}.")
        self._service = ServiceLock(path) if exclusive else None
        self._writer = WriteLock(path)

    def refuse_emptied(self, *, migrate: bool) -> None:
        """Refuses to make a database where one was before, or where it is not asked for."""
        if self._path is None or dialects.tables(self._path):
            return
        if not migrate:
            raise schema.SchemaMismatch(OLD_SCHEMA)
        if known_instance(self._path) is not None:
            raise dialects.NoDatabase(GONE.format(path=self._path, lock=lock_file(self._path)))

    def opened(self, instance: str) -> None:
        """From here on the file has to stay where it is."""
        if self._path is None:
            return
        self._database = DatabaseFile(self._path)
        if self._service is not None:
            before = known_instance(self._path)
            if before not in (None, instance):
                log.warning(ANOTHER, instance, before)
            self._service.remember(instance)

    def refuse_unless_in_place(self) -> None:
        if self._database is not None and not self._database.is_in_place:
            raise Unavailable(NOT_IN_PLACE)

    @contextmanager
    def writing(self) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        with self._writer.held():
            yield

    @contextmanager
    def sole(self) -> Iterator[None]:
        """Holds the service lock for a migration, also when the store was opened to be shared."""
        if self._path is None or self._service is not None:
            yield
            return
        lock = ServiceLock(self._path)
        try:
            yield
        finally:
            lock.release()

    def release(self) -> None:
        if self._service is not None:
            self._service.release()
        if self._writer is not None:
            self._writer.close()
        self._service = self._writer = None
