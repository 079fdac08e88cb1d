"""The catalogue: events, nouns, references, the revision log, the listing index, keys, idempotency."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
CARRIES_UPDATED = sa.text("updated IS NOT NULL")


def upgrade() -> None:
    _facts()
    _events()
    _nouns()
    _revisions()
    _facets()
    _keys()


def _facts() -> None:
    meta = op.create_table(
        "meta", Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
    )
    counter = op.create_table(
        "counter", Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
    )
    op.bulk_insert(
        meta, [{"name": "instance", "value": secrets.token_hex(8)}, {"name": "facets", "value": "0"}]
    )
    op.bulk_insert(counter, [{"name": "revision", "value": 0}, {"name": "pruned", "value": 0}])


def _events() -> None:
    op.create_table(
        "event",
        Column("number", NUMBER, primary_key=True, autoincrement=False),
        Column("id", Text, nullable=False),
        Column("uid", Text, nullable=False),
        Column("document", LargeBinary, nullable=False),
        Column("steps", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("starts", BigInteger),
        Column("ends", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    )
    op.create_index("event_id", "event", ["id"], unique=True)
    op.create_index("event_uid", "event", ["uid"], unique=True)
    op.create_index("event_starts", "event", ["starts", "number"])
    op.create_index("event_ends", "event", ["ends", "number"])


def _nouns() -> None:
    op.create_table(
        "noun",
        Column("kind", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("document", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    )
    op.create_table(
        "reference",
        Column("noun", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("by_noun", Text, primary_key=True),
        Column("by_id", Text, primary_key=True),
    )
    op.create_index("reference_by", "reference", ["by_noun", "by_id"])


def _revisions() -> None:
    op.create_table(
        "revision",
        Column("seq", NUMBER, primary_key=True, autoincrement=False),
        Column("noun", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("op", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("uid", Text),
        Column("changes", Text, nullable=False),
        Column("document", Text),
        Column("cause", Text, nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_index("revision_of", "revision", ["noun", "id", "seq"])
    op.create_index("revision_events", "revision", ["noun", "seq"])


def _facets() -> None:
    op.create_table(
        "facet",
        Column("facet", Text, nullable=False),
        Column("shelf", SmallInteger, autoincrement=False, nullable=False),
        Column("lo", BigInteger, autoincrement=False, nullable=False),
        Column("number", BigInteger, autoincrement=False, nullable=False),
        Column("hi", BigInteger, nullable=False),
        Column("signature", BigInteger, nullable=False),
        Column("updated", BigInteger),
        Column("home", SmallInteger, nullable=False),
        Column("begins", BigInteger),
        sa.PrimaryKeyConstraint(
            "facet", "shelf", "lo", "number", postgresql_include=["hi", "home", "signature"]
        ),
        sqlite_with_rowid=False,
    )
    for name, order in (
        ("facet_hi", ["facet", "hi", "number", "lo", "home", "signature"]),
        ("facet_updated", ["facet", "updated", "number", "lo", "hi", "home", "signature"]),
    ):
        op.create_index(name, "facet", order, sqlite_where=CARRIES_UPDATED, postgresql_where=CARRIES_UPDATED)


def _keys() -> None:
    op.create_table(
        "api_key",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("revoked_at", BigInteger),
    )
    op.create_table(
        "idempotency",
        Column("owner", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("body_hash", LargeBinary, nullable=False),
        Column("status", Integer),
        Column("headers", Text),
        Column("body", LargeBinary),
        Column("created_at", BigInteger, nullable=False),
    )
    op.create_index("idempotency_age", "idempotency", ["created_at"])
