"""Foreign files, read in a child process that can be killed (`service.importers.child`)."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from feeds.read_lines import MOST_BYTES
from service.importers.child import Answer
from service.importers.drafts import Drafts

# More than its seconds of CPU, so that on a busy machine it is its own limit that ends it.
PATIENCE = timedelta(seconds=20)
# The interpreter alone: no environment, no folder of the caller's, nothing of the user's.
CHILD = (sys.executable, "-I", "-m", "service.importers.child")

_ANSWERS = msgspec.json.Decoder(Answer)


class NotRead(Exception):
    """The file as a whole; the message is a sentence for whoever gave it."""


class LimitReached(NotRead):
    """Reading it took more time or memory than there is for one file, and was ended."""


def drafts(
    data: bytes, *, timezone: str, child: Sequence[str] = CHILD, patience: timedelta = PATIENCE
) -> Drafts:
    """What a calendar of foreign origin comes to; raises NotRead when it is refused whole."""
    if len(data) > MOST_BYTES:
        raise LimitReached(f"The file has more than {MOST_BYTES // 1024 // 1024} MiB.")
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and an argument that is a time zone
            [*child, timezone],
            input=data,
            capture_output=True,
            timeout=patience.total_seconds(),
            cwd="/",
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LimitReached("It takes too long to read.") from None
    if done.returncode != 0:
        raise LimitReached("It takes more time or memory to read than a calendar may.")
    found = _ANSWERS.decode(done.stdout)
    if found.drafts is None:
        raise NotRead(found.refused or "It cannot be read.")
    return found.drafts
