"""`dday`, the command line: one module a command, imported when the command is called.

Exit codes: 0 done, 1 it ran and found something wrong, 2 it was called or set up wrongly, 141 whoever
read what it writes has gone.
"""

import gc
import keyword
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import rich_click as click

from service.errors import OperatorError, Problem

# For each panel of `dday --help`: name, module and first sentence of its commands. The help is shown from
# here, for importing every command would take seconds.
COMMANDS = {
    "Run it": {
        "serve": ("service.cli.serve", "Serve pages, JSON and feeds, and deliver reminders."),
        "deliver": (
            "service.cli.deliver",
            "Plan and send reminders only, beside `dday serve --no-deliver` on the same PostgreSQL database.",
        ),
    },
    "See it work": {
        "demo": (
            "service.cli.demo",
            "Live through 2025-08-01 to 2026-01-02 in a minute: serve, remind, receive, verify, show.",
        ),
        "replay": (
            "service.cli.replay",
            "Send what a webhook would have been sent from one day to another.",
        ),
        "listen": ("service.cli.listen", "Receive, verify and show reminders here until Ctrl-C."),
    },
    "Keep the catalogue": {
        "check": (
            "service.cli.catalogue",
            "Check the seeds in FOLDER, or those of this version: form, references, evidence and quotes.",
        ),
        "seed": (
            "service.cli.catalogue",
            "Bring the news of the seeds in FOLDER into the database; what was changed there stays, and is "
            "listed.",
        ),
        "period": (
            "service.cli.period",
            "Say how TEXT, a period as a source words it, is read, and why.",
        ),
        "import": (
            "service.cli.imports",
            "Read FILE, an iCalendar of whatever origin (- for stdin), and print it as drafts of seeds.",
        ),
    },
    "Administer": {
        "keys": ("service.cli.keys", "Create, list and revoke API keys."),
        "secrets": (
            "service.cli.secrets",
            "Look after the key that webhook secrets are encrypted with.",
        ),
        "webhooks": (
            "service.cli.webhooks",
            "See, make and try webhooks on a running service. DDAY_API_KEY needs the scope webhooks.",
        ),
        "feeds": (
            "service.cli.feeds",
            "See, make and move saved feeds on a running service. DDAY_API_KEY needs the scope feeds.",
        ),
        "openapi": ("service.cli.openapi", "Print the OpenAPI 3.1 document of this version."),
    },
}
BY_NAME = {name: entry for panel in COMMANDS.values() for name, entry in panel.items()}

# What a shell says of a program that SIGPIPE has ended, as it does most: 128 and the number of the signal.
READER_GONE = 141


@contextmanager
def ended_with_its_reader() -> Iterator[None]:
    """Ends the program without a word once nobody reads what it writes, as after `| head -1`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer is written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)


class Commands(click.RichGroup):
    """The group `dday`, which imports a command to run it and knows the first sentence of the others.

    Expected failures end as one line on stderr and an exit code; only unforeseen ones show a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BY_NAME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a stand-in that only knows its help; `resolve_command` returns the command itself."""
        if cmd_name not in BY_NAME:
            return None
        _, summary = BY_NAME[cmd_name]
        return click.RichCommand(name=cmd_name, help=summary)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            # A keyword of Python, `import`, has an underscore as a function.
            function = f"{name}_" if keyword.iskeyword(name) else name
            # What a module defines stays: to look for garbage meanwhile takes a fifth of the start.
            gc.disable()
            command = getattr(import_module(BY_NAME[name][0]), function)
            gc.enable()
        return name, command, rest

    def main(self, *args: Any, **named: Any) -> Any:
        with ended_with_its_reader():
            return super().main(*args, **named)

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        """Returns the context; this is where `--help` and `--version` are printed."""
        with ended_with_its_reader():
            return super().make_context(*args, **named)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with ended_with_its_reader():
                return super().invoke(ctx)
        except OperatorError as error:
            sentence, code = str(error), error.exit_code
        except Problem as error:
            sentence, code = error.detail or error.title, OperatorError.exit_code
        except OSError as error:
            sentence, code = f"{error.strerror}: {error.filename}", OperatorError.exit_code
        # One line, not a box: it may be grepped, and end in a log.
        with suppress(BrokenPipeError):
            click.echo(f"Error: {sentence}", err=True)
        ctx.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dday", prog_name="dday")
def main() -> None:
    """Dday (디데이): the calendar of Korean startup events and calls, as JSON, as feeds, as reminders.

    Every command reads the DDAY_* environment variables; a flag wins over its variable.
    """


for title, panel in COMMANDS.items():
    main.add_panel(click.RichCommandPanel(title, commands=list(panel)))
