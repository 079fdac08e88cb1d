"""Reads foreign files in a child process that can be killed (`service.importers.child`)."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from feeds.foreign_ical import MOST_BYTES
from service.importers.child import ImportResult
from service.importers.drafts import CalendarDrafts, Choices

# Longer than the child's seconds of CPU, so that on a busy machine the child's own limit ends it.
TIMEOUT = timedelta(seconds=40)
# Isolated: no environment, no folder of the caller's, nothing of the user's.
CHILD = (sys.executable, "-I", "-m", "service.importers.child")

_RESULTS = msgspec.json.Decoder(ImportResult)


class NotRead(Exception):
    """The whole file was refused; the message is a sentence for whoever gave it."""


class LimitReached(NotRead):
    """Reading the file took more time or memory than one file may, and was ended."""


def drafts(
    data: bytes, choices: Choices, *, child: Sequence[str] = CHILD, timeout: timedelta = TIMEOUT
) -> CalendarDrafts:
    """Returns the drafts of a foreign calendar; raises NotRead."""
    if len(data) > MOST_BYTES:
        raise LimitReached(f"The file has more than {MOST_BYTES // 1024 // 1024} MiB.")
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and our own JSON as its argument
            [*child, msgspec.json.encode(choices).decode()],
            input=data,
            capture_output=True,
            timeout=timeout.total_seconds(),
            cwd="/",
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LimitReached("It takes too long to read.") from None
    if done.returncode != 0:
        raise LimitReached("It takes more time or memory to read than a calendar may.")
    result = _RESULTS.decode(done.stdout)
    if result.drafts is None:
        raise NotRead(result.refused or "It cannot be read.")
    return result.drafts
