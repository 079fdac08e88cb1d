"""`dday period` says how the words of a source about a period are read, and why."""

import sys
from datetime import date

import msgspec
import rich_click as click

from service.catalogue import dates
from service.cli.console import Misused, as_json_flag, out, show_json
from service.sources.period import Period, read_period


class ReadText(msgspec.Struct, frozen=True, kw_only=True):
    """One period text as the command answers it; of rounds, `start` and `end` hold all, joined by `|`."""

    verdict: str
    start: str | None
    end: str | None
    close_rule: str | None
    reason: str
    timezone: str
    previous: str | None
    flags: tuple[str, ...]
    quote: str | None


@click.command()
@click.argument("text")
@click.option("--published", metavar="DAY", help="The day of its notice, as 2026-11-28; a month will do.")
@click.option("--event", is_flag=True, help="It is when something takes place, not when to apply.")
@as_json_flag
def period(text: str, published: str | None, event: bool, as_json: bool) -> None:
    """Say how TEXT, a period as a source words it, is read, and why.

    `-` reads lines of `published<TAB>text` and answers a JSON line each. Nothing is stored.
    """
    if text == "-":
        for line in sys.stdin:
            day, tab, words = line.rstrip("\r\n").partition("\t")
            if not tab:
                raise Misused("Write each line as the day of the notice, a tab, and the text.")
            show_json(_answer(read_period(words, _day(day.strip()), event=event)))
        return
    read = _answer(read_period(text, _day(published or ""), event=event))
    if as_json:
        show_json(read)
        return
    told = {"start": read.start, "end": read.end, "closes": read.close_rule, "before": read.previous}
    out.print(f"{read.verdict}: {read.reason}", markup=False)
    for name, value in told.items():
        if value:
            out.print(f"  {name:7} {value}", markup=False)


def _day(text: str) -> date | None:
    """The first day of what is written, for what is written is not later than that."""
    if not text:
        return None
    try:
        return dates.parse(text).first
    except dates.EdtfError as error:
        raise Misused(f"--published: {error}") from None


def _answer(read: Period) -> ReadText:
    starts, ends = (
        ("|".join(each.start or "" for each in read.rounds), "|".join(each.end or "" for each in read.rounds))
        if read.rounds
        else (read.start, read.end)
    )
    previous = read.previous
    return ReadText(
        verdict=read.verdict,
        start=starts,
        end=ends,
        close_rule=read.close_rule,
        reason=read.reason,
        timezone=read.timezone,
        previous=f"{previous.start or ''} ~ {previous.end or ''}".strip() if previous else None,
        flags=read.flags,
        quote=read.quote,
    )
