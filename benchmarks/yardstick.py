"""How fast this machine is just now, beside the one that the goals in milliseconds were set on.

    python -m benchmarks.yardstick

The work is the first of notes/performance.md section 3: a stored document by its key, read by the standard
library's sqlite3 alone. It took 3.5 µs there. Always the same one here, which nothing can make slower than it
was there but the machine.
"""

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

REFERENCE = 3.5
EVENTS = 10_000
DOCUMENT = "x" * 929
ROUNDS, READS = 9, 5_000


def microseconds() -> float:
    """CPU of one such read, the median of some rounds."""
    with (
        tempfile.TemporaryDirectory(prefix="dday-bench-") as name,
        closing(sqlite3.connect(Path(name) / "yardstick.db", isolation_level=None)) as c,
    ):
        c.execute("PRAGMA journal_mode=WAL").fetchone()
        c.execute("CREATE TABLE event (id TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID")
        c.execute("BEGIN")
        c.executemany("INSERT INTO event VALUES (?, ?)", ((f"event-{n:06}", DOCUMENT) for n in range(EVENTS)))
        c.execute("COMMIT")
        return sorted(_round(c) for _ in range(ROUNDS))[ROUNDS // 2]


def _round(c: sqlite3.Connection) -> float:
    begin = time.thread_time()
    for _ in range(READS):
        c.execute("SELECT document FROM event WHERE id = ?", ("event-005000",)).fetchone()
    return (time.thread_time() - begin) / READS * 1e6


def measured() -> float:
    """How many times as long it takes here; says so."""
    found = microseconds()
    print(
        f"yardstick: {found:.1f} µs for a document by its key, {REFERENCE} µs where the goals were set: "
        f"{found / REFERENCE:.2f} times as long",
        flush=True,
    )
    return found / REFERENCE


if __name__ == "__main__":
    measured()
