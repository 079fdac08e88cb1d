"""The tables of reminders: who wants them, what is to be sent, and what every single attempt came to."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Table, Text, text
from sqlalchemy.sql.elements import TextClause

from service.store.tables import metadata

# Written out, never bound: SQLite uses a partial index only where the query repeats its condition.
IS_PENDING = text("state = 'pending'")
IS_LEASED = text("state = 'leased'")
IS_UNSENT = text("finished_at IS NULL")
IS_FINISHED = text("finished_at IS NOT NULL")
TO_REPLAN = text("replan = 1")


def _partial(name: str, *columns: str, where: TextClause) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


webhook = Table(
    "webhook",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Grows with every change, so that what was read before a change is not written after it.
    Column("version", Integer, nullable=False),
    # Its part of what is already planned has to be planned again.
    Column("replan", SmallInteger, nullable=False),
    Column("failing_since", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("webhook_owner", "owner", "created_at", "id"),
    _partial("webhook_replan", "id", where=TO_REPLAN),
)

# Webhooks as they were before changes that the planner has yet to follow: one of its two cursors has not come
# as far as `until` or `seq`, where the change was. `in_step` tells whether it was planned for until then.
former_webhook = Table(
    "former_webhook",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("in_step", SmallInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("id", Text, primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # While a secret is being rotated the old one signs too, until this instant.
    Column("expires_at", BigInteger),
    Index("webhook_secret_of", "webhook_id", "created_at"),
)

delivery = Table(
    "delivery",
    metadata,
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
    # The state machine of docs/reliability.md: only service.store.deliveries, claims, results, recovery and
    # redelivery write.
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
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("delivery_history", "webhook_id", "due_at", "id"),
    # Not only of what is unsent: in the order of events the queue is a shuffled one, and to leave this index
    # with each success is a page of its own to write.
    Index("delivery_of_event", "event_id"),
    _partial("delivery_queue", "webhook_id", "next_at", where=IS_PENDING),
    _partial("delivery_due", "next_at", where=IS_PENDING),
    _partial("delivery_expiry", "valid_until", where=IS_PENDING),
    _partial("delivery_held", "webhook_id", "owner", where=IS_LEASED),
    _partial("delivery_finished", "finished_at", where=IS_FINISHED),
)

# Made for the first attempt and then kept: every other attempt repeats these bytes. They are many times as
# long as the rest of a delivery, whose row is written anew with every change of its state.
delivery_body = Table(
    "delivery_body",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
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

# `planned_until`: reminders due up to here are deliveries. `revision`: changes up to here are followed.
# `step`: grows with every pass of the planner, so that of two passes at once only one counts.
cursor = Table(
    "cursor", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)
