"""How commands speak (results to stdout, the rest to stderr), and the options that several of them share."""

import logging
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from service.errors import OperatorError
from service.settings import Settings, from_environment, spelt

P = ParamSpec("P")
R = TypeVar("R")

KOREA = ZoneInfo("Asia/Seoul")


class _Terminal(Console):
    """A console that leaves it to the command what happens when nobody reads on; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


# Into a pipe or a file a table takes the room it needs: its ids are to be copied.
out = _Terminal(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = _Terminal(stderr=True, highlight=False, soft_wrap=True)

# What each setting is, for its flag: `DDAY_PORT` is `--port`.
ABOUT = {
    "database_url": "sqlite:///path.db or postgresql://…",
    "host": "Address to listen on.",
    "port": "Port to listen on.",
    "public_url": "Where people reach the service, for links in feeds and reminders.",
    "admin_key": "An admin key that works from the first start on; better given as DDAY_ADMIN_KEY.",
    "secret_key": "64 hex digits that encrypt webhook secrets; better given as DDAY_SECRET_KEY.",
    "uid_domain": "The part after @ in calendar UIDs; never change it later.",
    "egress_allow": "Networks that reminders may reach though they are private, such as 10.0.0.0/8.",
    "retry_schedule": "Waits between attempts.",
    "attempt_timeout": "Limit for one attempt, over everything.",
    "lease": "How long an attempt may hold its reminder.",
    "concurrency": "Attempts under way at once.",
    "seeds": "Folder of seeds for the first start, or none.",
    "rate_limit": "Requests a minute from one caller; 0 for no limit.",
    "http2": "1 to speak HTTP/2 beside HTTP/1.",
    "log": "debug, info, warning or error.",
}
# Defaults that are no texts.
DESCRIBED = {"secret_key": "a key file beside the SQLite database", "seeds": "the seeds of this version"}


class CommandFailed(OperatorError):
    """A command ran, and the answer is no: exit code 1."""


class Misused(OperatorError):
    """A command was called or set up wrongly: exit code 2."""

    exit_code = 2


def counted(number: int, noun: str) -> str:
    """Returns `no faults`, `1 fault`, `2 faults`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def korean_time(instant: datetime | None) -> str:
    """Returns `2025-09-05 09:00`, in Korea; "" for None."""
    return f"{instant.astimezone(KOREA):%Y-%m-%d %H:%M}" if instant else ""


def countdown(before: str) -> str:
    """Returns D-7 for `P7D`, D-day for `P0D` and `PT0S`, and -3h for `PT3H`."""
    if days := re.fullmatch(r"P([0-9]{1,4})D", before):
        return f"D-{days[1]}" if int(days[1]) else "D-day"
    return "D-day" if before == "PT0S" else f"-{before.removeprefix('PT').lower()}"


def announce(log: logging.Logger, sentence: str, **fields: object) -> None:
    """Tells whoever started a long-running command something: a person the sentence, a machine a log line."""
    if sys.stderr.isatty():
        err.print(sentence, markup=False)
    else:
        log.info(sentence, extra=fields)


def show_json(value: object) -> None:
    """Writes one JSON value on one line, for a machine."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Shows a table to a person, or the sentence `empty` where it has no rows."""
    if not rows:
        err.print(empty, markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table, markup=False)


as_json_flag = click.option("--json", "as_json", is_flag=True, help="For a machine.")
filter_options = click.option(
    "--filter", "filters", multiple=True, metavar="NAME=VALUE", help="Such as tag=ai; may be repeated."
)


def settings_flags(*names: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
    """Gives a command the flags of these settings (all, unless named), and passes it the `Settings`."""
    chosen = names or tuple(ABOUT)

    def decorate(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @wraps(command)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = {name: kwargs.pop(name) for name in chosen}
            flags = {name: text for name, text in given.items() if text is not None}
            return command(from_environment(flags), *args, **kwargs)

        flagged: Callable[P, R] = called
        for name in reversed(chosen):
            flag = f"--{name.replace('_', '-')}"
            flagged = click.option(flag, name, metavar="TEXT", help=_about(name))(flagged)
        return flagged

    return decorate


def _about(setting: str) -> str:
    default = DESCRIBED.get(setting) or getattr(Settings(), setting)
    return f"{ABOUT[setting]} [default: {spelt(default)}]" if default else ABOUT[setting]
