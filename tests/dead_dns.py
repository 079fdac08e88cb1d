"""Run inside `unshare -n -m`: a name server that says nothing but to names that begin with `healthy`.

Sends 32 at a time to ever-new dead names, seven times, and all the while to healthy ones. The system's
resolver tries each dead name for 10 s. Prints how many dead names ended as `dns`, how the healthy ones ended,
and the milliseconds of the slowest of those.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from ipaddress import ip_network
from pathlib import Path

from service.egress.client import Egress, Request
from service.egress.policy import Policy

LOOPBACK = Policy(allow=(ip_network("127.0.0.0/8"),))
ANSWER = bytes.fromhex("c00c 0001 0001 0000003c 0004 7f000001")  # the name asked for, A, IN, 60 s, 127.0.0.1


class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, asker: tuple[str, int]) -> None:
        if not data[13:].startswith(b"healthy"):
            return
        question = data[12 : data.index(0, 12) + 5]
        is_a = question[-4:] == b"\0\1\0\1"
        head = data[:2] + bytes.fromhex("8180 0001") + bytes([0, is_a]) + bytes(4)
        self.transport.sendto(head + question + (ANSWER if is_a else b""), asker)


async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def become_the_name_server(file: Path) -> None:
    if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):
        # What follows would take its name server from the whole machine.
        sys.exit("to be run inside `unshare -n -m`")
    file.write_text("nameserver 127.0.0.1\n")
    for command in ("ip link set lo up", f"mount --bind {file} /etc/resolv.conf"):
        subprocess.run(command.split(), check=True)


async def main(folder: Path) -> None:
    become_the_name_server(folder / "resolv.conf")
    await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 53))
    await asyncio.start_server(welcome, "127.0.0.1", 80)
    egress = Egress(LOOPBACK, deadline=15)
    done = asyncio.Event()

    async def post(name: str) -> tuple[str, int]:
        answer = await egress.post(Request(url=f"http://{name}.example/", headers={}, body=b""))
        return answer.outcome, answer.milliseconds

    async def go_on() -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []
        while not done.is_set():
            seen.append(await post(f"healthy-{len(seen)}"))
            await asyncio.sleep(0.1)
        return seen

    healthy = asyncio.create_task(go_on())
    dead = [
        outcome
        for wave in range(7)
        for outcome, _ in await asyncio.gather(*(post(f"dead-{wave}-{n}") for n in range(32)))
    ]
    done.set()
    seen = await healthy
    await egress.aclose()
    print(dead.count("dns"), *{outcome for outcome, _ in seen}, max(ms for _, ms in seen))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(main(Path(name)))
