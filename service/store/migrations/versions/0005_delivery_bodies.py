"""Bodies of deliveries in a table of their own, and fewer indexes for a change of state to touch."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, LargeBinary, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery_body",
        Column("delivery_id", Text, primary_key=True),
        Column("body", LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO delivery_body (delivery_id, body) SELECT id, body FROM delivery WHERE body IS NOT NULL"
    )
    op.drop_column("delivery", "body")
    op.drop_index("delivery_lease", "delivery")
    op.drop_index("delivery_unsent", "delivery")
    unsent = sa.text("finished_at IS NULL")
    op.create_index("delivery_unsent", "delivery", ["event_id"], sqlite_where=unsent, postgresql_where=unsent)
