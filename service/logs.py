"""Logging: one line an event on stderr, JSON for machines, plain words for a person at a terminal."""

import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from service.errors import OperatorError, Problem

PLAIN = "%(levelname)-7s %(name)s: %(message)s"
# What every LogRecord has; anything else came in by `extra=` and is part of the event.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# A private address of a feed is a secret, wherever it gets into a line from.
PRIVATE = re.compile(r"(/feeds/p/)[^/\s\"'\\]+", re.IGNORECASE)


AGAIN_SECONDS = 60.0


class Recurring:
    """Logs what comes again and again: at once, then once a minute with how often it came meanwhile."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said_at: float | None = None
        self._unsaid = 0

    def tell(self, words: str, *values: object, level: int = logging.ERROR, **more: Any) -> None:
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < AGAIN_SECONDS:
            self._unsaid += 1
            return
        often = f" ({self._unsaid} times more since this was last said)" if self._unsaid else ""
        self._said_at, self._unsaid = now, 0
        self._log.log(level, f"{words}{often}", *values, **more)

    def failed(self, words: str, error: Exception) -> None:
        """Tells of an error; of one that nobody foresaw with the stack."""
        if isinstance(error, Problem | OperatorError):
            self.tell("%s: %s", words, error)
        else:
            self.tell("%s", words, exc_info=error)


def configure(level: str) -> None:
    """Send everything to stderr; `level` holds for us, other libraries speak from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines(PLAIN) if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for ours in ("service", "feeds"):
        logging.getLogger(ours).setLevel(level.upper())


class PlainLines(logging.Formatter):
    """For a person: the sentence, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class JsonLines(logging.Formatter):
    """`{"at": …, "level": …, "logger": …, "message": …}` and the fields given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redacted(msgspec.json.encode(line, enc_hook=str).decode())


def redacted(line: str) -> str:
    """The line without the tokens of private addresses."""
    return PRIVATE.sub(r"\1…", line)
