"""A command whose reader has gone (`| head -1`) ends with 141 and without a word."""

import base64
import http.client
import os
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from service.cli import READER_GONE, main
from service.cli.console import out
from service.store.engine import Store
from tests.e2e.ports import free_port
from tests.e2e.served import ADMIN, start
from tests.feeds.test_foreign_ical import calendar, event
from tests.service.cli.test_command_line import commands

__all__ = ["start"]
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("DDAY_")}
DAYS = ("--from", "2025-08-28", "--to", "2025-09-06")
# For each command with something to print, how it is called.
PRINTING = {
    ("check",): [("--json",), ("{folder}",)],
    ("seed",): [("{folder}/good", "--json")],
    ("import",): [("{folder}/a.ics",), ("{folder}/a.ics", "--json")],
    ("keys", "create"): [("a", "--scope", "feeds"), ("a", "--scope", "feeds", "--json")],
    ("keys", "list"): [(), ("--json",)],
    ("webhooks", "add"): [
        ("{receiver}", "--remind", "start:P7D"),
        ("{receiver}", "--remind", "start:P7D", "--json"),
    ],
    ("webhooks", "list"): [(), ("--json",)],
    ("webhooks", "upcoming"): [("{webhook}", "--days", "90"), ("{webhook}", "--json")],
    ("webhooks", "test"): [("{webhook}",), ("{webhook}", "--json")],
    ("webhooks", "deliveries"): [("{webhook}",), ("{webhook}", "--json")],
    ("webhooks", "redeliver"): [("{webhook}", "--since", "2026-01-01T00:00:00Z", "--json")],
    ("feeds", "add"): [("a",), ("a", "--json")],
    ("feeds", "list"): [(), ("--json",)],
    ("feeds", "rotate"): [("{feed}",), ("{feed}", "--json")],
    ("openapi",): [()],
    ("replay",): [DAYS],
    ("period",): [("2026.4.20 ~ 5.8",), ("2026.4.20 ~ 5.8", "--json")],
}
APART = {("demo",), ("listen",)}  # shown below, as processes
SILENT = {
    ("serve",),
    ("deliver",),
    ("keys", "revoke"),
    ("secrets", "rotate"),
    ("webhooks", "remove"),
    ("feeds", "remove"),
}
CALLS = [(*path, *args) for path, calls in PRINTING.items() for args in calls]


def test_every_command_is_shown_here_or_writes_to_stderr_only():
    assert {*PRINTING, *APART, *SILENT} == set(commands())


@contextmanager
def unread():
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as closed:
        yield closed


def ended(monkeypatch, args):
    """The exit code of a command in this process."""
    with unread() as closed, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", closed)
        with pytest.raises(SystemExit) as end:
            main(args)
        # What nobody took would come before the output of the next test in this process.
        with out.capture():
            pass
        return end.value.code


@pytest.fixture(scope="module")
def named(start, tmp_path_factory):
    """What stands in braces in `PRINTING`, beside a running service."""
    folder = tmp_path_factory.mktemp("unread")
    for name in ("bad", "good"):
        (folder / name).mkdir()
    (folder / "bad.yaml").write_text("id: bad\n")
    (folder / "good" / "sources").mkdir()
    (folder / "good" / "sources" / "notice.yaml").write_text(
        "id: notice\ntitle: 공고\nkind: official_notice\nurl: https://example.org/\npublished: 2025-08-01\n"
    )
    (folder / "a.ics").write_bytes(calendar(event("SUMMARY:A", start="DTSTART;VALUE=DATE:20260410")))
    Store.open(f"sqlite:///{folder}/keys.db").close()
    service = start(tmp_path_factory.mktemp("served"), free_port(), "--seeds", "none")
    service.wait()
    soon = datetime.now(UTC).date() + timedelta(days=30)
    service.send(
        "PUT", "/v1/events/a", {"id": "a", "kind": "summit", "name": {"ko": "가"}, "start": f"{soon}"}
    )
    receiver = "http://127.0.0.1:9/"
    asked = {"url": receiver, "name": "a", "reminders": [{"anchor": "start", "before": "P7D"}]}
    webhook = service.send("POST", "/v1/webhooks", asked)["id"]
    feed = service.send("POST", "/v1/saved-feeds", {"name": "a"})["id"]
    yield {"url": service.url, "folder": folder, "receiver": receiver, "webhook": webhook, "feed": feed}


@pytest.mark.parametrize("args", CALLS, ids=" ".join)
def test_a_command_that_prints_ends_quietly(named, monkeypatch, capfd, args):
    monkeypatch.setenv("DDAY_URL", named["url"])
    monkeypatch.setenv("DDAY_API_KEY", ADMIN)
    monkeypatch.setenv("DDAY_DATABASE_URL", f"sqlite:///{named['folder']}/keys.db")
    if args == ("keys", "list"):
        assert CliRunner().invoke(main, ["keys", "create", "a", "--scope", "feeds"]).exit_code == 0
    assert ended(monkeypatch, [each.format(**named) for each in args]) == READER_GONE == 141
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "args", [(), ("--version",), ("keys",), *((*path, "--help") for path in ((), *commands()))], ids=" ".join
)
def test_help_ends_quietly(monkeypatch, capfd, args):
    assert ended(monkeypatch, args) == READER_GONE
    assert capfd.readouterr() == ("", "")


def process(*args, stderr=subprocess.PIPE):
    """The command as a process of its own, whose output nobody reads."""
    with unread() as closed:
        return subprocess.Popen(
            [sys.executable, "-m", "service", *args], env=CLEAN, stdout=closed, stderr=stderr, text=True
        )


@pytest.mark.parametrize("args", [("--version",), ("replay", *DAYS, "--json")], ids=" ".join)
def test_a_process_ends_quietly_to_its_very_end(args):
    with process(*args) as ran:
        assert (ran.communicate(timeout=90), ran.returncode) == ((None, ""), READER_GONE)


def test_a_process_whose_errors_nobody_reads_either_ends_as_well():
    with process("check", "--json", stderr=subprocess.STDOUT) as both:
        assert both.wait(60) == READER_GONE


def test_listening_ends_with_the_first_message_nobody_sees():
    port = free_port()
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    with process("listen", "--port", str(port), "--secret", secret) as listening:
        assert listening.stderr.readline() == f"Listening at http://127.0.0.1:{port}/\n"
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("POST", "/", b"{}")
            # Whoever sent it should try again: nobody has seen it.
            assert connection.getresponse().status == 503
        assert (listening.communicate(timeout=30), listening.returncode) == ((None, ""), READER_GONE)


@pytest.mark.campaign(minutes=0.2)
@pytest.mark.parametrize("flags", [(), ("--stay",)], ids=repr)
def test_a_demo_ends_with_the_first_message_nobody_sees(flags):
    port = free_port()
    with process("demo", "--port", str(port), "--seconds", "3", *flags) as demo:
        assert demo.stderr.readline().startswith("It is August 2025")
        assert (demo.communicate(timeout=90), demo.returncode) == ((None, ""), READER_GONE)
