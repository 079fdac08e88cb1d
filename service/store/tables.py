"""Every table of the catalogue, which migrations spell out again. Instants are milliseconds since 1970."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()

# On SQLite an INTEGER key is the row's own address, a BIGINT one a second index.
Number = BigInteger().with_variant(Integer(), "sqlite")

# One row a fact about this database: `instance`, its random name; `facets`, the version of the index rows.
meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

# `seq` of the revision log is drawn here, inside the writing transaction.
counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    # The `seq` of the event's first revision: short, unique, in order of creation.
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("uid", Text, nullable=False),
    # Bytes, as it is sent: a page of events is joined without decoding a letter.
    Column("document", LargeBinary, nullable=False),
    Column("steps", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # The bounds of `when`, for the reminder planner.
    Column("starts", BigInteger),
    Column("ends", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("event_id", "id", unique=True),
    Index("event_uid", "uid", unique=True),
    Index("event_starts", "starts", "number"),
    Index("event_ends", "ends", "number"),
)

# Series, programs, organizations and sources are few and small: documents under a key.
noun = Table(
    "noun",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# Who names whom: so that nothing that is named can be deleted.
reference = Table(
    "reference",
    metadata,
    Column("noun", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("by_noun", Text, primary_key=True),
    Column("by_id", Text, primary_key=True),
    Index("reference_by", "by_noun", "by_id"),
)

revision = Table(
    "revision",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("uid", Text),
    Column("changes", Text, nullable=False),
    Column("document", Text),
    Column("cause", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("revision_of", "noun", "id", "seq"),
    Index("revision_events", "noun", "seq"),
)

# The index of the listing; `service.store.facets` says what a row means.
facet = Table(
    "facet",
    metadata,
    Column("facet", Text, nullable=False),
    Column("shelf", SmallInteger, autoincrement=False, nullable=False),
    Column("lo", BigInteger, autoincrement=False, nullable=False),
    Column("number", BigInteger, autoincrement=False, nullable=False),
    Column("hi", BigInteger, nullable=False),
    Column("signature", BigInteger, nullable=False),
    Column("updated", BigInteger),
    Column("home", SmallInteger, nullable=False),
    Column("begins", BigInteger),
    # What most listings look at lies in the key's index too, so that PostgreSQL need not fetch the rows.
    PrimaryKeyConstraint(*("facet", "shelf", "lo", "number"), postgresql_include=["hi", "home", "signature"]),
    # Only rows that carry `updated` can order a list by its end or its last change.
    Index(
        "facet_hi",
        *("facet", "hi", "number", "lo", "home", "signature"),
        sqlite_where=text("updated IS NOT NULL"),
        postgresql_where=text("updated IS NOT NULL"),
    ),
    Index(
        "facet_updated",
        *("facet", "updated", "number", "lo", "hi", "home", "signature"),
        sqlite_where=text("updated IS NOT NULL"),
        postgresql_where=text("updated IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Index("idempotency_age", "created_at"),
)
