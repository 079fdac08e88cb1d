"""`dday check` and `dday seed`: the seed files, looked over and loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import rich_click as click

from service import seed_loader
from service.catalogue.seed_yaml import FOLDERS
from service.catalogue.seeds import BadSeeds, Report, Seeds, parse
from service.catalogue.seeds import check as check_seeds
from service.cli.console import (
    CommandFailed,
    Misused,
    as_json_flag,
    counted,
    err,
    out,
    settings_flags,
    show_json,
)
from service.clock_sync import steady
from service.seed_loader import LoadReport, SeedOutcome
from service.settings import BUNDLED_SEEDS, Settings
from service.store import dialects
from service.store.engine import Store
from service.store.references import NOUNS

FOLDER_OF = {NOUNS[noun]: folder for folder, noun in FOLDERS.items()}
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER, default=BUNDLED_SEEDS)
@click.option(
    "--articles", type=FOLDER, help="Compare every quote with the article it is from, letter for letter."
)
@as_json_flag
def check(folder: Path, articles: Path | None, as_json: bool) -> None:
    """Check the seeds in FOLDER, or those of this version: form, references, evidence and quotes.

    Says file and line of every fault; exit code 1 if there are any.
    """
    texts = seed_loader.read_articles(articles) if articles else None
    if articles and not texts:
        raise Misused(f"There are no articles (*.txt) in {articles}.")
    report = check_seeds(_files(folder), texts)
    if as_json:
        show_json(report)
    else:
        _tell(report, folder, compared=texts is not None)
    if report.faults:
        raise SystemExit(1)


def _tell(report: Report, folder: Path, *, compared: bool) -> None:
    for fault in report.faults:
        out.print(f"{folder / fault.path}:{fault.line}: {fault.detail}", markup=False)
    counts = report.counts
    said = (
        f"{counts.events} events, {counts.programs} programs, {counts.series} series, "
        f"{counts.organizations} organizations, {counts.sources} sources, "
        f"{counts.evidence} pieces of evidence, {counts.quotes} quotes"
        + (" compared with their articles" if compared else "")
    )
    verdict = counted(len(report.faults), "fault")
    err.print(f"{said}: {verdict}.", markup=False)


@click.command()
@click.argument("folder", type=FOLDER, default=BUNDLED_SEEDS)
@click.option(
    "--remove",
    is_flag=True,
    help="Delete what had a seed and has none in FOLDER any more, unless a curator changed it.",
)
@click.option("--dry-run", is_flag=True, help="Show all that would happen; write nothing.")
@as_json_flag
@settings_flags("database_url")
def seed(settings: Settings, folder: Path, remove: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the news of the seeds in FOLDER into the database; what was changed there stays, and is listed.

    News are what the seeds say otherwise than when they were last loaded. What was deleted stays deleted, and
    what is there already, unchanged, makes no revision. Exit code 1 if the database cannot take a seed.
    """
    seeds = parsed(folder)  # before there is a database that holds nothing
    with _opened(settings.database_url, dry_run=dry_run) as store:
        report = seed_loader.load(store, seeds, now=steady(store).now(), remove=remove, dry_run=dry_run)
    if as_json:
        show_json(report)
    else:
        _tell_loaded(report, dry_run=dry_run)
    if any(item.outcome == "held" for item in report.items):
        raise SystemExit(1)


@contextmanager
def _opened(url: str, *, dry_run: bool) -> Iterator[Store]:
    """The database. Where there is none yet, a dry run has an empty one that is thrown away."""
    path = dialects.file(url)
    with TemporaryDirectory(prefix="dday-") as folder:
        absent = dry_run and path is not None and not path.exists()
        url = f"sqlite:///{folder}/dday.db" if absent else url
        store = Store.open(url, migrate=absent or not dry_run, exclusive=False)
        try:
            yield store
        finally:
            store.close()


def _tell_loaded(report: LoadReport, *, dry_run: bool) -> None:
    for item in report.items:
        if dry_run or item.outcome not in ("created", "changed") or item.kept or item.contested:
            out.print(f"{FOLDER_OF[item.kind]}/{item.id}: {_said(item)}", markup=False)
    err.print(
        f"{report.created} created, {report.changed} changed, {report.unchanged} unchanged"
        + (f", {report.removed} removed" if report.removed else "")
        + (". Nothing was written." if dry_run else ".")
    )


def _said(item: SeedOutcome) -> str:
    because = f" ({item.reason})" if item.reason else ""
    kept = ", ".join(item.kept)
    match item.outcome:
        case "created":
            return "new"
        case "deleted":
            return "was deleted here, and stays so"
        case "removed":
            return "has no seed any more, and is removed"
        case "held":
            return f"cannot be loaded: {item.reason}"
        case "left" if kept:
            return f"has no seed any more, but stays: {kept} changed here"
        case "left":
            return f"has no seed any more{because or '; --remove deletes it'}"
    sentences = (
        ("from the seed: ", ", ".join(item.applied)),
        ("stays as it was changed here: ", kept),
        (f"stays as it is here, though the seed says otherwise{because}: ", ", ".join(item.contested)),
    )
    return "; ".join(words + names for words, names in sentences if names)


def parsed(folder: Path) -> Seeds:
    """The seeds of a folder, or every fault in them as the reason why not."""
    try:
        return parse(_files(folder))
    except BadSeeds as bad:
        faults = "\n".join(str(fault) for fault in bad.faults[:20])
        raise CommandFailed(
            f"The seeds in {folder} have {counted(len(bad.faults), 'fault')}:\n{faults}"
        ) from None


def _files(folder: Path) -> dict[str, str]:
    files = seed_loader.read_folder(folder)
    if not files:
        raise Misused(f"There are no seeds (*.yaml) in {folder}.")
    return files
