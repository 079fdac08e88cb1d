"""Bring a database to today's schema, and refuse one that is newer than this program."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select

from service.errors import OperatorError
from service.store import locks
from service.store.tables import meta

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaMismatch(OperatorError):
    """The database and this program do not fit together; the message says which one is older."""


def is_current(c: Connection) -> bool:
    """Whether nothing is left to do. Raises SchemaMismatch where a newer Dday has been at work."""
    known, head = _known()
    current = _current(c)
    if current is not None and current not in known:
        raise SchemaMismatch(
            f"The database has schema {current}, which this version of Dday does not know (it knows up to "
            f"{head}). A newer version has used it: run that one; a schema is never taken back."
        )
    return current == head


def upgrade(c: Connection, target: str = "head") -> None:
    """Run every missing step in the transaction of `c`: all of them or none."""
    if c.dialect.name == "postgresql":
        # A step may take as long as it takes, and so may waiting for another process to take it.
        c.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    locks.migration(c)
    if target == "head" and is_current(c):
        return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = c
    command.upgrade(config, target)


def instance(c: Connection) -> str:
    """The random name of this database."""
    return str(c.execute(select(meta.c.value).where(meta.c.name == "instance")).scalar_one())


def _current(c: Connection) -> str | None:
    if not inspect(c).has_table("alembic_version"):
        return None
    row = c.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
    return None if row is None else str(row)


@cache
def _known() -> tuple[frozenset[str], str]:
    scripts = ScriptDirectory(str(MIGRATIONS))
    head = scripts.get_current_head()
    if head is None:
        raise SchemaMismatch("This installation of Dday has lost its migrations.")
    return frozenset(script.revision for script in scripts.walk_revisions()), head
