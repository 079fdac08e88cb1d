"""How commands speak: results to stdout, the rest to stderr, faults as one sentence and an exit code."""

import keyword
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from service.errors import Problem
from service.settings import Settings, SettingsError, from_environment
from service.store.dialects import BadDatabaseUrl
from service.store.engine import StoreBusy
from service.store.schema import SchemaMismatch

# Into a pipe or a file a table takes the room it needs: its ids are to be copied.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Refused(click.ClickException):
    """It ran, and the answer is no: exit code 1."""

    exit_code = 1


class Misused(click.ClickException):
    """It was called or set up wrongly: exit code 2."""

    exit_code = 2


class Commands(click.RichGroup):
    """A group that imports a command when it is asked for.

    The faults we know are told in a sentence; only the ones we do not know show a traceback.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules: dict[str, str] = {}

    def later(self, modules: Mapping[str, str]) -> None:
        """Commands by name, and the module that has each under that name."""
        self._modules |= modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        # A word that Python keeps for itself, `import`, bears an underscore there.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        found: click.Command = getattr(import_module(self._modules[cmd_name]), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Refused, Misused) as error:
            _fail(ctx, error.message, code=error.exit_code)
        except (SettingsError, BadDatabaseUrl) as error:
            _fail(ctx, str(error), code=Misused.exit_code)
        except (StoreBusy, SchemaMismatch) as error:
            _fail(ctx, str(error), code=Refused.exit_code)
        except Problem as error:
            _fail(ctx, error.detail or error.title, code=Refused.exit_code)
        except OSError as error:
            _fail(ctx, f"{error.strerror}: {error.filename}", code=Refused.exit_code)


def _fail(ctx: click.Context, sentence: str, *, code: int) -> NoReturn:
    """One line, not a box: it may be grepped, and end in a log."""
    err.print(f"Error: {sentence}", markup=False)
    ctx.exit(code)


def counted(number: int, noun: str) -> str:
    """`no faults`, `1 fault`, `2 faults`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def announce(log: logging.Logger, sentence: str, **fields: object) -> None:
    """What a long-running command has to say to whoever started it.

    A person at a terminal reads the sentence whatever the log's level; a machine a line of the log.
    """
    if sys.stderr.isatty():
        err.print(sentence, markup=False)
    else:
        log.info(sentence, extra=fields)


def show_json(value: object) -> None:
    """One JSON value on one line, for a machine."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """A table for a person, or the sentence for an empty one."""
    if not rows:
        err.print(empty, markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table, markup=False)


# FOLDED service/cli/options.py: The settings as flags: `DDAY_PORT` is `--port`, with the same texts and the same refusals.
P = ParamSpec("P")
R = TypeVar("R")

ABOUT = {
    "database_url": "sqlite:///path.db or postgresql://… [default: sqlite:///dday.db]",
    "host": "Address to listen on. [default: 127.0.0.1]",
    "port": "Port to listen on. [default: 8000]",
    "public_url": "Where people reach the service, for links in feeds and reminders.",
    "admin_key": "An admin key that works from the first start on; better given as DDAY_ADMIN_KEY.",
    "secret_key": "64 hex digits that encrypt webhook secrets; better given as DDAY_SECRET_KEY. "
    "[default: a key file beside the SQLite database]",
    "uid_domain": "The part after @ in calendar UIDs; never change it later. [default: dday.local]",
    "egress_allow": "Networks that reminders may reach though they are private, such as 10.0.0.0/8.",
    "retry_schedule": "Waits between attempts. [default: 5s,30s,2m,10m,30m,1h,2h,4h,8h,8h]",
    "attempt_timeout": "Limit for one attempt, over everything. [default: 15s]",
    "lease": "How long an attempt may hold its reminder. [default: 60s]",
    "concurrency": "Attempts under way at once. [default: 256]",
    "seeds": "Folder of seeds for the first start, or none. [default: the seeds of this version]",
    "rate_limit": "Requests a minute from one caller; 0 for no limit. [default: 6000]",
    "log": "debug, info, warning or error. [default: info]",
}
DATABASE = ("database_url",)


def settings_flags(*names: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
    """Give a command the flags of these settings (all, unless named), and hand it the `Settings`."""
    chosen = names or tuple(ABOUT)

    def decorate(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @wraps(command)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = {name: kwargs.pop(name) for name in chosen}
            flags = {name: text for name, text in given.items() if text is not None}
            return command(from_environment(flags), *args, **kwargs)

        flagged: Callable[P, R] = called
        for name in reversed(chosen):
            flagged = click.option(f"--{name.replace('_', '-')}", name, metavar="TEXT", help=ABOUT[name])(
                flagged
            )
        return flagged

    return decorate
