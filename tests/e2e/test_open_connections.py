"""However many connections are open, the others are answered; what says nothing is closed."""

import resource
import select
import socket
import struct
import time
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from service.metrics import text_string_to_metric_families
from tests.e2e.ports import free_port
from tests.e2e.served import start

__all__ = ["start"]
SILENT, IDLE, STREAMS = 5_000, 2_000, 200
ASKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@contextmanager
def open_files(most):
    """This process may have so many files open, and a process that it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < most:
        pytest.skip(f"this machine allows a process {before[1]} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def gauges(service):
    families = text_string_to_metric_families(service.get("/metrics").decode())
    return {each.name: each.samples[0].value for each in families if each.name.startswith("dday_connections")}


def slowest(service):
    """The longest of twenty answers, each on a connection of its own."""
    begun = [time.monotonic()]
    for _ in range(20):
        assert service.get("/healthz") == b'{"status":"ok"}'
        begun.append(time.monotonic())
    return max(after - before for before, after in pairwise(begun))


@pytest.mark.campaign(minutes=0.8)
@pytest.mark.timed
@pytest.mark.parametrize("http2", ["0", "1"], ids=["HTTP/1", "HTTP/2 as well"])
def test_thousands_of_silent_and_of_idle_clients_delay_nobody(start, tmp_path, http2):
    with open_files(1024):
        service = start(tmp_path, free_port(), "--no-deliver", "--seeds", "none", DDAY_HTTP2=http2)
    service.wait()
    with open_files(SILENT + IDLE + 500), ExitStack() as held:

        def connected():
            return held.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))

        begun = time.monotonic()
        silent = [connected() for _ in range(SILENT)]
        opened = time.monotonic() - begun
        idle = [connected() for _ in range(IDLE)]
        for each in idle:
            each.sendall(ASKED)
        assert {each.recv(12) for each in idle} == {b"HTTP/1.1 200"}
        assert slowest(service) < 0.2
        found = gauges(service)
        assert found["dday_connections_silent"] == SILENT
        # The one that asks, and of the twenty those that are being closed.
        assert 0 < found["dday_connections"] - SILENT - IDLE <= 21
        ends = ended(silent, begun, patience=60)
        assert (len(ends), min(ends) > 29, max(ends) - opened < 40) == (SILENT, True, True)
        assert gauges(service)["dday_connections_silent"] == 0
    assert service.stop() == 0


def ended(connections, begun, *, patience):
    """How many seconds after `begun` each of them was closed at the other end."""
    waiting, ends = select.poll(), []
    for each in connections:
        waiting.register(each, select.POLLIN)
    while len(ends) < len(connections) and time.monotonic() - begun < patience:
        for descriptor, _ in waiting.poll(1000):
            waiting.unregister(descriptor)
            ends.append(time.monotonic() - begun)
    return ends


@pytest.mark.campaign(minutes=0.3)
def test_clients_of_http2_that_take_nothing_hold_little(start, tmp_path):
    service = start(tmp_path, free_port(), "--no-deliver", DDAY_HTTP2="1", DDAY_RATE_LIMIT="0")
    service.wait()
    path = b"/v1/events?limit=100"
    assert len(service.get(path.decode())) > 100_000
    before = resident(service)
    get = b"\x82\x86\x01\x01x\x04" + bytes([len(path)]) + path  # RFC 7541: method, scheme, host, path
    streams = b"".join(frame(1, 5, 1 + 2 * number, get) for number in range(STREAMS))
    with ExitStack() as held:
        for _ in range(10):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
            no_window = frame(4, 0, 0, struct.pack(">HI", 4, 0))
            connection.sendall(PREFACE + no_window + streams)
            # All but sixteen are refused (RST_STREAM), and these sixteen begin with their headers.
            assert kinds(connection, {3: STREAMS - 16, 1: 16}) == {3: STREAMS - 16, 1: 16}
        assert resident(service) - before < 64
        assert slowest(service) < 1
    assert service.stop() == 0


def frame(kind, flags, stream, payload):
    """A frame of RFC 9113 section 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def kinds(connection, wanted):
    """How many frames of each wanted kind have come by the time all have."""
    found, read = dict.fromkeys(wanted, 0), connection.makefile("rb")
    while found != wanted:
        head = read.read(9)
        assert len(head) == 9, found
        read.read(int.from_bytes(head[:3], "big"))
        if head[3] in found:
            found[head[3]] += 1
    return found


def resident(service):
    """The memory of the process, in MiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024
