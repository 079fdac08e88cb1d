"""`dday check` and `dday seed`."""

import shutil

import msgspec
import pytest
from click.testing import CliRunner

from service.cli import main
from service.settings import BUNDLED_SEEDS


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def folder(tmp_path):
    """One source and one event that cites it."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "events").mkdir()
    (tmp_path / "sources" / "notice.yaml").write_text(
        "id: notice\ntitle: 공고\nkind: official_notice\nurl: https://example.org/\npublished: 2025-08-01\n"
    )
    (tmp_path / "events" / "demo-day.yaml").write_text(
        "id: demo-day\nkind: showcase\nname:\n  ko: 데모데이\nstart: 2025-09-05\n"
        "evidence:\n  - field: start\n    value: 2025-09-05\n    source: notice\n"
    )
    return tmp_path


def test_the_seeds_of_the_project_have_no_faults():
    result = run("check", BUNDLED_SEEDS)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(": no faults.\n")


def test_a_fault_is_told_by_file_and_line_and_exits_with_1(folder):
    event = folder / "events" / "demo-day.yaml"
    event.write_text(event.read_text().replace("start: 2025-09-05", "start: 2025-09-31"))
    result = run("check", folder)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{event}:5: ")


def test_check_speaks_json(folder):
    (folder / "sources" / "notice.yaml").unlink()
    result = run("check", folder, "--json")
    report = msgspec.json.decode(result.stdout)
    assert result.exit_code == 1
    assert {fault["path"] for fault in report["faults"]} == {"events/demo-day.yaml"}
    assert report["counts"]["events"] == 1


@pytest.mark.parametrize(
    "args", [("check",), ("seed",), ("replay", "--from", "2025-08-01", "--to", "2025-08-02", "--seeds")]
)
def test_an_empty_folder_is_a_wrong_call(tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "empty"
    folder.mkdir()
    result = run(*args, folder)
    assert (result.exit_code, "There are no seeds" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_missing_folder_is_a_wrong_call(tmp_path):
    assert run("check", tmp_path / "nowhere").exit_code == 2


def test_seeding_again_changes_nothing(folder, tmp_path):
    database = f"sqlite:///{tmp_path}/dday.db"
    first = run("seed", folder, "--database-url", database, "--json")
    again = run("seed", folder, "--database-url", database, "--json")
    assert msgspec.json.decode(first.stdout) == {"created": 2, "changed": 0, "unchanged": 0}
    assert msgspec.json.decode(again.stdout) == {"created": 0, "changed": 0, "unchanged": 2}


def test_faulty_seeds_are_not_loaded(folder, tmp_path):
    shutil.rmtree(folder / "sources")
    result = run("seed", folder, "--database-url", f"sqlite:///{tmp_path}/dday.db")
    assert result.exit_code == 1
    assert "have 1 fault:" in result.stderr
