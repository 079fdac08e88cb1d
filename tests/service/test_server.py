"""The port is ours alone, or the start is refused in words that name the setting."""

import socket

import pytest

from service import connections
from service.server import free_port as one_of_ours
from service.server import refuse_taken_port
from service.settings import SettingsError
from tests.e2e.ports import free_port


def test_a_free_port_is_fine_and_stays_free():
    port = free_port()
    refuse_taken_port("127.0.0.1", port)
    refuse_taken_port("127.0.0.1", port)


def test_a_port_shared_by_others_is_still_taken():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(SettingsError, match="is in use by another process"):
            refuse_taken_port("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["nobody.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_named(host):
    with pytest.raises(SettingsError, match="DDAY_HOST"):
        refuse_taken_port(host, free_port())


def test_a_demo_beside_a_running_service_finds_another_port() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        other = one_of_ours("127.0.0.1", wanted=taken)
        assert other != taken
        refuse_taken_port("127.0.0.1", other)
    assert one_of_ours("127.0.0.1", wanted=taken) == taken


def test_connections_are_counted_where_they_arrive_and_only_the_silent_are_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        asking, silent = (socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(2))
        accepted = [listening.accept()[0] for _ in range(2)]
        asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert accepted[0].recv(3) == b"GET"
        assert connections.counted(port) == (2, 1)
        connections.close_silent(port, after=60)
        assert connections.counted(port) == (2, 1)
        connections.close_silent(port, after=0)
        assert silent.recv(1) == b""
        accepted[0].sendall(b"HTTP/1.1")
        assert asking.recv(8) == b"HTTP/1.1"
        for each in (asking, silent, *accepted):
            each.close()
        assert connections.counted(port) == (0, 0)
