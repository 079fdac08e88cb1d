"""Run inside `unshare -n -m`, with a folder: the world of tests/box.py, and every way there is to send.

To every forbidden address, written out and behind names alone and among public ones; to three in all their
spellings; to names that are public and forbidden in turn. Prints what owners were told, and the accepts.
"""

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path

from service.egress.policy import Policy
from tests.box import PORTS, PUBLIC, become_everyone
from tests.spellings import forbidden, hosts
from tests.ways_out import WaysOut, ways_out

SPELT = ("127.0.0.1", "169.254.169.254", "fd00::1")
AWAY = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1")
accepts = Counter[str]()


async def listen(ready: threading.Event) -> None:
    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepts[writer.get_extra_info("sockname")[0]] += 1
        writer.write(b"no TLS here")
        writer.close()

    for port in PORTS:
        await asyncio.start_server(accept, "0.0.0.0", port, backlog=1024)
        await asyncio.start_server(accept, "::", port, backlog=1024, family=socket.AF_INET6)
    ready.set()
    await asyncio.Event().wait()


def fixed_names() -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for n, address in enumerate(map(str, forbidden())):
        names |= {f"alone-{n}.example": [address], f"among-{n}.example": [PUBLIC[2], PUBLIC[0], address]}
    return names


def rebinding_names() -> dict[str, Iterator[str]]:
    """Public first, then away, and so on; from IPv4 and from IPv6."""
    pairs = [(public, away) for public in (PUBLIC[0], PUBLIC[2]) for away in AWAY]
    return {f"turns-{n}.example": cycle(pair) for n, pair in enumerate(pairs)}


def urls() -> list[str]:
    spelt = [host for address in SPELT for host in hosts(ip_address(address))]
    literal = [f"[{address}]" if address.version == 6 else str(address) for address in forbidden()]
    ports = cycle(("", ":8443", ":22", ":444"))
    return [f"https://{host}{next(ports)}/" for host in (*fixed_names(), *spelt, *literal)]


def rebind(ways: WaysOut, names: list[str]) -> list[list[tuple[object, ...]]]:
    """When due, once more, on test, on test again: what was told, by name."""
    planned = ways.plan([f"https://{name}/" for name in names])
    ways.send_due()
    for delivery in planned:
        ways.redeliver(delivery)
    ways.send_due()
    return [[*ways.attempts(each), ways.test(each), ways.test(each)] for each in planned]


def main(folder: str) -> None:
    become_everyone()
    ready = threading.Event()
    threading.Thread(target=asyncio.run, args=(listen(ready),), daemon=True).start()
    assert ready.wait(10)
    names, turns = fixed_names(), rebinding_names()

    def look_up(host: str, _: int) -> list[str]:
        return [next(turns[host])] if host in turns else names[host]

    every = urls()
    with ways_out(Path(folder), policy=Policy(), look_up=look_up) as ways:
        print("told:", *ways.all_three(every))
        for told in {tuple(each) for each in rebind(ways, list(turns))}:
            print("rebinding:", *told)
    public = sum(accepts[address] for address in PUBLIC)
    print(f"accepts: forbidden {accepts.total() - public}, public {public}")
    print(f"{len(every)} destinations", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
