"""What a feed costs, beside Radicale, Xandikos and a raw ASGI application, all in one run.

    uv sync --group bench
    python -m benchmarks.feeds                       # 1,000 and 10,000 events
    python -m benchmarks.feeds --sizes 1000 --peers raw radicale
    python -m benchmarks.feeds --sizes 10000 --rounds 1 --peers xandikos      # it takes 10 s a GET

Every server has its own process and answers the same calendar. `cpu` is what the server itself spent a
request, measured in nanoseconds by the kernel, which other work on the machine disturbs least; ratios are
of that. `wall` is what one client waited. Rounds are interleaved, the medians are shown.

    200, 304   many requests in a row over some connections: the warm state
    gzip       200 to a client that takes gzip, as the calendars of Google, Apple and Mozilla do
    once       one GET after a pause, when caches have cooled and other processes' writes are looked for
    edit       the PUT of one event, of which the feed is read
    edited     the first GET at once after that was answered, for which dday makes the feed anew
    later      the first GET a pause after an edit

"An edit that nobody reads" is the same PUT before anybody has asked for a feed. The raw application sends
bytes that never change; its ratio to a peer is the most that any application on this server can reach.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from benchmarks.feeds_servers import PATH, Server, dday, radicale, raw_asgi, xandikos

PEERS = {"raw": raw_asgi, "radicale": radicale, "xandikos": xandikos}
CONNECTIONS = 8
PAUSE = 1.0
WHAT = ("200", "gzip", "304", "once", "edit", "edited", "later")


class Cost(msgspec.Struct):
    """Milliseconds a request: of the server's CPU, and of one client's waiting."""

    cpu: float
    wall: float


async def _reader(server: Server, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**24)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"content-length:" in lower and b" 304 " not in head.split(b"\r\n")[0]:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            left = length
            while left:
                left -= len(await reader.read(left))
    writer.close()


def many(server: Server, path: str, headers: dict[str, str], count: int) -> float:
    """CPU milliseconds a request over several connections that are kept open."""
    lines = [
        f"GET {path} HTTP/1.1",
        "host: localhost",
        *(f"{n}: {v}" for n, v in {**server.headers, **headers}.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def all_of_them() -> None:
        await asyncio.gather(*(_reader(server, request, count // CONNECTIONS) for _ in range(CONNECTIONS)))

    before = server.cpu()
    asyncio.run(all_of_them())
    return (server.cpu() - before) * 1000 / (count // CONNECTIONS * CONNECTIONS)


def spent(server: Server, work: Callable[[], object]) -> Cost:
    before, begun = server.cpu(), time.perf_counter()
    work()
    return Cost((server.cpu() - before) * 1000, (time.perf_counter() - begun) * 1000)


def one(server: Server, **headers: str) -> Cost:
    return spent(server, lambda: server.get(**headers))


def edited(server: Server, turn: int) -> Cost:
    return spent(server, lambda: server.edit and server.edit(turn))


def unread(server: Server) -> Cost:
    """An edit of which nobody reads a feed; the first ones find everything cold."""
    costs = []
    for turn in range(-8, 0):
        time.sleep(PAUSE)
        costs.append(edited(server, turn))
    return median(costs[3:])


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.cpu for c in costs), statistics.median(c.wall for c in costs))


def measure(servers: list[Server], size: int, rounds: int) -> dict[str, dict[str, Cost]]:
    found: dict[str, dict[str, list[Cost]]] = {s.name: {what: [] for what in WHAT} for s in servers}
    for turn in range(rounds):
        for server in servers:
            fast = server.name in ("dday", "raw")
            costs = found[server.name]
            waited = one(server)
            costs["200"].append(
                Cost(many(server, server.path, {}, 800_000 // size), waited.wall) if fast else waited
            )
            if server.name == "dday" or turn == 0:
                costs["gzip"].append(packed(server, size, fast=fast))
            if fast or turn == 0:
                costs["304"].append(not_modified(server, fast=fast))
            if fast:
                time.sleep(PAUSE)
                costs["once"].append(one(server))
            if server.edit and (fast or size < 10_000 or turn < 2):
                time.sleep(PAUSE)
                costs["edit"].append(edited(server, turn))
                costs["edited"].append(one(server))
                server.edit(turn + rounds)
                time.sleep(PAUSE)
                costs["later"].append(one(server))
    return {name: {what: median(c) for what, c in costs.items() if c} for name, costs in found.items()}


def packed(server: Server, size: int, *, fast: bool) -> Cost:
    asking = {"accept-encoding": "gzip"}
    waited = one(server, **asking)
    return Cost(many(server, server.path, asking, 4_000_000 // size), waited.wall) if fast else waited


def not_modified(server: Server, *, fast: bool) -> Cost:
    _, _, headers = server.get()
    held = {"if-none-match": headers.get("etag", '"a"')}
    waited = one(server, **held)
    if not fast:
        return waited
    return Cost(many(server, server.held_path or server.path, held, 8_000), waited.wall)


def neighbours(server: Server) -> tuple[float, float, float]:
    """Seconds of the first build of the feed; p50 and p99 ms of /v1/events meanwhile."""
    waits: list[float] = []
    done = threading.Event()
    took: list[float] = []

    def build() -> None:
        begun = time.perf_counter()
        server.get()
        took.append(time.perf_counter() - begun)
        done.set()

    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(20):
        connection.request("GET", "/v1/events?limit=20")
        connection.getresponse().read()
    thread = threading.Thread(target=build)
    thread.start()
    while not done.is_set():
        begun = time.perf_counter()
        connection.request("GET", "/v1/events?limit=20")
        connection.getresponse().read()
        waits.append((time.perf_counter() - begun) * 1000)
    thread.join()
    waits.sort()
    return took[0], waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def show(size: int, found: dict[str, dict[str, Cost]]) -> None:
    heads = [f"{what} {kind}" for what in WHAT for kind in ("cpu", "wall")]
    print(f"\n{f'{size} events':<14}", *(f"{head:>11}" for head in heads), " (ms)")
    for name, costs in found.items():
        cells = [
            f"{getattr(costs[w], k):11.3f}" if w in costs else f"{'-':>11}"
            for w in WHAT
            for k in ("cpu", "wall")
        ]
        print(f"{name:<14}", *cells)
    for name in found:
        compare(found, "dday", name)
    for name in ("radicale", "xandikos"):
        compare(found, "raw", name)


def compare(found: dict[str, dict[str, Cost]], ours: str, theirs: str) -> None:
    if ours == theirs or ours not in found or theirs not in found:
        return
    mine, other = found[ours], found[theirs]
    both = [what for what in WHAT if what in mine and what in other]
    ratios = [f"{what} {other[what].cpu / mine[what].cpu:,.2f}x" for what in both]
    if "edited" in both:
        whole, their_whole = (costs["edit"].cpu + costs["edited"].cpu for costs in (mine, other))
        ratios.append(f"edit and GET {their_whole / whole:,.2f}x")
    print(f"{ours} against {theirs}: " + ", ".join(ratios))


def run(size: int, peers: Sequence[str], rounds: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="dday-feeds-") as place:
        folder = Path(place)
        ours = dday(folder, size)
        alone = unread(ours)
        took, p50, p99 = neighbours(ours)
        _, calendar, _ = ours.get(PATH)
        count = calendar.count(b"BEGIN:VEVENT")
        print(f"\n{size} events: {count} entries, {len(calendar):,} bytes, first built in {took:.2f} s;")
        print(f"meanwhile /v1/events answers in {p50:.1f} ms (p50), {p99:.1f} ms (p99)")
        print(f"an edit that nobody reads costs {alone.cpu:.3f} ms of CPU")
        servers = [ours, *(PEERS[name](folder, ours) for name in peers)]
        try:
            found = measure(servers, size, rounds)
        finally:
            for server in servers:
                server.stop()
        show(size, found)
        return {
            "size": size,
            "bytes": len(calendar),
            "build_s": took,
            "neighbour_p99_ms": p99,
            "unread_edit_ms": alone.cpu,
            "costs": msgspec.to_builtins(found),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    arguments = parser.parse_args()
    results = [run(size, arguments.peers, arguments.rounds) for size in arguments.sizes]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
