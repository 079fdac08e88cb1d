"""Seeds from a folder into a store. What they mean is checked in `service.catalogue.seeds`."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from service.catalogue.seeds import Seeds
from service.store import entities, events
from service.store.engine import Store

CAUSE = "seed"


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    created: int
    changed: int
    unchanged: int


def read_folder(path: Path) -> dict[str, str]:
    """The text of every seed below a folder, by its path in there.

    A byte that is not UTF-8 comes through as a lone surrogate, which the check finds and names by line.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder of seeds at {path}")
    found = sorted(path.rglob("*.yaml")) + sorted(path.rglob("*.yml"))
    return {file.relative_to(path).as_posix(): _text(file) for file in found}


def read_articles(path: Path) -> dict[str, str]:
    """The text of every article in a folder, by its file name."""
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder of articles at {path}")
    return {file.name: _text(file) for file in sorted(path.glob("*.txt"))}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape")


def load(store: Store, seeds: Seeds, *, now: datetime) -> LoadReport:
    """Write what differs, all in one transaction; what is in the store beside the seeds stays as it is."""

    def work(c: Connection) -> LoadReport:
        small: tuple[entities.Noun, ...] = (
            *seeds.sources,
            *seeds.organizations,
            *seeds.series,
            *seeds.programs,
        )
        outcomes = Counter(entities.put(c, noun, now=now, cause=CAUSE).outcome for noun in small)
        written = events.put_many(c, seeds.events, now=now, cause=CAUSE)
        outcomes.update(saved.outcome for saved in written)
        return LoadReport(
            created=outcomes["created"], changed=outcomes["changed"], unchanged=outcomes["unchanged"]
        )

    return store.write(work)
