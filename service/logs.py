"""Logging: one line an event on stderr, JSON for machines, plain words for a person at a terminal."""

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

PLAIN = "%(levelname)-7s %(name)s: %(message)s"
# What every LogRecord has; anything else came in by `extra=` and is part of the event.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# A private address of a feed is a secret, wherever it gets into a line from.
PRIVATE = re.compile(r"(/feeds/p/)[^/\s\"'\\]+", re.IGNORECASE)


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
