"""Which delivery says instead what a superseded one would have said."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", Column("superseded_by", Text))
