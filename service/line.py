"""What parent and child say to each other: batches over a pair of sockets, each with its length before it."""

import asyncio
import struct
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

T = TypeVar("T")

LENGTH = struct.Struct("!I")
# A batch is written at once; many small ones keep both sides busy at the same time.
BATCH = 64
# The child reads what strangers answer. Should one take it over, this is what it can make the parent hold.
MOST_BYTES = 64 * 1024 * 1024


class BrokenLine(Exception):
    """What came is not what the other side says."""


class Line(asyncio.Protocol, Generic[T]):
    """One end of the pair: says in batches what it is given, and passes on what it hears, batch by batch."""

    def __init__(
        self, hears: type[list[T]], *, heard: Callable[[list[T]], None], lost: Callable[[], None]
    ) -> None:
        self._heard, self._lost = heard, lost
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(hears)
        self._buffer = bytearray()
        self._unsaid: list[object] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def say(self, item: object) -> None:
        """With everything else that is said in this turn of the event loop."""
        self._unsaid.append(item)
        if len(self._unsaid) == 1:
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Say it now, even if that is nothing."""
        unsaid, self._unsaid = self._unsaid, []
        for start in range(0, len(unsaid) or 1, BATCH):
            payload = self._encoder.encode(unsaid[start : start + BATCH])
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write(LENGTH.pack(len(payload)) + payload)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            if length > MOST_BYTES:
                raise BrokenLine(f"a batch of {length} bytes")
            end = LENGTH.size + length
            if len(self._buffer) < end:
                return
            batch = self._decoder.decode(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._heard(batch)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
