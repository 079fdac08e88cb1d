"""Alembic's entry: it migrates the connection it is handed, inside that connection's transaction."""

from alembic import context

from service.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite rolls DDL back like everything else, as we begin transactions ourselves: no half steps.
    transactional_ddl=True,
)
context.run_migrations()
