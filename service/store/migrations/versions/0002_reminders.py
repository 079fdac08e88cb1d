"""Reminders: webhooks and their secrets, deliveries, attempts, and the planner's cursors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _webhooks()
    _deliveries()
    _delivery_indexes()
    _attempts()
    _cursors()


def _webhooks() -> None:
    op.create_table(
        "webhook",
        Column("id", Text, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("document", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("replan", SmallInteger, nullable=False),
        Column("failing_since", BigInteger),
        Column("failures", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    op.create_index("webhook_owner", "webhook", ["owner", "created_at", "id"])
    _partial("webhook_replan", "webhook", ["id"], where="replan = 1")
    op.create_table(
        "webhook_secret",
        Column("id", Text, primary_key=True),
        Column("webhook_id", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("key_id", Text, nullable=False),
        Column("nonce", LargeBinary, nullable=False),
        Column("ciphertext", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
    )
    op.create_index("webhook_secret_of", "webhook_secret", ["webhook_id", "created_at"])


def _deliveries() -> None:
    op.create_table(
        "delivery",
        Column("id", Text, primary_key=True),
        Column("webhook_id", Text, nullable=False),
        Column("event_id", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("anchor", Text),
        Column("before", Text),
        Column("anchor_at", BigInteger),
        Column("due_at", BigInteger, nullable=False),
        Column("valid_until", BigInteger, nullable=False),
        Column("tighter_at", BigInteger),
        Column("revision", Integer, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("reason", Text),
        Column("next_at", BigInteger, nullable=False),
        Column("fence", Integer, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("abandons", Integer, nullable=False),
        Column("replay", Integer, nullable=False),
        Column("drop_flag", SmallInteger, nullable=False),
        Column("owner", Text),
        Column("lease_until", BigInteger),
        Column("body", LargeBinary),
        Column("created_at", BigInteger, nullable=False),
        Column("finished_at", BigInteger),
    )


def _delivery_indexes() -> None:
    op.create_index("delivery_history", "delivery", ["webhook_id", "due_at", "id"])
    _partial("delivery_queue", "delivery", ["webhook_id", "next_at"], where="state = 'pending'")
    _partial("delivery_due", "delivery", ["next_at"], where="state = 'pending'")
    _partial("delivery_expiry", "delivery", ["valid_until"], where="state = 'pending'")
    _partial("delivery_lease", "delivery", ["lease_until"], where="state = 'leased'")
    _partial("delivery_held", "delivery", ["webhook_id", "owner"], where="state = 'leased'")
    _partial("delivery_unsent", "delivery", ["event_id"], where="state IN ('pending', 'leased')")
    _partial("delivery_finished", "delivery", ["finished_at"], where="finished_at IS NOT NULL")


def _attempts() -> None:
    op.create_table(
        "attempt",
        Column("delivery_id", Text, primary_key=True),
        Column("fence", Integer, primary_key=True, autoincrement=False),
        Column("worker", Text, nullable=False),
        Column("started_at", BigInteger, nullable=False),
        Column("finished_at", BigInteger),
        Column("outcome", Text),
        Column("status", Integer),
        Column("latency_ms", Integer),
        Column("bytes", Integer),
        Column("excerpt", Text),
        Column("body_sha256", Text),
        sqlite_with_rowid=False,
    )


def _cursors() -> None:
    op.create_table(
        "cursor", Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
    )
    # There were no webhooks before, so nothing of the log so far concerns one.
    op.execute(
        "INSERT INTO cursor (name, value) SELECT 'revision', value FROM counter WHERE name = 'revision'"
    )
    op.execute("INSERT INTO cursor (name, value) VALUES ('planned_until', 0), ('step', 0)")


def _partial(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
