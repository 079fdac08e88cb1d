"""Last-Modified of each feed, which may only grow: a program that knows only dates must never be told
"not modified" about something it has not seen, be it a deletion, a window's end or a change of our texts.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from service.store import locks
from service.store.tables import counter, feed_state, reference, revision
from service.store.timestamps import millis

# Anybody can ask for any filter; the oldest are forgotten, and what they said stays a lower bound for all.
MOST_FEEDS = 10_000
FORGOTTEN_AT_ONCE = 1_000
FLOOR = "feeds_modified"
# Seconds. Another process notices a change half a second late, and a Date has its fraction cut off.
BEYOND = 2


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed holds as of `seq`; `newest` is its newest entry. Readers had it `instead_of` another."""

    feed: str
    digest: str
    seq: int
    newest: datetime | None
    instead_of: str | None = None


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """`modified` in whole seconds since 1970; `seq` is the revision log's at that change."""

    digest: str
    modified: int
    seq: int


def get_many(c: Connection, feeds: Collection[str]) -> dict[str, FeedState]:
    """The states of those that have one."""
    rows = c.execute(_SOME, {"feeds": list(feeds)})
    return {row.feed: FeedState(digest=row.digest, modified=row.modified, seq=row.seq) for row in rows}


def note(c: Connection, contents: Sequence[Content], *, now: datetime) -> dict[str, FeedState]:
    """The states of feeds with these contents; a new Last-Modified for each whose content is another.

    A content seen for the first time is dated by its `newest` entry. A changed one, and one that readers get
    `instead_of` another feed, is dated so far after now that neither an earlier Last-Modified nor the Date of
    an answer with what it was before reaches that, whoever gave it. A process that lags behind what another
    has published already changes nothing.
    """
    locks.catalogue(c)
    second = millis(now) // 1000
    before = {content.instead_of for content in contents if content.instead_of is not None}
    states = get_many(c, before.union(content.feed for content in contents))
    changes = []
    for content in contents:
        state = states.get(content.feed)
        if state is None:
            replaced = states.get(content.instead_of or "")
            states[content.feed] = _first(c, content, second, replaced=replaced)
        elif state.digest != content.digest and state.seq <= content.seq:
            new = FeedState(digest=content.digest, modified=_after(second, state), seq=content.seq)
            states[content.feed] = new
            changes.append({"the_feed": content.feed, **msgspec.structs.asdict(new)})
    if changes:
        c.execute(_CHANGE, changes)
    return {content.feed: states[content.feed] for content in contents}


def _first(c: Connection, content: Content, second: int, *, replaced: FeedState | None) -> FeedState:
    _make_room(c)
    at_first = second if content.newest is None else min(second, -(-millis(content.newest) // 1000))
    if content.instead_of is not None:
        at_first = _after(second, replaced)
    state = FeedState(digest=content.digest, modified=max(at_first, _floor(c) + 1), seq=content.seq)
    c.execute(insert(feed_state).values(feed=content.feed, **msgspec.structs.asdict(state)))
    return state


def _after(second: int, before: FeedState | None) -> int:
    return max(second + BEYOND, before.modified + 1 if before else 0)


def _make_room(c: Connection) -> None:
    if int(c.execute(select(func.count()).select_from(feed_state)).scalar_one()) < MOST_FEEDS:
        return
    oldest = c.execute(_OLDEST).all()
    c.execute(delete(feed_state).where(feed_state.c.feed.in_([row.feed for row in oldest])))
    bound = max(row.modified for row in oldest)
    c.execute(update(counter).where(counter.c.name == FLOOR, counter.c.value < bound).values(value=bound))


def _floor(c: Connection) -> int:
    return int(c.execute(select(counter.c.value).where(counter.c.name == FLOOR)).scalar_one())


_SOME = select(feed_state).where(feed_state.c.feed.in_(bindparam("feeds", expanding=True)))
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


# FOLDED service/store/news.py: Which events may look different than they did at an earlier place in the log.
# FOLDED service/store/news.py:
# FOLDED service/store/news.py: Every feed that is read asks this after every write, so it takes two statements: where the log stands, and
# FOLDED service/store/news.py: what changed.
# Beyond so many changes reading everything is as quick.
MOST = 500


def ends(c: Connection) -> tuple[int, int]:
    """The newest `seq`, and the newest that has been pruned."""
    kept = {row.name: int(row.value) for row in c.execute(_ENDS)}
    return kept["revision"], kept["pruned"]


def touched(c: Connection, since: int, *, ends: tuple[int, int]) -> frozenset[str] | None:
    """The events that changed after `since`, or that name something that did; None for too many to tell."""
    head, pruned = ends
    if since < pruned or head - since > MOST:
        return None
    if since >= head:
        return frozenset()
    found = frozenset(row.id for row in c.execute(_TOUCHED, {"since": since, "most": MOST + 1}))
    return found if len(found) <= MOST else None


_LATER = revision.c.seq > bindparam("since")
_ENDS = select(counter.c.name, counter.c.value).where(counter.c.name.in_(["revision", "pruned"]))
_NAMING = (
    select(reference.c.by_id)
    .join(revision, (reference.c.noun == revision.c.noun) & (reference.c.id == revision.c.id))
    .where(_LATER, reference.c.by_noun == "event")
)
_TOUCHED = (
    select(revision.c.id).where(_LATER, revision.c.noun == "event").union(_NAMING).limit(bindparam("most"))
)
