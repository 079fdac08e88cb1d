"""What only shows on a real server and a real socket: granian in front, bytes that are not quite HTTP."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.service.api.conftest import ADMIN

FORUM = json.dumps({"kind": "forum", "name": {"ko": "포럼"}, "start": "2026-04-01"}).encode()
HEAD = f"Host: x\r\nAuthorization: Bearer {ADMIN}\r\nContent-Type: application/json\r\n".encode()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`dday serve` on a free port of this machine."""
    folder = tmp_path_factory.mktemp("wire")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    ours = {"ADMIN_KEY": ADMIN, "RATE_LIMIT": "0", "SEEDS": "none", "DELIVER": "0", "PORT": str(free)}
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DDAY_")}
    environ |= {f"DDAY_{key}": value for key, value in ours.items()}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], cwd=folder, env=environ, stdout=log, stderr=log
        )
    try:
        wait_for(free, server, folder / "log")
        yield free
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0
        assert "Traceback" not in (folder / "log").read_text()


def wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            if exchange(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
                b"HTTP/1.1 200"
            ):
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def exchange(port: int, request: bytes, *, patience: float = 5) -> bytes:
    """Send bytes, read until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
                if whole(answer):
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def status(answer: bytes) -> int:
    return int(answer[9:12]) if answer else 0


def headers(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_answers_name_no_server_software(port: int) -> None:
    for path in (b"/v1/events", b"/nowhere", b"/docs"):
        found = headers(exchange(port, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert found["server"] == "dday"
        assert "granian" not in str(found).lower()


def test_head_has_the_length_of_get_and_no_body(port: int) -> None:
    request = b" /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    get, head = exchange(port, b"GET" + request), exchange(port, b"HEAD" + request, patience=1)
    assert headers(head)["content-length"] == headers(get)["content-length"]
    assert head.partition(b"\r\n\r\n")[2] == b""


def chunked(body: bytes, size: int = 8192) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_body_in_chunks_is_read(port: int) -> None:
    head = b"PUT /v1/events/chunked HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status(exchange(port, head + chunked(FORUM, 7))) in (200, 201)


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_300_kb_body_is_refused(port: int, framing: str) -> None:
    body = b'"' + b"x" * 300_000 + b'"'
    head = b"PUT /v1/events/big HTTP/1.1\r\n" + HEAD
    if framing == "length":
        request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        request = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body)
    answer = exchange(port, request)
    assert (status(answer), headers(answer)["content-type"]) == (413, "application/problem+json")


HOSTILE = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(FORUM),
    "two lengths": b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n" + FORUM,
    "negative length": b"Content-Length: -1\r\n\r\n",
    "length that is no number": b"Content-Length: many\r\n\r\n",
    "huge length": b"Content-Length: 99999999999999999999\r\n\r\n",
    "body shorter than its length": b"Content-Length: 5000\r\nConnection: close\r\n\r\n" + FORUM,
    "body longer than its length": b"Content-Length: 5\r\nConnection: close\r\n\r\n" + FORUM,
    "chunk extension": b"Transfer-Encoding: chunked\r\n\r\n2;a=" + b"b" * 50_000 + b"\r\n{}\r\n0\r\n\r\n",
    "chunk size that is no number": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "bad gzip": b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\x00",
    "unknown transfer coding": b"Transfer-Encoding: banana\r\n\r\n{}",
    "60 kB header": b"X-Long: " + b"a" * 60_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "NUL in a header": b"X-Odd: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "folded header": b"X-Odd: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "two hosts": b"Host: evil.example\r\nContent-Length: 2\r\n\r\n{}",
    "expectation": b"Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}",
    "200 headers": b"".join(b"X-%d: a\r\n" % each for each in range(200)) + b"Content-Length: 2\r\n\r\n{}",
    "header without a colon": b"X-Odd\r\nContent-Length: 2\r\n\r\n{}",
}
# What the parser of the server refuses as no HTTP before there is a request to answer. It sends no body.
UNPARSED = {
    "two lengths": 400,
    "negative length": 400,
    "length that is no number": 400,
    "huge length": 400,
    "unknown transfer coding": 400,
    "NUL in a header": 400,
    "folded header": 400,
    "header without a colon": 400,
    "200 headers": 431,
}
CUT_OFF = {"body shorter than its length"}


def problem(answer: bytes) -> int | None:
    """The status of a problem, both as a header and as a member; None of any other answer."""
    if headers(answer).get("content-type") != "application/problem+json":
        return None
    stated: int = json.loads(answer.partition(b"\r\n\r\n")[2])["status"]
    return stated if stated == status(answer) else None


def refused_by_the_parser(answer: bytes) -> bool:
    said = headers(answer)
    return (said.get("content-length"), said.get("connection")) == ("0", "close")


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_not_quite_http_get_a_problem_unless_no_request_came_of_them(
    port: int, name: str
) -> None:
    answer = exchange(port, b"POST /v1/keys HTTP/1.1\r\n" + HEAD + HOSTILE[name], patience=1)
    if name in UNPARSED:
        assert (status(answer), refused_by_the_parser(answer)) == (UNPARSED[name], True)
    elif name in CUT_OFF:
        assert answer == b""
    else:
        assert problem(answer) in (400, 422), answer
    after = exchange(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status(after) == 200


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"GET /v1/events/%00 HTTP/1.1", 404),
        (b"GET /v1/events/%ff%fe HTTP/1.1", 404),
        (b"GET /v1/events?q=" + b"a" * 60_000 + b" HTTP/1.1", 400),
        (b"GET http://evil.example/v1/keys HTTP/1.1", 401),
        (b"GET /../../etc/passwd HTTP/1.1", 404),
        (b"GET //etc/passwd HTTP/1.1", 404),
        (b"GET * HTTP/1.1", 404),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"CONNECT evil.example:443 HTTP/1.1", 405),
        (b"TRACE /v1/events HTTP/1.1", 405),
        (b"FOO /v1/events HTTP/1.1", 405),
        (b"get /v1/events HTTP/1.1", 405),
    ],
    ids=lambda each: repr(each[:30]) if isinstance(each, bytes) else str(each),
)
def test_an_odd_request_gets_a_problem(port: int, line: bytes, code: int) -> None:
    assert problem(exchange(port, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n", patience=1)) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"GET /v1/events/\xff\xfe HTTP/1.1", 400),
        (b"GET /v1/events?q=\xff HTTP/1.1", 400),
        (b"GET /v1/events/" + b"a" * 70_000 + b" HTTP/1.1", 414),
        (b"GET /v1/events HTTP/9.9", 400),
        (b"GET /v1/events", 400),
        (b"GET /v1/events extra HTTP/1.1", 400),
        # HTTP/2 has to be asked for (DDAY_HTTP2).
        (b"PRI * HTTP/2.0", 400),
        (b"GE(T /v1/events HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
    ids=lambda each: repr(each[:30]) if isinstance(each, bytes) else str(each),
)
def test_what_is_no_request_is_refused_by_the_parser(port: int, line: bytes, code: int) -> None:
    answer = exchange(port, line + b"\r\nHost: x\r\n\r\n", patience=1)
    assert (status(answer), refused_by_the_parser(answer)) == (code, True)


def test_a_slow_client_delays_nobody_else(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(b"PUT /v1/events/slow HTTP/1.1\r\n" + HEAD + b"Content-Length: 90\r\n\r\n{")
        begun = time.monotonic()
        for _ in range(20):
            assert status(exchange(port, b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")) == 200
        assert time.monotonic() - begun < 4
    finally:
        for connection in slow:
            connection.close()


def test_a_body_that_takes_long_to_read_delays_nobody_else(port: int) -> None:
    """As many values as a body may have, one of them bad, so that all are walked over."""
    body = b"[" + b"[]," * 140_000 + b'"\\u0000"]'
    head = b"POST /v1/events/batch HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    with ThreadPoolExecutor(1) as elsewhere:
        hostile = elsewhere.submit(exchange, port, head + body, patience=60)
        slowest = 0.0
        while not hostile.done():
            begun = time.monotonic()
            assert status(exchange(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) == 200
            slowest = max(slowest, time.monotonic() - begun)
    assert status(hostile.result()) == 422
    assert slowest < 1


def test_korean_typed_raw_into_a_query_is_understood(port: int) -> None:
    answer = exchange(port, "GET /v1/events?q=서밋 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.partition(b"\r\n")[0] == b"HTTP/1.1 200 OK"
