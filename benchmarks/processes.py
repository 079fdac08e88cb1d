"""What a service and the processes it started use, as Linux counts it."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The service and the processes it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> list[float]:
    """What each process of the family has used, the service first."""
    stats = (Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in family(pid))
    return [(int(fields[11]) + int(fields[12])) / TICKS for fields in stats]


def memory(pid: int) -> str:
    """MiB of each process of the family, the service first."""
    pages = (int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return " + ".join(f"{count * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f}" for count in pages)
