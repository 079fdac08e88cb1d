"""`dday check` and `dday seed`."""

import shutil
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner

from service.cli import main
from service.settings import BUNDLED_SEEDS
from service.store import dialects, entities, events, schema
from service.store.engine import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


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
    first = run("seed", folder, "--database-url", database)
    assert (first.exit_code, first.stdout, first.stderr) == (0, "", "2 created, 0 changed, 0 unchanged.\n")
    again = run("seed", folder, "--database-url", database, "--json")
    report = {"created": 0, "changed": 0, "unchanged": 2, "removed": 0, "items": []}
    assert msgspec.json.decode(again.stdout) == report


def test_a_rehearsal_needs_no_database_and_makes_none(folder, tmp_path):
    database = tmp_path / "elsewhere" / "dday.db"
    database.parent.mkdir()
    result = run("seed", folder, "--database-url", f"sqlite:///{database}", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "sources/notice: new\nevents/demo-day: new\n")
    assert result.stderr == "2 created, 0 changed, 0 unchanged. Nothing was written.\n"
    assert list(database.parent.iterdir()) == []


def test_what_a_curator_did_stays_and_is_told(folder, tmp_path):
    url = f"sqlite:///{tmp_path}/dday.db"
    run("seed", folder, "--database-url", url)
    with closing(Store.open(url)) as store:
        day = store.read(lambda c: events.get(c, "demo-day")).event
        moved = msgspec.structs.replace(day, start="2025-09-06", previous_dates=msgspec.UNSET)
        store.write(lambda c: events.put(c, moved, now=NOW, cause="curator"))
    event = folder / "events" / "demo-day.yaml"
    event.write_text(event.read_text().replace("showcase", "forum").replace("2025-09-05", "2025-09-07"))
    told = (
        "events/demo-day: from the seed: kind, evidence; "
        "stays as it is here, though the seed says otherwise: start\n"
    )
    rehearsed = run("seed", folder, "--database-url", url, "--dry-run")
    assert (rehearsed.exit_code, rehearsed.stdout) == (0, told)
    assert run("seed", folder, "--database-url", url).stdout == told
    event.unlink()
    left = run("seed", folder, "--database-url", url, "--remove")
    assert left.stdout == "events/demo-day: has no seed any more, but stays: start changed here\n"
    with closing(Store.open(url)) as store:
        store.write(lambda c: events.delete(c, "demo-day", now=NOW, cause="curator"))
    (folder / "sources" / "notice.yaml").unlink()
    (folder / "sources" / "other.yaml").write_text("id: other\ntitle: 다른\nkind: news\n")
    removed = run("seed", folder, "--database-url", url, "--remove")
    assert removed.stdout == "sources/notice: has no seed any more, and is removed\n"
    assert removed.stderr == "1 created, 0 changed, 0 unchanged, 1 removed.\n"


def test_a_seed_that_cannot_be_loaded_is_told_and_exits_with_1(folder, tmp_path):
    url = f"sqlite:///{tmp_path}/dday.db"
    run("seed", folder, "--database-url", url)
    with closing(Store.open(url)) as store:
        store.write(lambda c: events.delete(c, "demo-day", now=NOW, cause="curator"))
        store.write(lambda c: entities.delete(c, "source", "notice", now=NOW, cause="curator"))
    event = folder / "events" / "demo-day.yaml"
    (folder / "events" / "second.yaml").write_text(event.read_text().replace("demo-day", "second"))
    result = run("seed", folder, "--database-url", url)
    assert (result.exit_code, result.stdout.splitlines()) == (
        1,
        [
            "sources/notice: was deleted here, and stays so",
            "events/demo-day: was deleted here, and stays so",
            "events/second: cannot be loaded: There is no source 'notice'.",
        ],
    )


def test_a_rehearsal_leaves_an_older_schema_alone(folder, empty_url):
    writer, reader = dialects.engines(empty_url)
    with writer.begin() as c:
        schema.upgrade(c, "0008")
    result = run("seed", folder, "--database-url", empty_url, "--dry-run")
    assert (result.exit_code, "an older one" in result.stderr) == (1, True)
    with reader.begin() as c:
        assert not schema.is_current(c)
    writer.dispose()
    reader.dispose()


def test_faulty_seeds_are_not_loaded(folder, tmp_path):
    shutil.rmtree(folder / "sources")
    result = run("seed", folder, "--database-url", f"sqlite:///{tmp_path}/dday.db")
    assert result.exit_code == 1
    assert "have 1 fault:" in result.stderr
