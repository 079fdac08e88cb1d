"""What becomes of processes: whether they are gone, what they have open, whom they have dialled."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def gone(pid: int) -> bool:
    """No such process, or one that only waits for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def children(pid: int) -> set[int]:
    """The processes it has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def files(pid: int) -> set[str]:
    """What it has open."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return found


def dialled(pid: int) -> set[int]:
    """The ports it is connected to."""
    own = files(pid)
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(line[2].partition(":")[2], 16) for line in lines if f"socket:[{line[9]}]" in own}
