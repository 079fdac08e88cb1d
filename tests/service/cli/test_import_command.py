"""`dday import`: drafts on stdout, what is not in them on stderr, nothing stored."""

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from service.catalogue import seed_yaml
from service.catalogue.event import Event
from service.cli import main
from tests.feeds.test_foreign_ical import calendar, event

GOOD = event("SUMMARY:창업 박람회", "LOCATION:DDP", uid="good", start="DTSTART;VALUE=DATE:20260410")
BAD = event("SUMMARY:B", uid="bad", start="DTSTART:2026-04-10")


def run(*args, data=b""):
    return CliRunner().invoke(main, ["import", *map(str, args)], input=data)


def test_a_draft_is_a_seed_file_that_lacks_its_evidence_only(tmp_path):
    file = tmp_path / "foreign.ics"
    file.write_bytes(calendar(GOOD))
    result = run(file)
    assert (result.exit_code, result.stderr) == (0, "1 draft: no faults.\n")
    _, _, text = result.stdout.partition("---\n")
    path = text.splitlines()[0].removeprefix("# ")
    seed = seed_yaml.read(path, text)
    assert isinstance(seed.noun, Event)
    assert (seed.noun.name.ko, seed.noun.start, seed.noun.end) == ("창업 박람회", "2026-04-10", None)
    assert set(yaml.safe_load(text)) == {"id", "kind", "name", "start", "timezone", "place", "external_ids"}
    assert [each.name for each in tmp_path.iterdir()] == ["foreign.ics"]


def test_a_fault_is_told_by_line_and_uid_and_exits_with_1():
    result = run("-", data=calendar(BAD, GOOD))
    assert result.exit_code == 1
    assert result.stderr == ("-:3: DTSTART '2026-04-10' is no date. (UID bad)\n1 draft: 1 fault.\n")
    assert "good" in result.stdout


def test_import_speaks_json():
    result = run("-", "--json", "--timezone", "UTC", data=calendar(event("SUMMARY:A"), BAD))
    found = msgspec.json.decode(result.stdout)
    assert [(each["id"], each["start"], each["timezone"]) for each in found["events"]] == [
        ("a-2026", "2026-04-07T05:00", "UTC")
    ]
    assert [fault["uid"] for fault in found["faults"]] == ["bad"]


def test_what_is_no_calendar_is_refused_in_a_sentence():
    result = run("-", data=b"<html>Please log in</html>")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: -: This is not a calendar.\n"


@pytest.mark.parametrize("args", [("nowhere.ics",), ("-", "--timezone", "Asia/Pyongyan"), ()])
def test_a_wrong_call_exits_with_2(args):
    assert run(*args).exit_code == 2
