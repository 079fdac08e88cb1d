"""Stores the Last-Modified of each feed, and tells which events were touched since a place in the log.

Last-Modified only grows: a program that knows only dates must never be told "not modified" about something it
has not seen, be it a deletion, an event leaving the range or a change of our wording.
"""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from service.store import locks
from service.store.sql import millis
from service.store.tables import counter, feed_state, reference, revision

# Anybody can ask for any filter; the oldest are forgotten, and their newest date stays a lower bound for all.
MOST_FEEDS = 10_000
FORGOTTEN_AT_ONCE = 1_000
FLOOR = "feeds_modified"
# Seconds. Another process notices a change half a second late, and a Date has its fraction cut off.
BEYOND = 2
# Beyond so many changes reading everything is as quick.
MOST_TOUCHED = 500


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a feed as of `seq`; `newest` is the last change among its entries.

    `instead_of` is the feed that its readers had at the same address before, if any.
    """

    feed: str
    digest: str
    seq: int
    newest: datetime | None
    instead_of: str | None = None


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """When a feed last changed: `modified` in whole seconds since 1970, `seq` of the log as of then."""

    digest: str
    modified: int
    seq: int


def get(c: Connection, feed: str) -> FeedState | None:
    row = c.execute(_STATE, {"of": feed}).one_or_none()
    return FeedState(digest=row.digest, modified=row.modified, seq=row.seq) if row else None


def note(c: Connection, content: Content, *, now: datetime) -> FeedState:
    """Stores a new Last-Modified if the content is new; returns the state, which may be of a later content.

    A feed seen for the first time is dated by its newest entry. A changed one, and one that readers get
    instead of another, is dated so far after now that neither an earlier Last-Modified nor the Date of an
    answer with the earlier content reaches it, whichever process gave it. Content of an earlier `seq` than
    another process has noted changes nothing.
    """
    locks.catalogue(c)
    second = millis(now) // 1000
    state = get(c, content.feed)
    if state is None:
        return _first(c, content, second)
    if state.digest == content.digest or content.seq < state.seq:
        return state
    changed = FeedState(digest=content.digest, modified=_after(second, state), seq=content.seq)
    c.execute(_CHANGE, {"of": content.feed, **msgspec.structs.asdict(changed)})
    return changed


def touched(c: Connection, since: int | None) -> tuple[int, frozenset[str] | None]:
    """Returns the newest seq, and the events that changed after `since`, or that name something that did, or
    that were taken along by what they are part of.

    None instead of the events means all of them: there is no `since`, it was pruned, or they are too many.
    """
    ends = {row.name: int(row.value) for row in c.execute(_ENDS)}
    newest, pruned = ends["revision"], ends["pruned"]
    if since is None or since < pruned or newest - since > MOST_TOUCHED:
        return newest, None
    if since >= newest:
        return newest, frozenset()
    ids = frozenset(row.id for row in c.execute(_TOUCHED, {"since": since, "most": MOST_TOUCHED + 1}))
    return newest, ids if len(ids) <= MOST_TOUCHED else None


def _first(c: Connection, content: Content, second: int) -> FeedState:
    _make_room(c)
    if content.instead_of is not None:
        modified = _after(second, get(c, content.instead_of))
    else:
        modified = second if content.newest is None else min(second, -(-millis(content.newest) // 1000))
    floor = int(c.execute(_FLOOR).scalar_one())
    state = FeedState(digest=content.digest, modified=max(modified, floor + 1), seq=content.seq)
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


_STATE = select(feed_state).where(feed_state.c.feed == bindparam("of"))
_CHANGE = (
    update(feed_state)
    .where(feed_state.c.feed == bindparam("of"))
    .values(digest=bindparam("digest"), modified=bindparam("modified"), seq=bindparam("seq"))
)
_FLOOR = select(counter.c.value).where(counter.c.name == FLOOR)
_OLDEST = (
    select(feed_state.c.feed, feed_state.c.modified)
    .order_by(feed_state.c.modified, feed_state.c.feed)
    .limit(FORGOTTEN_AT_ONCE)
)
_ENDS = select(counter.c.name, counter.c.value).where(counter.c.name.in_(["revision", "pruned"]))
_LATER = revision.c.seq > bindparam("since")
_NAMING = (
    select(reference.c.by_id)
    .join(revision, (reference.c.noun == revision.c.noun) & (reference.c.id == revision.c.id))
    .where(_LATER, reference.c.by_noun == "event")
)
_TOUCHED = (
    select(revision.c.id)
    .where(_LATER, revision.c.noun.in_(["event", "turn"]))
    .union(_NAMING)
    .limit(bindparam("most"))
)
