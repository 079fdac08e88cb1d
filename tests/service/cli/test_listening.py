"""`dday listen` as a process of its own: whatever comes, it is shown and answered."""

import base64
import ctypes
import http.client
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook

from service.cli import main
from service.cli.receiver import Receiver as Target
from service.cli.receiver import Reply
from tests.e2e.ports import free_port

# The number of the system call that signals one thread.
TGKILL = {"x86_64": 234, "aarch64": 131}
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@contextmanager
def listening(*args, secret=("--secret", SECRET), **env):
    """The process, which ends with the block, and a connection to it."""
    port = free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DDAY_")}
    command = [sys.executable, "-m", "service", "listen", "--port", str(port), *secret, *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=ours | env, **pipes) as process:
        try:
            assert process.stderr.readline() == f"Listening at http://127.0.0.1:{port}/\n"
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
                yield process, connection
        finally:
            process.terminate()


def signed(body, at=None):
    moment = datetime.fromtimestamp(int(at or time.time()), UTC)
    signature = Webhook(SECRET).sign("dlv_1", moment, body.decode())
    stamp = str(int(moment.timestamp()))
    return {"webhook-id": "dlv_1", "webhook-timestamp": stamp, "webhook-signature": signature}


def post(connection, body, headers):
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    return response, response.read()


NO_ADDRESSES = ["notaurl", "ftp://localhost/", "http://", "http:///x", "http://a:99999/", "", "http://[x"]
NO_SECRETS = [
    *("junk", "", "whsec_", "whsec_?", "whsec_AAAA", "whsec_한글"),
    *("x" + SECRET, "whpk_" + SECRET.removeprefix("whsec_")),
]


def refused(*args, **env):
    result = CliRunner().invoke(main, ["listen", *args], env=env)
    return result.exit_code, result.stderr


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_nothing_can_be_passed_on_to_is_refused_at_the_start(url):
    code, said = refused("--forward-to", url, "--secret", SECRET)
    words = f"Error: --forward-to: {url!r} must be an http or https address"
    assert (code, said.startswith(words)) == (2, True)


@pytest.mark.parametrize("secret", NO_SECRETS)
def test_a_secret_nothing_can_be_verified_with_is_refused_at_the_start_and_not_shown(secret):
    words = "must be a webhook's secret: whsec_ and 24 to 64 bytes in base64, as it was shown when made.\n"
    assert refused("--secret", secret) == (2, f"Error: --secret {words}")
    if secret:
        assert refused(DDAY_LISTEN_SECRET=secret) == (2, f"Error: DDAY_LISTEN_SECRET {words}")


def test_the_secret_can_be_kept_off_the_command_line():
    with listening("--json", secret=(), DDAY_LISTEN_SECRET=SECRET) as (process, connection):
        post(connection, b"{}", signed(b"{}"))
        assert msgspec.json.decode(process.stdout.readline())["verified"] is True


@pytest.mark.parametrize("body", [b"", b'{"busy": "\xea\xb0\x80"}', b"x" * 65_536], ids=len)
def test_the_answer_is_the_answer_of_the_target(body):
    headers = {"content-type": "application/problem+json", "retry-after": "7", "x-other": "1"}
    target = Target(lambda arrival: Reply(status=429, headers=headers, body=body), secret=lambda: None)
    with target as behind, listening("--forward-to", f"{behind.url}hooks?a=b") as (_, connection):
        response, answered = post(connection, b"{}", signed(b"{}"))
    assert (response.status, answered) == (429, body)
    kept = {name: response.getheader(name) for name in headers}
    assert kept == headers | {"x-other": None}


def test_an_answer_without_end_is_passed_back_as_far_as_64_kib():
    target = Target(lambda arrival: Reply(status=500, body=b"x" * 1_000_000), secret=lambda: None)
    with target as behind, listening("--forward-to", behind.url) as (_, connection):
        for _ in range(2):
            assert post(connection, b"{}", signed(b"{}"))[1] == b"x" * 65_536


