"""Last-Modified of each feed, which may only grow: a program that knows only dates must never be told
"not modified" about something it has not seen, be it a deletion, a window's end or a change of our texts.
"""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from service.store import locks
from service.store.feed_tables import feed_state
from service.store.instants import millis
from service.store.tables import counter

# Anybody can ask for any filter; the oldest are forgotten, and what they said stays a lower bound for all.
MOST_FEEDS = 10_000
FORGOTTEN_AT_ONCE = 1_000
FLOOR = "feeds_modified"


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """`modified` in whole seconds since 1970; `seq` is the revision log's at that change."""

    digest: str
    modified: int
    seq: int


def get(c: Connection, feed: str) -> FeedState | None:
    row = c.execute(_ONE, {"feed": feed}).one_or_none()
    return None if row is None else FeedState(digest=row.digest, modified=row.modified, seq=row.seq)


def note(
    c: Connection,
    feed: str,
    *,
    digest: str,
    seq: int,
    newest: datetime | None,
    now: datetime,
    instead_of: str | None = None,
) -> FeedState:
    """The state of a feed whose content is `digest` as of `seq`; a new Last-Modified if that is a change.

    A content seen for the first time is dated by its `newest` entry. A changed one, and one that readers get
    `instead_of` another feed, is dated by the second after now: neither an earlier Last-Modified nor the Date
    of an earlier answer reaches that. A process that lags behind what another has published already changes
    nothing.
    """
    locks.catalogue(c)
    second = millis(now) // 1000
    state = get(c, feed)
    if state is not None and (state.digest == digest or state.seq > seq):
        return state
    if state is None:
        _make_room(c)
        at_first = second if newest is None else min(second, -(-millis(newest) // 1000))
        if instead_of is not None:
            before = get(c, instead_of)
            at_first = max(second, before.modified if before else 0) + 1
        modified = max(at_first, _floor(c) + 1)
        c.execute(insert(feed_state).values(feed=feed, digest=digest, modified=modified, seq=seq))
    else:
        modified = max(second + 1, state.modified + 1)
        c.execute(_CHANGE, {"the_feed": feed, "digest": digest, "modified": modified, "seq": seq})
    return FeedState(digest=digest, modified=modified, seq=seq)


def _make_room(c: Connection) -> None:
    if int(c.execute(select(func.count()).select_from(feed_state)).scalar_one()) < MOST_FEEDS:
        return
    oldest = c.execute(_OLDEST).all()
    c.execute(delete(feed_state).where(feed_state.c.feed.in_([row.feed for row in oldest])))
    bound = max(row.modified for row in oldest)
    c.execute(update(counter).where(counter.c.name == FLOOR, counter.c.value < bound).values(value=bound))


def _floor(c: Connection) -> int:
    return int(c.execute(select(counter.c.value).where(counter.c.name == FLOOR)).scalar_one())


_ONE = select(feed_state).where(feed_state.c.feed == bindparam("feed"))
_OLDEST = (
    select(feed_state.c.feed, feed_state.c.modified)
    .order_by(feed_state.c.modified, feed_state.c.feed)
    .limit(FORGOTTEN_AT_ONCE)
)
_CHANGE = (
    update(feed_state)
    .where(feed_state.c.feed == bindparam("the_feed"))
    .values(digest=bindparam("digest"), modified=bindparam("modified"), seq=bindparam("seq"))
)
