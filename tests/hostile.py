"""Receivers that misbehave in the ways the trusted systems have been hurt by.

`python -m tests.hostile` is one receiver of each kind, as a process: it prints their addresses by name.
"""

import asyncio
import json
import os
import sys
import zlib
from asyncio import StreamReader, StreamWriter
from contextlib import ExitStack

from tests.receiver import Raw, Receiver, Reply

OK = b"HTTP/1.1 200 OK\r\n"


def bomb(mebibytes: int) -> bytes:
    """Returns the gzip of so many MiB of zeros, unfinished: after a full flush each MiB is the same bytes."""
    gzip = zlib.compressobj(wbits=31)
    blocks = [gzip.compress(bytes(2**20)) + gzip.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    return blocks[0] + blocks[1] * (mebibytes - 1)


BOMB = bomb(200)


async def _pour(writer: StreamWriter, chunk: bytes) -> None:
    while True:
        writer.write(chunk)
        await writer.drain()


async def _drip(writer: StreamWriter, text: bytes) -> None:
    while True:
        writer.write(text)
        await writer.drain()
        await asyncio.sleep(0.05)


async def gzip_bomb(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB) + BOMB)
    await writer.drain()


async def endless_body(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"transfer-encoding: chunked\r\n\r\n")
    await _pour(writer, b"10000\r\n" + bytes(0x10000) + b"\r\n")


async def body_drip(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"content-length: 100000\r\n\r\n")
    await _drip(writer, b"x")


async def failing_body_drip(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n")
    await _drip(writer, b"x")


async def header_drip(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK)
    await _drip(writer, b"x-a: b\r\n")


async def endless_early_hints(_: StreamReader, writer: StreamWriter) -> None:
    await _pour(writer, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 10)


async def early_hints_drip(_: StreamReader, writer: StreamWriter) -> None:
    await _drip(writer, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")


async def huge_header(_: StreamReader, writer: StreamWriter) -> None:
    # Piece by piece: the receiver is in the process whose memory is watched.
    writer.write(OK + b"x-huge: ")
    for _ in range(80):
        writer.write(b"a" * 65_536)
        await writer.drain()
    writer.write(b"\r\n\r\n")
    await writer.drain()


async def many_headers(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK)
    for n in range(200_000):
        writer.write(b"x-%d: a\r\n" % n)
        await writer.drain()


async def endless_status_line(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 ")
    await _pour(writer, b"a" * 65536)


async def silence(_: StreamReader, writer: StreamWriter) -> None:
    await asyncio.sleep(60)


async def reset_in_headers(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"x-a")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def http_0_9(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"<html>hello</html>")
    await writer.drain()
    writer.close()


async def short_body(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"content-length: 100\r\n\r\nabc")
    await writer.drain()
    writer.close()


async def two_lengths(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(OK + b"content-length: 3\r\ncontent-length: 5\r\n\r\nabcde")
    await writer.drain()
    writer.close()


async def no_content_with_a_body(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n<html>thanks</html>")
    await writer.drain()
    writer.close()


async def longer_than_its_length(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"content-length: 2\r\n\r\nokay, that was it")
    await writer.drain()
    writer.close()


async def bad_chunk(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n")
    await writer.drain()
    writer.close()


async def upgrade(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
    await _pour(writer, bytes(65536))


# What each comes to. A status that was sent counts, whatever the body does after it.
EXPECTED: dict[Raw, str] = {
    gzip_bomb: "2xx",
    endless_body: "2xx",
    body_drip: "2xx",
    failing_body_drip: "5xx",
    header_drip: "timeout",
    endless_early_hints: "timeout",
    early_hints_drip: "timeout",
    huge_header: "too_large",
    many_headers: "protocol",
    endless_status_line: "too_large",
    silence: "timeout",
    reset_in_headers: "protocol",
    http_0_9: "protocol",
    short_body: "2xx",
    no_content_with_a_body: "2xx",
    longer_than_its_length: "2xx",
    bad_chunk: "5xx",
    two_lengths: "protocol",
    upgrade: "protocol",
}


def main() -> None:
    os.nice(10)  # elsewhere they have machines of their own
    with ExitStack() as stack:
        urls = {}
        for behaviour in EXPECTED:
            receiver = stack.enter_context(Receiver())
            receiver.reply_with(Reply(raw=behaviour))
            urls[behaviour.__name__] = receiver.url
        print(json.dumps(urls), flush=True)
        sys.stdin.read()  # the parent closes it to stop us


if __name__ == "__main__":
    main()
