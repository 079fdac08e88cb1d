"""Who may write when: file locks beside a SQLite database, advisory locks inside PostgreSQL."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from service.errors import OperatorError

# Any constant will do; it must only differ from the locks of other programs in the same database.
CATALOGUE_LOCK = 0x44646179_0001
MIGRATION_LOCK = 0x44646179_0002

WRITE_PATIENCE = 5.0
REMOTE_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "fuse.sshfs", "ceph"})


class StoreBusy(OperatorError):
    """Another process holds what this one needs; the message is a sentence for the operator."""


class ServiceLock:
    """One service a SQLite file, held from open to close; the kernel drops it when the process dies.

    Its file holds the process and, on a second line, the random name of the database, so that a start knows
    which one the place held before.
    """

    def __init__(self, database: Path) -> None:
        self._path = lock_file(database)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 40).decode("ascii", "replace").partition("\n")[0] or "unknown"
            os.close(self._file)
            raise StoreBusy(
                f"Another Dday service (process {holder}) already uses {database}. A SQLite file serves one "
                "service: stop that one, or set DDAY_DATABASE_URL to another file or to PostgreSQL."
            ) from None
        self.remember(known_instance(database) or "")

    def remember(self, instance: str) -> None:
        """Writes down which database is here."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n{instance}".encode(), 0)

    def release(self) -> None:
        # The file stays: unlinking it would let a third process lock a new file under the same name.
        os.close(self._file)


def lock_file(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def known_instance(database: Path) -> str | None:
    """Returns the name of the database that a service last had at this place, None if none is known."""
    try:
        return lock_file(database).read_text("ascii", "replace").partition("\n")[2].strip() or None
    except FileNotFoundError:
        return None


class DatabaseFile:
    """The file of a SQLite store, as it was when it was opened.

    A process goes on writing to a file that was deleted, or that another one has replaced, and nobody will
    ever read that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._found()

    @property
    def is_in_place(self) -> bool:
        return self._opened is not None and self._found() == self._opened

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class SendingLock:
    """One process that sends from a SQLite file. What it finds leased there, nobody else can have in hand."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".sending.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self) -> None:
        """Wait until whoever had it is dead."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        os.close(self._file)


class WriteLock:
    """One writing process at a time, service or command line, for the length of one unit of work.

    SQLite before 3.51.3 can corrupt the log when two connections write or checkpoint at one instant
    (docs/decisions/0041-one-writer.md); its own locks do not prevent that, this one does.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".write.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def held(self) -> Iterator[None]:
        deadline = time.monotonic() + WRITE_PATIENCE
        while not self._taken():
            if time.monotonic() > deadline:
                raise StoreBusy("Another process has been writing to this SQLite file for over 5 seconds.")
            time.sleep(0.005)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        os.close(self._file)


def refuse_network_path(database: Path, *, mounts: Path = Path("/proc/self/mounts")) -> None:
    """SQLite's locks and shared memory do not hold over a network, so such a path is refused."""
    if not mounts.exists():
        return
    kind = _file_system(database.resolve(), mounts.read_text("utf-8"))
    if kind in REMOTE_FILE_SYSTEMS:
        raise StoreBusy(
            f"{database} lies on a network file system ({kind}), where SQLite loses data. "
            "Use a local disk or PostgreSQL."
        )


def _file_system(path: Path, mounts: str) -> str:
    best, kind = "", ""
    for line in mounts.splitlines():
        _, where, found, *_ = line.split(" ")
        where = where.replace("\\040", " ")
        if len(where) >= len(best) and path.is_relative_to(where):
            best, kind = where, found
    return kind


def catalogue(c: Connection) -> None:
    """Take the writers' turn until commit, so that the order of `seq` is the order of commits.

    Without it a reader that has seen 11 would miss a 10 that commits later.
    """
    if c.dialect.name == "postgresql":
        c.execute(_ADVISORY, {"lock": CATALOGUE_LOCK})


def migration(c: Connection) -> None:
    """One process migrates; those that start with it wait and then find the work done."""
    if c.dialect.name == "postgresql":
        c.execute(_ADVISORY, {"lock": MIGRATION_LOCK})


_ADVISORY = text("select pg_advisory_xact_lock(:lock)")
