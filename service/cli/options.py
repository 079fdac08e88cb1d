"""The settings as flags: `DDAY_PORT` is `--port`, with the same texts and the same refusals."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import rich_click as click

from service.settings import Settings, from_environment

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
    "concurrency": "Attempts under way at once. [default: 64]",
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
