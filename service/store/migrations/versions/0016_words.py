"""The words of events as sets of bits, with what a search reads of an event. The next start fills them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, Text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "posting",
        Column("token", LargeBinary, primary_key=True),
        Column("chunk", Integer, primary_key=True, autoincrement=False),
        Column("events", LargeBinary, nullable=False),
    )
    op.create_table(
        "word",
        Column("word", Text, primary_key=True),
        Column("begins", LargeBinary, nullable=False),
        Column("ends", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("word_begins", "word", ["begins", "word"])
    op.create_index("word_ends", "word", ["ends", "word"])
    op.add_column("event", Column("searched", Text, nullable=False, server_default=sa.text("''")))
    # No version wrote the rows that are to come, so that the next start derives them.
    op.execute("UPDATE meta SET value = 'none' WHERE name = 'search_index'")
