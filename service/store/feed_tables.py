"""The one table of feeds: when each last changed."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

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
