"""A full disk: no acknowledged write is lost, writes say why they fail, reads go on, and room heals it."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.catalogue.event import Event, Text
from service.errors import StorageFull
from service.store import events, revisions
from service.store.engine import Store

NOW = datetime(2025, 8, 1, tzinfo=UTC)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def event(index: int) -> Event:
    return Event(id=f"e{index}", kind="summit", name=Text(ko=f"서밋 {index}"), start="2025-09-05")


@pytest.mark.campaign
def test_a_full_disk_refuses_writes_and_nothing_else(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * 700_000)
    store = Store.open(f"sqlite:///{small_disk / 'dday.db'}")
    acknowledged = 0
    with pytest.raises(StorageFull):
        for index in range(100_000):
            store.write(lambda c, i=index: events.put(c, event(i), now=NOW, cause="test"))
            acknowledged += 1
    assert acknowledged > 10
    for _ in range(3):
        with pytest.raises(StorageFull):
            store.write(lambda c: events.put(c, event(10**6), now=NOW, cause="test"))
    assert store.refusal.endswith("the store's disk is full.")
    listed = store.read(lambda c: events.listed(c, events.EventFilter(), now=NOW, limit=200))
    assert len(listed.items) == min(acknowledged, 200)
    assert store.read(revisions.head) == acknowledged
    ballast.unlink()
    store.probe()
    assert store.refusal == ""
    store.write(lambda c: events.put(c, event(10**6), now=NOW, cause="test"))
    store.close()
    again = Store.open(f"sqlite:///{small_disk / 'dday.db'}")
    assert again.read(revisions.head) == acknowledged + 1
    assert again.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar_one()) == "ok"
    again.close()
