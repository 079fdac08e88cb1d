"""`dday import` prints a foreign calendar as drafts of seeds, from which a curator goes on."""

import msgspec
import rich_click as click
import yaml

from feeds.foreign_ical import MOST_BYTES
from service.catalogue import dates
from service.catalogue.event import Event
from service.cli.console import CommandFailed, Misused, as_json_flag, counted, err, show_json
from service.importers import foreign
from service.importers.drafts import CalendarDrafts

HEADER = """\
# Drafts. Before one is a seed it needs a kind, a good id, and for each date the source that says it:
# docs/curate.md.
"""


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--timezone", default="Asia/Seoul", show_default=True, help="For times that name no zone.")
@as_json_flag
def import_(file: str, timezone: str, as_json: bool) -> None:
    """Read FILE, an iCalendar of whatever origin (- for stdin), and print it as drafts of seeds.

    Nothing is stored. What could not be read goes to stderr, with its line; exit code 1 if there is any.
    """
    try:
        dates.zone(timezone)
    except dates.ZoneError as error:
        raise Misused(f"--timezone: {error}") from None
    try:
        with click.open_file(file, "rb") as source:
            calendar = foreign.drafts(source.read(MOST_BYTES + 1), timezone=timezone)
    except foreign.NotRead as error:
        raise CommandFailed(f"{file}: {error}") from None
    if as_json:
        show_json(calendar)
    elif calendar.events:
        click.echo(HEADER + "".join(map(_document, calendar.events)), nl=False)
    _report(calendar, file)
    if calendar.faults:
        raise SystemExit(1)


def _report(calendar: CalendarDrafts, name: str) -> None:
    for fault in calendar.faults:
        uid = f" (UID {fault.uid})" if fault.uid else ""
        err.print(f"{name}:{fault.line}: {fault.detail}{uid}", markup=False)
    drafts, faults = counted(len(calendar.events), "draft"), counted(len(calendar.faults), "fault")
    err.print(f"{drafts}: {faults}.", markup=False)


def _document(event: Event) -> str:
    """Writes one YAML document under the name its file would have, without fields at their default."""
    written = {
        field.name: msgspec.to_builtins(getattr(event, field.name))
        for field in msgspec.structs.fields(Event)
        if field.name == "timezone" or getattr(event, field.name) != field.default
    }
    if event.place is not None:
        written["place"] = {"name": written["place"]["name"]}
    body = yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=100)
    return f"---\n# events/{event.id}.yaml\n{body}"
