"""The receiver of the webhook benchmarks: a process of its own with a book of its own.

Answers 200 to every POST and notes when each came and which id it had. Prints its port, and then answers each
line of stdin with a line of JSON: `count` with the number of requests, `book` and `clear` with
`{"id": [arrival, …]}`, after which `clear` begins a new book.
"""

import asyncio
import json
import sys
import time

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BOOK: dict[str, list[float]] = {}


class Sink(asyncio.Protocol):
    """Just enough HTTP/1.1: headers, content-length, keep-alive."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            start = head.find(b"content-length:") + 15
            length = int(head[start : (head + b"\r").find(b"\r", start)])
            if len(self._buffer) < end + 4 + length:
                return
            at = head.find(b"webhook-id:") + 11
            key = head[at : (head + b"\r").find(b"\r", at)].strip().decode()
            BOOK.setdefault(key, []).append(time.time())
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(sum(map(len, BOOK.values())) if line.strip() == "count" else json.dumps(BOOK), flush=True)
        if line.strip() == "clear":
            BOOK.clear()


uvloop.run(main())
