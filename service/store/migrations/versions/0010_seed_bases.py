"""What each seed said when it was last loaded; so far the log knows, as loads write with the cause `seed`."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LAST_LOADED = """
INSERT INTO seed (kind, id, document)
SELECT noun, id, document FROM revision
 WHERE seq IN (SELECT max(seq) FROM revision WHERE cause = 'seed' AND op = 'put' GROUP BY noun, id)"""


def upgrade() -> None:
    op.create_table(
        "seed",
        Column("kind", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("document", Text, nullable=False),
    )
    op.execute(LAST_LOADED)
