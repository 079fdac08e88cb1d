"""A real HTTP receiver on loopback, in a thread of its own, with answers a test can script.

    with Receiver() as receiver:
        receiver.reply_with(Reply(status=500), Reply(status=200))   # in order; the last one stays
        ...
        [first, second] = receiver.wait_for(2)

`python -m tests.receiver LEDGER` is the same as a process: it prints its port, and appends one line
`time id sha256 status` to the ledger for every request, written before it answers.
"""

import asyncio
import hashlib
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came in."""

    at: float
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What to answer. `raw` takes over the connection instead, for receivers that misbehave."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    raw: Raw | None = None


class Receiver:
    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.requests: list[Received] = []
        self.accepts = 0
        self._script: list[Reply] = [Reply()]
        self._decide: Callable[[Received], Reply] | None = None
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}/hook"

    def reply_with(self, *replies: Reply) -> None:
        """Answer with these in order; the last one stays."""
        self._script, self._decide = list(replies), None

    def reply_by(self, decide: Callable[[Received], Reply]) -> None:
        """Answer each request as `decide` says."""
        self._decide = decide

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """The requests so far, once there are `count`; fails when they do not come in time."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, timeout):
                raise AssertionError(f"{len(self.requests)} of {count} requests came in {timeout} s")
            return list(self.requests)

    def __enter__(self) -> "Receiver":
        ready = threading.Event()
        self._loop.call_soon(lambda: self._loop.create_task(self._listen(ready)))
        self._thread.start()
        assert ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self, ready: threading.Event) -> None:
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self.tls, limit=2**22, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        ready.set()

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.accepts += 1
        try:
            while (request := await read_request(reader)) is not None:
                await self._answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        reply = self._decide(request) if self._decide else self._scripted()
        self.record(request, reply)
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        if reply.raw is not None:
            await reply.raw(reader, writer)
            raise ConnectionResetError
        await asyncio.sleep(reply.delay)
        writer.write(encode(reply))
        await writer.drain()

    def record(self, request: Received, reply: Reply) -> None:
        """Called before each answer; the process form writes its ledger here."""

    def _scripted(self) -> Reply:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(at=time.time(), method=method, target=target, headers=headers, body=body)


def encode(reply: Reply) -> bytes:
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Scripted\r\n{lines}\r\n".encode("latin-1") + reply.body


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class Ledger(Receiver):
    """A receiver that keeps its own book, so that a test never has to trust ours."""

    def __init__(self, file: Path, *, delay: float = 0.0, failing: float = 0.0) -> None:
        super().__init__()
        self.file = file.open("a", buffering=1)
        self._seen = 0
        self.reply_by(lambda _: self._next(delay, failing))

    def _next(self, delay: float, failing: float) -> Reply:
        self._seen += 1
        failed = failing and self._seen % round(1 / failing) == 0
        return Reply(status=503 if failed else 200, delay=delay)

    def record(self, request: Received, reply: Reply) -> None:
        self.file.write(f"{request.at:.6f} {request.id} {request.sha256} {reply.status}\n")


def main(file: str, delay: str = "0", failing: str = "0") -> None:
    with Ledger(Path(file), delay=float(delay), failing=float(failing)) as running:
        print(running.port, flush=True)
        sys.stdin.read()  # the parent closes it to stop us


if __name__ == "__main__":
    main(*sys.argv[1:])
