"""The tables of feeds: when each last changed; what people keep as feeds of their own, and the addresses."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from service.store.tables import metadata

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
