"""`dday replay` and `dday demo`: the real planner and sender, a season in seconds, judged by others' code."""

import json
import os
import subprocess
import sys
import urllib.request
from datetime import datetime

import pytest
from click.testing import CliRunner

from service.cli import main
from tests.e2e.ports import free_port

CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("DDAY_")}


def dday(*args):
    return CliRunner().invoke(main, args)


def arrivals(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture(scope="module")
def week():
    """Everything a webhook with D-7, D-1 and D-day gets around the APEC ministerial."""
    run = dday("replay", "--from", "2025-08-28", "--to", "2025-09-06", "--json")
    assert run.exit_code == 0, run.stderr
    return arrivals(run)


def test_every_message_is_genuine(week):
    assert {message["verified"] for message in week} == {True}


def test_no_message_is_sent_twice(week):
    assert len({message["id"] for message in week}) == len(week)


def test_each_is_sent_the_moment_it_is_due(week):
    late = [
        m
        for m in week
        if m["sent_at"] != m["body"]["timestamp"] or m["body"]["data"]["reminder"]["late_seconds"]
    ]
    assert late == []


def test_the_meeting_is_announced_7_days_1_day_and_on_the_day(week):
    told = [
        (
            message["body"]["data"]["reminder"]["before"],
            datetime.fromisoformat(message["sent_at"]).isoformat(),
        )
        for message in week
        if message["body"]["data"]["event"]["id"] == "apec-sme-ministerial-2025-meeting"
    ]
    assert told == [
        ("P7D", "2025-08-29T00:00:00+00:00"),
        ("P1D", "2025-09-04T00:00:00+00:00"),
        ("PT3H", "2025-09-04T12:00:00+00:00"),
        ("P0D", "2025-09-05T00:00:00+00:00"),
    ]


def test_a_replay_may_be_for_some_events_and_rules(tmp_path):
    args = (
        "--from",
        "2025-08-25",
        "--to",
        "2025-09-06",
        "--json",
        "--filter",
        "city=제주",
        "--remind",
        "start:P1D",
    )
    told = arrivals(dday("replay", *args))
    assert {message["body"]["data"]["reminder"]["before"] for message in told} == {"P1D"}
    assert {message["body"]["data"]["event"]["place"]["city"]["ko"] for message in told} == {"제주"}


@pytest.mark.parametrize(
    "args",
    [
        ("--from", "2025-09-06", "--to", "2025-09-01"),
        ("--from", "September", "--to", "2025-09-01"),
        ("--from", "2025-08-01", "--to", "2025-09-01", "--remind", "soon"),
        ("--from", "2025-08-01", "--to", "2025-09-01", "--filter", "colour=red"),
    ],
    ids=" ".join,
)
def test_a_replay_that_makes_no_sense_is_a_wrong_call(args):
    assert dday("replay", *args).exit_code == 2


@pytest.mark.campaign
def test_the_demo_shows_a_season_and_a_move_while_it_serves(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "service", "demo", "--port", str(port), "--seconds", "4"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=CLEAN, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        assert demo.stderr.readline().startswith("It is August 2025 at http")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/events?limit=1", timeout=10) as response:
            assert len(json.load(response)["items"]) == 1
        shown, said = demo.communicate(timeout=120)
    assert (demo.returncode, "each verified by the standardwebhooks library" in said) == (0, True)
    lines = shown.splitlines()
    assert {word for line in lines for word in ("D-7", "D-1", "D-day", "rescheduled") if word in line} == {
        "D-7",
        "D-1",
        "D-day",
        "rescheduled",
    }
    assert [line for line in lines if "✘" in line] == []
