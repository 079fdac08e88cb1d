"""The TCP connections that people have open to this process, which Granian does not tell of."""

import os
import resource
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress

# Every connection is an open file, of which the rest of the service needs some: databases, reminders, logs.
RESERVED = 512
MOST = 65_536
INET = (socket.AF_INET, socket.AF_INET6)
# Where struct tcp_info of linux/tcp.h has tcpi_last_data_recv (ms) and tcpi_bytes_received.
# Only Linux has it; elsewhere no connection counts as silent.
TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
LAST_RECEIVED, RECEIVED = struct.Struct("=52xI"), struct.Struct("=128xQ")
# The preface of HTTP/2. A server that speaks both versions waits for it without a limit.
PREFACE_BYTES = 24


def most() -> int:
    """Lets this process have as many open files as it may, and returns how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - RESERVED, soft // 2)


def counted(port: int) -> tuple[int, int]:
    """How many connections to this port are open, and how many of them have not sent a byte yet."""
    received = [_received(each) for each in _accepted(port)]
    return len(received), received.count(0)


def close_silent(port: int, *, after: float) -> None:
    """Closes connections that have not even said within `after` seconds which HTTP they speak."""
    for each in _accepted(port):
        if _received(each) < PREFACE_BYTES and _told(each, LAST_RECEIVED) >= after * 1000:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _received(connection: socket.socket) -> int:
    return _told(connection, RECEIVED)


def _told(connection: socket.socket, field: struct.Struct) -> int:
    told = b"" if TCP_INFO is None else connection.getsockopt(socket.IPPROTO_TCP, TCP_INFO, field.size)
    (value,) = field.unpack(told.ljust(field.size, b"\xff"))
    return int(value)


def _accepted(port: int) -> Iterator[socket.socket]:
    """A second handle of each connection, so that none can end and give its number to another meanwhile."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            descriptor = int(name)
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as handle:
                stream = handle.family in INET and handle.type == socket.SOCK_STREAM
                if stream and handle.getsockname()[1] == port:
                    handle.getpeername()  # The one that listens has none, which is an error.
                    yield handle
