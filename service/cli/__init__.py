"""`dday`, the command line: one module a command, put together here.

Exit codes: 0 done, 1 it ran and found something wrong, 2 it was called or set up wrongly.
"""

import rich_click as click

from service.cli.catalogue import check, seed
from service.cli.console import Commands
from service.cli.demo import demo
from service.cli.keys import keys
from service.cli.listen import listen
from service.cli.openapi import openapi
from service.cli.replay import replay
from service.cli.serve import deliver, serve
from service.cli.webhooks import webhooks

GROUPS = {
    "Run it": (serve, deliver),
    "See it work": (demo, replay, listen),
    "Keep the catalogue": (check, seed),
    "Administer": (keys, webhooks, openapi),
}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dday", prog_name="dday")
def main() -> None:
    """Dday (디데이): the calendar of Korean startup events and calls, as JSON, as feeds, as reminders.

    Every command reads the DDAY_* environment variables; a flag wins over its variable.
    """


for title, commands in GROUPS.items():
    for command in commands:
        main.add_command(command)
    main.add_panel(click.RichCommandPanel(title, commands=[str(command.name) for command in commands]))
