"""The deliveries of an event, sent or not: an index that a change of state leaves alone."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("delivery_unsent", "delivery")
    op.create_index("delivery_of_event", "delivery", ["event_id"])
