"""A random mark for each row of the log; the rows so far share one, drawn here."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # As a default it costs nothing, however long the log is.
    drawn = sa.text(str(secrets.randbits(62)))
    op.add_column("revision", Column("mark", BigInteger, nullable=False, server_default=drawn))
