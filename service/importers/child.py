"""The process that reads a foreign file: 256 MiB, 10 seconds of CPU, and not one more open file.

A file may be made to hang its reader or to fill its memory, so it is read where that hurts nobody.
`service.importers.foreign` starts this; it takes bytes on stdin and answers in JSON on stdout.
"""

import resource
import sys
from collections.abc import Sequence
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from feeds.foreign_ical import MOST_BYTES, CalendarRefused, read
from service.catalogue import dates
from service.importers.drafts import CalendarDrafts, Choices, drafted

MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 10
OUT_OF_MEMORY = b'{"refused":"It needs more memory than a calendar may."}'


class ImportResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The drafts of a file, or why the whole file is refused."""

    drafts: CalendarDrafts | None = None
    refused: str | None = None


def main() -> None:
    zones = seal()
    try:
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
        encoded = msgspec.json.encode(result(data, msgspec.json.decode(sys.argv[1], type=Choices)))
    except MemoryError:
        encoded = OUT_OF_MEMORY
    sys.stdout.buffer.write(encoded)
    del zones


def seal() -> Sequence[ZoneInfo]:
    """Gives up for good what reading does not need: no new descriptor means no file, database or socket.

    Zones are read from files too, so all of them are read before; they are known as long as somebody holds
    them.
    """
    zones = [ZoneInfo(name) for name in sorted(available_timezones())]
    zones += map(dates.zone, sorted(dates.zone_names()))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    return zones


def result(data: bytes, choices: Choices) -> ImportResult:
    """Raises nothing but MemoryError: whatever else goes wrong with the file is a result."""
    try:
        return ImportResult(drafts=drafted(read(data, floating=choices.timezone), choices))
    except CalendarRefused as error:
        return ImportResult(refused=str(error))
    except MemoryError:
        raise
    except Exception as error:
        return ImportResult(refused=f"It cannot be read: {type(error).__name__}.")


if __name__ == "__main__":
    main()
