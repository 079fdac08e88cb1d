"""`dday import` makes drafts of seeds from a foreign calendar, from which a curator goes on."""

import asyncio
import re
from datetime import date
from pathlib import Path
from typing import get_args

import rich_click as click

from feeds.foreign_ical import MOST_BYTES
from service import seed_loader
from service.catalogue import dates
from service.catalogue.event import SLUG_PATTERN
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
from service.importers import foreign
from service.importers.draft_files import DraftFile, compared, document
from service.importers.drafts import CalendarDrafts, Choices, Todo
from service.settings import Settings

HEADER = """\
# Drafts. Before one is a seed it needs a kind, a good id, and for each date the source that says it:
# docs/curate.md.
"""
SECONDS = 20.0
ADDRESS = re.compile(r"(?:webcals?|https?)://", re.IGNORECASE)


@click.command(name="import")
@click.argument("file")
@click.option("--timezone", default="Asia/Seoul", show_default=True, help="For times that name no zone.")
@click.option(
    "--as", "todo", type=click.Choice(get_args(Todo)), default="window", show_default=True,
    help="What a to-do with a DUE is: an application window that closes then, or a milestone.",
)  # fmt: skip
@click.option("--expand", is_flag=True, help="Draft the dates of what recurs: at most 50 within 400 days.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day of what recurs to draft.")
@click.option("--source", metavar="ID", help="The source in the catalogue that this calendar is.")
@click.option(
    "--into", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Write a file for each draft into this folder, and say what is new, changed and gone there.",
)  # fmt: skip
@as_json_flag
@settings_flags("egress_allow")
def import_(
    settings: Settings,
    file: str,
    timezone: str,
    todo: Todo,
    expand: bool,
    since: date | None,
    source: str | None,
    into: Path | None,
    as_json: bool,
) -> None:
    """Read FILE, an iCalendar of whatever origin (- for stdin), and print it as drafts of seeds.

    An https or webcal address will do as well. No database is touched. What could not be read or is left out
    goes to stderr, with its line; exit code 1 if there is any, or if --into has files to be looked at.
    """
    choices = _choices(timezone=timezone, todo=todo, expand=expand, since=since, source=source)
    try:
        calendar = foreign.drafts(_bytes(file, settings), choices)
    except foreign.NotRead as error:
        raise CommandFailed(f"{file}: {error}") from None
    files = _written(calendar, into, choices) if into else ()
    if as_json:
        show_json(files if into else calendar)
    elif into:
        _show(files)
    elif calendar.events:
        page = f"# Its page: {calendar.url}\n" if calendar.url else ""
        texts = (
            f"---\n# events/{event.id}.yaml\n{document(event, calendar.organizers.get(event.id))}"
            for event in calendar.events
        )
        click.echo(HEADER + page + "".join(texts), nl=False)
    _report(calendar, file)
    if calendar.faults or any(each.outcome in ("edited", "older", "gone") for each in files):
        raise SystemExit(1)


def _choices(*, timezone: str, todo: Todo, expand: bool, since: date | None, source: str | None) -> Choices:
    try:
        dates.zone(timezone)
    except dates.ZoneError as error:
        raise Misused(f"--timezone: {error}") from None
    if source is not None and not re.fullmatch(SLUG_PATTERN, source):
        raise Misused("--source: write the id of a source, such as k-startup-calendar.")
    if since is not None and not expand:
        raise Misused("--since: it is for --expand.")
    day = date(since.year, since.month, since.day) if since else None
    return Choices(timezone=timezone, todo=todo, expand=expand, since=day, source=source)


def _bytes(file: str, settings: Settings) -> bytes:
    if ADDRESS.match(file):
        return asyncio.run(_fetched(ADDRESS.sub(_scheme, file, count=1).partition("#")[0], settings))
    try:
        with click.open_file(file, "rb") as opened:
            return bytes(opened.read(MOST_BYTES + 1))
    except OSError as error:
        raise Misused(f"{file}: {error.strerror or error}.") from None


def _scheme(found: re.Match[str]) -> str:
    """`webcal:` is how calendars say https."""
    return "https://" if found[0].lower().startswith("webcal") else found[0].lower()


async def _fetched(url: str, settings: Settings) -> bytes:
    # Only for an address, because it takes longer to load than to read a file.
    from service.egress.client import Egress, NotFetched
    from service.egress.policy import Policy

    egress = Egress(Policy(allow=settings.egress_allow), deadline=SECONDS)
    try:
        return await egress.fetch(url, most=MOST_BYTES)
    except NotFetched as error:
        raise CommandFailed(f"{url}: {error}") from None
    finally:
        await egress.aclose()


def _written(calendar: CalendarDrafts, into: Path, choices: Choices) -> tuple[DraftFile, ...]:
    """Writes what is new or changed; the files of curators stay as they are."""
    files = {path: text for path, text in seed_loader.read_folder(into).items() if "/" not in path}
    found = compared(calendar, files, source=choices.source, expand=choices.expand)
    for each in found:
        if each.text is not None:
            (into / each.path).write_text(each.text, encoding="utf-8")
    if choices.source and not (into.parent / "sources" / f"{choices.source}.yaml").exists():
        err.print(
            f"There is no {into.parent / 'sources' / choices.source}.yaml yet; a seed needs it.", markup=False
        )
    return found


def _show(files: tuple[DraftFile, ...]) -> None:
    for each in files:
        if each.outcome != "unchanged":
            detail = f": {each.detail}" if each.detail else ""
            out.print(f"{each.outcome:8} {each.path} (UID {each.uid}){detail}", markup=False)
    counts = (
        (name, sum(each.outcome == name for each in files))
        for name in ("new", "changed", "edited", "older", "gone", "unchanged")
    )
    out.print(", ".join(f"{count} {name}" for name, count in counts) + ".", markup=False)


def _report(calendar: CalendarDrafts, name: str) -> None:
    for fault in calendar.faults:
        uid = f" (UID {fault.uid})" if fault.uid else ""
        err.print(f"{name}:{fault.line}: {fault.detail}{uid}", markup=False)
    drafts, faults = counted(len(calendar.events), "draft"), counted(len(calendar.faults), "fault")
    err.print(f"{drafts}: {faults}.", markup=False)
