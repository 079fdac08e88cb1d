"""The index of the listing as numbered labels: a fifth of the size. The next start fills it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer, SmallInteger, Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Number = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("facet")
    op.create_table(
        "label",
        Column("id", Number, primary_key=True),
        Column("name", Text, nullable=False, unique=True),
        Column("size", Integer, nullable=False),
    )
    op.create_table(
        "event_label",
        Column("label", Number, autoincrement=False),
        Column("shelf", SmallInteger, autoincrement=False),
        Column("lo", BigInteger, autoincrement=False),
        Column("number", Number, autoincrement=False),
        Column("hi", BigInteger, nullable=False),
        Column("signature", BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("label", "shelf", "lo", "number", postgresql_include=["hi", "signature"]),
        sqlite_with_rowid=False,
    )
    for name, kind in (("shelf", SmallInteger), *((name, BigInteger) for name in ("lo", "hi", "signature"))):
        op.add_column("event", Column(name, kind, nullable=False, server_default=sa.text("0")))
    op.create_index("event_place", "event", ["shelf", "lo", "number", "hi", "signature"])
    op.create_index("event_hi", "event", ["hi", "number", "shelf", "lo", "signature"])
    op.create_index("event_updated", "event", ["updated_at", "number", "shelf", "lo", "hi", "signature"])
    # No version wrote the rows that are to come, so that the next start derives them.
    op.execute("DELETE FROM meta WHERE name = 'facets'")
    op.execute("INSERT INTO meta (name, value) VALUES ('search_index', 'none')")
