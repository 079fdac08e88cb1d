"""`dday import`: drafts on stdout, what is not in them on stderr, nothing stored."""

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from service.catalogue import seed_yaml
from service.catalogue.event import Event
from service.cli import main
from tests.feeds.test_foreign_ical import calendar, event
from tests.receiver import Reply

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


@pytest.mark.parametrize(
    "args",
    [
        ("nowhere.ics",),
        ("-", "--timezone", "Asia/Pyongyan"),
        (),
        ("-", "--as", "poem"),
        ("-", "--source", "No Slug"),
        ("-", "--since", "2027-01-01"),
        ("-", "--into", "nowhere"),
    ],
)
def test_a_wrong_call_exits_with_2(args):
    assert run(*args).exit_code == 2


def test_a_folder_of_seeds_is_filled_kept_up_to_date_and_told(tmp_path):
    folder, file = tmp_path / "events", tmp_path / "foreign.ics"
    folder.mkdir()
    file.write_bytes(calendar(event("SUMMARY:Expo", start="DTSTART;VALUE=DATE:20270410")))
    first = run(file, "--source", "expo", "--into", folder)
    assert (first.exit_code, first.stdout) == (
        0,
        "new      expo-2027.yaml (UID a)\n1 new, 0 changed, 0 edited, 0 older, 0 gone, 0 unchanged.\n",
    )
    assert first.stderr.startswith(f"There is no {tmp_path}/sources/expo.yaml yet")
    file.write_bytes(calendar(event("SUMMARY:Expo", "SEQUENCE:1", start="DTSTART;VALUE=DATE:20270411")))
    second = run(file, "--source", "expo", "--into", folder)
    assert (second.exit_code, second.stdout.splitlines()[0]) == (
        0,
        "changed  expo-2027.yaml (UID a): start 2027-04-10 → 2027-04-11, external_ids, evidence",
    )
    draft = folder / "expo-2027.yaml"
    assert "start: '2027-04-11'" in draft.read_text("utf-8")
    edited = draft.read_text("utf-8").replace("kind: other", "kind: exhibition")
    draft.write_text(edited, encoding="utf-8")
    file.write_bytes(calendar(event("SUMMARY:Other", uid="b")))
    third = run(file, "--source", "expo", "--into", folder, "--json")
    assert (third.exit_code, draft.read_text("utf-8")) == (1, edited)
    assert [(each["outcome"], each["uid"]) for each in msgspec.json.decode(third.stdout)] == [
        ("new", "b"),
        ("gone", "a"),
    ]


@pytest.mark.parametrize(("scheme", "redirects"), [("http", 0), ("HTTP", 3)])
def test_a_calendar_is_read_from_its_address(receiver, monkeypatch, scheme, redirects):
    monkeypatch.setenv("DDAY_EGRESS_ALLOW", "127.0.0.0/8")
    moved = Reply(status=302, headers={"location": "/there.ics"})
    receiver.reply_with(*[moved] * redirects, Reply(body=calendar(GOOD)))
    result = run(receiver.url.replace("http", scheme))
    assert (result.exit_code, result.stderr) == (0, "1 draft: no faults.\n")
    assert "창업 박람회" in result.stdout
    *_, last = receiver.requests
    assert (last.method, last.target) == ("GET", "/there.ics" if redirects else "/hook")
    assert (len(receiver.requests), last.headers["accept-encoding"]) == (redirects + 1, "identity")


@pytest.mark.parametrize(
    ("replies", "sentence"),
    [
        ([Reply(status=404)], "It answers 404."),
        ([Reply(body=b"x" * (5 * 1024 * 1024 + 1))], "It has more than 5 MiB."),
        ([Reply(status=301, headers={"location": "/again"})], "It redirects more than 3 times."),
        (
            [Reply(status=302, headers={"location": "http://10.0.0.1/x.ics"})],
            "It is not an https address (port 443 or 8443) of a public host.",
        ),
        (
            [Reply(status=302, headers={"location": "file:///etc/passwd"})],
            "It is not an https address (port 443 or 8443) of a public host.",
        ),
        (
            [Reply(headers={"content-encoding": "gzip"}, body=b"x")],
            "It is compressed, which was not asked for.",
        ),
    ],
)
def test_an_address_without_a_calendar_says_why(receiver, monkeypatch, replies, sentence):
    monkeypatch.setenv("DDAY_EGRESS_ALLOW", "127.0.0.0/8")
    receiver.reply_with(*replies)
    result = run(receiver.url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {receiver.url}: {sentence}\n"


def test_an_address_inside_is_not_asked(receiver):
    for url in (
        receiver.url,
        "https://169.254.169.254/x.ics",
        "webcal://localhost/x.ics",
        "https://u:p@x.org/",
    ):
        result = run(url)
        assert (result.exit_code, "not an https address" in result.stderr) == (1, True)
    assert receiver.accepts == 0


def test_webcal_is_how_calendars_say_https():
    result = run("WebCal://127.0.0.1/x.ics#today")
    assert result.stderr.startswith("Error: https://127.0.0.1/x.ics: It is not an https address")
