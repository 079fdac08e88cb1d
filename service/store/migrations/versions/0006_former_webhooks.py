"""Webhooks as they were before changes that the planner has yet to follow."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, SmallInteger, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
ON_SQLITE = """
UPDATE webhook
   SET document = json_set(document, '$.from_seq', (SELECT value FROM cursor WHERE name = 'revision'))"""
ON_POSTGRESQL = """
UPDATE webhook
   SET document = CAST(jsonb_set(CAST(document AS jsonb), '{from_seq}',
                       (SELECT to_jsonb(value) FROM cursor WHERE name = 'revision')) AS text)"""


def upgrade() -> None:
    op.create_table(
        "former_webhook",
        Column("webhook_id", Text, primary_key=True),
        Column("version", Integer, primary_key=True, autoincrement=False),
        Column("document", Text, nullable=False),
        Column("in_step", SmallInteger, nullable=False),
        Column("until", BigInteger, nullable=False),
        Column("seq", BigInteger, nullable=False),
    )
    _hear_from_now_on()


def _hear_from_now_on() -> None:
    """Until now a webhook was told of changes from an instant on, from now on from a place in the log."""
    op.execute(ON_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else ON_SQLITE)
