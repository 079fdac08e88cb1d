"""One store on SQLite or PostgreSQL: units of work, run whole, in one thread hop."""

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
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from service.clock import Reading, running
from service.store import dialects, glance, rebuild, revisions, schema
from service.store.asking import SNAPSHOT
from service.store.locks import ServiceLock, StoreBusy, WriteLock, refuse_network_path
from service.store.watch import Watch

__all__ = ["Store", "StoreBusy"]

T = TypeVar("T")
Work = Callable[[Connection], T]

READERS = 4
PG_WRITERS = 4
TRIES = 6


class Store:
    """Open with `Store.open`; every call below may come from any thread.

    `instance` is the random name of this database; tokens carry it, so that a foreign one is noticed.
    """

    def __init__(self, *, writer: Engine, reader: Engine, locks: "_Locks") -> None:
        self._writer, self._reader, self._locks = writer, reader, locks
        self._glancer = reader.execution_options(**{SNAPSHOT: False})
        self._turn, self._counting = threading.Lock(), threading.Lock()
        single = writer.dialect.name == "sqlite"
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._write_threads = ThreadPoolExecutor(
            1 if single else PG_WRITERS, thread_name_prefix="store-write"
        )
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if single else "postgresql"
        self._watch = Watch(reader) if single else None
        self.instance = ""
        # Grows with every commit of this process: who has seen this number has nothing new to look for here.
        self.commits = 0

    @staticmethod
    def open(url: str, *, migrate: bool = True, exclusive: bool = True) -> "Store":
        """Connect, bring the schema up to date, and say no in a sentence where that is impossible.

        `exclusive=False` is for short command-line work beside a running service (SQLite only; PostgreSQL is
        always shared). It still migrates an empty or old file, but only when no service holds it.
        """
        path = dialects.file(url)
        locks = _Locks(path, exclusive=exclusive)
        try:
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
            if migrate and not current:
                self._alone(schema.upgrade)
            if migrate and not self.write(rebuild.is_current):
                self._alone(rebuild.run)
            self.instance = self.read(schema.instance)
        except BaseException:
            self._dispose()
            raise

    def _alone(self, work: Work[None]) -> None:
        with self._locks.sole():
            self.write(work)

    def read(self, work: Work[T]) -> T:
        """Run `work` on one snapshot. It is repeated when the connection breaks, so it must only read."""
        return self._run(work, self._reading)

    def glance(self, work: Work[T]) -> T:
        """`read` for a page or an item: each statement sees what is committed when it starts."""
        return self._run(work, self._glancing)

    def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction: committed when it returns, rolled back when it raises.

        It is repeated whole after a deadlock or a connection lost before COMMIT, so it must have no effect
        outside the database. A connection lost *during* COMMIT is reported, as nobody knows the outcome.
        """
        return self._run(work, self._writing)

    async def reading(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self.read, work)

    async def glancing(self, work: Work[T]) -> T:
        """`glance`, on SQLite without the hop, unless it turns out to take long."""
        if self.dialect == "sqlite":
            with suppress(glance.TooLong), self._glancer.connect() as c:
                return glance.quick(c, work)
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self.glance, work)

    async def head(self) -> int:
        """`revisions.head`, as cheap as can be."""
        seen = self._watch.head() if self._watch else None
        return await self.glancing(revisions.head) if seen is None else seen

    async def writing(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._write_threads, self.write, work)

    def close(self) -> None:
        """Finish what runs, then let go of the file."""
        self._read_threads.shutdown(wait=True)
        self._write_threads.shutdown(wait=True)
        self._dispose()
        self._locks.release()

    def _dispose(self) -> None:
        if self._watch:
            self._watch.close()
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

    def _reading(self, work: Work[T]) -> T:
        with self._reader.connect() as c:
            return work(c)

    def _glancing(self, work: Work[T]) -> T:
        with self._glancer.connect() as c:
            return work(c)

    def _writing(self, work: Work[T]) -> T:
        with self._one_at_a_time(), self._writer.connect() as c:
            result = work(c)
            try:
                c.commit()
            except DBAPIError as error:
                if dialects.unsynced(error):
                    lost(error)
                c.rollback()
                raise dialects.commit_problem(error) from error
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


class _Locks:
    """The two file locks of a SQLite store; on PostgreSQL both are nothing."""

    def __init__(self, path: Path | None, *, exclusive: bool) -> None:
        self._path = path
        self._service: ServiceLock | None = None
        self._write: WriteLock | None = None
        if path is None:
            return
        refuse_network_path(path)
        if not path.parent.is_dir():
            # Making it would turn a mistyped path into a fresh catalogue that looks like the real one.
            raise dialects.BadDatabaseUrl(f"There is no folder {path.parent} for the database {path.name}.")
        self._service = ServiceLock(path) if exclusive else None
        self._write = WriteLock(path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        if self._write is None:
            yield
            return
        with self._write.held():
            yield

    @contextmanager
    def sole(self) -> Iterator[None]:
        """Hold the service lock for a migration, also when the store was opened to be shared."""
        if self._path is None or self._service is not None:
            yield
            return
        lock = ServiceLock(self._path)
        try:
            yield
        finally:
            lock.release()

    def release(self) -> None:
        for lock in (self._service, self._write):
            match lock:
                case ServiceLock():
                    lock.release()
                case WriteLock():
                    lock.close()
        self._service = self._write = None


# FOLDED service/store/durability.py: The end of a process whose disk did not keep what was committed.
log = logging.getLogger(__name__)
LAST_WORDS = (
    "The disk did not write what was committed (%s). Nothing after this could be believed, so the service "
    "ends. What it has acknowledged before is safe. Look at the disk before starting it again."
)


def lost(error: Exception) -> NoReturn:
    """Say so and end at once, with EX_IOERR.

    A kernel that failed to write may have dropped the data and calls the next fsync a success. An exception
    would be one caller's 500 and another loop's next try; here nobody may go on.
    """
    log.critical(LAST_WORDS, error)
    logging.shutdown()
    os._exit(os.EX_IOERR)


# FOLDED service/store/database_clock.py: The database's clock: on PostgreSQL the one that all its services go by.
_CLOCK = text("select clock_timestamp()")


def read(c: Connection) -> Reading:
    """Said at some moment between asking and hearing: the middle, give or take half of it."""
    c.execute(_CLOCK)  # the first statement of a transaction takes a round trip more
    asked = running()
    said = c.execute(_CLOCK).scalar_one()
    heard = running()
    return Reading(
        said=said,
        running=timedelta(seconds=(asked + heard) / 2),
        within=timedelta(seconds=(heard - asked) / 2),
    )
