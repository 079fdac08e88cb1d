"""`dday`, the command line: one module a command, put together here.

Exit codes: 0 done, 1 it ran and found something wrong, 2 it was called or set up wrongly.
"""

import rich_click as click

from service.cli.console import Commands

# Modules are imported when their command is called: `dday keys` need not wait for a web framework.
COMMANDS = {
    "Run it": {"serve": "service.cli.serve", "deliver": "service.cli.deliver"},
    "See it work": {
        "demo": "service.cli.demo",
        "replay": "service.cli.replay",
        "listen": "service.cli.listen",
    },
    "Keep the catalogue": {
        "check": "service.cli.catalogue",
        "seed": "service.cli.catalogue",
        "import": "service.cli.imports",
    },
    "Administer": {
        "keys": "service.cli.keys",
        "secrets": "service.cli.secrets",
        "webhooks": "service.cli.webhooks",
        "feeds": "service.cli.feeds",
        "openapi": "service.cli.openapi",
    },
}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dday", prog_name="dday")
def main() -> None:
    """Dday (디데이): the calendar of Korean startup events and calls, as JSON, as feeds, as reminders.

    Every command reads the DDAY_* environment variables; a flag wins over its variable.
    """


for title, modules in COMMANDS.items():
    main.later(modules)
    main.add_panel(click.RichCommandPanel(title, commands=list(modules)))
