"""Seeds into a real store, on both engines."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from service import seed_loader
from service.catalogue import seeds
from service.seed_loader import LoadReport, load, read_folder
from service.store import events, revisions
from service.store.engine import Store
from tests.support.bundled_seeds import FILES, SEEDS

ALL = len(FILES)
FIRST, LATER = datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2026, 11, 22, 10, tzinfo=UTC)


def head(c: Connection) -> int:
    return revisions.head(c)


def counts(report: LoadReport) -> tuple[int, int, int, int]:
    return report.created, report.changed, report.unchanged, report.removed


def test_an_empty_store_takes_every_seed(store: Store) -> None:
    assert counts(load(store, SEEDS, now=FIRST)) == (ALL, 0, 0, 0)
    assert store.read(head) > 0


def test_loading_again_makes_no_revision(store: Store) -> None:
    load(store, SEEDS, now=FIRST)
    before = store.read(head)
    assert load(store, SEEDS, now=LATER) == LoadReport(created=0, changed=0, unchanged=ALL)
    assert store.read(head) == before


def test_an_edited_seed_is_one_revision_and_remembers_its_earlier_dates(store: Store) -> None:
    load(store, SEEDS, now=FIRST)
    moved = {
        **FILES,
        "events/join-2025.yaml": FILES["events/join-2025.yaml"].replace("2025-09-01", "2025-09-02"),
    }
    assert counts(load(store, seeds.parse(moved), now=LATER)) == (0, 1, ALL - 1, 0)
    stored = store.read(lambda c: events.get(c, "join-2025"))
    assert stored.revision == 2
    assert b'"previous_dates":[{"start":"2025-09-01","end":null,"until_revision":1}]' in stored.document
    # The file does not speak of earlier dates, and so does not take them back.
    assert load(store, seeds.parse(moved), now=LATER) == LoadReport(created=0, changed=0, unchanged=ALL)


@pytest.mark.parametrize("read", [seed_loader.read_folder, seed_loader.read_articles])
def test_a_folder_that_is_not_there_is_named(read: object, tmp_path: Path) -> None:
    assert callable(read)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read(tmp_path / "nowhere")


def test_bytes_that_are_no_text_reach_the_check_and_are_named_by_line(tmp_path: Path) -> None:
    bad = tmp_path / "organizations" / "host.yaml"
    bad.parent.mkdir()
    bad.write_bytes(b"id: host\nname:\n  en: \xff\n")
    [fault] = seeds.check(read_folder(tmp_path), None).faults
    assert str(fault) == "organizations/host.yaml:3: this is not UTF-8 text"
