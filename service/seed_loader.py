"""Seeds from a folder into a store. What they mean is checked in `service.catalogue.seeds`, and merged with
what curators did in `service.catalogue.seed_merge`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from sqlalchemy import Connection

from service.catalogue.event import Event
from service.catalogue.seed_merge import merge
from service.catalogue.seeds import Seeds
from service.catalogue.validation import Invalid
from service.store import entities, events, locks, references, seed_bases
from service.store.engine import Store
from service.store.events import Delete
from service.store.references import NOUNS, Noun, Owner
from service.store.seed_bases import Name

CAUSE = "seed"
UNKNOWN_BASE = "it is not known what its seed said before"


Outcome = Literal["created", "changed", "unchanged", "deleted", "left", "removed", "held"]


class SeedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a load does with one thing. Its fields `applied` come from the seed, those `kept` a curator
    changed, and those `contested` both changed: these stay as they are.

    `deleted`: a curator did, and it stays so. `left`: its seed is gone, it is not. `held`: the catalogue
    cannot take it, for the `reason`; the next load tries again.
    """

    kind: Noun
    id: str
    outcome: Outcome
    applied: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()
    reason: str | None = None


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """`items` are all things of which there is something to say, in the order of the seeds."""

    created: int
    changed: int
    unchanged: int
    removed: int = 0
    items: tuple[SeedOutcome, ...] = ()


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


def load(
    store: Store, seeds: Seeds, *, now: datetime, remove: bool = False, dry_run: bool = False
) -> LoadReport:
    """Bring the news of the seeds into the catalogue, all in one transaction; what curators did stays.

    `remove` takes out what has no seed any more and nobody changed. `dry_run` does it all and takes it back.
    """
    held: dict[Name, str] = {}

    def work(c: Connection) -> LoadReport:
        report = _load(c, seeds, held, now=now, remove=remove)
        if dry_run:
            raise _Rehearsed(report)
        return report

    while True:
        try:
            return store.write(work)
        except _Refused as refused:
            held.update(refused.reasons)
        except _Rehearsed as rehearsed:
            return rehearsed.report


class _Rehearsed(Exception):
    def __init__(self, report: LoadReport) -> None:
        super().__init__()
        self.report = report


