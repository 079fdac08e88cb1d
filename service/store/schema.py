"""Bring a database to today's schema, and refuse one that is newer than this program.

Alembic is imported only to migrate: it loads every dialect of SQLAlchemy, a tenth of the start of a service.
"""

from collections.abc import Set
from pathlib import Path

from sqlalchemy import Connection, inspect, select, update

from service.errors import OperatorError
from service.store import locks
from service.store.tables import meta, metadata

MIGRATIONS = Path(__file__).parent / "migrations"
# Each step's file begins with its revision, and the steps form one line.
REVISIONS = sorted(file.name.partition("_")[0] for file in MIGRATIONS.glob("versions/[0-9]*.py"))


# Alembic's, and what every schema of ours has had from the first on.
OURS = frozenset({"alembic_version", "meta", "event", "revision"})


class SchemaMismatch(OperatorError):
    """The database and this program do not fit together; the message says which one is older."""


def refuse_foreign(tables: Set[str], *, shared: bool) -> None:
    """Raises SchemaMismatch where there are tables, but not ours.

    A `shared` database may have others, unless they have the names of ours.
    """
    others = {name for name in tables if not name.startswith("sqlite_")}
    if shared:
        others &= {"alembic_version", *metadata.tables}
    if others and not others >= OURS:
        named = ", ".join(sorted(others)[:3])
        raise SchemaMismatch(
            f"The database is another program's: it has tables ({named}), but not those of Dday."
        )


def is_current(c: Connection) -> bool:
    """Whether nothing is left to do. Raises SchemaMismatch where a newer Dday has been at work."""
    if not REVISIONS:
        raise SchemaMismatch("This installation of Dday has lost its migrations.")
    current = _current(c)
    if current is not None and current not in REVISIONS:
        raise SchemaMismatch(
            f"The database has schema {current}, which this version of Dday does not know (it knows up to "
            f"{REVISIONS[-1]}). A newer version has used it: run that one; a schema is never taken back."
        )
    return current == REVISIONS[-1]


def upgrade(c: Connection, target: str = "head") -> None:
    """Run every missing step in the transaction of `c`: all of them or none."""
    if c.dialect.name == "postgresql":
        # A step may take as long as it takes, and so may waiting for another process to take it.
        c.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    locks.migration(c)
    if target == "head" and is_current(c):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = c
    command.upgrade(config, target)


def instance(c: Connection) -> str:
    """The random name of this database."""
    return str(c.execute(select(meta.c.value).where(meta.c.name == "instance")).scalar_one())


def touch(c: Connection) -> None:
    """Writes a row as it is, to see whether anything can be written."""
    c.execute(update(meta).where(meta.c.name == "instance").values(value=meta.c.value))


def _current(c: Connection) -> str | None:
    tables = set(inspect(c).get_table_names())
    refuse_foreign(tables, shared=c.dialect.name == "postgresql")
    if "alembic_version" not in tables:
        return None
    row = c.exec_driver_sql("select version_num from alembic_version").scalar_one_or_none()
    return None if row is None else str(row)