def test_odd_requests_are_passed_on_unchanged():
    arrived = []

    def answer(arrival):
        arrived.append((arrival.headers.get("webhook-timestamp"), arrival.body))
        return 202

    target = Target(answer, secret=lambda: None)
    with target as behind, listening("--forward-to", behind.url) as (_, connection):
        assert {post(connection, body, headers)[0].status for headers, body in ODD.values()} == {202}
    assert arrived == [(headers.get("webhook-timestamp"), body) for headers, body in ODD.values()]


def test_a_target_that_is_not_there_is_a_bad_gateway():
    with listening("--forward-to", f"http://127.0.0.1:{free_port()}/") as (process, connection):
        assert post(connection, b"{}", signed(b"{}"))[0].status == 502
        assert "did not answer" in process.stderr.readline()


NAMED = {"webhook-id": "dlv_1", "webhook-signature": "v1,AAAA"}
MESSAGE = b'{"type": "event.reminder", "timestamp": "2026-01-01T00:00:00Z", "data": %s}'
ODD = {
    "not UTF-8": (signed(b"{}"), b'{"type": "\xff"}'),
    "not UTF-8 in a message": (signed(b"{}"), MESSAGE % b'{"changed": ["\xff"]}'),
    "not JSON": (signed(b"{}"), b"\x00\xff"),
    "deep": (NAMED, b"[" * 20_000),
    "a time beyond all": ({**NAMED, "webhook-timestamp": "9" * 17}, MESSAGE % b"{}"),
    "a time of many digits": ({**NAMED, "webhook-timestamp": "9" * 5000}, MESSAGE % b"{}"),
    "a time at the end of the calendar": ({**NAMED, "webhook-timestamp": "253402300799"}, MESSAGE % b"{}"),
    "a time that is no number": ({**NAMED, "webhook-timestamp": "²"}, MESSAGE % b"{}"),
    "no time": ({}, MESSAGE % b"{}"),
    "markup": (NAMED, (MESSAGE % b"{}").replace(b"event.reminder", b"[/red]")),
    "markup of a reminder": (NAMED, MESSAGE % b'{"reminder": {"anchor": "[/x]", "before": "[/y]"}}'),
    "a digit that is none": (NAMED, MESSAGE % '{"reminder": {"anchor": "start", "before": "P²D"}}'.encode()),
}


def test_odd_requests_are_shown_to_a_machine_as_not_verified_and_answered():
    with listening("--json") as (process, connection):
        for name, (headers, body) in ODD.items():
            assert post(connection, body, headers)[0].status == 204, name
            shown = msgspec.json.decode(process.stdout.readline())
            assert (shown["verified"], bool(shown["fault"])) == (False, True), name
            stamp = headers.get("webhook-timestamp", "")
            assert (shown["sent_at"] is None) == (len(stamp) != 10), name


def test_odd_requests_are_shown_to_a_person_as_not_verified_and_answered():
    with listening() as (process, connection):
        for name, (headers, body) in ODD.items():
            assert post(connection, body, headers)[0].status == 204, name
            assert "✘ " in process.stdout.readline(), name


def test_a_body_of_many_lines_is_one_line_to_a_machine():
    body = b'{\n  "type": "x",\n  "n": 12345678901234567890.10\n}\n'
    with listening("--json") as (process, connection):
        post(connection, body, signed(body))
        shown = process.stdout.readline()
    assert shown.endswith('"body":{"type":"x","n":12345678901234567890.10}}\n')


def test_a_length_that_is_no_number_is_refused():
    with listening() as (_, connection):
        connection.putrequest("POST", "/")
        connection.putheader("content-length", "²")
        connection.endheaders()
        with connection.getresponse() as response:
            assert response.status == 411


@pytest.mark.skipif(platform.machine() not in TGKILL, reason="the number of tgkill(2) is not known here")
def test_a_signal_that_another_thread_is_given_ends_it():
    with listening() as (process, _):
        thread = max(int(name) for name in os.listdir(f"/proc/{process.pid}/task"))
        sent = ctypes.CDLL(None).syscall(TGKILL[platform.machine()], process.pid, thread, signal.SIGTERM)
        assert (thread != process.pid, sent) == (True, 0)
        assert process.wait(20) == 0
        assert process.stderr.read() == "Stopped listening.\n"
