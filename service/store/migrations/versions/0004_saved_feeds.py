"""Saved feeds and their private addresses, of which only hashes are kept."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_feed",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("document", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    op.create_index("saved_feed_owner", "saved_feed", ["owner", "created_at", "id"])
    op.create_table(
        "feed_address",
        Column("id", Text, primary_key=True),
        Column("digest", LargeBinary, nullable=False),
        Column("feed_id", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("replaced_at", BigInteger),
        Column("ends_at", BigInteger),
    )
    op.create_index("feed_address_of", "feed_address", ["feed_id", "created_at", "id"])
