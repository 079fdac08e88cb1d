"""Run inside `unshare -n`: every IPv4 and IPv6 address is local here, and real listeners count accepts.

Sends to every forbidden address in every spelling and behind names, then to three public ones to show
that the listeners hear. Prints the two counts.
"""

import asyncio
import socket
import subprocess

from service.egress.client import Egress, Request
from service.egress.policy import Policy
from tests.spellings import forbidden, urls

PORTS = (22, 80, 443, 8443)
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700::1111")


def become_everyone() -> None:
    for command in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
    ):
        subprocess.run(command.split(), check=True)


async def main() -> None:
    become_everyone()
    accepted = 0

    def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.transport.abort()

    for port in PORTS:
        await asyncio.start_server(count, "0.0.0.0", port, backlog=1024)
        await asyncio.start_server(count, "::", port, backlog=1024, family=socket.AF_INET6)

    names: dict[str, list[str]] = {f"name-{n}.example": [str(a)] for n, a in enumerate(forbidden())}
    names |= {f"mixed-{n}.example": [PUBLIC[0], str(a)] for n, a in enumerate(forbidden())}
    egress = Egress(Policy(), deadline=5, look_up=lambda host, _: names[host])
    every = [url for address in forbidden() for url in urls(address)]
    every += [f"https://{name}{port}/" for name in names for port in ("", ":8443", ":22")]
    for url in every:
        await egress.post(Request(url=url, headers={}, body=b"{}"))
    await asyncio.sleep(0.1)
    refused, accepted = accepted, 0
    for address in PUBLIC:
        host = f"[{address}]" if ":" in address else address
        await egress.post(Request(url=f"https://{host}/", headers={}, body=b"{}"))
    await asyncio.sleep(0.1)
    await egress.aclose()
    print(f"{len(every)} destinations")
    print(f"forbidden accepts: {refused}, public accepts: {accepted}")


if __name__ == "__main__":
    asyncio.run(main())
