"""When each feed last changed: a Last-Modified that never goes back, also across restarts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feed_state",
        Column("feed", Text, primary_key=True),
        Column("digest", Text, nullable=False),
        Column("modified", BigInteger, nullable=False),
        Column("seq", BigInteger, nullable=False),
    )
    op.create_index("feed_state_modified", "feed_state", ["modified", "feed"])
    meta = sa.table("counter", sa.column("name", Text), sa.column("value", BigInteger))
    op.bulk_insert(meta, [{"name": "feeds_modified", "value": 0}])
