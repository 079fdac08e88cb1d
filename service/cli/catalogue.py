"""`dday check` and `dday seed`: the seed files, looked over and loaded."""

from pathlib import Path

import rich_click as click

from service import seed_loader
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
from service.settings import BUNDLED_SEEDS, Settings
from service.store.engine import Store

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
@as_json_flag
@settings_flags("database_url")
def seed(settings: Settings, folder: Path, as_json: bool) -> None:
    """Load the seeds in FOLDER into the database; what is there already, unchanged, makes no revision.

    A thing of the same id takes the form of its seed. What has no seed stays as it is.
    """
    seeds = parsed(folder)  # before there is a database that holds nothing
    store = Store.open(settings.database_url, exclusive=False)
    try:
        report = seed_loader.load(store, seeds, now=steady(store).now())
    finally:
        store.close()
    if as_json:
        show_json(report)
        return
    err.print(f"{report.created} created, {report.changed} changed, {report.unchanged} unchanged.")


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
