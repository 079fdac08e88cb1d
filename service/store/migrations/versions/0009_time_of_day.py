"""The time of day that a reminder's rule names."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", Column("at", Text))
