"""`dday webhooks` and `dday listen` against a running service."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from service.cli import main
from service.cli.receiver import Receiver
from tests.e2e.ports import free_port
from tests.e2e.served import ADMIN, start

__all__ = ["start"]


@pytest.fixture(scope="module")
def served(start, tmp_path_factory):
    service = start(tmp_path_factory.mktemp("served"), free_port(), "--seeds", "none")
    service.wait()
    soon = datetime.now(UTC).date() + timedelta(days=30)
    day = {"kind": "summit", "name": {"ko": "서밋"}, "start": f"{soon}T10:00", "tags": ["ai"]}
    service.send("PUT", "/v1/events/summit", {"id": "summit"} | day)
    month = {"kind": "summit", "name": {"ko": "언젠가"}, "start": f"{soon:%Y-%m}", "tags": ["ai"]}
    service.send("PUT", "/v1/events/some-day", {"id": "some-day"} | month)
    return service


@pytest.fixture
def webhooks(served):
    def run(*args, key=ADMIN):
        return CliRunner().invoke(
            main, ["webhooks", *args], env={"DDAY_URL": served.url, "DDAY_API_KEY": key}
        )

    return run


@pytest.fixture
def made(webhooks):
    """A webhook to a receiver that takes everything: its id, and what has arrived."""
    arrived, secret = [], []

    def answer(arrival):
        arrived.append(arrival)
        return 204

    with Receiver(answer, secret=lambda: secret[0]) as receiver:
        rules = ("--remind", "start:P7D", "--filter", "tag=ai", "--on", "cancelled")
        webhook = msgspec.json.decode(webhooks("add", receiver.url, *rules, "--json").stdout)
        secret.append(webhook["secret"])
        yield webhook["id"], arrived
    assert webhooks("remove", webhook["id"]).exit_code == 0


def test_a_webhook_is_made_as_asked_and_listed(webhooks, made):
    [listed] = msgspec.json.decode(webhooks("list", "--json").stdout)
    assert (listed["id"], listed["filter"], listed["reminders"], listed["changes"]) == (
        made[0],
        {"tag": "ai"},
        [{"anchor": "start", "before": "P7D"}],
        ["cancelled"],
    )
    assert made[0] in webhooks("list").stdout


def test_the_preview_says_what_comes_and_what_does_not(webhooks, made):
    preview = msgspec.json.decode(webhooks("upcoming", made[0], "--days", "90", "--json").stdout)
    assert [(each["event"], each["before"]) for each in preview["items"]] == [("summit", "P7D")]
    withheld = [(each["event"], each["reason"]) for each in preview["not_planned"]]
    assert withheld == [("some-day", "month_precision")]


def test_a_test_message_arrives_and_is_genuine(webhooks, made):
    assert webhooks("test", made[0]).exit_code == 0
    assert webhooks("test", made[0], "--event", "summit").exit_code == 0
    assert [arrival.fault for arrival in made[1]] == [None, None]


def test_a_delivery_is_seen_and_sent_again_under_its_id(webhooks, made):
    webhooks("test", made[0])
    [delivery] = msgspec.json.decode(webhooks("deliveries", made[0], "--state", "succeeded", "--json").stdout)
    assert delivery["id"] in webhooks("deliveries", made[0]).stdout
    assert webhooks("redeliver", delivery["id"]).exit_code == 0
    deadline = time.monotonic() + 30
    while len(made[1]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [arrival.id for arrival in made[1]] == [delivery["id"], delivery["id"]]


def test_an_attempt_that_runs_is_said_to_be_under_way(webhooks):
    asked, answered = threading.Event(), threading.Event()

    def answer(arrival):
        asked.set()
        return 204 if answered.wait(10) else 500

    with Receiver(answer, secret=lambda: None) as receiver, ThreadPoolExecutor(1) as beside:
        webhook = webhooks("add", receiver.url, "--on", "created").stdout.strip()
        trial = beside.submit(webhooks, "test", webhook)
        assert asked.wait(20)
        running = webhooks("deliveries", webhook).stdout
        answered.set()
        trial.result(timeout=20)
        done = webhooks("deliveries", webhook).stdout
    webhooks("remove", webhook)
    assert ("under way" in running, "None" in running) == (True, False), running
    assert ("under way" in done, "204 (" in done) == (False, True), done


def test_sending_again_to_a_paused_webhook_says_to_set_it_active_first(served, webhooks, made):
    webhooks("test", made[0])
    [delivery] = msgspec.json.decode(webhooks("deliveries", made[0], "--json").stdout)
    served.send("PATCH", f"/v1/webhooks/{made[0]}", {"state": "paused"})
    for what in ((delivery["id"],), (made[0], "--since", "2026-01-01T00:00:00Z")):
        refused = webhooks("redeliver", *what)
        assert (refused.exit_code, f"{made[0]} is paused. Set it active first" in refused.stderr) == (1, True)
    served.send("PATCH", f"/v1/webhooks/{made[0]}", {"state": "active"})
    again = webhooks(
        "redeliver", made[0], "--since", "2100-01-01T00:00:00Z", "--until", "2100-01-02T00:00:00Z"
    )
    assert (again.exit_code, again.stderr) == (0, "To be sent again: 0.\n")


def test_what_nobody_takes_exits_with_1(webhooks):
    with Receiver(lambda arrival: 500, secret=lambda: None) as receiver:
        webhook = webhooks("add", receiver.url, "--on", "created").stdout.strip()
        assert webhooks("test", webhook).exit_code == 1
    webhooks("remove", webhook)


@pytest.mark.parametrize(
    ("args", "key", "code", "words"),
    [
        (("list",), "", 2, "DDAY_API_KEY is not set"),
        (("list",), "dday_" + "x" * 40, 1, "key"),
        (("test", "whk_nothing"), ADMIN, 1, "whk_nothing"),
        (("add", "https://10.0.0.1/", "--remind", "start:P1D"), ADMIN, 1, "destination is not allowed"),
        (("add", "https://example.org/"), ADMIN, 2, "asks for nothing"),
        (("add", "https://example.org/", "--remind", "finish:P7D"), ADMIN, 2, "'finish' is none of "),
        (("add", "https://example.org/", "--remind", "start:7"), ADMIN, 2, "such as P7D"),
        (
            ("add", "https://example.org/", "--on", "created", "--filter", "foo=1"),
            ADMIN,
            2,
            "'foo' is none of ",
        ),
        (("list",), "한글", 2, "DDAY_API_KEY must be"),
        (("list",), "dday_a\n", 2, "DDAY_API_KEY must be"),
        (("list", "--url", "nonsense"), ADMIN, 2, "--url must be an http or https address"),
        (("add", "https://example.org/", "--remind", "closes"), ADMIN, 2, "two parts"),
        (("add", "https://example.org/", "--remind", "closes:P1X"), ADMIN, 2, "--remind closes:P1X: use an"),
        (
            ("add", "https://example.org/", "--on", "created", "--remind-at", "25:00"),
            ADMIN,
            1,
            "/remind_at: ",
        ),
        (("redeliver", "whk_nothing"), ADMIN, 2, "--since"),
        (("test", "../keys"), ADMIN, 2, "'../keys' is no id"),
        (("remove", ".."), ADMIN, 2, "'..' is no id"),
        (("remove", ""), ADMIN, 2, "'' is no id"),
        (("upcoming", "whk_1?days=2"), ADMIN, 2, "'whk_1?days=2' is no id"),
        (("deliveries", "%2e%2e"), ADMIN, 2, "'%2e%2e' is no id"),
        (("redeliver", "dlv_/../../keys"), ADMIN, 2, "'dlv_/../../keys' is no id"),
        (("redeliver", "a#b", "--since", "2026-01-01T00:00:00Z"), ADMIN, 2, "'a#b' is no id"),
    ],
)
def test_a_refusal_is_the_sentence_of_the_service(webhooks, args, key, code, words):
    result = webhooks(*args, key=key)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr


def test_no_service_is_said_so():
    env = {"DDAY_URL": f"http://127.0.0.1:{free_port()}", "DDAY_API_KEY": ADMIN}
    result = CliRunner().invoke(main, ["webhooks", "list"], env=env)
    assert (result.exit_code, "Is `dday serve` running?" in result.stderr) == (1, True)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_listening_shows_what_comes_passes_it_on_and_leaves_no_webhook(served, webhooks, stop):
    passed = []

    def answer(arrival):
        passed.append(arrival.id)
        return 202

    with Receiver(answer, secret=lambda: None) as behind:
        command = [sys.executable, "-m", "service", "listen", "--port", str(free_port()), "--json"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("DDAY_")}
        with subprocess.Popen(
            [*command, "--forward-to", behind.url],
            env=env | {"DDAY_URL": served.url, "DDAY_API_KEY": ADMIN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as listening:
            assert listening.stderr.readline().startswith("Listening at http://127.0.0.1:")
            [webhook] = msgspec.json.decode(webhooks("list", "--json").stdout)
            assert webhooks("test", webhook["id"]).exit_code == 0
            shown = msgspec.json.decode(listening.stdout.readline())
            listening.send_signal(stop)
            assert listening.wait(timeout=60) == 0
    assert (shown["verified"], shown["forwarded"], [shown["id"]]) == (True, 202, passed)
    assert msgspec.json.decode(webhooks("list", "--json").stdout) == []
