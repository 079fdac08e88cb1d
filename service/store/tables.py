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
from sqlalchemy.sql.elements import TextClause

metadata = MetaData()

# On SQLite an INTEGER key is the row's own address, a BIGINT one a second index.
Number = BigInteger().with_variant(Integer(), "sqlite")

# One row a fact about this database: `instance`, its random name; `search_index`, the version of its index.
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
    # The document without the names of events that are not public, where it has such names.
    Column("shown", LargeBinary),
    Column("visibility", Text, nullable=False, server_default=text("'public'")),
    Column("steps", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # Where it lies in the listing: `service.store.search_index` says what these are.
    Column("shelf", SmallInteger, nullable=False, server_default=text("0")),
    Column("lo", BigInteger, nullable=False, server_default=text("0")),
    Column("hi", BigInteger, nullable=False, server_default=text("0")),
    Column("signature", BigInteger, nullable=False, server_default=text("0")),
    # What a search reads, as `service.catalogue.search_terms.Searched` encodes it.
    Column("searched", Text, nullable=False, server_default=text("''")),
    # The start and the end it goes by, of disputed ones the earliest; an unknown end is the last instant.
    Column("starts", BigInteger),
    Column("ends", BigInteger),
    # The first `seq` of the write that last wrote its status, 0 where it never was anything but the default.
    Column("status_seq", BigInteger, nullable=False, server_default=text("0")),
    # How often, and when last, it was taken along by what it is part of, or released: no revisions of it.
    Column("turns", Integer, nullable=False, server_default=text("0")),
    Column("turned_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("event_id", "id", unique=True),
    Index("event_uid", "uid", unique=True),
    Index("event_place", "shelf", "lo", "number", "hi", "signature"),
    # All that is asked of an event beside its labels lies in these, as its row is long.
    Index("event_ends", "ends", "number", "shelf", "lo", "hi", "signature"),
    # Those of which sources disagree how long they go on: few.
    Index("event_late", "hi", sqlite_where=text("ends < hi"), postgresql_where=text("ends < hi")),
    Index("event_updated", "updated_at", "number", "shelf", "lo", "hi", "signature"),
    Index("event_starts", "starts", "number"),
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

# What each seed said when it was last loaded, as a document of the thing.
seed = Table(
    "seed",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),
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
    # The change as everybody sees it, where that is another one; empty where they see none.
    Column("outside", Text),
    # Whether the event was off as of this row, by itself or with what it is part of.
    Column("halt", Text),
    Column("cause", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Random, and the same for all rows of a transaction: a log that came to the same number anew has another.
    Column("mark", BigInteger, nullable=False),
    Index("revision_of", "noun", "id", "seq"),
    Index("revision_events", "noun", "seq"),
)

# The index of the listing; `service.store.search_index` says what a row means.
label = Table(
    "label",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # How many rows of `event_label` it has.
    Column("size", Integer, nullable=False),
)

event_label = Table(
    "event_label",
    metadata,
    Column("label", Number, autoincrement=False),
    Column("shelf", SmallInteger, autoincrement=False),
    Column("lo", BigInteger, autoincrement=False),
    Column("number", Number, autoincrement=False),
    Column("hi", BigInteger, nullable=False),
    Column("signature", BigInteger, nullable=False),
    # PostgreSQL need not fetch the rows of what lies in the key's index.
    PrimaryKeyConstraint("label", "shelf", "lo", "number", postgresql_include=["hi", "signature"]),
    sqlite_with_rowid=False,
)

# The index of the search; `service.store.word_index` says what a row means. Bytes, as texts are compared by
# the rules of a language on some servers.
posting = Table(
    "posting",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("events", LargeBinary, nullable=False),
)

word = Table(
    "word",
    metadata,
    Column("word", Text, primary_key=True),
    # Its first letters, and its last, backwards.
    Column("begins", LargeBinary, nullable=False),
    Column("ends", LargeBinary, nullable=False),
    Index("word_begins", "begins", "word"),
    Index("word_ends", "ends", "word"),
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


# Webhooks, deliveries and attempts.
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
    Column("at", Text),
    Column("superseded_by", Text),
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


# Feeds: when each last changed; saved feeds and their addresses.
feed_state = Table(
    "feed_state",
    metadata,
    # The canonical address of the feed, options and filters included.
    Column("feed", Text, primary_key=True),
    # Of everything in it but its own Last-Modified.
    Column("digest", Text, nullable=False),
    # Whole seconds since 1970, as HTTP counts.
    Column("modified", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("feed_state_modified", "modified", "feed"),
)

saved_feed = Table(
    "saved_feed",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("document", Text, nullable=False),
    # Grows with every change: a copy of another version is out of date.
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("saved_feed_owner", "owner", "created_at", "id"),
)

# An address outlives its feed, as a dead one must say so for good; none of them can be read back.
feed_address = Table(
    "feed_address",
    metadata,
    # The beginning of the token, by which its row is found.
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("feed_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Since when another address stands in its place, and until when it leads on meanwhile.
    Column("replaced_at", BigInteger),
    Column("ends_at", BigInteger),
    Index("feed_address_of", "feed_id", "created_at", "id"),
)