class _Refused(Exception):
    """The store does not take these, and nothing is written; a load without them may succeed."""

    def __init__(self, reasons: Mapping[Name, str]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


def _load(
    c: Connection, seeds: Seeds, held: Mapping[Name, str], *, now: datetime, remove: bool
) -> LoadReport:
    locks.catalogue(c)
    wanted: dict[Name, Owner] = {(NOUNS[type(noun)], noun.id): noun for noun in _in_order(seeds)}
    bases = seed_bases.read(c)
    here = _stored(c, (*wanted, *bases))
    found, writing = [], {}
    for name, seed in wanted.items():
        outcome, noun = _judged(name, seed, bases=bases, here=here.get(name), held=held.get(name))
        found.append(outcome)
        if noun is not None:
            writing[name] = noun
    _write(c, writing, now=now)
    left = {name: base for name, base in bases.items() if name not in wanted}
    found += _left(c, left, here, now=now, remove=remove)
    news = (name for name, seed in wanted.items() if name not in held and bases.get(name) != seed)
    seed_bases.keep(c, {name: wanted[name] for name in news})
    still = {(each.kind, each.id) for each in found if each.outcome == "left"}
    seed_bases.forget(c, left.keys() - still)
    counts = Counter(each.outcome for each in found)
    return LoadReport(
        created=counts["created"],
        changed=counts["changed"],
        unchanged=len(wanted) - counts["created"] - counts["changed"],
        removed=counts["removed"],
        items=tuple(each for each in found if each.outcome != "unchanged" or each.kept or each.contested),
    )


def _in_order(seeds: Seeds) -> tuple[Owner, ...]:
    return (*seeds.sources, *seeds.organizations, *seeds.series, *seeds.programs, *seeds.events)


def _stored(c: Connection, names: Iterable[Name]) -> dict[Name, Owner]:
    ids: dict[Noun, list[str]] = {}
    for kind, identifier in dict.fromkeys(names):
        ids.setdefault(kind, []).append(identifier)
    found: dict[Name, Owner] = {}
    for kind, wanted in ids.items():
        if kind == "event":
            found |= {(kind, each.id): each.event for each in events.get_many(c, wanted, full=True).values()}
        else:
            found |= {(kind, each.id): each.noun for each in entities.get_many(c, kind, wanted).values()}
    return found


def _judged(
    name: Name, seed: Owner, *, bases: Mapping[Name, Owner | None], here: Owner | None, held: str | None
) -> tuple[SeedOutcome, Owner | None]:
    """Returns the outcome for one seed, and what is to be written, if anything."""
    kind, identifier = name

    def told(outcome: Outcome, reason: str | None = None) -> SeedOutcome:
        return SeedOutcome(kind=kind, id=identifier, outcome=outcome, reason=reason)

    if held is not None:
        return told("held", held), None
    if here is None:
        return (told("deleted"), None) if name in bases else (told("created"), seed)
    base = bases.get(name)
    merged = merge(base, here, seed)
    reason = UNKNOWN_BASE if base is None and merged.contested else None
    outcome = msgspec.structs.replace(
        told("changed" if merged.applied else "unchanged", reason),
        applied=merged.applied,
        kept=merged.kept,
        contested=merged.contested,
    )
    return outcome, merged.noun if merged.applied else None


def _write(c: Connection, writing: Mapping[Name, Owner], *, now: datetime) -> None:
    for name, noun in writing.items():
        if not isinstance(noun, Event):
            try:
                entities.put(c, noun, now=now, cause=CAUSE)
            except Invalid as invalid:
                raise _Refused({name: invalid.faults[0].detail}) from None
    written = [noun for noun in writing.values() if isinstance(noun, Event)]
    try:
        events.put_many(c, written, now=now, cause=CAUSE)
    except Invalid as invalid:
        # The pointer of a fault begins with the number of its event.
        faults = {int(str(fault.pointer).split("/")[1]): fault.detail for fault in invalid.faults}
        raise _Refused({("event", written[n].id): detail for n, detail in faults.items()}) from None


def _left(
    c: Connection,
    left: Mapping[Name, Owner | None],
    here: Mapping[Name, Owner],
    *,
    now: datetime,
    remove: bool,
) -> Iterator[SeedOutcome]:
    """The outcomes for what has a base and no seed any more."""
    free = []
    for name, base in left.items():
        if name not in here:
            continue
        kept = () if base is None else merge(base, here[name], base).kept
        if base is None or kept:
            reason = UNKNOWN_BASE if base is None else None
            yield SeedOutcome(kind=name[0], id=name[1], outcome="left", kept=kept, reason=reason)
        else:
            free.append(name)
    named = _remove(c, free, now=now) if remove else {}
    for name in free:
        removed = remove and name not in named
        yield SeedOutcome(
            kind=name[0], id=name[1], outcome="removed" if removed else "left", reason=named.get(name)
        )


def _remove(c: Connection, names: Sequence[Name], *, now: datetime) -> dict[Name, str]:
    """Deletes these, and returns what stays because something that stays names it."""
    going = dict.fromkeys(names)
    while blocked := [name for name in going if name[0] == "event" and _namers(c, name) - going.keys()]:
        going = dict.fromkeys(name for name in going if name not in blocked)
    batch = [Delete(id=identifier) for kind, identifier in going if kind == "event"]
    events.apply(c, batch, now=now, cause=CAUSE)
    rest = [name for name in names if name not in going or name[0] != "event"]
    while free := [name for name in rest if name[0] != "event" and not _namers(c, name)]:
        for kind, identifier in free:
            if kind != "event":
                entities.delete(c, kind, identifier, now=now, cause=CAUSE)
        rest = [name for name in rest if name not in free]
    return {name: "still named by " + " ".join(min(_namers(c, name))) for name in rest}


def _namers(c: Connection, name: Name) -> set[tuple[str, str]]:
    return set(references.named_by(c, *name))
