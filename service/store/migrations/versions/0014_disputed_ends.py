"""The order of end goes by the earliest of disputed ends; the next start derives them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("event_hi", "event")
    op.drop_index("event_ends", "event")
    op.create_index("event_ends", "event", ["ends", "number", "shelf", "lo", "hi", "signature"])
    late = sa.text("ends < hi")
    op.create_index("event_late", "event", ["hi"], sqlite_where=late, postgresql_where=late)
