"""The process that reads a foreign file: 256 MiB, 5 seconds of CPU, and not one more open file.

A file from elsewhere may be made to hang or to swell whoever reads it, so it is read where that hurts nobody.
`service.importers.foreign` starts this; it takes bytes on stdin and answers in JSON on stdout.
"""

import resource
import sys
from collections.abc import Sequence
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from feeds.read_ical import TooMuch, read
from feeds.read_lines import MOST_BYTES
from service.catalogue import dates
from service.importers.drafts import Drafts, drafted

MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 5
OUT_OF_MEMORY = b'{"refused":"It needs more memory than a calendar may."}'


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What reading came to: the drafts, or why the whole file is refused."""

    drafts: Drafts | None = None
    refused: str | None = None


def seal() -> Sequence[ZoneInfo]:
    """Give up for good what reading does not need.

    No descriptor more means no file, no database and no socket, whoever asks. Zones are read from files too,
    so they are all read before; they are known as long as somebody holds them.
    """
    zones = [ZoneInfo(name) for name in sorted(available_timezones())]
    zones += map(dates.zone, sorted(dates.zone_names()))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    return zones


def answer(data: bytes, *, timezone: str) -> Answer:
    """Never raises: whatever goes wrong with the file is an answer."""
    try:
        return Answer(drafts=drafted(read(data, floating=timezone), timezone=timezone))
    except TooMuch as error:
        return Answer(refused=str(error))
    except MemoryError:
        raise
    except Exception as error:
        return Answer(refused=f"It cannot be read: {type(error).__name__}.")


def main() -> None:
    zones = seal()
    try:
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
        said = msgspec.json.encode(answer(data, timezone=sys.argv[1]))
    except MemoryError:
        said = OUT_OF_MEMORY
    sys.stdout.buffer.write(said)
    del zones


if __name__ == "__main__":
    main()
