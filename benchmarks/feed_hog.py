"""What one caller who asks for feeds in ever new ways costs the others.

    python -m benchmarks.feed_hog                    # 3,000 events, 15 seconds

The service has a process of its own. From 127.0.0.2 somebody asks for the calendar with alarms at another
length each time, so that every event is rendered anew, eight requests at once. Beside that a reader at
127.0.0.3 asks for feeds of single events that nobody has asked for yet. Shown are what the service spent, and
what the reader waited.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

from benchmarks.feeds_servers import Server, dday

AT_ONCE = 8


def asked(server: Server, path: str, address: str) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120, source_address=(address, 0))
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def run(size: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="dday-hog-") as folder:
        server = dday(Path(folder), size)
        statuses: Counter[int] = Counter()
        numbers, ends = count(1), time.monotonic() + seconds

        def hog() -> None:
            while time.monotonic() < ends:
                status = asked(server, f"/feeds/ko/calendar.ics?alarms=PT{next(numbers)}M", "127.0.0.2")
                statuses[status] += 1
                time.sleep(0.05)

        spent = server.cpu()
        threads = [threading.Thread(target=hog) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        waits: list[float] = []
        for number in count():
            if time.monotonic() >= ends:
                break
            began = time.monotonic()
            assert asked(server, f"/feeds/ko/events/event-{number}.ics", "127.0.0.3") == 200
            waits.append(1000 * (time.monotonic() - began))
            time.sleep(0.1)
        spent = server.cpu() - spent
        for thread in threads:
            thread.join()
        server.stop()
    waits.sort()
    middle, most = waits[len(waits) // 2], waits[-1]
    print(f"{size} events, {seconds:.0f} s: the service spent {spent:.1f} s of CPU; hog {dict(statuses)};")
    print(f"the reader got {len(waits)} feeds and waited {middle:.0f} ms (p50), {most:.0f} ms (longest)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    run(given.size, given.seconds)


if __name__ == "__main__":
    main()
