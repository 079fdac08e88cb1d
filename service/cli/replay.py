"""`dday replay`: what would have been sent, sent for real, in simulated time."""

from datetime import datetime
from pathlib import Path

import rich_click as click
from rich.progress import Progress

from service import server
from service.cli.arguments import COUNTDOWN, COUNTDOWN_TEXT, day, filter_of, rules_of
from service.cli.console import CommandFailed, Misused, err, filter_options, out, show_json
from service.cli.receiver import Arrival, Receiver, for_machine, line
from service.cli.simulation import Season, replaying, season, subscribe


class Tally:
    """Counts what arrived, and what of it could be verified."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.arrived = self.unverified = 0

    def take(self, arrival: Arrival) -> int:
        self.arrived += 1
        self.unverified += arrival.fault is not None
        if self._as_json:
            show_json(for_machine(arrival))
        else:
            out.print(line(arrival))
        return 204

    def verdict(self) -> None:
        """The sum in a sentence; exit code 1 where a signature was wrong."""
        if self.unverified:
            raise CommandFailed(f"{self.unverified} of {self.arrived} messages could not be verified.")
        sum = f"{self.arrived} messages, each verified by the standardwebhooks library."
        err.print(sum if self.arrived else "There was nothing to send.")


@click.command()
@click.option(
    "--from", "start", required=True, metavar="DATE", help="First day, such as 2025-08-01, in Korea."
)
@click.option("--to", "end", required=True, metavar="DATE", help="The day it ends before.")
@click.option("--remind", multiple=True, metavar="ANCHOR:BEFORE[@TIME]", help=f"[default: {COUNTDOWN_TEXT}]")
@filter_options
@click.option(
    "--seeds", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another folder."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message, for a machine.")
def replay(
    start: str, end: str, remind: tuple[str, ...], filters: tuple[str, ...], seeds: Path | None, as_json: bool
) -> None:
    """Send what a webhook would have been sent from one day to another.

    The real planner, the real sender and a receiver on this machine, over the seeds, along a simulated
    clock. Your database is not touched.
    """
    first, last = day(start, flag="--from"), day(end, flag="--to")
    if first >= last:
        raise Misused("--from must be before --to.")
    rules, filter = rules_of(remind) or COUNTDOWN, filter_of(filters)
    tally = Tally(as_json=as_json)
    secret: list[str] = []
    with (
        season(first, seeds=seeds) as simulated,
        Receiver(tally.take, secret=lambda: secret[0], simulated=True) as receiver,
    ):
        secret.append(subscribe(simulated.service, receiver.url, reminders=rules, filter=filter))
        server.run(_through(simulated, receiver, last))
    tally.verdict()


async def _through(simulated: Season, receiver: Receiver, end: datetime) -> None:
    start = simulated.clock.now()
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"{start:%Y-%m-%d}", total=(end - start).total_seconds())
        async with replaying(simulated) as travel:
            async for instant in travel.until(end):
                receiver.check()
                progress.update(
                    task, completed=(instant - start).total_seconds(), description=f"{instant:%Y-%m-%d}"
                )
